#include "harness/conductor/unit_program.h"

#include <algorithm>
#include <filesystem>

#include "harness/conductor/provision_program.h"
#include "harness/conductor/unit_factory.h"
#include "harness/conductor/worker_cloud.h"
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

class RunProgram final : public WorkerProgram {
 public:
  Result<void> prepare(const WorkerOrders& orders, const World& world) override {
    auto config = worker_cloud(orders, world);
    if (!config) return fail(config.error(), "unit {}", orders.unit.id);
    settings_.cloud = std::move(*config);
    settings_.cases = orders.cases;
    settings_.rounds = static_cast<int>(orders.rounds);
    settings_.long_time = orders.long_time;
    settings_.seed = static_cast<std::uint64_t>(orders.seed);
    settings_.client_id = "hilmark-" + orders.unit.id;
    settings_.resolver = resolver_address_for(world);
    settings_.key_history = orders.key_history;
    settings_.tour_accounts = further_accounts(orders.accounts);
    settings_.cloud.accounts.insert(settings_.cloud.accounts.end(), settings_.tour_accounts.begin(),
                                    settings_.tour_accounts.end());
    if (!orders.firmware.empty()) {
      auto image = load_image(orders.unit, orders.firmware);
      if (!image) return fail(image.error(), "unit {}", orders.unit.id);
      settings_.firmware = std::move(*image);
    }
    auto made = make_unit(orders.unit, std::filesystem::path(orders.folder) / "unit", clock_, evidence_);
    if (!made) return fail(made.error(), "unit {}", orders.unit.id);
    made_ = std::move(*made);
    return {};
  }

  Result<void> run(const Sink& sink, const std::function<bool()>& stop) override {
    return suites::run_unit(*made_.unit, settings_, evidence_, clock_, sink, stop);
  }

 private:
  SystemClock clock_;
  EvidenceLog evidence_{clock_};
  suites::RunSettings settings_;
  MadeUnit made_;
};

class UnitProgram final : public WorkerProgram {
 public:
  Result<void> prepare(const WorkerOrders& orders, const World& world) override {
    if (!orders.provision.mode.empty()) program_ = make_provision_program();
    if (program_ == nullptr) program_ = std::make_unique<RunProgram>();
    return program_->prepare(orders, world);
  }
  Result<void> run(const Sink& sink, const std::function<bool()>& stop) override { return program_->run(sink, stop); }

 private:
  std::unique_ptr<WorkerProgram> program_;
};

}  // namespace

std::unique_ptr<WorkerProgram> make_unit_program() { return std::make_unique<UnitProgram>(); }

}  // namespace hilmark
