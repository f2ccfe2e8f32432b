#include "harness/conductor/event_writer.h"

#include <boost/json/serialize.hpp>

#include "harness/base/write_all.h"

namespace hilmark {

void EventWriter::write(boost::json::object event) {
  const std::lock_guard lock(mutex_);
  event["time"] = iso8601(clock_.wall());
  const boost::json::value type = event["type"];
  if (type == "case_started") {
    case_ = event["case"].is_string() ? std::string(event["case"].get_string()) : "";
    round_ = event["round"].is_int64() ? event["round"].get_int64() : 0;
  } else if (type == "case_finished") {
    case_.clear();
  } else if (type == "evidence" && !case_.empty()) {
    event["case"] = case_;
    event["round"] = round_;
  }
  std::string line = boost::json::serialize(event);
  if (line.size() > max_event_bytes) {
    event["data"] = boost::json::object{{"left_out_bytes", line.size()}};
    line = boost::json::serialize(event);
  }
  (void)write_all(fd_, line + "\n");
}

}  // namespace hilmark
