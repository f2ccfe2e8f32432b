#include "boards/virtual/lab_file.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>
#include <system_error>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "boards/virtual/bootloader_models.h"
#include "boards/virtual/hub_model.h"
#include "boards/virtual/picoboot_model.h"

namespace virtual_lab {
namespace {

namespace fs = std::filesystem;

// Ends the reading of a file; becomes a Result at the room's door.
struct BadFile {
  std::string text;
};

class YamlFile {
 public:
  explicit YamlFile(fs::path path) : path_(std::move(path)) {
    try {
      root_ = YAML::LoadFile(path_.string());
    } catch (const YAML::BadFile&) {
      throw BadFile{fmt::format("{}: cannot be read; expected a YAML file", path_.string())};
    } catch (const YAML::ParserException& error) {
      throw BadFile{fmt::format("{}:{}: {}; expected YAML", path_.string(), error.mark.line + 1, error.msg)};
    }
    if (!root_.IsMap()) fail(root_, "expected a map that begins with \"version: 1\"");
    if (text(root_, "version") != "1") fail(root_["version"], "expected version 1");
  }

  [[nodiscard]] const YAML::Node& root() const { return root_; }
  [[nodiscard]] const fs::path& path() const { return path_; }

  [[noreturn]] void fail(const YAML::Node& at, const std::string& message) const {
    const YAML::Mark mark = at.IsDefined() ? at.Mark() : YAML::Mark();
    throw BadFile{fmt::format("{}:{}: {}", path_.string(), std::max(mark.line, 0) + 1, message)};
  }

  // A scalar that must be there.
  [[nodiscard]] std::string text(const YAML::Node& map, const std::string& key) const {
    const YAML::Node node = map[key];
    if (!node.IsDefined()) fail(map, fmt::format("the key \"{}\" is missing", key));
    if (!node.IsScalar() || node.Scalar().empty()) fail(node, fmt::format("expected a text for \"{}\"", key));
    return node.Scalar();
  }

  [[nodiscard]] std::uint32_t number(const YAML::Node& map, const std::string& key) const {
    const std::string digits = text(map, key);
    const bool hex = digits.starts_with("0x");
    const char* begin = digits.data() + (hex ? 2 : 0);
    const char* end = digits.data() + digits.size();
    std::uint32_t value = 0;
    const auto parsed = std::from_chars(begin, end, value, hex ? 16 : 10);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      fail(map[key], fmt::format("expected a number for \"{}\", not \"{}\"", key, digits));
    }
    return value;
  }

  [[nodiscard]] YAML::Node child_map(const YAML::Node& map, const std::string& key) const {
    const YAML::Node node = map[key];
    if (!node.IsDefined()) fail(map, fmt::format("the key \"{}\" is missing", key));
    if (!node.IsMap()) fail(node, fmt::format("expected a map for \"{}\"", key));
    return node;
  }

  void allow_only(const YAML::Node& map, const std::set<std::string>& known) const {
    std::set<std::string> seen;
    for (const auto& pair : map) {
      const std::string key = pair.first.Scalar();
      if (!known.contains(key))
        fail(pair.first, fmt::format("unknown key \"{}\"; expected {}", key, fmt::join(known, ", ")));
      if (!seen.insert(key).second) fail(pair.first, fmt::format("the key \"{}\" is there twice", key));
    }
  }

 private:
  fs::path path_;
  YAML::Node root_;
};

fs::path find_board_file(const YamlFile& lab, const YAML::Node& unit, const std::vector<fs::path>& elsewhere) {
  const std::string board = lab.text(unit, "board");
  const bool plain = std::all_of(board.begin(), board.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '_' || letter == '-';
  });
  if (!plain) lab.fail(unit["board"], fmt::format("expected a board's name, not \"{}\"", board));
  std::vector<fs::path> folders;
  for (fs::path folder = fs::absolute(lab.path()).lexically_normal().parent_path();; folder = folder.parent_path()) {
    folders.push_back(folder);
    folders.push_back(folder / "boards");
    if (folder == folder.parent_path()) break;
  }
  folders.insert(folders.end(), elsewhere.begin(), elsewhere.end());
  for (const fs::path& folder : folders) {
    std::error_code ignored;
    fs::path candidate = folder / (board + ".yaml");
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  }
  lab.fail(unit["board"], fmt::format("no file {}.yaml beside the lab file, above it or in a folder boards/", board));
}

// "2e8a:0003"
UsbIds read_ids(const YamlFile& board, const YAML::Node& states, const std::string& key) {
  const std::string text = board.text(states, key);
  UsbIds ids;
  const char* const begin = text.data();
  const auto vendor = std::from_chars(begin, begin + std::min<std::size_t>(4, text.size()), ids.vendor, 16);
  const bool separated = text.size() == 9 && text[4] == ':' && vendor.ptr == begin + 4;
  if (!separated || std::from_chars(begin + 5, begin + 9, ids.product, 16).ptr != begin + 9) {
    board.fail(states[key], fmt::format("expected USB ids such as \"2e8a:0003\" for \"{}\", not \"{}\"", key, text));
  }
  return ids;
}

void read_states(const YamlFile& board, UnitSpec& unit) {
  const bool has_own_ids = board.root()["states"].IsDefined() || unit.protocol != "dfuse";
  if (!has_own_ids) return;
  const YAML::Node states = board.child_map(board.root(), "states");
  unit.bootloader = read_ids(board, states, "bootloader");
  unit.application = read_ids(board, states, "application");
}

void read_chip(const fs::path& board_file, UnitSpec& unit) {
  const YamlFile board(board_file);
  unit.chip = board.text(board.root(), "chip");
  constexpr std::size_t max_chip_name = 23;  // the image header's field holds 24 bytes
  if (unit.chip.size() > max_chip_name || unit.chip.find('/') != std::string::npos) {
    board.fail(board.root()["chip"], fmt::format("expected a chip's name, not \"{}\"", unit.chip));
  }
  const YamlFile chip(board_file.parent_path() / "chips" / (unit.chip + ".yaml"));
  const YAML::Node flasher = chip.child_map(chip.root(), "flasher");
  const YAML::Node image = chip.child_map(chip.root(), "image");
  unit.protocol = chip.text(flasher, "protocol");
  if (!bootloader_protocols().contains(unit.protocol)) {
    chip.fail(flasher["protocol"], fmt::format("expected a bootloader that virtual boards have: {}",
                                               fmt::join(bootloader_protocols(), ", ")));
  }
  read_states(board, unit);
  auto layout = FlashLayout::parse(chip.text(flasher, "layout"));
  if (!layout) chip.fail(flasher["layout"], layout.error());
  unit.layout = std::move(*layout);
  const auto& sectors = unit.layout.sectors;
  if (unit.protocol == "picoboot" && std::any_of(sectors.begin(), sectors.end(), [](const FlashSector& sector) {
        return sector.size != PicobootModel::sector_bytes;
      })) {
    chip.fail(flasher["layout"], "expected sectors of 4 KiB, as PICOBOOT erases them");
  }
  if (chip.number(image, "base") != unit.layout.base) chip.fail(image["base"], "expected the layout's first address");
  unit.image_max_bytes = chip.number(image, "max_bytes");
  if (unit.image_max_bytes > unit.layout.size) chip.fail(image["max_bytes"], "expected no more than the flash has");
}

// "4" as it is written, without zeros before it; 0 if it is no such number.
unsigned number_of(std::string_view text) {
  unsigned number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole && text == std::to_string(number) ? number : 0;
}

// "1-4": the number of the root hub's port; 0 if it is none.
unsigned root_port_of(std::string_view text) {
  const unsigned port = text.starts_with("1-") ? number_of(text.substr(2)) : 0;
  return port <= HubModel::max_ports ? port : 0;
}

std::vector<HubSpec> read_hubs(const YamlFile& lab) {
  static const std::map<std::string, HubSpec::Usb3> halves{{"container-id", HubSpec::Usb3::container_id},
                                                           {"peer", HubSpec::Usb3::peer}};
  if (!lab.root()["virtual"].IsDefined()) return {};
  const YAML::Node block = lab.child_map(lab.root(), "virtual");
  lab.allow_only(block, {"hubs"});
  const YAML::Node list = block["hubs"];
  if (!list.IsDefined() || !list.IsSequence()) lab.fail(block, "expected a list \"hubs:\"");
  std::vector<HubSpec> hubs;
  for (const YAML::Node& node : list) {
    if (!node.IsMap()) lab.fail(node, "expected a hub such as {port: \"1-4\", ports: 4}");
    lab.allow_only(node, {"port", "ports", "usb3"});
    HubSpec hub;
    hub.port = root_port_of(lab.text(node, "port"));
    if (hub.port == 0) {
      lab.fail(node["port"], fmt::format("expected a port from \"1-1\" to \"1-{}\", not \"{}\"", HubModel::max_ports,
                                         lab.text(node, "port")));
    }
    for (const HubSpec& other : hubs) {
      if (other.port == hub.port) lab.fail(node["port"], fmt::format("port 1-{} has a hub above", hub.port));
    }
    hub.ports = lab.number(node, "ports");
    if (hub.ports < 1 || hub.ports > HubSpec::max_ports) {
      lab.fail(node["ports"], fmt::format("expected 1 to {} ports", HubSpec::max_ports));
    }
    if (node["usb3"].IsDefined()) {
      const auto half = halves.find(lab.text(node, "usb3"));
      if (half == halves.end()) lab.fail(node["usb3"], "expected \"container-id\" or \"peer\" for \"usb3\"");
      hub.usb3 = half->second;
    }
    hubs.push_back(hub);
  }
  return hubs;
}

void read_port(const YamlFile& lab, const YAML::Node& block, const std::vector<HubSpec>& hubs, UnitSpec& unit) {
  const std::string text = lab.text(block, "port");
  const std::size_t dot = text.find('.');
  unit.port = root_port_of(std::string_view(text).substr(0, dot));
  if (dot != std::string::npos) unit.hub_port = number_of(std::string_view(text).substr(dot + 1));
  if (unit.port == 0 || (dot != std::string::npos && unit.hub_port == 0)) {
    lab.fail(block["port"],
             fmt::format("expected a port from \"1-1\" to \"1-{}\", or of a hub such as \"1-4.2\"; not \"{}\"",
                         HubModel::max_ports, text));
  }
  const auto hub = std::find_if(hubs.begin(), hubs.end(), [&](const HubSpec& one) { return one.port == unit.port; });
  if (unit.hub_port == 0 && hub != hubs.end()) lab.fail(block["port"], fmt::format("port {} has a hub", text));
  if (unit.hub_port != 0 && (hub == hubs.end() || unit.hub_port > hub->ports)) {
    lab.fail(block["port"],
             fmt::format("no hub with such a port is at 1-{}; name it in \"virtual: {{hubs: [...]}}\"", unit.port));
  }
}

Faults read_faults(const YamlFile& lab, const YAML::Node& block) {
  if (!block["faults"].IsDefined()) return {};
  auto faults = Faults::parse(lab.text(block, "faults"));
  if (!faults) lab.fail(block["faults"], faults.error());
  return std::move(*faults);
}

// "tolerant upload will-detach": what is not named the bootloader, or the application before it, does not do.
void read_manners(const YamlFile& lab, const YAML::Node& block, UnitSpec& unit) {
  if (!block["dfu"].IsDefined()) return;
  unit.manners.manifestation_tolerant = unit.manners.can_upload = unit.will_detach = false;
  std::istringstream words(lab.text(block, "dfu"));
  for (std::string word; words >> word;) {
    if (word == "tolerant") {
      unit.manners.manifestation_tolerant = true;
    } else if (word == "upload") {
      unit.manners.can_upload = true;
    } else if (word == "will-detach") {
      unit.will_detach = true;
    } else if (word != "plain") {
      lab.fail(block["dfu"],
               fmt::format("expected words of tolerant, upload, will-detach, or plain; not \"{}\"", word));
    }
  }
}

UnitSpec read_unit(const YamlFile& lab, const YAML::Node& node, const std::vector<HubSpec>& hubs,
                   const std::vector<fs::path>& elsewhere) {
  UnitSpec unit;
  unit.id = lab.text(node, "id");
  const bool good_id = unit.id.size() <= 40 && std::all_of(unit.id.begin(), unit.id.end(), [](char letter) {
                         return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
                       });
  if (!good_id) lab.fail(node["id"], fmt::format("expected 1 to 40 of a-z, 0-9 and -, not \"{}\"", unit.id));
  const YAML::Node block = lab.child_map(node, "virtual");
  lab.allow_only(block, {"port", "serial", "core", "tty", "faults", "dfu"});
  read_port(lab, block, hubs, unit);
  unit.serial = lab.text(block, "serial");
  const bool good_serial =
      unit.serial.size() <= 63 &&
      std::all_of(unit.serial.begin(), unit.serial.end(), [](char letter) { return letter > ' ' && letter <= '~'; });
  if (!good_serial) lab.fail(block["serial"], "expected 1 to 63 printable ASCII characters without blanks");
  if (lab.text(block, "core") != "native") lab.fail(block["core"], "expected \"native\", the only core there is");
  if (block["tty"].IsDefined()) {
    const std::string tty = lab.text(block, "tty");
    if (tty != "true" && tty != "false") lab.fail(block["tty"], "expected \"true\" or \"false\" for \"tty\"");
    unit.tty = tty == "true";
  }
  unit.faults = read_faults(lab, block);
  read_manners(lab, block, unit);
  read_chip(find_board_file(lab, node, elsewhere), unit);
  unit.manners.ids = unit.bootloader;
  return unit;
}

std::vector<UnitSpec> read_units(const fs::path& file, const std::vector<fs::path>& elsewhere) {
  const YamlFile lab(file);
  const YAML::Node list = lab.root()["units"];
  if (!list.IsDefined() || !list.IsSequence()) {
    lab.fail(list.IsDefined() ? list : lab.root(), "expected a list \"units:\"");
  }
  const std::vector<HubSpec> hubs = read_hubs(lab);
  std::vector<UnitSpec> units;
  std::map<std::string, std::string> taken;  // what, by whom
  for (const YAML::Node& node : list) {
    if (!node.IsMap()) lab.fail(node, "expected a unit with id, kind and board");
    const bool has_block = node["virtual"].IsDefined();
    if ((lab.text(node, "kind") == "virtual") != has_block) {
      lab.fail(node, "a unit of kind \"virtual\", and no other, has a block \"virtual:\"");
    }
    if (!has_block) continue;
    UnitSpec unit = read_unit(lab, node, hubs, elsewhere);
    const std::string keys[] = {"id " + unit.id, "port " + unit.port_name(), "serial " + unit.serial};
    for (const std::string& key : keys) {
      const auto [other, is_new] = taken.try_emplace(key, unit.id);
      if (!is_new) lab.fail(node, fmt::format("{} is taken by unit {} above", key, other->second));
    }
    units.push_back(std::move(unit));
  }
  if (units.empty()) lab.fail(list, "expected at least one unit with a block \"virtual:\"");
  return units;
}

// At the room's door exceptions become Results.
template <class Read>
auto read_at_the_door(const fs::path& file, const Read& read) -> Result<decltype(read())> try {
  return read();
} catch (const BadFile& bad) {
  return failure(bad.text);
} catch (const YAML::Exception& error) {
  return failure(fmt::format("{}:{}: {}", file.string(), error.mark.line + 1, error.msg));
} catch (const fs::filesystem_error& error) {
  return failure(error.what());
}

}  // namespace

std::string UnitSpec::port_name() const {
  return hub_port == 0 ? fmt::format("1-{}", port) : fmt::format("1-{}.{}", port, hub_port);
}

Result<std::vector<UnitSpec>> read_lab_file(const fs::path& file, const std::vector<fs::path>& elsewhere) {
  return read_at_the_door(file, [&] { return read_units(file, elsewhere); });
}

Result<std::vector<HubSpec>> read_lab_hubs(const fs::path& file) {
  return read_at_the_door(file, [&] { return read_hubs(YamlFile(file)); });
}

}  // namespace virtual_lab
