// The process's libusb session: what is plugged where, and what comes and goes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/usb/usb_id.h"
#include "harness/base/clock.h"
#include "harness/base/error.h"

struct libusb_context;
struct libusb_device;

namespace hilmark {

struct UsbTransfer;

struct UsbEvent {
  enum class Kind { arrived, left } kind = Kind::arrived;
  UsbPlugged device;
};

/// One a process. Owns the thread that runs libusb's events. Must outlive every device that was opened with it.
class UsbContext {
 public:
  /// Errors: usage (no access to USB at all, or a libusb without hotplug).
  [[nodiscard]] static Result<std::unique_ptr<UsbContext>> make();
  ~UsbContext();
  UsbContext(const UsbContext&) = delete;
  UsbContext& operator=(const UsbContext&) = delete;

  /// All that is plugged, ordered by port; serial numbers are not read.
  [[nodiscard]] std::vector<UsbPlugged> plugged() const;
  /// The same with serial numbers, which needs each device to be opened; those that do not let us keep an empty one.
  [[nodiscard]] std::vector<UsbPlugged> plugged_with_serials() const;
  [[nodiscard]] std::optional<UsbPlugged> at(const std::string& port) const;
  /// The serial number of that very arrival; empty if it has none, does not let us read it, or has gone.
  [[nodiscard]] std::string serial_at(const UsbPlugged& plugged) const;

  /// Called on a thread of this class for each arrival and departure from now on, in order, until the handle goes.
  /// Destroying the handle waits for a call under way, so it must not be done from within one.
  class Subscription;
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(std::function<void(const UsbEvent&)> listener);

  /// Told each transfer that ends from now on (usb_recording.h), on the thread that made it; for recordings. What
  /// consoles say unasked is not among them. To be set before devices are opened.
  void on_transfer(std::function<void(const UsbTransfer&)> listener) { transfer_listener_ = std::move(listener); }

  /// Waits until `holds()` or the deadline; tries anew at each arrival and departure. Returns whether it holds.
  [[nodiscard]] bool wait(const std::function<bool()>& holds, const Deadline& deadline) const;

 private:
  friend class UsbDevice;
  struct Impl;
  explicit UsbContext(std::unique_ptr<Impl> impl);
  /// The device of that very arrival with a reference for the caller, or nullptr.
  [[nodiscard]] libusb_device* reference(const std::string& port, std::uint64_t arrival) const;
  std::unique_ptr<Impl> impl_;
  std::function<void(const UsbTransfer&)> transfer_listener_;
};

class UsbContext::Subscription {
 public:
  virtual ~Subscription() = default;
};

/// The port of the one device with that serial number. Errors (usage): none has it, or several have.
[[nodiscard]] Result<std::string> find_port(const UsbContext& context, const std::string& serial);

/// Waits for devices to come to, and go from, one port.
class UsbPortWatcher {
 public:
  UsbPortWatcher(const UsbContext& context, std::string port) : context_(&context), port_(std::move(port)) {}

  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] std::optional<UsbPlugged> now() const { return context_->at(port_); }
  /// A device with one of `ids` whose arrival is numbered above `after`. At the deadline: rig, with what was there
  /// instead.
  [[nodiscard]] Result<UsbPlugged> wait_arrival(const std::vector<UsbId>& ids, std::uint64_t after,
                                                const Deadline& deadline) const;
  /// The device of that arrival goes. At the deadline: timeout.
  [[nodiscard]] Result<void> wait_left(std::uint64_t arrival, const Deadline& deadline) const;

 private:
  const UsbContext* context_;
  std::string port_;
};

}  // namespace hilmark
