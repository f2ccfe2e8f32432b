#include "harness/inventory/yaml_document.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>

#include "harness/base/bytes.h"
#include "harness/inventory/near_miss.h"

namespace hilmark {
namespace {

constexpr std::size_t max_file_bytes = 1U << 20;

std::string kind_of(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return fmt::format("`{}`", printable(node.Scalar().substr(0, 60)));
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a mapping";
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      break;
  }
  return "nothing";
}

}  // namespace

void YamlFaults::add(const YAML::Mark& mark, const std::string& text) {
  static constexpr std::size_t max_faults = 100;
  if (faults_.size() == max_faults) return;
  faults_.emplace(std::pair(mark.line, mark.column),
                  mark.is_null() ? fmt::format("{}: {}", file_, text)
                                 : fmt::format("{}:{}:{}: {}", file_, mark.line + 1, mark.column + 1, text));
}

std::vector<std::string> YamlFaults::all() const {
  std::vector<std::string> texts;
  for (const auto& [place, text] : faults_) texts.push_back(text);
  return texts;
}

YamlMapping::YamlMapping(YamlFaults& faults, const YAML::Node& node, std::string what)
    : faults_(faults), what_(std::move(what)), mark_(node.Mark()) {
  if (!node.IsMap()) {
    faults_.add(mark_, fmt::format("expected a mapping for {}; got {}", what_, kind_of(node)));
    return;
  }
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      faults_.add(entry.first.Mark(), fmt::format("expected a name as key in {}; got {}", what_, kind_of(entry.first)));
      continue;
    }
    const auto [place, fresh] = entries_.emplace(entry.first.Scalar(), std::pair(entry.first.Mark(), entry.second));
    if (!fresh) {
      faults_.add(entry.first.Mark(), fmt::format("expected each key once in {}; got `{}` again (first in line {})",
                                                  what_, printable(place->first), place->second.first.line + 1));
    }
  }
}

YamlMapping::~YamlMapping() {
  for (const auto& [key, entry] : entries_) {
    if (asked_.count(key) > 0) continue;
    const std::vector<std::string> known(asked_.begin(), asked_.end());
    faults_.add(entry.first,
                fmt::format("expected a known key in {}; got `{}`{}", what_, printable(key), suggestion(key, known)));
  }
}

YAML::Node YamlMapping::find(const std::string& key) {
  asked_.insert(key);
  const auto found = entries_.find(key);
  return found == entries_.end() ? YAML::Node(YAML::NodeType::Undefined) : found->second.second;
}

std::vector<std::string> YamlMapping::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, entry] : entries_) names.push_back(key);
  return names;
}

void YamlMapping::require(const std::string& key) {
  asked_.insert(key);
  if (!has(key)) faults_.add(mark_, fmt::format("expected `{}` in {}; got nothing", key, what_));
}

std::string YamlMapping::text(const std::string& key) {
  const YAML::Node node = find(key);
  if (!has(key)) return {};
  if (!node.IsScalar() || node.Scalar().empty()) {
    fault(key, fmt::format("expected a text for `{}`; got {}", key, kind_of(node)));
    return {};
  }
  return node.Scalar();
}

std::optional<std::int64_t> YamlMapping::integer(const std::string& key, std::int64_t min, std::int64_t max) {
  const YAML::Node node = find(key);
  if (!has(key)) return std::nullopt;
  if (node.IsScalar()) {
    std::string_view digits = node.Scalar();
    const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
    if (hex) digits.remove_prefix(2);
    if (!hex && digits.size() > 1 && digits.front() == '0') {
      fault(key, fmt::format("expected a whole number for `{}`, without a leading 0; got {}; is it 0x{}?", key,
                             kind_of(node), printable(digits)));
      return std::nullopt;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
    if (error == std::errc() && end == digits.data() + digits.size() && value >= min && value <= max) return value;
  }
  fault(key, fmt::format("expected a whole number from {} to {} for `{}`; got {}", min, max, key, kind_of(node)));
  return std::nullopt;
}

std::vector<std::string> YamlMapping::texts(const std::string& key) {
  const YAML::Node node = find(key);
  std::vector<std::string> result;
  if (!has(key)) return result;
  if (!node.IsSequence()) {
    fault(key, fmt::format("expected a list of texts for `{}`; got {}", key, kind_of(node)));
    return result;
  }
  for (const YAML::Node& item : node) {
    if (item.IsScalar() && !item.Scalar().empty()) {
      result.push_back(item.Scalar());
    } else {
      faults_.add(item.Mark(), fmt::format("expected a text in `{}`; got {}", key, kind_of(item)));
    }
  }
  return result;
}

std::map<std::string, std::string> YamlMapping::text_map(const std::string& key) {
  std::map<std::string, std::string> result;
  const YAML::Node node = find(key);
  if (!has(key)) return result;
  YamlMapping inner(faults_, node, fmt::format("`{}`", key));
  for (const auto& [name, entry] : inner.entries_) {
    if (entry.second.IsScalar()) {
      result.emplace(name, entry.second.Scalar());
    } else {
      inner.fault(name, fmt::format("expected a text for `{}`; got {}", printable(name), kind_of(entry.second)));
    }
    inner.ignore(name);
  }
  return result;
}

std::unique_ptr<YamlMapping> YamlMapping::mapping(const std::string& key) {
  const YAML::Node node = find(key);
  if (!has(key)) return nullptr;
  return std::make_unique<YamlMapping>(faults_, node, fmt::format("`{}`", key));
}

std::vector<std::unique_ptr<YamlMapping>> YamlMapping::mappings(const std::string& key) {
  const YAML::Node node = find(key);
  std::vector<std::unique_ptr<YamlMapping>> result;
  if (!has(key)) return result;
  if (!node.IsSequence()) {
    fault(key, fmt::format("expected a list for `{}`; got {}", key, kind_of(node)));
    return result;
  }
  if (node.size() == 0) fault(key, fmt::format("expected at least one entry in `{}`; got none", key));
  for (const YAML::Node& item : node) {
    result.push_back(std::make_unique<YamlMapping>(faults_, item, fmt::format("an entry of `{}`", key)));
  }
  return result;
}

void YamlMapping::check_version() {
  require("version");
  (void)integer("version", 1, 1);
}

int YamlMapping::line_of(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? line() : found->second.first.line + 1;
}

void YamlMapping::fault(const std::string& key, const std::string& text) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    faults_.add(mark_, text);
    return;
  }
  const auto& [place, value] = found->second;
  faults_.add(value.IsNull() ? place : value.Mark(), text);
}

namespace {

/// Takes no notice of what a document holds.
class Ignored final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// None, one, or more. yaml-cpp 0.7 finds one after the other for ever where a text begins with a comma, so that it
/// must not be asked for all of them.
int documents_in(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Ignored ignored;
  int found = 0;
  while (found < 2 && parser.HandleNextDocument(ignored)) ++found;
  return found;
}

}  // namespace

namespace detail {

Result<YAML::Node> load_yaml(const std::filesystem::path& path) {
  const auto content = read_file(path, max_file_bytes);
  if (!content) return fail(content.error());
  try {
    const std::string text(as_text(*content));
    const int documents = documents_in(text);
    if (documents == 1) return YAML::Load(text);
    return fail(ErrorKind::usage, "{}: expected one YAML document; got {}", path.string(),
                documents == 0 ? "none" : "more");
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::usage, "{}:{}:{}: expected YAML; got {}", path.string(), error.mark.line + 1,
                error.mark.column + 1, error.msg);
  }
}

Result<void> told(const YamlFaults& faults) {
  const std::vector<std::string> all = faults.all();
  if (all.empty()) return {};
  return fail(ErrorKind::usage, "{}", fmt::join(all, "\n"));
}

}  // namespace detail
}  // namespace hilmark
