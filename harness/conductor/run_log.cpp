#include "harness/conductor/run_log.h"

#include <cerrno>

#include <boost/json/serialize.hpp>
#include <fcntl.h>

#include "harness/base/write_all.h"

namespace hilmark {
namespace {

/// The first members of every event, in this order, then its own.
boost::json::object with_head(boost::json::object head, boost::json::object event, const Clock& clock) {
  boost::json::object whole{{"v", 1}, {"type", event["type"]}, {"time", iso8601(clock.wall())}};
  if (const auto* time = event.if_contains("time")) whole["time"] = *time;
  for (auto& member : head) whole[member.key()] = std::move(member.value());
  for (auto& member : event) {
    if (!whole.contains(member.key())) whole[member.key()] = std::move(member.value());
  }
  return whole;
}

}  // namespace

RunLog::RunLog(UniqueFd fd, std::filesystem::path path, const Clock& clock, reports::RunFollower::Sink on_case)
    : fd_(std::move(fd)),
      path_(std::move(path)),
      clock_(&clock),
      follower_(std::make_unique<reports::RunFollower>(reports::RunFollower::Keep::verdicts, std::move(on_case))) {}

Result<RunLog> RunLog::create(const std::filesystem::path& path, const Clock& clock,
                              reports::RunFollower::Sink on_case) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) return fail(ErrorKind::usage, "cannot write {}: {}", path.string(), errno_text(errno));
  return RunLog(std::move(fd), path, clock, std::move(on_case));
}

Result<void> RunLog::append(boost::json::object event) {
  return append_whole(with_head({}, std::move(event), *clock_));
}

Result<void> RunLog::append(const std::string& unit, bool is_virtual, boost::json::object event) {
  return append_whole(with_head({{"unit", unit}, {"virtual", is_virtual}}, std::move(event), *clock_));
}

Result<void> RunLog::append_whole(boost::json::object event) {
  const std::string line = boost::json::serialize(event) + "\n";
  reports::Event read{.type = {}, .members = std::move(event)};
  read.type = read.text("type");
  if (auto followed = follower_->follow(read); !followed) return followed;
  if (!write_all(fd_.get(), line)) {
    return fail(ErrorKind::rig, "cannot write {}: {}", path_.string(), errno_text(errno));
  }
  return {};
}

}  // namespace hilmark
