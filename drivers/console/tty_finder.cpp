#include "drivers/console/tty_finder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <vector>

#include <fmt/ranges.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "drivers/usb/cdc.h"
#include "harness/base/bytes.h"

namespace hilmark {
namespace {

namespace fs = std::filesystem;

/// One interface of a USB device: /sys/bus/usb/devices/1-4.2:1.0.
struct KernelInterface {
  int number = 0;
  int interface_class = 0;
  std::string driver;  ///< the kernel driver's name; empty: none is bound
  std::string tty;     ///< "ttyACM0", "ttyUSB3"; empty: none
};

/// The first word of a file of a few octets; empty if it cannot be read.
std::string word_of(const fs::path& file) {
  std::string word;
  std::ifstream(file) >> word;
  return word;
}

int number_of(std::string_view text, int base) {
  int value = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? value : -1;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// cdc_acm has tty/ttyACM0 below the interface, usb-serial drivers have ttyUSB0/tty/ttyUSB0.
std::string tty_below(const fs::path& interface) {
  const auto direct = entries(interface / "tty");
  if (!direct.empty()) return direct.front().filename();
  for (const fs::path& child : entries(interface)) {
    const auto ttys = child.filename().string().starts_with("tty") ? entries(child / "tty") : std::vector<fs::path>{};
    if (!ttys.empty()) return ttys.front().filename();
  }
  return "";
}

/// The interfaces of the device at that port path ("1-4.2"), by number; empty if nothing is there.
std::vector<KernelInterface> kernel_interfaces(const KernelFolders& folders, const std::string& port) {
  std::vector<KernelInterface> interfaces;
  for (const fs::path& path : entries(folders.sys / "bus/usb/devices")) {
    if (!path.filename().string().starts_with(port + ":")) continue;
    KernelInterface interface;
    interface.number = number_of(word_of(path / "bInterfaceNumber"), 16);
    interface.interface_class = number_of(word_of(path / "bInterfaceClass"), 16);
    if (interface.number < 0) continue;  // it is just going
    std::error_code none;
    interface.driver = fs::read_symlink(path / "driver", none).filename();
    interface.tty = tty_below(path);
    interfaces.push_back(std::move(interface));
  }
  std::sort(interfaces.begin(), interfaces.end(),
            [](const KernelInterface& one, const KernelInterface& other) { return one.number < other.number; });
  return interfaces;
}

/// The kernel's module for it, as far as class and vendor tell.
std::string module_for(const KernelInterface& interface, const std::string& vendor) {
  if (interface.interface_class == cdc_class_communications || interface.interface_class == cdc_class_data)
    return "cdc_acm";
  static constexpr std::array<std::array<const char*, 2>, 5> bridges{
      {{"0403", "ftdi_sio"}, {"10c4", "cp210x"}, {"1a86", "ch341"}, {"067b", "pl2303"}, {"04d8", "mcp2200"}}};
  for (const auto& [id, module] : bridges) {
    if (vendor == id) return module;
  }
  return "";
}

std::string interface_text(const KernelInterface& interface) {
  const std::string driver = interface.driver.empty() ? "no kernel driver" : "driver " + interface.driver;
  return fmt::format("interface {} (class {:02x}): {}{}", interface.number, interface.interface_class, driver,
                     interface.tty.empty() ? "" : ", " + interface.tty);
}

/// The first of them that must have a tty, and has none, says why.
tl::unexpected<Error> no_tty(const KernelFolders& folders, const WantedTty& wanted,
                             const std::vector<KernelInterface>& interfaces) {
  const std::string vendor = word_of(folders.sys / "bus/usb/devices" / wanted.port / "idVendor");
  for (const KernelInterface& interface : interfaces) {
    if (wanted.interface && *wanted.interface != interface.number) continue;
    const std::string module = module_for(interface, vendor);
    if (interface.driver == "usbfs") {
      return fail(ErrorKind::usage, "{} has no serial port: another program holds interface {} by usbfs; end it",
                  wanted.device, interface.number);
    }
    if (interface.driver.empty() && !module.empty()) {
      return fail(ErrorKind::usage,
                  "{} has no serial port: interface {} needs the kernel driver {}, which is not bound; run 'modprobe "
                  "{}'{}",
                  wanted.device, interface.number, module, module,
                  module == "cdc_acm" ? ", or say transport: cdc-acm in the board file" : "");
    }
  }
  std::vector<std::string> texts;
  for (const KernelInterface& interface : interfaces) texts.push_back(interface_text(interface));
  const std::string which = wanted.interface ? fmt::format(" at interface {}", *wanted.interface) : "";
  return fail(ErrorKind::usage, "{} has no serial port{}; it has {}; correct the board file's console", wanted.device,
              which, texts.empty() ? "no interfaces" : fmt::format("{}", fmt::join(texts, ", ")));
}

}  // namespace

Result<fs::path> find_tty(const KernelFolders& folders, const WantedTty& wanted) {
  const auto interfaces = kernel_interfaces(folders, wanted.port);
  for (const KernelInterface& interface : interfaces) {
    const bool meant = !wanted.interface || *wanted.interface == interface.number;
    if (meant && !interface.tty.empty()) return folders.dev / interface.tty;
  }
  return no_tty(folders, wanted, interfaces);
}

DevWatch::DevWatch(const KernelFolders& folders) : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (inotify_) ::inotify_add_watch(inotify_.get(), folders.dev.c_str(), IN_CREATE | IN_MOVED_TO | IN_ATTRIB);
}

void DevWatch::wait(const Deadline& deadline) const {
  constexpr Milliseconds look_anyway{250};  // sysfs tells no watcher of its changes
  pollfd ready{inotify_.get(), POLLIN, 0};
  ::poll(&ready, 1, static_cast<int>(std::min(deadline.left(), look_anyway).count()));
  std::array<char, 4096> news{};
  while (::read(inotify_.get(), news.data(), news.size()) > 0) {
  }
}

Result<fs::path> await_tty(const KernelFolders& folders, const WantedTty& wanted, const Deadline& deadline) {
  const DevWatch watch(folders);
  for (;;) {
    auto node = find_tty(folders, wanted);
    std::error_code none;
    if (deadline.expired() || (node && fs::exists(*node, none))) return node;
    watch.wait(deadline);
  }
}

std::string holders_text(const fs::path& node) {
  std::error_code not_a_link;
  const fs::path target = fs::read_symlink(node, not_a_link);
  const fs::path& real = not_a_link ? node : target;
  std::vector<std::string> holders;
  for (const fs::path& process : entries("/proc")) {
    const int pid = number_of(process.filename().string(), 10);
    if (pid <= 0 || pid == ::getpid()) continue;
    const auto open_files = entries(process / "fd");
    const bool holds = std::any_of(open_files.begin(), open_files.end(), [&](const fs::path& file) {
      std::error_code ignored;
      return fs::read_symlink(file, ignored) == real;
    });
    if (holds) holders.push_back(fmt::format("{} (pid {})", printable(word_of(process / "comm")), pid));
  }
  return fmt::format("{}", fmt::join(holders, ", "));
}

}  // namespace hilmark
