#include "reports/validate.h"

#include <cmath>
#include <set>

#include <pugixml.hpp>

#include "harness/base/bytes.h"
#include "reports/overview.h"

namespace hilmark::reports {
namespace {

constexpr std::size_t max_report_bytes = 512U << 20;

/// Gathers what is wrong with one JUnit document.
class JunitCheck {
 public:
  std::vector<std::string> of(const pugi::xml_document& document) {
    const pugi::xml_node root = document.document_element();
    if (std::string_view(root.name()) != "testsuites") {
      say("the root is <{}>; expected <testsuites>", root.name());
      return std::move(faults_);
    }
    Sums all;
    for (const pugi::xml_node suite : root.children()) {
      if (std::string_view(suite.name()) != "testsuite") {
        say("<{}> in <testsuites>; expected <testsuite>", suite.name());
        continue;
      }
      const Sums sums = check_suite(suite);
      all.tests += sums.tests;
      all.failures += sums.failures;
      all.errors += sums.errors;
      all.skipped += sums.skipped;
      all.time += sums.time;
    }
    compare(root, all, "testsuites");
    return std::move(faults_);
  }

 private:
  struct Sums {
    unsigned long long tests = 0, failures = 0, errors = 0, skipped = 0;
    double time = 0;
  };

  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    static constexpr std::size_t max_faults = 100;
    if (faults_.size() < max_faults) faults_.push_back(printable(fmt::format(format, std::forward<Args>(args)...)));
  }

  void compare(const pugi::xml_node& node, const Sums& sums, const std::string& where) {
    const auto count = [&](const char* name, unsigned long long expected) {
      const pugi::xml_attribute said = node.attribute(name);
      if (said.empty() || said.as_ullong(~0ULL) != expected)
        say("{}: {}=\"{}\", but it holds {}", where, name, said.value(), expected);
    };
    count("tests", sums.tests);
    count("failures", sums.failures);
    count("errors", sums.errors);
    count("skipped", sums.skipped);
    static constexpr double rounding_s = 0.002;
    if (std::abs(node.attribute("time").as_double(-1) - sums.time) > rounding_s) {
      say("{}: time=\"{}\", but its cases' sum is {:.3f}", where, node.attribute("time").value(), sums.time);
    }
  }

  Sums check_suite(const pugi::xml_node& suite) {
    const std::string where = fmt::format("testsuite {}", suite.attribute("name").value());
    for (const char* name : {"name", "timestamp"}) {
      if (suite.attribute(name).empty()) say("{}: no attribute {}", where, name);
    }
    Sums sums;
    bool cases_began = false;
    for (const pugi::xml_node child : suite.children()) {
      const std::string_view name = child.name();
      if (name == "testcase") {
        cases_began = true;
        check_case(child, sums);
      } else if (name != "properties" && name != "system-out" && name != "system-err") {
        say("{}: unexpected <{}>", where, name);
      } else if (name == "properties" && cases_began) {
        say("{}: <properties> must come first", where);
      }
    }
    compare(suite, sums, where);
    return sums;
  }

  void check_case(const pugi::xml_node& testcase, Sums& sums) {
    const std::string name = testcase.attribute("name").value();
    const std::string classname = testcase.attribute("classname").value();
    const std::string where = fmt::format("testcase {} of {}", name, classname);
    if (name.empty() || classname.empty()) say("{}: a testcase has a name and a classname", where);
    if (!seen_.insert(classname + "\n" + name).second) say("{}: a second testcase of the same name", where);
    ++sums.tests;
    sums.time += testcase.attribute("time").as_double();
    int endings = 0;
    int rank = 0;  // properties, then the verdict, then the outputs
    for (const pugi::xml_node child : testcase.children()) {
      const std::string_view kind = child.name();
      int child_rank = 1;
      if (kind == "properties") {
        child_rank = 0;
      } else if (kind == "system-out" || kind == "system-err") {
        child_rank = 2;
      } else if (kind == "failure" || kind == "error" || kind == "skipped") {
        ++endings;
        (kind == "failure" ? sums.failures : kind == "error" ? sums.errors : sums.skipped) += 1;
        if (kind != "skipped" && child.attribute("type").empty()) say("{}: <{}> without a type", where, kind);
      } else {
        say("{}: unexpected <{}>", where, kind);
      }
      if (child_rank < rank) say("{}: <{}> stands too late", where, kind);
      rank = std::max(rank, child_rank);
    }
    if (endings > 1) say("{}: more than one of failure, error and skipped", where);
  }

  std::vector<std::string> faults_;
  std::set<std::string> seen_;
};

}  // namespace

Result<std::vector<std::string>> faults_of(const std::filesystem::path& path) {
  if (path.extension() == ".jsonl") {
    if (auto readable = EventLogReader::open(path); !readable) return fail(readable.error());
    const auto overview = overview_of(path);
    if (!overview) return std::vector{overview.error().message};
    return std::vector<std::string>();
  }
  const auto content = read_file(path, max_report_bytes);
  if (!content) return fail(content.error());
  pugi::xml_document document;
  const pugi::xml_parse_result parsed =
      document.load_buffer(content->data(), content->size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) return std::vector{fmt::format("not well-formed at octet {}: {}", parsed.offset, parsed.description())};
  return JunitCheck().of(document);
}

}  // namespace hilmark::reports
