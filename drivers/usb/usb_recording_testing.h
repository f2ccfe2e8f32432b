// For tests against recordings that were made by `hilmark flash --record`.
#pragma once

#include <vector>

#include <gtest/gtest.h>

#include "drivers/usb/usb_recording.h"

namespace hilmark {

/// What was flashed when they were made: 5000 octets.
inline Bytes recorded_content() {
  Bytes content(5000);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return content;
}

/// From the project's root.
inline std::vector<UsbTransfer> usb_recording(const std::filesystem::path& file) {
  auto read = read_usb_recording(file);
  EXPECT_TRUE(read) << read.error().message;
  return read ? std::move(*read) : std::vector<UsbTransfer>();
}

/// What came of a recorded transfer, as `Port` tells it.
template <class Port>
typename Port::Answer recorded_answer(const UsbTransfer& transfer, const Bytes& data) {
  if (transfer.result == "ok") return data;
  if (transfer.result == "stall") return typename Port::Stall{};
  return fail(ErrorKind::rig, "recorded: {}", transfer.result);
}

}  // namespace hilmark
