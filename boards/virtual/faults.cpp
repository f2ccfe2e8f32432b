#include "boards/virtual/faults.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace virtual_lab {
namespace {

constexpr std::array<std::string_view, 16> status_names{
    "OK",      "errTARGET", "errFILE",    "errWRITE",     "errERASE",    "errCHECK_ERASED",
    "errPROG", "errVERIFY", "errADDRESS", "errNOTDONE",   "errFIRMWARE", "errVENDOR",
    "errUSBR", "errPOR",    "errUNKNOWN", "errSTALLEDPKT"};
constexpr std::uint32_t max_busy_ms = 3'600'000;

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t most) {
  const bool hexadecimal = text.starts_with("0x");
  if (hexadecimal) text.remove_prefix(2);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

std::optional<Faults::StatusAtBlock> status_at(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  const auto* const name = std::find(status_names.begin() + 1, status_names.end(), text.substr(0, at));
  const auto block = number(text.substr(at + 1), UINT16_MAX);
  if (name == status_names.end() || !block) return std::nullopt;
  return Faults::StatusAtBlock{static_cast<std::uint8_t>(name - status_names.begin()),
                               static_cast<std::uint16_t>(*block)};
}

// Whether the item is one that there is.
bool take(std::string_view item, Faults& faults) {
  if (item == "lie-poll") {
    faults.lies_about_poll_time = true;
    return true;
  }
  const std::size_t end = std::min(item.find_first_of("=@"), item.size());
  const std::string_view name = item.substr(0, end);
  const std::string_view value = end < item.size() ? item.substr(end + 1) : std::string_view();
  const char separator = end < item.size() ? item[end] : '\0';
  if (name == "status" && separator == '=') {
    const auto status = status_at(value);
    if (status) faults.status_at.push_back(*status);
    return status.has_value();
  }
  const bool counts = separator == '=';
  const auto given = number(value, UINT32_MAX);
  if (!given) return false;
  if (name == "stall-at" && counts && *given > 0)
    faults.stall_at = *given;
  else if (name == "unplug-at" && counts && *given > 0)
    faults.unplug_at = *given;
  else if (name == "busy-ms" && counts && *given <= max_busy_ms)
    faults.busy = std::chrono::milliseconds(*given);
  else if (name == "short-upload" && !counts && *given <= UINT16_MAX)
    faults.short_upload = static_cast<std::uint16_t>(*given);
  else if (name == "corrupt-flash" && !counts)
    faults.corrupt_flash = *given;
  else
    return false;
  return true;
}

}  // namespace

Result<Faults> Faults::parse(std::string_view text) {
  Faults faults;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty() || take(item, faults)) continue;
    return failure(
        fmt::format("no fault \"{}\"; there are stall-at=N, busy-ms=N, lie-poll, status=errNAME@BLOCK, "
                    "short-upload@BLOCK, corrupt-flash@ADDRESS, unplug-at=N",
                    item));
  }
  return faults;
}

}  // namespace virtual_lab
