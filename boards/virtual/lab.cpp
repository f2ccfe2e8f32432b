#include "boards/virtual/lab.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace virtual_lab {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view commands =
    "expected boot-pin PORT on|off, faults PORT [FAULT...], unplug PORT, plug PORT, power PORT on|off, reset PORT, "
    "status PORT or list";

std::string port_name(const VirtualBoard& board) { return board.spec().port_name(); }

// What a command line asks of a board.
std::optional<BoardInput> input_of(const std::vector<std::string>& words) {
  static const std::map<std::string, BoardInput> inputs{
      {"boot-pin on", BoardInput::boot_pin_on},
      {"boot-pin off", BoardInput::boot_pin_off},
      {"power on", BoardInput::port_power_on},
      {"power off", BoardInput::port_power_off},
      {"plug", BoardInput::plug},
      {"unplug", BoardInput::unplug},
      {"reset", BoardInput::reset},
  };
  if (words.size() < 2 || words.size() > 3) return std::nullopt;
  const auto found = inputs.find(words.size() == 2 ? words[0] : words[0] + " " + words[2]);
  return found == inputs.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

Lab::Lab(EventLoop& loop, const LabSettings& settings)
    : loop_(loop),
      root_(settings.root),
      log_(settings.log_file),
      bus_(loop, settings.root),
      control_(loop, [this](const std::string& line) { return obey(line); }) {}

Result<std::unique_ptr<Lab>> Lab::open(EventLoop& loop, const LabSettings& settings) {
  std::unique_ptr<Lab> lab(new Lab(loop, settings));
  if (!lab->log_.usable()) return errno_failure(fmt::format("cannot write the log {}", settings.log_file.string()));
  if (const auto started = lab->start_bus(settings); !started) return failure(started.error());
  if (const auto made = lab->make_boards(settings); !made) return failure(made.error());
  if (const auto listening = lab->control_.listen(lab->root_ / "control"); !listening)
    return failure(listening.error());
  if (const auto published = lab->publish(); !published) return failure(published.error());

  for (const auto& board : lab->boards_) board->handle(BoardInput::port_power_on);
  loop.run_until([&] {
    return std::all_of(lab->boards_.begin(), lab->boards_.end(), [](const auto& board) { return board->settled(); });
  });
  for (const auto& board : lab->boards_) {
    if (!board->on_bus()) {
      return failure(fmt::format("{} could not join the bus; --log FILE tells why", board->spec().id));
    }
  }
  return lab;
}

Result<void> Lab::start_bus(const LabSettings& settings) {
  unsigned ports = 4;
  bool superspeed = false;
  for (const UnitSpec& unit : settings.units) ports = std::max(ports, unit.port);
  for (const HubSpec& hub : settings.hubs) {
    ports = std::max(ports, hub.port);
    superspeed = superspeed || hub.usb3 != HubSpec::Usb3::none;
  }
  auto started = bus_.start(ports, [this](unsigned port, bool on) { root_port_switched(port, on); });
  if (started && superspeed) started = bus_.start_superspeed(ports);
  if (!started) return started;
  for (const HubSpec& hub : settings.hubs) {
    hubs_.push_back(std::make_unique<ExternalHub>(
        hub, bus_, [this, root_port = hub.port](unsigned port, const ExternalHub::PortState& state) {
          VirtualBoard* board = board_at(fmt::format("1-{}.{}", root_port, port));
          if (board == nullptr) return;
          board->handle(state.data ? BoardInput::data_on : BoardInput::data_off);
          board->handle(state.power ? BoardInput::port_power_on : BoardInput::port_power_off);
        }));
    if (auto plugged = hubs_.back()->plug(); !plugged) return plugged;
  }
  return {};
}

void Lab::root_port_switched(unsigned port, bool on) {
  if (ExternalHub* hub = hub_at(port); hub != nullptr) {
    if (const auto set = hub->set_upstream(on); !set) log_.write("hub", set.error());
  } else if (VirtualBoard* board = board_at(fmt::format("1-{}", port)); board != nullptr) {
    board->handle(on ? BoardInput::port_power_on : BoardInput::port_power_off);
  }
}

void Lab::hand_on(VirtualBoard& board, BoardInput input) {
  const bool is_power = input == BoardInput::port_power_on || input == BoardInput::port_power_off;
  ExternalHub* const hub = hub_at(board.spec().port);
  if (is_power && hub != nullptr) {
    hub->switch_port(board.spec().hub_port, input == BoardInput::port_power_on);
  } else {
    board.handle(input);
  }
}

ExternalHub* Lab::hub_at(unsigned port) {
  const auto found = std::find_if(hubs_.begin(), hubs_.end(), [&](const auto& hub) { return hub->port() == port; });
  return found == hubs_.end() ? nullptr : found->get();
}

Result<void> Lab::make_boards(const LabSettings& settings) {
  if (settings.state) {
    std::error_code error;
    fs::create_directories(*settings.state, error);
    if (error) return failure(fmt::format("cannot make {}: {}", settings.state->string(), error.message()));
  }
  BoardBus& bus = settings.bus == nullptr ? bus_ : *settings.bus;
  for (const UnitSpec& unit : settings.units) {
    auto store = settings.state ? FlashStore::kept_in(*settings.state / (unit.id + ".flash"), unit.layout.size)
                                : FlashStore::fresh(unit.layout.size);
    if (!store) return failure(store.error());
    auto network = NetworkNamespace::make();
    if (network) {
      networks_.push_back(std::make_unique<NetworkNamespace>(std::move(*network)));
    } else {
      networks_.push_back(nullptr);
      warnings_.push_back(fmt::format("{}: {}; its firmware shares this network", unit.id, network.error()));
      log_.write(unit.id, warnings_.back());
    }
    boards_.push_back(std::make_unique<VirtualBoard>(
        unit, std::move(*store), VirtualBoard::Surroundings{loop_, bus, log_, networks_.back().get()}));
  }
  return {};
}

Result<void> Lab::publish() const {
  boost::json::array boards;
  for (std::size_t i = 0; i < boards_.size(); ++i) {
    const UnitSpec& unit = boards_[i]->spec();
    boards.push_back({{"unit", unit.id},
                      {"port", port_name(*boards_[i])},
                      {"serial", unit.serial},
                      {"chip", unit.chip},
                      {"namespace_pid", networks_[i] ? boost::json::value(networks_[i]->holder_pid()) : nullptr}});
  }
  const boost::json::object lab{{"version", 1}, {"control", (root_ / "control").string()}, {"boards", boards}};
  const fs::path temporary = root_ / "lab.json.new";
  std::ofstream file(temporary);
  file << boost::json::serialize(lab) << '\n';
  file.close();
  std::error_code error;
  if (file) fs::rename(temporary, root_ / "lab.json", error);
  if (!file || error) return failure(fmt::format("cannot write {}", (root_ / "lab.json").string()));
  return {};
}

Result<std::string> Lab::obey(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.empty()) return failure(std::string(commands));
  if (words[0] == "list" && words.size() == 1) {
    std::string ports = "[";
    for (const auto& board : boards_) ports += (ports.size() > 1 ? "," : "") + board->status_json();
    return ports + "]";
  }
  if (words[0] == "faults" && words.size() >= 2) return set_faults(words);
  const auto input = input_of(words);
  const bool asks_status = words[0] == "status" && words.size() == 2;
  if (!input && !asks_status) return failure(fmt::format("cannot do \"{}\"; {}", line.substr(0, 80), commands));
  VirtualBoard* board = board_at(words[1]);
  if (board == nullptr) {
    std::vector<std::string> ports;
    for (const auto& one : boards_) ports.push_back(port_name(*one));
    return failure(fmt::format("no board at port {}; there are {}", words[1].substr(0, 40), fmt::join(ports, ", ")));
  }
  if (asks_status) return board->status_json();
  hand_on(*board, *input);
  return std::string();
}

Result<std::string> Lab::set_faults(const std::vector<std::string>& words) {
  VirtualBoard* board = board_at(words[1]);
  if (board == nullptr) return failure(fmt::format("no board at port {}", words[1].substr(0, 40)));
  auto faults = Faults::parse(fmt::format("{}", fmt::join(words.begin() + 2, words.end(), " ")));
  if (!faults) return failure(faults.error());
  board->set_faults(std::move(*faults));
  return std::string();
}

VirtualBoard* Lab::board_at(const std::string& port_or_unit) {
  const auto found = std::find_if(boards_.begin(), boards_.end(), [&](const auto& board) {
    return port_name(*board) == port_or_unit || board->spec().id == port_or_unit;
  });
  return found == boards_.end() ? nullptr : found->get();
}

}  // namespace virtual_lab
