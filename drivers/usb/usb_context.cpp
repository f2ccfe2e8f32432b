#include "drivers/usb/usb_context.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include <libusb.h>

namespace hilmark {
namespace {

struct DeviceUnref {
  void operator()(libusb_device* device) const { libusb_unref_device(device); }
};
using DevicePtr = std::unique_ptr<libusb_device, DeviceUnref>;

std::string path_of(libusb_device* device) {
  std::array<std::uint8_t, 8> ports{};  // USB 3.2 section 10.14.2: at most 7 tiers
  const int count = libusb_get_port_numbers(device, ports.data(), static_cast<int>(ports.size()));
  return port_path(libusb_get_bus_number(device), {ports.begin(), ports.begin() + std::max(count, 0)});
}

UsbId id_of(libusb_device* device) {
  libusb_device_descriptor descriptor{};
  if (libusb_get_device_descriptor(device, &descriptor) != 0) return {};
  return {descriptor.idVendor, descriptor.idProduct};
}

/// By bDeviceClass, and bDeviceProtocol 3 (USB 3.2 section 10.15.1).
int hub_generation_of(libusb_device* device) {
  constexpr std::uint8_t superspeed = 3;
  libusb_device_descriptor descriptor{};
  if (libusb_get_device_descriptor(device, &descriptor) != 0 || descriptor.bDeviceClass != LIBUSB_CLASS_HUB) return 0;
  return descriptor.bDeviceProtocol == superspeed ? 3 : 2;
}

std::string serial_of(libusb_device* device) {
  libusb_device_descriptor descriptor{};
  libusb_device_handle* handle = nullptr;
  if (libusb_get_device_descriptor(device, &descriptor) != 0 || descriptor.iSerialNumber == 0) return {};
  if (libusb_open(device, &handle) != 0) return {};
  std::array<unsigned char, 256> text{};
  const int length =
      libusb_get_string_descriptor_ascii(handle, descriptor.iSerialNumber, text.data(), static_cast<int>(text.size()));
  libusb_close(handle);
  return length > 0 ? std::string(text.begin(), text.begin() + length) : std::string();
}

}  // namespace

struct UsbContext::Impl {
  struct Entry {
    UsbPlugged plugged;
    DevicePtr device;
  };
  struct Listener {
    std::function<void(const UsbEvent&)> call;
  };

  libusb_context* context = nullptr;
  libusb_hotplug_callback_handle callback = 0;
  bool registered = false;
  std::atomic<bool> stopping{false};
  std::thread events;
  std::thread notifier;

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::map<std::string, Entry> table;
  std::uint64_t arrivals = 0;
  std::uint64_t changes = 0;  // arrivals and departures
  std::deque<UsbEvent> pending;
  std::list<Listener> listeners;
  bool notifying = false;

  ~Impl() {
    if (registered) libusb_hotplug_deregister_callback(context, callback);
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    if (events.joinable()) {
      libusb_interrupt_event_handler(context);
      events.join();
    }
    if (notifier.joinable()) notifier.join();
    table.clear();
    if (context != nullptr) libusb_exit(context);
  }

  // libusb runs this within its event handling, in whatever thread that is: it only notes what happened.
  static int LIBUSB_CALL on_hotplug(libusb_context*, libusb_device* device, libusb_hotplug_event event, void* self) {
    auto& impl = *static_cast<Impl*>(self);
    const std::string port = path_of(device);
    {
      const std::lock_guard lock(impl.mutex);
      const auto found = impl.table.find(port);
      if (event == LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT) {
        if (found == impl.table.end() || found->second.device.get() != device) return 0;
        impl.pending.push_back({UsbEvent::Kind::left, found->second.plugged});
        impl.table.erase(found);
        ++impl.changes;
      } else {
        if (found != impl.table.end() && found->second.device.get() == device) return 0;
        if (found != impl.table.end()) impl.pending.push_back({UsbEvent::Kind::left, found->second.plugged});
        const UsbPlugged plugged{port, id_of(device), {}, ++impl.arrivals, hub_generation_of(device)};
        impl.table[port] = Entry{plugged, DevicePtr(libusb_ref_device(device))};
        impl.pending.push_back({UsbEvent::Kind::arrived, plugged});
        ++impl.changes;
      }
    }
    impl.changed.notify_all();
    return 0;
  }

  void run_events() {
    while (!stopping) {
      timeval limit{60, 0};
      libusb_handle_events_timeout_completed(context, &limit, nullptr);
    }
  }

  void run_notifier() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stopping || !pending.empty(); });
      if (stopping) return;
      const UsbEvent event = std::move(pending.front());
      pending.pop_front();
      std::vector<std::function<void(const UsbEvent&)>> calls;
      for (const Listener& listener : listeners) calls.push_back(listener.call);
      notifying = true;
      lock.unlock();
      for (const auto& call : calls) call(event);
      lock.lock();
      notifying = false;
      changed.notify_all();
    }
  }
};

namespace {

class OwnedSubscription final : public UsbContext::Subscription {
 public:
  explicit OwnedSubscription(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
  ~OwnedSubscription() override { cancel_(); }

 private:
  std::function<void()> cancel_;
};

}  // namespace

Result<std::unique_ptr<UsbContext>> UsbContext::make() {
  auto impl = std::make_unique<Impl>();
  if (const int code = libusb_init(&impl->context); code != 0) {
    impl->context = nullptr;
    return fail(ErrorKind::usage, "cannot use USB: {}; is /dev/bus/usb there and readable?", libusb_strerror(code));
  }
  if (libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG) == 0) {
    return fail(ErrorKind::usage, "this libusb sees no hotplug events; install one that is built with udev");
  }
  const int code = libusb_hotplug_register_callback(
      impl->context, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT, LIBUSB_HOTPLUG_ENUMERATE,
      LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY, &Impl::on_hotplug, impl.get(),
      &impl->callback);
  if (code != 0) return fail(ErrorKind::rig, "cannot watch USB: {}", libusb_strerror(code));
  impl->registered = true;
  impl->pending.clear();  // What was there from the start did not arrive.
  impl->events = std::thread([&state = *impl] { state.run_events(); });
  impl->notifier = std::thread([&state = *impl] { state.run_notifier(); });
  return std::unique_ptr<UsbContext>(new UsbContext(std::move(impl)));
}

UsbContext::UsbContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UsbContext::~UsbContext() = default;

std::vector<UsbPlugged> UsbContext::plugged() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<UsbPlugged> list;
  for (const auto& [port, entry] : impl_->table) list.push_back(entry.plugged);
  return list;
}

std::vector<UsbPlugged> UsbContext::plugged_with_serials() const {
  std::vector<UsbPlugged> list = plugged();
  for (UsbPlugged& device : list) device.serial = serial_at(device);
  return list;
}

std::string UsbContext::serial_at(const UsbPlugged& plugged) const {
  const DevicePtr opened(reference(plugged.port, plugged.arrival));
  return opened ? serial_of(opened.get()) : std::string();
}

std::optional<UsbPlugged> UsbContext::at(const std::string& port) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->table.find(port);
  if (found == impl_->table.end()) return std::nullopt;
  return found->second.plugged;
}

libusb_device* UsbContext::reference(const std::string& port, std::uint64_t arrival) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->table.find(port);
  if (found == impl_->table.end() || found->second.plugged.arrival != arrival) return nullptr;
  return libusb_ref_device(found->second.device.get());
}

std::unique_ptr<UsbContext::Subscription> UsbContext::subscribe(std::function<void(const UsbEvent&)> listener) {
  Impl& impl = *impl_;
  const std::lock_guard lock(impl.mutex);
  const auto place = impl.listeners.insert(impl.listeners.end(), Impl::Listener{std::move(listener)});
  return std::make_unique<OwnedSubscription>([&impl, place] {
    std::unique_lock unlocked(impl.mutex);
    impl.listeners.erase(place);
    impl.changed.wait(unlocked, [&] { return !impl.notifying; });
  });
}

bool UsbContext::wait(const std::function<bool()>& holds, const Deadline& deadline) const {
  for (;;) {
    std::unique_lock lock(impl_->mutex);
    const std::uint64_t seen = impl_->changes;
    lock.unlock();
    if (holds()) return true;
    if (deadline.expired()) return false;
    lock.lock();
    impl_->changed.wait_for(lock, deadline.left(), [&] { return impl_->changes != seen; });
  }
}

Result<std::string> find_port(const UsbContext& context, const std::string& serial) {
  const std::vector<UsbPlugged> all = context.plugged_with_serials();
  std::vector<UsbPlugged> found;
  std::copy_if(all.begin(), all.end(), std::back_inserter(found),
               [&](const UsbPlugged& device) { return device.serial == serial; });
  if (found.empty())
    return fail(ErrorKind::usage, "no device has the serial number {}; plugged: {}", serial, list_text(all));
  if (found.size() == 1) return found[0].port;
  return fail(ErrorKind::usage, "several devices have the serial number {}: {}; name the port instead", serial,
              list_text(found));
}

Result<UsbPlugged> UsbPortWatcher::wait_arrival(const std::vector<UsbId>& ids, std::uint64_t after,
                                                const Deadline& deadline) const {
  std::optional<UsbPlugged> there;
  const bool came = context_->wait(
      [&] {
        there = now();
        return there && there->arrival > after && std::find(ids.begin(), ids.end(), there->id) != ids.end();
      },
      deadline);
  if (came) return *there;
  std::string wanted;
  for (const UsbId& id : ids) wanted += (wanted.empty() ? "" : " or ") + to_text(id);
  return fail(ErrorKind::rig,
              "{} did not come to port {} within {} ms; there is {}; plugged in all: {}; check cable, power and port",
              wanted, port_, deadline.span().count(), there ? to_text(there->id) : "nothing",
              list_text(context_->plugged()));
}

Result<void> UsbPortWatcher::wait_left(std::uint64_t arrival, const Deadline& deadline) const {
  std::optional<UsbPlugged> there;
  const bool left = context_->wait(
      [&] {
        there = now();
        return !there || there->arrival != arrival;
      },
      deadline);
  if (left) return {};
  return fail(ErrorKind::timeout, "{} did not leave the bus within {} ms", there->text(), deadline.span().count());
}

}  // namespace hilmark
