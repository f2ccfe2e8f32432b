#include "boards/virtual/faults.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace virtual_lab {
namespace {

using std::chrono::milliseconds;

// By their numbers.
constexpr std::array<std::string_view, 16> dfu_status_names{
    "OK",      "errTARGET", "errFILE",    "errWRITE",     "errERASE",    "errCHECK_ERASED",
    "errPROG", "errVERIFY", "errADDRESS", "errNOTDONE",   "errFIRMWARE", "errVENDOR",
    "errUSBR", "errPOR",    "errUNKNOWN", "errSTALLEDPKT"};
constexpr std::array<std::string_view, 9> picoboot_status_names{"OK",
                                                                "UNKNOWN_CMD",
                                                                "INVALID_CMD_LENGTH",
                                                                "INVALID_TRANSFER_LENGTH",
                                                                "INVALID_ADDRESS",
                                                                "BAD_ALIGNMENT",
                                                                "INTERLEAVED_WRITE",
                                                                "REBOOTING",
                                                                "UNKNOWN_ERROR"};
constexpr std::uint32_t max_ms = 3'600'000;
constexpr std::size_t max_serial_characters = 63;

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t least, std::uint32_t most) {
  const bool hexadecimal = text.starts_with("0x");
  if (hexadecimal) text.remove_prefix(2);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

template <class T>
bool put(std::string_view text, std::uint32_t least, std::uint32_t most, std::optional<T>& into) {
  const auto value = number(text, least, most);
  if (value) into = static_cast<T>(*value);
  return value.has_value();
}

bool put(std::string_view text, milliseconds& into) {
  const auto value = number(text, 0, max_ms);
  if (value) into = milliseconds(*value);
  return value.has_value();
}

// "NAME@NUMBER" of those names but the first, which is no fault.
template <std::size_t size>
std::optional<Faults::StatusAt> status_at(std::string_view text, const std::array<std::string_view, size>& names) {
  const std::size_t sign = text.find('@');
  if (sign == std::string_view::npos) return std::nullopt;
  const auto* const name = std::find(names.begin() + 1, names.end(), text.substr(0, sign));
  const auto at = number(text.substr(sign + 1), 0, UINT16_MAX);
  if (name == names.end() || !at) return std::nullopt;
  return Faults::StatusAt{static_cast<std::uint32_t>(name - names.begin()), static_cast<std::uint16_t>(*at)};
}

bool take_status(std::string_view text, Faults& faults) {
  if (const auto dfu = status_at(text, dfu_status_names)) {
    faults.dfu_status_at.push_back(*dfu);
    return true;
  }
  const auto picoboot = status_at(text, picoboot_status_names);
  if (picoboot) faults.picoboot_status_at.push_back(*picoboot);
  return picoboot.has_value();
}

bool take_descriptors(std::string_view text, Faults& faults) {
  using enum Faults::Descriptors;
  constexpr std::pair<std::string_view, Faults::Descriptors> names[] = {{"cut", cut},
                                                                        {"zero-length", zero_length},
                                                                        {"zero-transfer-size", zero_transfer_size},
                                                                        {"many-interfaces", many_interfaces}};
  for (const auto& [name, fault] : names) {
    if (name == text) faults.descriptors = fault;
  }
  return faults.descriptors != sound;
}

bool take_serial(std::string_view text, Faults& faults) {
  const bool good = !text.empty() && text.size() <= max_serial_characters &&
                    std::all_of(text.begin(), text.end(), [](char letter) { return letter > ' ' && letter <= '~'; });
  if (good) faults.application_serial = text;
  return good;
}

struct Name {
  std::string_view text;  // as it is written
  bool (*take)(std::string_view value, Faults& faults);

  // "stall-at=" of "stall-at=N"; all of what has no value.
  [[nodiscard]] std::string_view key() const {
    return text.substr(0, std::min(text.find_first_of("=@"), text.size() - 1) + 1);
  }
  [[nodiscard]] bool has_value() const { return key().ends_with('=') || key().ends_with('@'); }
};

constexpr Name names[] = {
    {"stall-at=N", [](auto value, auto& faults) { return put(value, 1, UINT32_MAX, faults.bootloader.stall_at); }},
    {"silent-at=N", [](auto value, auto& faults) { return put(value, 1, UINT32_MAX, faults.bootloader.silent_at); }},
    {"unplug-at=N", [](auto value, auto& faults) { return put(value, 1, UINT32_MAX, faults.bootloader.unplug_at); }},
    {"app-stall-at=N", [](auto value, auto& faults) { return put(value, 1, UINT32_MAX, faults.application.stall_at); }},
    {"app-silent-at=N",
     [](auto value, auto& faults) { return put(value, 1, UINT32_MAX, faults.application.silent_at); }},
    {"app-unplug-at=N",
     [](auto value, auto& faults) { return put(value, 1, UINT32_MAX, faults.application.unplug_at); }},
    {"busy-ms=N", [](auto value, auto& faults) { return put(value, faults.busy); }},
    {"lie-poll", [](auto, auto& faults) { return faults.lies_about_poll_time = true; }},
    {"status=NAME@N", take_status},
    {"short-upload@N", [](auto value, auto& faults) { return put(value, 0, UINT16_MAX, faults.short_upload); }},
    {"corrupt-flash@ADDRESS", [](auto value, auto& faults) { return put(value, 0, UINT32_MAX, faults.corrupt_flash); }},
    {"return-late-ms=N", [](auto value, auto& faults) { return put(value, faults.return_late); }},
    {"return-never", [](auto, auto& faults) { return faults.never_returns = true; }},
    {"app-serial=TEXT", take_serial},
    {"layout-garbage", [](auto, auto& faults) { return faults.layout_is_garbage = true; }},
    {"descriptors=cut|zero-length|zero-transfer-size|many-interfaces", take_descriptors},
};

// Whether the item is one that there is.
bool take(std::string_view item, Faults& faults) {
  for (const Name& name : names) {
    if (!name.has_value() && item == name.text) return name.take({}, faults);
    if (name.has_value() && item.starts_with(name.key())) return name.take(item.substr(name.key().size()), faults);
  }
  return false;
}

}  // namespace

TransferFaults::Strike TransferFaults::next() {
  ++transfers_;
  if (transfers_ == unplug_at) return Strike::unplug;
  if (silent_at && transfers_ >= *silent_at) return Strike::silence;
  return transfers_ == stall_at ? Strike::stall : Strike::none;
}

Result<Faults> Faults::parse(std::string_view text) {
  Faults faults;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty() || take(item, faults)) continue;
    std::vector<std::string_view> known;
    for (const Name& name : names) known.push_back(name.text);
    return failure(fmt::format("no fault \"{}\"; there are {}", item, fmt::join(known, ", ")));
  }
  return faults;
}

}  // namespace virtual_lab
