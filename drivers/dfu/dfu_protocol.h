// The vocabulary of USB DFU 1.1 (USB-IF, 5 August 2004), section numbers below are its.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/base/bytes.h"
#include "harness/base/clock.h"

namespace hilmark {

enum class DfuRequest : std::uint8_t {
  detach,
  download,
  upload,
  get_status,
  clear_status,
  get_state,
  abort
};  ///< section 3

/// Section 6.1.2, bState.
enum class DfuState : std::uint8_t {
  app_idle,
  app_detach,
  idle,
  download_sync,
  download_busy,
  download_idle,
  manifest_sync,
  manifest,
  manifest_wait_reset,
  upload_idle,
  error,
};
[[nodiscard]] std::string_view name_of(DfuState state);               ///< "dfuDNLOAD-IDLE"
[[nodiscard]] std::string_view name_of(DfuRequest request);           ///< "DFU_DNLOAD"
[[nodiscard]] std::string_view dfu_status_name(std::uint8_t status);  ///< bStatus: "errVERIFY"

/// What DFU_GETSTATUS answers (section 6.1.2).
struct DfuStatus {
  std::uint8_t status = 0;
  Milliseconds poll_timeout{0};  ///< bwPollTimeout: how long the host waits before it asks again
  DfuState state = DfuState::idle;
};
/// nullopt unless it is six bytes with a state that the standard knows.
[[nodiscard]] std::optional<DfuStatus> parse_dfu_status(ByteView answer);

/// The functional descriptor (section 4.1.3).
struct DfuFunctional {
  bool can_download = false;
  bool can_upload = false;
  bool manifestation_tolerant = false;
  bool will_detach = false;
  Milliseconds detach_timeout{0};
  std::uint16_t transfer_bytes = 0;  ///< wTransferSize
  std::uint16_t version = 0;         ///< bcdDFUVersion: 0x0110, 0x011a for DfuSe, 0x0100 where it has none (DFU 1.0)
};
/// Finds it among the class-specific descriptors behind an interface; nullopt if it is not there or damaged.
[[nodiscard]] std::optional<DfuFunctional> find_dfu_functional(ByteView extra);

}  // namespace hilmark
