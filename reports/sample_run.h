// A small run for tests: every verdict once, two virtual units, hostile text.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

namespace hilmark::reports::testing_support {

/// The lines of a whole log, each with LF.
[[nodiscard]] std::vector<std::string> sample_run(int rounds = 1);
/// One event's line; adds `v` and a time if there is none.
[[nodiscard]] std::string event_line(boost::json::object members);
void write_lines(const std::filesystem::path& path, const std::vector<std::string>& lines);

}  // namespace hilmark::reports::testing_support
