#include "harness/conductor/unit_program.h"

#include <algorithm>
#include <filesystem>

#include "harness/conductor/unit_factory.h"
#include "suites/runner.h"

namespace hilmark {
namespace {

/// Twenty beside those of the lab.
std::vector<std::string> further_accounts(const std::vector<std::string>& taken) {
  constexpr std::size_t count = 20;
  std::vector<std::string> accounts;
  for (std::int64_t number = 900'000'000'001; accounts.size() < count; ++number) {
    std::string account = std::to_string(number);
    if (std::find(taken.begin(), taken.end(), account) == taken.end()) accounts.push_back(std::move(account));
  }
  return accounts;
}

class UnitProgram final : public WorkerProgram {
 public:
  Result<void> prepare(const WorkerOrders& orders, const World& world) override {
    const std::filesystem::path folder = orders.folder;
    const auto addresses = listen_addresses(orders.unit, orders.regions);
    const std::uint16_t port = mqtt_port_for(orders.unit, world);
    if (auto free = check_ports_free(addresses, port); !free) return fail(free.error(), "unit {}", orders.unit.id);
    if (auto made = make_folders(folder); !made) return made;

    settings_.cases = orders.cases;
    settings_.rounds = static_cast<int>(orders.rounds);
    settings_.long_time = orders.long_time;
    settings_.seed = static_cast<std::uint64_t>(orders.seed);
    settings_.client_id = "hilmark-" + orders.unit.id;
    settings_.resolver = resolver_address_for(world);
    settings_.key_history = orders.key_history;
    settings_.cloud.accounts = orders.accounts;
    settings_.tour_accounts = further_accounts(orders.accounts);
    settings_.cloud.accounts.insert(settings_.cloud.accounts.end(), settings_.tour_accounts.begin(),
                                    settings_.tour_accounts.end());
    for (const std::string& region : orders.regions) {
      if (addresses.count(region) > 0) settings_.cloud.regions.push_back(region);
    }
    settings_.cloud.addresses = addresses;
    settings_.cloud.mqtt_port = port;
    settings_.cloud.folder = folder / "cloud";
    settings_.cloud.mosquitto = orders.mosquitto;
    if (!orders.firmware.empty()) {
      auto image = load_image(orders.unit, orders.firmware);
      if (!image) return fail(image.error(), "unit {}", orders.unit.id);
      settings_.firmware = std::move(*image);
    }
    auto made = make_unit(orders.unit, folder / "unit", clock_, evidence_);
    if (!made) return fail(made.error(), "unit {}", orders.unit.id);
    made_ = std::move(*made);
    return {};
  }

  Result<void> run(const Sink& sink, const std::function<bool()>& stop) override {
    return suites::run_unit(*made_.unit, settings_, evidence_, clock_, sink, stop);
  }

 private:
  static Result<void> make_folders(const std::filesystem::path& folder) {
    for (const char* name : {"cloud", "unit"}) {
      std::error_code error;
      std::filesystem::create_directory(folder / name, error);
      if (!error) std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all, error);
      if (error) return fail(ErrorKind::rig, "cannot make {}: {}", (folder / name).string(), error.message());
    }
    return {};
  }

  SystemClock clock_;
  EvidenceLog evidence_{clock_};
  suites::RunSettings settings_;
  MadeUnit made_;
};

}  // namespace

std::unique_ptr<WorkerProgram> make_unit_program() { return std::make_unique<UnitProgram>(); }

}  // namespace hilmark
