#include "drivers/dfu/dfu_protocol.h"

#include <array>

namespace hilmark {
namespace {

constexpr std::uint8_t functional_type = 0x21;
constexpr std::size_t functional_bytes = 9;
constexpr std::size_t functional_bytes_1_0 = 7;  // without bcdDFUVersion

}  // namespace

std::string_view name_of(DfuState state) {
  static constexpr std::array<std::string_view, 11> names{"appIDLE",          "appDETACH",   "dfuIDLE",
                                                          "dfuDNLOAD-SYNC",   "dfuDNBUSY",   "dfuDNLOAD-IDLE",
                                                          "dfuMANIFEST-SYNC", "dfuMANIFEST", "dfuMANIFEST-WAIT-RESET",
                                                          "dfuUPLOAD-IDLE",   "dfuERROR"};
  return names.at(static_cast<std::size_t>(state));
}

std::string_view name_of(DfuRequest request) {
  static constexpr std::array<std::string_view, 7> names{"DFU_DETACH",    "DFU_DNLOAD",   "DFU_UPLOAD", "DFU_GETSTATUS",
                                                         "DFU_CLRSTATUS", "DFU_GETSTATE", "DFU_ABORT"};
  return names.at(static_cast<std::size_t>(request));
}

std::string_view dfu_status_name(std::uint8_t status) {
  static constexpr std::array<std::string_view, 16> names{
      "OK",      "errTARGET", "errFILE",    "errWRITE",     "errERASE",    "errCHECK_ERASED",
      "errPROG", "errVERIFY", "errADDRESS", "errNOTDONE",   "errFIRMWARE", "errVENDOR",
      "errUSBR", "errPOR",    "errUNKNOWN", "errSTALLEDPKT"};
  return status < names.size() ? names[status] : "unknown status";
}

std::optional<DfuStatus> parse_dfu_status(ByteView answer) {
  if (answer.size() != 6 || answer[4] > static_cast<std::uint8_t>(DfuState::error)) return std::nullopt;
  return DfuStatus{answer[0], Milliseconds(answer[1] | answer[2] << 8 | answer[3] << 16),
                   static_cast<DfuState>(answer[4])};
}

std::optional<DfuFunctional> find_dfu_functional(ByteView extra) {
  while (extra.size() >= 2) {
    const std::size_t length = extra[0];
    if (length < 2 || length > extra.size()) return std::nullopt;
    if (extra[1] == functional_type && length >= functional_bytes_1_0) {
      const auto word = [&](std::size_t at) { return static_cast<std::uint16_t>(extra[at] | extra[at + 1] << 8); };
      return DfuFunctional{(extra[2] & 1) != 0,
                           (extra[2] & 2) != 0,
                           (extra[2] & 4) != 0,
                           (extra[2] & 8) != 0,
                           Milliseconds(word(3)),
                           word(5),
                           length >= functional_bytes ? word(7) : std::uint16_t{0x0100}};
    }
    extra = extra.subspan(length);
  }
  return std::nullopt;
}

}  // namespace hilmark
