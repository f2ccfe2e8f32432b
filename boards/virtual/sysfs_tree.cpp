#include "boards/virtual/sysfs_tree.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

namespace virtual_lab {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view controller = "/sys/devices/pci0000:00/0000:00:14.0";
constexpr unsigned usb_major = 189;
constexpr unsigned acm_major = 166;

void write_file(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) throw fs::filesystem_error("cannot write", path, std::make_error_code(std::errc::io_error));
}

std::string syspath_of(const UsbPlace& place) {
  const std::string above = place.port == 0       ? std::string(controller)
                            : place.hub_port == 0 ? fmt::format("{}/{}", controller, place.parent())
                                                  : fmt::format("{}/usb{}/{}", controller, place.bus, place.parent());
  return fmt::format("{}/{}", above, place.name());
}

// As the preload library names a node's device number, which it answers stat() from.
std::string flat_node_of(const UsbPlace& place) {
  return fmt::format("bus_usb_{:03}_{:03}", place.bus, place.device_number);
}

std::string uevent_text(const std::vector<std::pair<std::string, std::string>>& properties) {
  std::string text;
  for (const auto& [key, value] : properties) {
    constexpr std::string_view dev = "/dev/";
    text += fmt::format("{}={}\n", key, key == "DEVNAME" ? value.substr(dev.size()) : value);
  }
  return text;
}

std::string attribute_string(const UsbDescriptors& descriptors, unsigned index) {
  return index >= 1 && index <= descriptors.strings.size() ? descriptors.strings[index - 1] + "\n" : "";
}

}  // namespace

std::string UsbPlace::name() const {
  if (port == 0) return fmt::format("usb{}", bus);
  return hub_port == 0 ? fmt::format("{}-{}", bus, port) : fmt::format("{}-{}.{}", bus, port, hub_port);
}

std::string UsbPlace::parent() const {
  return hub_port == 0 ? fmt::format("usb{}", bus) : fmt::format("{}-{}", bus, port);
}

std::string UsbPlace::node() const { return fmt::format("/dev/bus/usb/{:03}/{:03}", bus, device_number); }

Result<void> SysfsTree::add(const UsbPlace& place, const UsbDescriptors& descriptors) try {
  const std::string path = syspath_of(place);
  const Bytes& device = descriptors.device;
  const Bytes& configuration = descriptors.configuration;
  const std::string product_text =
      fmt::format("{:x}/{:x}/{:x}", descriptors.vendor_id(), descriptors.product_id(), device[12] | device[13] << 8);

  Pairs attributes{
      {"busnum", fmt::format("{}\n", place.bus)},
      {"devnum", fmt::format("{}\n", place.device_number)},
      {"devpath", (place.port == 0 ? "0" : place.name().substr(place.name().find('-') + 1)) + "\n"},
      {"speed", fmt::format("{}\n", descriptors.speed_megabits)},
      {"version", fmt::format(" {:x}.{:02x}\n", device[3], device[2])},
      {"maxchild", fmt::format("{}\n", place.hub_ports)},
      {"rx_lanes", "1\n"},
      {"tx_lanes", "1\n"},
      {"configuration", "\n"},
      {"bConfigurationValue", "1\n"},
      {"bNumConfigurations", "1\n"},
      {"bNumInterfaces", fmt::format("{:2}\n", configuration[4])},
      {"bmAttributes", fmt::format("{:02x}\n", configuration[7])},
      {"bMaxPower", fmt::format("{}mA\n", configuration[8] * 2)},
      {"bDeviceClass", fmt::format("{:02x}\n", device[4])},
      {"bDeviceSubClass", fmt::format("{:02x}\n", device[5])},
      {"bDeviceProtocol", fmt::format("{:02x}\n", device[6])},
      {"bMaxPacketSize0", fmt::format("{}\n", device[7])},
      {"idVendor", fmt::format("{:04x}\n", descriptors.vendor_id())},
      {"idProduct", fmt::format("{:04x}\n", descriptors.product_id())},
      {"bcdDevice", fmt::format("{:02x}{:02x}\n", device[13], device[12])},
      {"manufacturer", attribute_string(descriptors, 1)},
      {"product", attribute_string(descriptors, 2)},
      {"serial", attribute_string(descriptors, 3)},
      {"dev", fmt::format("{}:{}\n", usb_major, place.minor_number())},
      {"descriptors",
       std::string(device.begin(), device.end()) + std::string(configuration.begin(), configuration.end())},
  };
  add_entry(place, path, attributes,
            {{"DEVTYPE", "usb_device"},
             {"DEVNAME", place.node()},
             {"BUSNUM", fmt::format("{:03}", place.bus)},
             {"DEVNUM", fmt::format("{:03}", place.device_number)},
             {"MAJOR", std::to_string(usb_major)},
             {"MINOR", std::to_string(place.minor_number())},
             {"PRODUCT", product_text},
             {"TYPE", fmt::format("{}/{}/{}", device[4], device[5], device[6])},
             {"ID_VENDOR_ID", fmt::format("{:04x}", descriptors.vendor_id())},
             {"ID_MODEL_ID", fmt::format("{:04x}", descriptors.product_id())},
             {"ID_SERIAL_SHORT", descriptors.strings[2]}});

  const std::string flat_node = flat_node_of(place);
  fs::create_directories(root_ / "dev/.node");
  fs::remove(root_ / "dev/.node" / flat_node);
  fs::create_symlink(fmt::format("{}:{}", usb_major, place.minor_number()), root_ / "dev/.node" / flat_node);
  fs::create_directories(root_ / "sys/dev/char");
  const fs::path by_number = root_ / "sys/dev/char" / fmt::format("{}:{}", usb_major, place.minor_number());
  fs::remove(by_number);
  fs::create_symlink("../.." + path.substr(4), by_number);

  const std::string prefix = place.port == 0 ? fmt::format("{}-0", place.bus) : place.name();
  for (const UsbInterface& interface : descriptors.interfaces()) {
    Pairs about{
        {"bInterfaceNumber", fmt::format("{:02x}\n", interface.number)},
        {"bAlternateSetting", " 0\n"},
        {"bNumEndpoints", fmt::format("{:02x}\n", interface.endpoints.size())},
        {"bInterfaceClass", fmt::format("{:02x}\n", interface.class_code)},
        {"bInterfaceSubClass", fmt::format("{:02x}\n", interface.subclass)},
        {"bInterfaceProtocol", fmt::format("{:02x}\n", interface.protocol)},
    };
    if (interface.name_index != 0) about.emplace_back("interface", attribute_string(descriptors, interface.name_index));
    add_entry(place, fmt::format("{}/{}:1.{}", path, prefix, interface.number), about,
              {{"DEVTYPE", "usb_interface"},
               {"PRODUCT", product_text},
               {"INTERFACE", fmt::format("{}/{}/{}", interface.class_code, interface.subclass, interface.protocol)}});
  }
  if (place.twin_bus != 0) add_peers(place, fmt::format("{}/{}:1.0", path, prefix));
  for (const Entry& entry : entries_) {
    if (entry.port_name == place.name()) uevents_.send({"add", entry.syspath, "usb", entry.properties});
  }
  return {};
} catch (const fs::filesystem_error& error) {
  return failure(fmt::format("cannot make the lab's /sys: {}", error.what()));
}

void SysfsTree::add_entry(const UsbPlace& place, const std::string& syspath, const Pairs& attributes,
                          Pairs properties) {
  const fs::path directory = below_root(syspath);
  fs::create_directories(directory);
  for (const auto& [name, value] : attributes) write_file(directory / name, value);
  write_file(directory / "uevent", uevent_text(properties));
  link_to_sys(syspath, "subsystem", "bus/usb");

  // Last, since this is where enumeration looks.
  const fs::path by_bus = root_ / "sys/bus/usb/devices";
  fs::create_directories(by_bus);
  const fs::path link = by_bus / directory.filename();
  fs::remove(link);
  fs::create_symlink("../../.." + syspath.substr(4), link);
  entries_.push_back({place.name(), syspath, std::move(properties)});
}

void SysfsTree::add_peers(const UsbPlace& place, const std::string& interface_path) const {
  const std::string twin = fmt::format("{}-{}", place.twin_bus, place.port);
  for (unsigned port = 1; port <= place.hub_ports; ++port) {
    const fs::path folder = below_root(interface_path) / fmt::format("{}-port{}", place.name(), port);
    fs::create_directories(folder);
    fs::create_symlink(fmt::format("../../../../usb{0}/{1}/{1}:1.0/{1}-port{2}", place.twin_bus, twin, port),
                       folder / "peer");
  }
}

void SysfsTree::link_to_sys(const std::string& syspath, const std::string& link, const std::string& target) const {
  std::string to_sys;  // as many ".." as there are directories between this one and /sys
  for (const char character : syspath.substr(std::string_view("/sys").size())) to_sys += character == '/' ? "../" : "";
  fs::remove(below_root(syspath) / link);
  fs::create_symlink(to_sys + target, below_root(syspath) / link);
}

Result<void> SysfsTree::add_tty(const UsbPlace& place, unsigned interface, unsigned number) try {
  const std::string device = fmt::format("{}/{}:1.", syspath_of(place), place.name());
  const std::string control = fmt::format("{}{}", device, interface);
  const std::string name = fmt::format("ttyACM{}", number);
  const std::string path = fmt::format("{}/tty/{}", control, name);
  const std::string device_number = fmt::format("{}:{}", acm_major, number);
  fs::create_directories(below_root("/sys/bus/usb/drivers/cdc_acm"));
  link_to_sys(control, "driver", "bus/usb/drivers/cdc_acm");
  link_to_sys(fmt::format("{}{}", device, interface + 1), "driver", "bus/usb/drivers/cdc_acm");

  Entry entry{place.name(),
              path,
              {{"DEVNAME", "/dev/" + name}, {"MAJOR", std::to_string(acm_major)}, {"MINOR", std::to_string(number)}},
              "tty",
              {below_root("/sys/class/tty/" + name), below_root("/sys/dev/char/" + device_number),
               below_root("/dev/.node/" + name)}};
  fs::create_directories(below_root(path));
  write_file(below_root(path) / "dev", device_number + "\n");
  write_file(below_root(path) / "uevent", uevent_text(entry.properties));
  link_to_sys(path, "subsystem", "class/tty");
  fs::create_symlink(fmt::format("../../../{}:1.{}", place.name(), interface), below_root(path) / "device");
  const std::string targets[] = {"../.." + path.substr(4), "../.." + path.substr(4), device_number};
  for (std::size_t i = 0; i < entry.links.size(); ++i) {
    fs::create_directories(entry.links[i].parent_path());
    fs::remove(entry.links[i]);
    fs::create_symlink(targets[i], entry.links[i]);
  }
  uevents_.send({"add", entry.syspath, entry.subsystem, entry.properties});
  entries_.push_back(std::move(entry));
  return {};
} catch (const fs::filesystem_error& error) {
  return failure(fmt::format("cannot make the lab's /sys: {}", error.what()));
}

void SysfsTree::remove(const UsbPlace& place) {
  std::error_code ignored;
  std::vector<Entry> leaving;
  for (const Entry& entry : entries_) {
    if (entry.port_name == place.name()) leaving.push_back(entry);
  }
  std::erase_if(entries_, [&](const Entry& entry) { return entry.port_name == place.name(); });
  std::reverse(leaving.begin(), leaving.end());
  for (const Entry& entry : leaving) {
    fs::remove(root_ / "sys/bus/usb/devices" / below_root(entry.syspath).filename(), ignored);
    for (const fs::path& link : entry.links) fs::remove(link, ignored);
  }
  fs::remove(root_ / "sys/dev/char" / fmt::format("{}:{}", usb_major, place.minor_number()), ignored);
  fs::remove(root_ / "dev/.node" / flat_node_of(place), ignored);
  fs::remove_all(below_root(syspath_of(place)), ignored);
  for (const Entry& entry : leaving) uevents_.send({"remove", entry.syspath, entry.subsystem, entry.properties});
}

}  // namespace virtual_lab
