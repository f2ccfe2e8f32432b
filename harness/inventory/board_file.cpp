#include "harness/inventory/board_file.h"

#include <algorithm>
#include <limits>
#include <regex>
#include <set>

#include <fmt/ranges.h>

#include "drivers/console/console_config.h"
#include "drivers/dfu/dfuse_layout.h"
#include "drivers/unit/open_flasher.h"
#include "harness/base/bytes.h"
#include "harness/inventory/near_miss.h"
#include "harness/inventory/yaml_document.h"

namespace hilmark {
namespace {

constexpr std::int64_t max_time_ms = 3'600'000;

/// The text of a key that must be there and be one of `names`.
std::string one_of(YamlMapping& mapping, const std::string& key, const std::vector<std::string>& names) {
  mapping.require(key);
  std::string value = mapping.text(key);
  if (!value.empty() && std::find(names.begin(), names.end(), value) == names.end()) {
    mapping.fault(key,
                  fmt::format("expected one of {} for `{}`; got `{}`", fmt::join(names, ", "), key, printable(value)));
  }
  return value;
}

void check_usb_id(YamlMapping& states, const std::string& key, const std::string& value) {
  static const std::regex shape("[0-9a-f]{4}:[0-9a-f]{4}");
  if (value.empty() || std::regex_match(value, shape)) return;
  states.fault(key, fmt::format("expected USB ids such as \"0483:df11\" for `{}`; got `{}`", key, printable(value)));
}

std::string usb_id(YamlMapping& states, const std::string& key) {
  states.require(key);
  std::string value = states.text(key);
  check_usb_id(states, key, value);
  return value;
}

/// At least one.
std::vector<std::string> usb_ids(YamlMapping& states, const std::string& key) {
  std::vector<std::string> values = states.texts(key);
  for (const std::string& value : values) check_usb_id(states, key, value);
  if (values.empty()) states.fault(key, fmt::format("expected a list of USB ids for `{}`; got none", key));
  return values;
}

std::string file_name(YamlMapping& mapping, const std::string& key) {
  mapping.require(key);
  std::string value = mapping.text(key);
  static const std::regex shape("[A-Za-z0-9_-]{1,64}");
  if (!value.empty() && !std::regex_match(value, shape)) {
    mapping.fault(key,
                  fmt::format("expected a name of letters, digits, _ and - for `{}`; got `{}`", key, printable(value)));
  }
  return value;
}

/// What the chip and the board file have in common. `has_layout`: whether that is told here.
FlasherFacts read_flasher(YamlMapping& flasher, bool has_layout) {
  FlasherFacts facts;
  facts.line = flasher.line();
  facts.protocol = one_of(flasher, "protocol", flasher_protocols());
  if (has_layout) {
    flasher.require("layout");
    facts.layout = flasher.text("layout");
    const auto layout = parse_dfuse_layout(facts.layout);
    if (!facts.layout.empty() && !layout) flasher.fault("layout", layout.error().message);
  }
  const bool is_tool = facts.protocol == "tool";
  if (is_tool) facts.tool.name = file_name(flasher, "tool");
  for (const char* key : {"tool", "arguments"}) {
    if (flasher.has(key) && !is_tool) {
      flasher.fault(key, fmt::format("expected `{}` with protocol tool alone; got it with {}", key, facts.protocol));
      flasher.ignore(key);
    }
  }
  if (is_tool) facts.tool.arguments = flasher.text_map("arguments");
  return facts;
}

/// An image fits into the memory that the chip's flasher has.
void check_room(YamlMapping& image, const ChipFacts& chip) {
  const auto layout = parse_dfuse_layout(chip.flasher.layout);
  if (!layout || chip.image.max_bytes == 0) return;  // That was told.
  const auto room = layout->covering(chip.image.base, chip.image.max_bytes);
  if (!room) {
    image.fault("base",
                fmt::format("expected `base` and `max_bytes` within the flasher's `layout`: {}", room.error().message));
  }
}

StateFacts read_states(YamlMapping& states) {
  StateFacts facts;
  if (states.has("probe")) {
    facts.probe = usb_ids(states, "probe");
    for (const char* key : {"bootloader", "application"}) {
      if (!states.has(key)) continue;
      states.fault(key, fmt::format("expected either `probe` or `{}` in `states`; got both", key));
      states.ignore(key);
    }
    return facts;
  }
  facts.bootloader = usb_id(states, "bootloader");
  facts.application = usb_id(states, "application");
  states.ignore("probe");
  return facts;
}

std::optional<bool> yes_or_no(YamlMapping& mapping, const std::string& key) {
  if (!mapping.has(key)) return std::nullopt;
  const std::string value = mapping.text(key);
  if (value != "true" && value != "false") {
    mapping.fault(key, fmt::format("expected true or false for `{}`; got `{}`", key, printable(value)));
  }
  return value == "true";
}

/// What the values may be is seen once the lab file's have been laid over them.
ConsoleFacts read_console(YamlMapping& console) {
  constexpr std::int64_t max_number = 1'000'000'000;
  ConsoleFacts facts;
  facts.commands = file_name(console, "commands");
  facts.line = console.line_of("commands");
  ConsoleConfig& config = facts.config;
  config.transport = one_of(console, "transport", console_transports());
  if (const auto number = console.integer("interface", 0, max_number)) config.interface = static_cast<int>(*number);
  config.baud = static_cast<unsigned>(console.integer("baud", 1, max_number).value_or(config.baud));
  if (const std::string framing = console.text("framing"); !framing.empty()) config.framing = framing;
  config.line_end = console.text("line_end");
  config.prompt = console.text("prompt");
  config.dtr = yes_or_no(console, "dtr");
  config.rts = yes_or_no(console, "rts");
  config.telnet = yes_or_no(console, "telnet").value_or(config.telnet);
  config.address = console.text("address");
  config.command = console.texts("command");
  return facts;
}

}  // namespace

TimingFacts read_timing(YamlMapping& parent) {
  TimingFacts timing;
  const auto mapping = parent.mapping("timing");
  if (!mapping) return timing;
  timing.boot_ms = mapping->integer("boot_ms", 1, max_time_ms);
  timing.connect_ms = mapping->integer("connect_ms", 1, max_time_ms);
  timing.reconnect_max_ms = mapping->integer("reconnect_max_ms", 1, max_time_ms);
  timing.handshake_ms = mapping->integer("handshake_ms", 1, max_time_ms);
  timing.endpoint_command_ms = mapping->integer("endpoint_command_ms", 1, max_time_ms);
  timing.watch_ms = mapping->integer("watch_ms", 1, max_time_ms);
  timing.dns_ttl_ms = mapping->integer("dns_ttl_ms", 1000, max_time_ms);
  timing.storm_window_ms = mapping->integer("storm_window_ms", 1, 10'000);
  timing.soak_ms = mapping->integer("soak_ms", 1, max_time_ms);
  timing.keep_alive_s = mapping->integer("keep_alive_s", 0, std::numeric_limits<std::uint16_t>::max());
  return timing;
}

std::vector<std::string> read_capabilities(YamlMapping& parent) {
  std::vector<std::string> names = parent.texts("capabilities");
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!capability_from(name)) {
      parent.fault("capabilities", fmt::format("expected capabilities; got `{}`{}", printable(name),
                                               suggestion(name, capability_names())));
    }
    if (!seen.insert(name).second)
      parent.fault("capabilities", fmt::format("expected each capability once; got `{}` again", printable(name)));
  }
  return names;
}

Result<BoardFacts> read_board_file(const std::filesystem::path& path) {
  BoardFacts board;
  const auto read = read_yaml(path, [&](YamlMapping& root) {
    root.check_version();
    board.chip = file_name(root, "chip");
    board.chip_line = root.line_of("chip");
    root.require("states");
    if (const auto states = root.mapping("states")) board.states = read_states(*states);
    if (const auto flasher = root.mapping("flasher")) board.flasher = read_flasher(*flasher, false);
    root.require("console");
    if (const auto console = root.mapping("console")) {
      board.console = read_console(*console);
    }
    root.require("capabilities");
    board.capabilities = read_capabilities(root);
    board.timing = read_timing(root);
    board.settings = root.text_map("settings");
    (void)root.text_map("sources");
  });
  if (!read) return fail(read.error());
  return board;
}

Result<ChipFacts> read_chip_file(const std::filesystem::path& path) {
  static constexpr std::int64_t max_u32 = std::numeric_limits<std::uint32_t>::max();
  ChipFacts chip;
  const auto read = read_yaml(path, [&](YamlMapping& root) {
    root.check_version();
    root.require("flasher");
    if (const auto flasher = root.mapping("flasher")) chip.flasher = read_flasher(*flasher, true);
    root.require("image");
    if (const auto image = root.mapping("image")) {
      image->require("formats");
      chip.image.formats = image->texts("formats");
      for (const std::string& format : chip.image.formats) {
        if (format != "hilmark" && format != "bin" && format != "uf2") {
          image->fault("formats",
                       fmt::format("expected hilmark, bin or uf2 in `formats`; got `{}`", printable(format)));
        }
      }
      image->require("base");
      chip.image.base = static_cast<std::uint32_t>(image->integer("base", 0, max_u32).value_or(0));
      image->require("max_bytes");
      chip.image.max_bytes = static_cast<std::uint32_t>(image->integer("max_bytes", 1, max_u32).value_or(0));
      check_room(*image, chip);
      if (const auto family = image->integer("uf2_family", 0, max_u32)) {
        chip.image.uf2_family = static_cast<std::uint32_t>(*family);
      }
    }
    (void)root.text_map("sources");
  });
  if (!read) return fail(read.error());
  return chip;
}

}  // namespace hilmark
