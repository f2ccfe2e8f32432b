// The lab: boards on one USB bus, and the bench's hands that reach them by command.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "boards/virtual/control_server.h"
#include "boards/virtual/external_hub.h"
#include "boards/virtual/lab_log.h"
#include "boards/virtual/network_namespace.h"
#include "boards/virtual/usb_bus.h"
#include "boards/virtual/virtual_board.h"

namespace virtual_lab {

struct LabSettings {
  std::vector<UnitSpec> units;
  std::vector<HubSpec> hubs;
  std::filesystem::path root;                  // $UMOCKDEV_DIR
  std::optional<std::filesystem::path> state;  // where flash is kept
  std::filesystem::path log_file;
  BoardBus* bus = nullptr;  // what the boards are plugged into, and outlives the lab; none: the lab's own
};

class Lab {
 public:
  // Powers all boards and returns once each is on the bus. To be called from the process's main thread. `loop` outlives
  // the lab.
  [[nodiscard]] static Result<std::unique_ptr<Lab>> open(EventLoop& loop, const LabSettings& settings);
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;
  ~Lab() = default;

  // A line of the control socket (boards/wire.md, "The virtual lab").
  [[nodiscard]] Result<std::string> obey(const std::string& line);
  // What a person should know although the lab works.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Lab(EventLoop& loop, const LabSettings& settings);
  Result<void> start_bus(const LabSettings& settings);
  Result<void> make_boards(const LabSettings& settings);
  Result<void> publish() const;
  [[nodiscard]] Result<std::string> set_faults(const std::vector<std::string>& words);
  // What the power of a root hub's port means for whatever is plugged in there.
  void root_port_switched(unsigned port, bool on);
  void hand_on(VirtualBoard& board, BoardInput input);
  [[nodiscard]] ExternalHub* hub_at(unsigned port);
  [[nodiscard]] VirtualBoard* board_at(const std::string& port_or_unit);

  EventLoop& loop_;
  const std::filesystem::path root_;
  LabLog log_;
  std::vector<std::string> warnings_;
  std::vector<std::unique_ptr<NetworkNamespace>> networks_;  // of the boards, in their order; null where forbidden
  UsbBus bus_;
  std::vector<std::unique_ptr<ExternalHub>> hubs_;
  std::vector<std::unique_ptr<VirtualBoard>> boards_;
  ControlServer control_;
};

}  // namespace virtual_lab
