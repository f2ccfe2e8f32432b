#include "drivers/unit/unit.h"

#include <array>

namespace hilmark {
namespace {

constexpr std::array<std::pair<Capability, std::string_view>, 18> capability_name_table{{
    {Capability::reset, "reset"},
    {Capability::power, "power"},
    {Capability::console, "console"},
    {Capability::csr, "csr"},
    {Capability::install, "install"},
    {Capability::flash, "flash"},
    {Capability::keeps_identity, "keeps-identity"},
    {Capability::endpoint, "endpoint"},
    {Capability::publish, "publish"},
    {Capability::subscribe, "subscribe"},
    {Capability::jitr, "jitr"},
    {Capability::tls13, "tls13"},
    {Capability::resume, "resume"},
    {Capability::alpn443, "alpn443"},
    {Capability::https, "https"},
    {Capability::mqtt5, "mqtt5"},
    {Capability::fleet, "fleet"},
    {Capability::clock, "clock"},
}};

}  // namespace

Result<void> Unit::install_claim(const ClaimBundle&) {
  return fail(ErrorKind::usage, "{}: the rig knows no way to give it a claim", info().id);
}

std::string_view name_of(Capability capability) {
  for (const auto& [value, name] : capability_name_table) {
    if (value == capability) return name;
  }
  return "unknown";
}

std::vector<std::string> capability_names() {
  std::vector<std::string> names;
  names.reserve(std::size(capability_name_table));
  for (const auto& [value, name] : capability_name_table) names.emplace_back(name);
  return names;
}

std::optional<Capability> capability_from(std::string_view name) {
  for (const auto& [value, known] : capability_name_table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::string_view name_of(UnitKind kind) {
  switch (kind) {
    case UnitKind::usb:
      return "usb";
    case UnitKind::virtual_board:
      return "virtual";
    case UnitKind::process:
      return "process";
  }
  return "unknown";
}

Result<void> Unit::erase_flash(const Progress& /*progress*/) {
  return fail(ErrorKind::usage, "{} has no flash that could be erased", info().id);
}

Result<bool> Unit::cut_power_during(const std::function<Result<void>()>& /*work*/, Milliseconds /*after*/) {
  return fail(ErrorKind::usage, "{}: there is no power that could be cut while it works", info().id);
}

}  // namespace hilmark
