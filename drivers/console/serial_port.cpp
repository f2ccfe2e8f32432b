#include "drivers/console/serial_port.h"

#include <cerrno>

#include <boost/asio/serial_port.hpp>
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "drivers/console/stream_thread.h"

namespace hilmark {
namespace {

/// An error, and whether waiting for udev may help.
struct Failure {
  Error error;
  bool may_pass = false;
};

tl::unexpected<Failure> final_failure(std::string message) {
  return tl::unexpected<Failure>({{ErrorKind::usage, std::move(message)}, false});
}

std::string group_of(const std::filesystem::path& node) {
  struct stat about {};
  if (::stat(node.c_str(), &about) != 0 || (about.st_mode & S_IRGRP) == 0 || about.st_gid == 0) return "";
  struct group entry {};
  struct group* found = nullptr;
  std::array<char, 4096> buffer{};
  return ::getgrgid_r(about.st_gid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr
             ? found->gr_name
             : "";
}

std::string permission_text(const std::filesystem::path& node, const UsbPlugged& plugged) {
  const std::string group = group_of(node);
  if (!group.empty()) {
    return fmt::format("permission denied; its group is {}: run 'sudo usermod -aG {} $USER' and log in anew", group,
                       group);
  }
  return "permission denied; add to /etc/udev/rules.d/60-hilmark.rules: " + udev_tty_rule(plugged.id);
}

std::string in_use_text(const std::filesystem::path& node) {
  const std::string holders = holders_text(node);
  return holders.empty() ? "another program has it open; end it" : fmt::format("{} has it open; end it", holders);
}

tl::expected<UniqueFd, Failure> open_exclusively(const std::filesystem::path& node, const UsbPlugged& plugged) {
  const std::string what = fmt::format("{} at {}: ", plugged.text(), node.string());
  UniqueFd tty(::open(node.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  const int reason = errno;
  if (!tty && reason == EBUSY) return final_failure(what + in_use_text(node));
  if (!tty && (reason == EACCES || reason == EPERM)) {
    return tl::unexpected<Failure>({{ErrorKind::usage, what + permission_text(node, plugged)}, true});
  }
  if (!tty) return tl::unexpected<Failure>({{ErrorKind::rig, what + errno_text(reason)}, reason == ENOENT});
  if (::flock(tty.get(), LOCK_EX | LOCK_NB) != 0) return final_failure(what + in_use_text(node));
  (void)::ioctl(tty.get(), TIOCEXCL);  // Asked of a terminal, it cannot fail; flock stands where it is none.
  return tty;
}

Result<UniqueFd> open_when_there(const SerialPort::Place& place, std::optional<int> interface, std::string* name) {
  const SystemClock clock;
  const Deadline deadline(clock, place.limit);
  const DevWatch watch(place.folders);
  for (;;) {
    const auto node = find_tty(place.folders, {place.plugged.port, place.plugged.text(), interface});
    auto tty = node ? open_exclusively(*node, place.plugged)
                    : tl::expected<UniqueFd, Failure>(tl::unexpected<Failure>({node.error(), true}));
    if (tty) {
      *name = node->string();
      return std::move(*tty);
    }
    if (!tty.error().may_pass || deadline.expired()) return fail(tty.error().error);
    watch.wait(deadline);
  }
}

tcflag_t character_flags(const SerialFraming& framing) {
  constexpr std::array<tcflag_t, 4> sizes{CS5, CS6, CS7, CS8};
  tcflag_t flags = sizes.at(static_cast<std::size_t>(framing.data_bits - 5)) | CREAD | CLOCAL;
  if (framing.parity != 'N') flags |= PARENB;
  if (framing.parity == 'O') flags |= PARODD;
  if (framing.stop_bits == 2) flags |= CSTOPB;
  return flags;
}

/// `what`: begins the error's message.
Result<void> set_line(int tty, const ConsoleConfig& config, const std::string& what) {
  const auto framing = parse_framing(config.framing);
  if (!framing) return fail(framing.error());
  termios settings{};
  if (::tcgetattr(tty, &settings) != 0)
    return fail(ErrorKind::rig, "{}: not a serial port: {}", what, errno_text(errno));
  ::cfmakeraw(&settings);
  settings.c_cflag = character_flags(*framing);  // without HUPCL and CRTSCTS
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  boost::system::error_code error;
  boost::asio::serial_port_base::baud_rate(config.baud).store(settings, error);
  if (error) return fail(ErrorKind::usage, "{}: the kernel has no speed of {} baud", what, config.baud);
  if (::tcsetattr(tty, TCSANOW, &settings) != 0)
    return fail(ErrorKind::rig, "{}: setting {} baud {}: {}", what, config.baud, config.framing, errno_text(errno));
  return {};
}

/// A pseudo terminal has no modem lines, nor has every bridge: what it does not have cannot be wrong.
void set_modem_line(int tty, int line, std::optional<bool> raised) {
  if (raised) (void)::ioctl(tty, *raised ? TIOCMBIS : TIOCMBIC, &line);
}

}  // namespace

struct SerialPort::Inner {
  StreamThread<boost::asio::serial_port> thread;
};

SerialPort::SerialPort(std::string text) : text_(std::move(text)), inner_(std::make_unique<Inner>()) {}

SerialPort::~SerialPort() = default;

Result<std::unique_ptr<ConsolePort>> SerialPort::open(const Place& place, const ConsoleConfig& config,
                                                      Callbacks callbacks) {
  std::string name;
  auto tty = open_when_there(place, config.interface, &name);
  if (!tty) return fail(tty.error());
  const std::string text = fmt::format("{} ({})", place.plugged.text(), name);
  if (const auto set = set_line(tty->get(), config, text); !set) return fail(set.error());
  set_modem_line(tty->get(), TIOCM_DTR, config.dtr);
  set_modem_line(tty->get(), TIOCM_RTS, config.rts);
  std::unique_ptr<SerialPort> port(new SerialPort(text));
  boost::system::error_code error;
  port->inner_->thread.stream().assign(tty->get(), error);
  if (error) return fail(ErrorKind::rig, "{}: {}", text, error.message());
  (void)tty->release();
  port->inner_->thread.run();
  port->inner_->thread.start({std::move(callbacks.on_data),
                              [text, on_closed = std::move(callbacks.on_closed)](const boost::system::error_code& how) {
                                // The kernel hangs up a tty whose device has gone: end of file, or EIO.
                                const bool gone = how == boost::asio::error::eof || how.value() == EIO;
                                on_closed({ErrorKind::rig, gone ? fmt::format("{} has left: it was unplugged, or its "
                                                                              "firmware restarted its USB",
                                                                              text)
                                                                : fmt::format("{}: {}", text, how.message())});
                              }});
  return port;
}

Result<void> SerialPort::write(ByteView data, Milliseconds limit) { return inner_->thread.write(data, limit, text_); }

}  // namespace hilmark
