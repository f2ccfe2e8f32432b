// Which verbs of its console a board must have for what its files say that it can do.
#pragma once

#include "drivers/console/command_set.h"
#include "drivers/unit/unit.h"

namespace hilmark {

/// Errors (usage): every verb that is missing, with the capability that needs it. `has_settings`: the board file has
/// settings, which are said by a verb as well. What a unit's hands do instead (power for reset) is not asked for.
[[nodiscard]] Result<void> check_verbs(const CommandSet& commands, const Capabilities& capabilities, bool has_settings);

}  // namespace hilmark
