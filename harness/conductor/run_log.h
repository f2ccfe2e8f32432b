// events.jsonl as it is written, and what it says so far.
#pragma once

#include <filesystem>
#include <string>

#include <boost/json/object.hpp>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"
#include "reports/run_follower.h"

namespace hilmark {

class RunLog {
 public:
  [[nodiscard]] static Result<RunLog> create(const std::filesystem::path& path, const Clock& clock,
                                             reports::RunFollower::Sink on_case);

  /// Adds `v`, `time` (unless it has one) and, for a unit's event, `unit` and `virtual`; appends it by one write.
  /// Errors: usage (it contradicts what was said before, and is not written), rig (cannot be written).
  [[nodiscard]] Result<void> append(boost::json::object event);
  [[nodiscard]] Result<void> append(const std::string& unit, bool is_virtual, boost::json::object event);

  [[nodiscard]] const reports::RunFollower& follower() const { return *follower_; }

 private:
  RunLog(UniqueFd fd, std::filesystem::path path, const Clock& clock, reports::RunFollower::Sink on_case);
  Result<void> append_whole(boost::json::object event);
  UniqueFd fd_;
  std::filesystem::path path_;
  const Clock* clock_;
  std::unique_ptr<reports::RunFollower> follower_;
};

}  // namespace hilmark
