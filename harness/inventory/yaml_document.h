// YAML files read strictly: every key is known, every value of the right kind, and each fault told with file and line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "harness/base/error.h"

namespace hilmark {

/// What is wrong with a file, from its top: "lab.yaml:12:5: expected …; got …".
class YamlFaults {
 public:
  explicit YamlFaults(std::string file) : file_(std::move(file)) {}
  void add(const YAML::Mark& mark, const std::string& text);
  [[nodiscard]] std::vector<std::string> all() const;

 private:
  std::string file_;
  std::multimap<std::pair<int, int>, std::string> faults_;  // by line and column
};

/// A mapping of a document. What is asked for and is wrong becomes a fault and reads as missing, so that a reader goes
/// on and all faults of a file are found at once. When it goes out of scope the keys that nobody asked for are faults.
class YamlMapping {
 public:
  /// `what` names it in messages: "a unit", "`power`".
  YamlMapping(YamlFaults& faults, const YAML::Node& node, std::string what);
  YamlMapping(const YamlMapping&) = delete;
  YamlMapping& operator=(const YamlMapping&) = delete;
  ~YamlMapping();

  [[nodiscard]] bool has(const std::string& key) const { return entries_.count(key) > 0; }
  /// All of them, in the order of the alphabet: for mappings whose keys are names.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// Makes a fault of a key that must be there and is not.
  void require(const std::string& key);
  [[nodiscard]] std::string text(const std::string& key);
  [[nodiscard]] std::optional<std::int64_t> integer(const std::string& key, std::int64_t min, std::int64_t max);
  [[nodiscard]] std::vector<std::string> texts(const std::string& key);
  [[nodiscard]] std::map<std::string, std::string> text_map(const std::string& key);
  [[nodiscard]] std::unique_ptr<YamlMapping> mapping(const std::string& key);  ///< null if it is not there
  [[nodiscard]] std::vector<std::unique_ptr<YamlMapping>> mappings(const std::string& key);
  /// Accepts the key without reading it: it is meant for others, or for people.
  void ignore(const std::string& key) { asked_.insert(key); }
  /// `version: 1`, which every file has.
  void check_version();

  /// A fault at this key's value (at the mapping, if the key is missing).
  void fault(const std::string& key, const std::string& text);
  void fault(const std::string& text) { faults_.add(mark_, text); }
  [[nodiscard]] int line() const { return mark_.line + 1; }
  [[nodiscard]] int line_of(const std::string& key) const;  ///< of its key; the mapping's own where it has none such

 private:
  [[nodiscard]] YAML::Node find(const std::string& key);
  YamlFaults& faults_;
  std::string what_;
  YAML::Mark mark_;
  std::map<std::string, std::pair<YAML::Mark, YAML::Node>> entries_;  // the key's place, its value
  std::set<std::string> asked_;
};

/// Loads a file of exactly one document and hands its mapping to `reader`. Errors (usage): all faults, one a line.
template <class Reader>
[[nodiscard]] Result<void> read_yaml(const std::filesystem::path& path, Reader&& reader);

namespace detail {
[[nodiscard]] Result<YAML::Node> load_yaml(const std::filesystem::path& path);
[[nodiscard]] Result<void> told(const YamlFaults& faults);
}  // namespace detail

template <class Reader>
Result<void> read_yaml(const std::filesystem::path& path, Reader&& reader) {
  auto node = detail::load_yaml(path);
  if (!node) return fail(node.error());
  YamlFaults faults(path.string());
  {
    YamlMapping root(faults, *node, "the file");
    reader(root);
  }
  return detail::told(faults);
}

}  // namespace hilmark
