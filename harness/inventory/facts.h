// What lab, board and chip files say, as they say it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/describe/class.hpp>

#include "drivers/console/console_config.h"
#include "drivers/tool/tool_config.h"

namespace hilmark {

struct FlasherFacts {
  std::string protocol;  ///< one of flasher_protocols()
  std::string layout;    ///< the memory's sectors as DfuSe writes them; a DfuSe bootloader must tell the same
  ToolConfig tool;       ///< of protocol "tool": its name and arguments; the rest is its own file's
  int line = 0;          ///< where it stands in its file
  /// For people: "dfuse", "openocd".
  [[nodiscard]] const std::string& by() const { return protocol == "tool" ? tool.name : protocol; }
};
BOOST_DESCRIBE_STRUCT(FlasherFacts, (), (protocol, layout, tool))

struct ImageFacts {
  std::vector<std::string> formats;
  std::uint32_t base = 0;
  std::uint32_t max_bytes = 0;
  std::optional<std::uint32_t> uf2_family;  ///< whose blocks of a UF2 file are for this chip
};
BOOST_DESCRIBE_STRUCT(ImageFacts, (), (formats, base, max_bytes, uf2_family))

/// USB ids, "0483:df11": those of the board's two programs, or those that a probe on it may have.
struct StateFacts {
  std::string bootloader;
  std::string application;
  std::vector<std::string> probe;
};
BOOST_DESCRIBE_STRUCT(StateFacts, (), (bootloader, application, probe))

struct ConsoleFacts {
  std::string commands;  ///< the name of a file in boards/commands
  ConsoleConfig config;  ///< address and command may be the lab file's, too
  int line = 0;          ///< where it stands in its file
};
BOOST_DESCRIBE_STRUCT(ConsoleFacts, (), (commands, config))

/// What is not declared has the catalogue's limit.
struct TimingFacts {
  std::optional<std::int64_t> boot_ms, connect_ms, reconnect_max_ms, handshake_ms, endpoint_command_ms, watch_ms,
      dns_ttl_ms, storm_window_ms, soak_ms, keep_alive_s;
};
BOOST_DESCRIBE_STRUCT(TimingFacts, (),
                      (boot_ms, connect_ms, reconnect_max_ms, handshake_ms, endpoint_command_ms, watch_ms, dns_ttl_ms,
                       storm_window_ms, soak_ms, keep_alive_s))

/// A hub's port, or commands for a shell.
struct PowerFacts {
  std::string hub;
  std::int64_t port = 0;
  std::string on, off, cycle;
  std::string boot_pin;  ///< with `{state}`: on or off
  [[nodiscard]] bool can_cut() const { return !hub.empty() || !off.empty() || !cycle.empty(); }
};
BOOST_DESCRIBE_STRUCT(PowerFacts, (), (hub, port, on, off, cycle, boot_pin))

struct ChipFacts {
  FlasherFacts flasher;
  ImageFacts image;
};
BOOST_DESCRIBE_STRUCT(ChipFacts, (), (flasher, image))

struct BoardFacts {
  std::string chip;
  int chip_line = 0;
  StateFacts states;
  std::optional<FlasherFacts> flasher;  ///< over the chip's; without a layout of its own
  ConsoleFacts console;
  std::vector<std::string> capabilities;
  TimingFacts timing;
  std::map<std::string, std::string> settings;
};

/// One unit of a lab file.
struct LabUnit {
  std::string id;
  std::string kind;  ///< "usb", "virtual", "process"
  std::string board;
  std::string port, serial;
  PowerFacts power;
  std::string console_address;                        ///< over the board's
  std::vector<std::string> console_command;           ///< over the board's
  std::map<std::string, std::string> tool_arguments;  ///< over the board's, one by one
  std::vector<std::string> rig_addresses;             ///< IPv4, one a region at most
  std::string firmware;
  std::vector<std::string> command;
  std::optional<std::vector<std::string>> capabilities;  ///< instead of the board's
  TimingFacts timing;                                    ///< over the board's
  int line = 0;
};

struct LabFacts {
  std::vector<std::string> accounts;
  std::vector<std::string> regions;
  std::vector<LabUnit> units;
};

}  // namespace hilmark
