// A case of the catalogue: its metadata and its body.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/unit/unit.h"

namespace hilmark::suites {

class Bench;

enum class Level { must, should };
[[nodiscard]] std::string_view name_of(Level level);  ///< "MUST", "SHOULD"

struct Case {
  std::string id;    ///< "SNI-01"; never changes its meaning
  std::string area;  ///< "sni", "modes", "provisioning", "move", "tls", "mqtt", "lifecycle"
  Level level = Level::must;
  std::string title;   ///< short, for names in reports
  std::string demand;  ///< what the claim demands, one sentence
  std::string source;  ///< RFC section, the service's rule, or a house rule (H1 to H4, docs/running.md)
  std::vector<Capability> needs;
  std::vector<std::string> defects;     ///< the seeded defects that it must catch
  std::vector<std::string> depends_on;  ///< if one of these failed on the unit, this one is blocked
  std::string opportunity;              ///< the first observation without which it cannot be judged
  bool waits = false;  ///< most of its time is waiting that it demands, so that --shard gives it to one unit of a type
  /// Whether the unit is brought to a served connection before the body runs (its control). Cases that judge what
  /// comes before a served connection start as the unit is.
  /// `unprovisioned`: it is judged even on a unit whose provisioning failed.
  enum class Start { served, as_it_is, unprovisioned } start = Start::served;
  void (*body)(Bench& bench) = nullptr;
  const char* file = "";  ///< where the body stands
  int line = 0;
};

/// All cases in the order in which they run: LIFE-06, the others' control, first.
[[nodiscard]] const std::vector<Case>& catalogue();

}  // namespace hilmark::suites
