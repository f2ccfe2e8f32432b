#include "harness/inventory/virtual_lab.h"

#include <cstdlib>
#include <filesystem>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "harness/base/bytes.h"

namespace hilmark {
namespace {

std::string text(const boost::json::object& object, const char* key) {
  const boost::json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

Result<std::optional<std::vector<VirtualBoard>>> surrounding_virtual_lab() {
  const char* root = std::getenv("UMOCKDEV_DIR");
  if (root == nullptr || *root == '\0') return std::nullopt;
  const std::filesystem::path path = std::filesystem::path(root) / "lab.json";
  const auto content = read_file(path);
  if (!content) return fail(content.error(), "this runs in an emulated USB tree that is no virtual lab");
  boost::json::error_code error;
  const boost::json::value json = boost::json::parse(as_text(*content), error);
  const boost::json::object* lab = json.if_object();
  const boost::json::value* version = lab != nullptr ? lab->if_contains("version") : nullptr;
  const boost::json::value* boards = lab != nullptr ? lab->if_contains("boards") : nullptr;
  if (error || version == nullptr || *version != 1 || boards == nullptr || !boards->is_array()) {
    return fail(ErrorKind::usage, "{}: expected version 1 and a list of boards; is virtual-lab of the same release?",
                path.string());
  }
  std::vector<VirtualBoard> result;
  for (const boost::json::value& entry : boards->get_array()) {
    const boost::json::object* board = entry.if_object();
    if (board == nullptr) return fail(ErrorKind::usage, "{}: expected a mapping for each board", path.string());
    VirtualBoard found{.unit = text(*board, "unit"),
                       .port = text(*board, "port"),
                       .serial = text(*board, "serial"),
                       .chip = text(*board, "chip")};
    if (const auto* pid = board->if_contains("namespace_pid"); pid != nullptr && pid->is_int64()) {
      found.namespace_pid = static_cast<pid_t>(pid->get_int64());
    }
    result.push_back(std::move(found));
  }
  return result;
}

}  // namespace hilmark
