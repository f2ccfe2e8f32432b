#include "harness/inventory/lab_file.h"

#include <algorithm>
#include <map>
#include <regex>

#include <arpa/inet.h>
#include <fmt/ranges.h>

#include "harness/base/bytes.h"
#include "harness/inventory/board_file.h"
#include "harness/inventory/yaml_document.h"

namespace hilmark {
namespace {

const char* const port_shape = "[0-9]{1,3}-[0-9]{1,3}(\\.[0-9]{1,3}){0,6}";

/// The text of a key, which must match the pattern where it is there.
std::string shaped(YamlMapping& mapping, const std::string& key, const std::string& shape, const char* meaning) {
  std::string value = mapping.text(key);
  if (!value.empty() && !std::regex_match(value, std::regex(shape))) {
    mapping.fault(key, fmt::format("expected {} for `{}`; got `{}`", meaning, key, printable(value)));
  }
  return value;
}

void read_cloud(YamlMapping& root, LabFacts& lab) {
  root.require("cloud");
  const auto cloud = root.mapping("cloud");
  if (!cloud) return;
  const auto list = [&](const char* key, const char* shape, const char* meaning, std::size_t least) {
    cloud->require(key);
    std::vector<std::string> values = cloud->texts(key);
    for (std::size_t index = 0; index < values.size(); ++index) {
      if (!std::regex_match(values[index], std::regex(shape))) {
        cloud->fault(key, fmt::format("expected {} in `{}`; got `{}`", meaning, key, printable(values[index])));
      }
      if (std::find(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values[index]) !=
          values.begin() + static_cast<std::ptrdiff_t>(index)) {
        cloud->fault(key,
                     fmt::format("expected each entry of `{}` once; got `{}` again", key, printable(values[index])));
      }
    }
    if (cloud->has(key) && values.size() < least) {
      cloud->fault(key, fmt::format("expected at least {} in `{}`; got {}", least, key, values.size()));
    }
    return values;
  };
  lab.accounts = list("accounts", "[0-9]{12}", "account ids of 12 digits", 2);
  lab.regions = list("regions", "[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", "region names such as us-east-1", 1);
}

PowerFacts read_power(YamlMapping& unit) {
  PowerFacts power;
  const auto mapping = unit.mapping("power");
  if (!mapping) return power;
  power.hub =
      shaped(*mapping, "hub", fmt::format("[0-9]{{1,3}}|{}", port_shape), "a hub's place such as \"1\" or \"1-4\"");
  power.port = mapping->integer("port", 1, 255).value_or(0);
  power.on = mapping->text("on");
  power.off = mapping->text("off");
  power.cycle = mapping->text("cycle");
  power.boot_pin = mapping->text("boot_pin");
  if (mapping->has("hub") != mapping->has("port"))
    mapping->fault("expected `hub` and `port` together in `power`; got one of them");
  if (mapping->has("on") != mapping->has("off"))
    mapping->fault("expected `on` and `off` together in `power`; got one of them");
  if (mapping->has("hub") && (mapping->has("on") || mapping->has("cycle"))) {
    mapping->fault("expected either `hub` and `port` or commands in `power`; got both");
  }
  if (!power.boot_pin.empty() && power.boot_pin.find("{state}") == std::string::npos) {
    mapping->fault("boot_pin", "expected a command with `{state}` (on or off) for `boot_pin`; got none");
  }
  return power;
}

void read_usb(YamlMapping& unit, const char* key, LabUnit& result) {
  unit.require(key);
  const auto place = unit.mapping(key);
  if (!place) return;
  const bool is_virtual = std::string_view(key) == "virtual";
  result.port = shaped(*place, "port", is_virtual ? "1-[0-9]{1,3}(\\.[0-9])?" : port_shape,
                       is_virtual ? "a port of the virtual bus such as \"1-1\"" : "a port path such as \"1-4.2\"");
  result.serial = shaped(*place, "serial", "[\\x21-\\x7e]{1,126}", "a USB serial number");
  if (is_virtual) {
    place->require("port");
    place->require("serial");
    place->require("core");
    for (const char* meant : {"tty", "dfu", "faults"}) place->ignore(meant);  // for virtual-lab
    if (const std::string core = place->text("core"); !core.empty() && core != "native") {
      place->fault("core", fmt::format("expected native for `core`; got `{}`", printable(core)));
    }
  } else if (result.port.empty() && result.serial.empty()) {
    place->fault("expected `port` or `serial` in `usb`; got neither");
  }
}

void read_network(YamlMapping& unit, LabUnit& result) {
  unit.require("network");
  const auto network = unit.mapping("network");
  if (!network) return;
  network->require("rig_address");
  if (const std::string address = network->text("rig_address"); !address.empty()) {
    in_addr parsed{};
    if (::inet_pton(AF_INET, address.c_str(), &parsed) != 1) {
      network->fault("rig_address",
                     fmt::format("expected an IPv4 address for `rig_address`; got `{}`", printable(address)));
    }
    result.rig_addresses.push_back(address);
  }
}

void read_process(YamlMapping& unit, LabUnit& result) {
  static const std::vector<std::string> impossible{"power", "csr", "flash", "keeps-identity"};
  unit.require("command");
  result.command = unit.texts("command");
  if (unit.has("command") && result.command.empty())
    unit.fault("command", "expected a program and its arguments for `command`; got none");
  unit.require("capabilities");
  for (const std::string& name : result.capabilities.value_or(std::vector<std::string>())) {
    if (std::find(impossible.begin(), impossible.end(), name) != impossible.end()) {
      unit.fault("capabilities", fmt::format("expected what a process can do in `capabilities`; got `{}`", name));
    }
  }
}

LabUnit read_unit(YamlMapping& unit) {
  LabUnit result;
  result.line = unit.line();
  unit.require("id");
  result.id = shaped(unit, "id", "[a-z0-9-]{1,40}", "1 to 40 of a-z, 0-9 and -");
  unit.require("kind");
  result.kind = shaped(unit, "kind", "usb|virtual|process", "usb, virtual or process");
  if (unit.has("capabilities")) result.capabilities = read_capabilities(unit);
  result.timing = read_timing(unit);
  if (result.kind == "process") {
    read_process(unit, result);
    return result;
  }
  if (result.kind == "usb") {
    read_usb(unit, "usb", result);
    read_network(unit, result);
  } else if (result.kind == "virtual") {
    read_usb(unit, "virtual", result);
  }
  unit.require("board");
  result.board = shaped(unit, "board", "[A-Za-z0-9_-]{1,64}", "a board's name");
  result.power = read_power(unit);
  if (const auto console = unit.mapping("console")) {
    result.console_address = console->text("address");
    result.console_command = console->texts("command");
  }
  if (const auto flasher = unit.mapping("flasher")) result.tool_arguments = flasher->text_map("arguments");
  result.firmware = unit.text("firmware");
  return result;
}

/// Two units cannot share an id, a place, a serial number or the rig's address for them.
void check_distinct(const std::vector<LabUnit>& units, const std::vector<std::unique_ptr<YamlMapping>>& mappings) {
  std::map<std::string, int> first_line;
  for (std::size_t index = 0; index < units.size(); ++index) {
    const LabUnit& unit = units[index];
    const auto once = [&](const char* key, const std::string& kind, const std::string& value) {
      if (value.empty()) return;
      const auto [place, fresh] = first_line.emplace(fmt::format("{}{} {}", key, kind, value), unit.line);
      if (!fresh)
        mappings[index]->fault(fmt::format("expected another {} for each unit; got `{}` again (first in line {})", key,
                                           printable(value), place->second));
    };
    once("id", "", unit.id);
    once("port", unit.kind, unit.port);
    once("serial", unit.kind, unit.serial);
    for (const std::string& address : unit.rig_addresses) once("rig_address", "", address);
  }
}

}  // namespace

Result<LabFacts> read_lab_file(const std::filesystem::path& path) {
  LabFacts lab;
  const auto read = read_yaml(path, [&](YamlMapping& root) {
    root.check_version();
    read_cloud(root, lab);
    root.ignore("virtual");  // for virtual-lab
    root.require("units");
    const auto mappings = root.mappings("units");
    for (const auto& unit : mappings) lab.units.push_back(read_unit(*unit));
    check_distinct(lab.units, mappings);
  });
  if (!read) return fail(read.error());
  return lab;
}

}  // namespace hilmark
