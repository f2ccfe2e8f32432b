// Recordings of USB traffic: one JSON object a transfer, one a line (README.md tells the format).
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/usb/usb_device.h"
#include "harness/base/unique_fd.h"

namespace hilmark {

struct UsbTransfer {
  enum class Kind { control_out, control_in, bulk_out, bulk_in } kind = Kind::control_out;
  std::int64_t at_us = 0;  ///< since the recording began, when the transfer had ended
  std::string port;        ///< "1-4.2"
  UsbId id;
  UsbSetup setup;             ///< of a control transfer
  std::uint8_t endpoint = 0;  ///< of a bulk transfer
  std::size_t length = 0;     ///< octets given, or asked for
  Bytes data;                 ///< the octets given, or those that came
  std::string result = "ok";  ///< or a UsbFault: "gone", "stall", "timeout", "access", "busy", "other"
};

[[nodiscard]] std::string_view name_of(UsbFault fault);  ///< "stall"
[[nodiscard]] std::string to_line(const UsbTransfer& transfer);
/// Errors (usage): what is wrong with the line, which may be at most 64 KiB.
[[nodiscard]] Result<UsbTransfer> parse_usb_transfer(std::string_view line);
/// A whole file. Errors (usage): "FILE:12: …".
[[nodiscard]] Result<std::vector<UsbTransfer>> read_usb_recording(const std::filesystem::path& path);

/// Writes a recording as transfers end. Any thread.
class UsbRecorder {
 public:
  /// Replaces what was there. Errors (usage): it cannot be written.
  [[nodiscard]] static Result<std::unique_ptr<UsbRecorder>> create(const std::filesystem::path& path,
                                                                   const Clock& clock);
  void add(UsbTransfer transfer);
  /// Whether all was written; the error (rig) names the file.
  [[nodiscard]] Result<void> trouble() const;

 private:
  UsbRecorder(std::filesystem::path path, UniqueFd fd, const Clock& clock)
      : path_(std::move(path)), fd_(std::move(fd)), clock_(clock), begun_(clock.now()) {}
  const std::filesystem::path path_;
  UniqueFd fd_;
  const Clock& clock_;
  const SteadyTime begun_;
  mutable std::mutex mutex_;
  int errno_ = 0;
};

}  // namespace hilmark
