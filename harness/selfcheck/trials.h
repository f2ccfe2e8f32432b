// Deals the seeded defects to the units of a bench: a pure function of bench, defects and catalogue.
#pragma once

#include <string>
#include <vector>

#include "harness/inventory/bench.h"
#include "harness/selfcheck/defects.h"
#include "suites/case.h"

namespace hilmark::selfcheck {

/// One unit in one run: golden, or with one defect.
struct Trial {
  std::string unit;                ///< as the run's lab file names it
  std::string of;                  ///< the bench's unit; differs where a program with a defect is a unit of its own
  std::string defect;              ///< empty: golden
  std::string firmware;            ///< the image to flash; empty: what the lab file says
  std::vector<std::string> cases;  ///< ids of the only ones that run; empty: all
};

/// Trials that run side by side, each on a unit of its own.
using Batch = std::vector<Trial>;

struct Deal {
  std::vector<Batch> batches;          ///< the first is of golden units
  std::vector<std::string> not_tried;  ///< defects that no unit of the bench can have
};

/// Golden units first, all of them (where `quick`, of a board that is flashed one). Then each defect that is an image
/// on one unit of each chip (where `quick`: on one unit of any) and each that a program has on that program. An image
/// stands beside the unit's golden one and is named after its defect. `quick` runs the cases that list the defect and
/// those that they depend on. Errors (usage): an image is missing, `also` names no case, or a defect that no case
/// lists.
[[nodiscard]] Result<Deal> deal(const Bench& bench, const std::vector<SeededDefect>& defects,
                                const std::vector<suites::Case>& catalogue, bool quick);

}  // namespace hilmark::selfcheck
