// From what the files say to the drivers that do it.
#pragma once

#include <memory>

#include "drivers/unit/unit.h"
#include "drivers/usb/usb_context.h"
#include "harness/base/evidence.h"
#include "harness/inventory/bench.h"

namespace hilmark {

/// What a unit is made of; what `unit` uses goes after it.
struct MadeUnit {
  std::unique_ptr<UsbContext> usb;  ///< null for a process unit
  std::unique_ptr<Unit> unit;
};

/// Touches no unit. `folder` is the process unit's; `clock` and `evidence` must outlive the result. Errors: usage.
[[nodiscard]] Result<MadeUnit> make_unit(const BenchUnit& bench_unit, const std::filesystem::path& folder,
                                         const Clock& clock, EvidenceLog& evidence);

/// The image, checked against what the unit's chip takes. Errors: usage; also that the tool is not installed by which
/// it would be written.
[[nodiscard]] Result<FirmwareImage> load_image(const BenchUnit& bench_unit, const std::filesystem::path& path);

}  // namespace hilmark
