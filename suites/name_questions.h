// What a unit asks the rig's name server.
#pragma once

#include <string>
#include <string_view>

#include "suites/bench.h"

namespace hilmark::suites {

/// Evidence of the name server's of this kind ("dns_question", "dns_answer") that is about a question of the unit's,
/// for `name`; empty: for any name.
[[nodiscard]] EvidenceLog::Matcher of_questions(std::string kind, std::string name = {});

/// Claims that since `after` the unit has not asked for `old_name`.
void expect_no_question_for(Bench& bench, const std::string& old_name, std::uint64_t after);

}  // namespace hilmark::suites
