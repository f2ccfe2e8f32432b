// A plain libusb program for the tests of virtual-lab. It waits on hotplug events, never on time.
//
//   usb_client await PORT VID:PID              until such a device is on port PORT of bus 1 (10 s at most)
//   usb_client console PORT LINE...            sends each line to the console and prints the line that answers it
//   usb_client hush PORT LINE...               sends lines and reads nothing
//   usb_client drain PORT LAST                 prints what the console says up to the line LAST
//   usb_client hub PORT on|off                 switches a port of the root hub
//   usb_client hold PORT                       claims interface 0, says "held", waits to be killed
//   usb_client claim PORT                      claims interface 0, prints the result
//   usb_client idle PORT SECONDS               waits with an IN transfer, prints the CPU time in ms
//   usb_client unplug PORT                     says "pending", waits for a pending IN transfer's end, prints its status
//   usb_client hostile PORT                    ioctls that no library sends; prints how many were refused
#include <fcntl.h>
#include <libusb.h>
#include <sys/ioctl.h>
// After <sys/ioctl.h>, whose _IOC macros it uses.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned timeout_ms = 5000;
constexpr unsigned char out_endpoint = 0x01;
constexpr unsigned char in_endpoint = 0x81;

[[noreturn]] void die(const std::string& what, int code) {
  std::printf("%s: %s\n", what.c_str(), libusb_error_name(code));
  std::exit(1);
}

unsigned port_of(const char* text) { return static_cast<unsigned>(std::atoi(text + 2)); }

libusb_device_handle* open_port(libusb_context* context, unsigned port) {
  libusb_device** list = nullptr;
  const ssize_t count = libusb_get_device_list(context, &list);
  libusb_device_handle* handle = nullptr;
  int code = LIBUSB_ERROR_NO_DEVICE;
  for (ssize_t i = 0; i < count; ++i) {
    if (libusb_get_port_number(list[i]) == port) code = libusb_open(list[i], &handle);
  }
  libusb_free_device_list(list, 1);
  if (handle == nullptr) die("open", code);
  return handle;
}

struct Wanted {
  unsigned port;
  unsigned vendor;
  unsigned product;
  bool seen;
};

int LIBUSB_CALL arrived(libusb_context*, libusb_device* device, libusb_hotplug_event, void* data) {
  auto* wanted = static_cast<Wanted*>(data);
  libusb_device_descriptor descriptor{};
  libusb_get_device_descriptor(device, &descriptor);
  if (libusb_get_port_number(device) == wanted->port && descriptor.idVendor == wanted->vendor &&
      descriptor.idProduct == wanted->product) {
    wanted->seen = true;
  }
  return 0;
}

int await(libusb_context* context, const char* port, const char* ids) {
  Wanted wanted{port_of(port), 0, 0, false};
  std::sscanf(ids, "%x:%x", &wanted.vendor, &wanted.product);
  libusb_hotplug_register_callback(context, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED, LIBUSB_HOTPLUG_ENUMERATE,
                                   LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
                                   arrived, &wanted, nullptr);
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (!wanted.seen && Clock::now() < deadline) {
    timeval tick{0, 100000};
    libusb_handle_events_timeout(context, &tick);
  }
  if (!wanted.seen) std::printf("no %s on port %s within 10 s\n", ids, port);
  return wanted.seen ? 0 : 1;
}

class Console {
 public:
  explicit Console(libusb_device_handle* handle) : handle_(handle) {
    if (const int code = libusb_claim_interface(handle, 0); code != 0) die("claim 0", code);
    if (const int code = libusb_claim_interface(handle, 1); code != 0) die("claim 1", code);
  }

  void send(const std::string& line) {
    std::string bytes = line + "\n";
    int sent = 0;
    const int code = libusb_bulk_transfer(handle_, out_endpoint, reinterpret_cast<unsigned char*>(bytes.data()),
                                          static_cast<int>(bytes.size()), &sent, timeout_ms);
    if (code != 0) die("send", code);
  }

  std::string line() {
    std::size_t end = 0;
    while ((end = unread_.find('\n')) == std::string::npos) {
      unsigned char buffer[4096];
      int got = 0;
      const int code = libusb_bulk_transfer(handle_, in_endpoint, buffer, sizeof buffer, &got, timeout_ms);
      if (code != 0) die("receive", code);
      unread_.append(reinterpret_cast<char*>(buffer), static_cast<std::size_t>(got));
    }
    std::string text = unread_.substr(0, end);
    unread_.erase(0, end + 1);
    return text;
  }

 private:
  libusb_device_handle* handle_;
  std::string unread_;
};

int talk(Console console, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    console.send(line);
    std::string answer = console.line();
    while (!answer.empty() && answer[0] == '+') answer = console.line();  // what comes unasked
    std::printf("%s\n", answer.c_str());
  }
  return 0;
}

int drain(Console console, const std::string& last) {
  std::string line;
  while (line != last) {
    line = console.line();
    std::printf("%s\n", line.c_str());
  }
  return 0;
}

int switch_port(libusb_context* context, const char* port, bool on) {
  libusb_device** list = nullptr;
  const ssize_t count = libusb_get_device_list(context, &list);
  libusb_device_handle* hub = nullptr;
  for (ssize_t i = 0; i < count; ++i) {
    if (libusb_get_device_address(list[i]) == 1) libusb_open(list[i], &hub);
  }
  libusb_free_device_list(list, 1);
  constexpr std::uint8_t class_to_other = 0x23;
  constexpr std::uint8_t set_feature = 3;
  constexpr std::uint8_t clear_feature = 1;
  constexpr std::uint16_t port_power = 8;
  const int code = libusb_control_transfer(hub, class_to_other, on ? set_feature : clear_feature, port_power,
                                           static_cast<std::uint16_t>(port_of(port)), nullptr, 0, timeout_ms);
  libusb_close(hub);
  if (code < 0) die("hub", code);
  return 0;
}

void LIBUSB_CALL ended(libusb_transfer* transfer) { *static_cast<int*>(transfer->user_data) = transfer->status; }

// Waits with one IN transfer until it ends or the time is over; its status, or -1.
int wait_pending(libusb_context* context, libusb_device_handle* handle, std::chrono::seconds time) {
  static unsigned char buffer[64];
  int status = -1;
  libusb_claim_interface(handle, 1);
  libusb_transfer* transfer = libusb_alloc_transfer(0);
  libusb_fill_bulk_transfer(transfer, handle, in_endpoint, buffer, sizeof buffer, ended, &status, 0);
  if (const int code = libusb_submit_transfer(transfer); code != 0) die("submit", code);
  std::puts("pending");
  std::fflush(stdout);
  const auto deadline = Clock::now() + time;
  while (status < 0 && Clock::now() < deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()).count();
    timeval tick{left / 1000000, left % 1000000};
    libusb_handle_events_timeout_completed(context, &tick, nullptr);
  }
  if (status >= 0) libusb_free_transfer(transfer);
  return status;
}

[[noreturn]] void idle(libusb_context* context, libusb_device_handle* handle, const char* seconds) {
  while (wait_pending(context, handle, std::chrono::seconds(std::atoi(seconds))) >= 0) {
  }
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  std::printf("%ld\n", (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
                           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000);
  std::fflush(stdout);
  _exit(0);  // the transfer is pending still
}

[[noreturn]] void hostile(libusb_device_handle* handle) {
  char path[64];
  libusb_device* device = libusb_get_device(handle);
  std::snprintf(path, sizeof path, "/dev/bus/usb/001/%03u", libusb_get_device_address(device));
  const int fd = open(path, O_RDWR);
  int refused = 0;
  const auto count = [&](int result) { refused += result != 0 ? 1 : 0; };
  unsigned char buffer[64] = {};
  const auto urb = [&](unsigned char type, unsigned char endpoint, int length) {
    // Never reaped: the lab must not mind.
    auto* one = static_cast<usbdevfs_urb*>(std::calloc(1, sizeof(usbdevfs_urb)));
    one->type = type;
    one->endpoint = endpoint;
    one->buffer = buffer;
    one->buffer_length = length;
    return ioctl(fd, USBDEVFS_SUBMITURB, one);
  };
  count(urb(USBDEVFS_URB_TYPE_ISO, 0x81, 8));
  count(urb(200, 0x81, 8));
  count(urb(USBDEVFS_URB_TYPE_BULK, 0x8f, 8));        // no such endpoint
  count(urb(USBDEVFS_URB_TYPE_BULK, 0x81, -1));       // a negative length
  count(urb(USBDEVFS_URB_TYPE_BULK, 0x81, 1 << 30));  // 1 GiB
  count(urb(USBDEVFS_URB_TYPE_CONTROL, 0x00, 4));     // shorter than a setup packet
  buffer[6] = 0xff;
  buffer[7] = 0xff;  // wLength 65535
  count(urb(USBDEVFS_URB_TYPE_CONTROL, 0x00, 64));
  unsigned number = 4000000000U;
  count(ioctl(fd, USBDEVFS_CLAIMINTERFACE, &number));
  count(ioctl(fd, USBDEVFS_RELEASEINTERFACE, &number));
  count(ioctl(fd, USBDEVFS_DISCARDURB, buffer));
  count(ioctl(fd, 0x12345678, buffer));
  usbdevfs_urb* done = nullptr;
  count(ioctl(fd, USBDEVFS_REAPURBNDELAY, &done));
  count(write(fd, buffer, 8) < 0 ? -1 : 0);
  int accepted = 0;
  while (accepted < 10000 && urb(USBDEVFS_URB_TYPE_INTERRUPT, 0x82, 8) == 0) ++accepted;
  std::printf("refused %d of 13, then %s\n", refused, accepted < 10000 ? "a bound" : "no bound");
  std::fflush(stdout);
  _exit(0);  // with all of that pending
}

int with_device(libusb_context* context, libusb_device_handle* handle, const std::string& verb,
                const std::vector<std::string>& rest) {
  if (verb == "console") return talk(Console(handle), rest);
  if (verb == "drain") return drain(Console(handle), rest.at(0));
  if (verb == "idle") idle(context, handle, rest.at(0).c_str());
  if (verb == "hostile") hostile(handle);
  if (verb == "hush") {
    Console console(handle);
    for (const std::string& line : rest) console.send(line);
    return 0;
  }
  if (verb == "unplug") {
    std::printf("%d\n", wait_pending(context, handle, std::chrono::seconds(10)));
    return 0;
  }
  const int code = libusb_claim_interface(handle, 0);
  std::printf("%s\n", code == 0 ? "held" : libusb_error_name(code));
  std::fflush(stdout);
  while (verb == "hold") pause();
  return 0;
}

int with_context(libusb_context* context, const char* port, const std::string& verb,
                 const std::vector<std::string>& rest) {
  if (verb == "await") return await(context, port, rest.at(0).c_str());
  if (verb == "hub") return switch_port(context, port, rest.at(0) == "on");
  libusb_device_handle* handle = open_port(context, port_of(port));
  const int status = with_device(context, handle, verb, rest);
  libusb_close(handle);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  libusb_context* context = nullptr;
  if (const int code = libusb_init(&context); code != 0) die("init", code);
  const int status = with_context(context, argv[2], argv[1], {argv + 3, argv + argc});
  libusb_exit(context);
  return status;
}
