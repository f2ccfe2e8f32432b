#include "reports/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"

namespace hilmark::reports {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class Validate : public testing::Test {
 protected:
  TemporaryFolder folder_ = TemporaryFolder::make().value();
  std::vector<std::string> of(const std::string& text) {
    EXPECT_TRUE(write_file(folder_.path() / "r.xml", text));
    return faults_of(folder_.path() / "r.xml").value();
  }
  static std::string report(const std::string& cases, const std::string& counts) {
    return fmt::format(
        "<testsuites {0}><testsuite name=\"s\" timestamp=\"2026-01-01T00:00:00\" {0}>{1}</testsuite></testsuites>",
        counts, cases);
  }
};

constexpr const char* one = R"(tests="1" failures="0" errors="0" skipped="0" time="0.000")";

TEST_F(Validate, AGoodFileHasNoFault) {
  EXPECT_THAT(of(report(R"(<testcase name="a" classname="b"/>)", one)), IsEmpty());
}

TEST_F(Validate, EachFaultIsNamed) {
  EXPECT_THAT(of("<testsuites"), Contains(HasSubstr("not well-formed")));
  EXPECT_THAT(of("<html/>"), Contains(HasSubstr("expected <testsuites>")));
  EXPECT_THAT(of(report("", one)), Contains(HasSubstr("tests=\"1\", but it holds 0")));
  EXPECT_THAT(of(report(R"(<testcase name="a" classname="b" time="5.000"/>)", one)),
              Contains(HasSubstr("cases' sum is 5.000")));
  EXPECT_THAT(of(report(R"(<testcase name="a" classname="b"/><testcase name="a" classname="b"/>)", one)),
              Contains(HasSubstr("same name")));
  EXPECT_THAT(of(report(R"(<testcase name="a" classname="b"><skipped/><error type="rig"/></testcase>)", one)),
              Contains(HasSubstr("more than one")));
  EXPECT_THAT(of(report(R"(<testcase name="a" classname="b"><system-out/><properties/></testcase>)", one)),
              Contains(HasSubstr("too late")));
  EXPECT_THAT(of(report(R"(<testcase name="a" classname="b"><error/></testcase>)", one)),
              Contains(HasSubstr("without a type")));
}

TEST_F(Validate, AnEvidenceLogIsReadAsARunWouldBe) {
  ASSERT_TRUE(write_file(folder_.path() / "e.jsonl", "nonsense\n"));
  EXPECT_THAT(faults_of(folder_.path() / "e.jsonl").value(), Contains(HasSubstr("e.jsonl:1: no JSON")));
  EXPECT_EQ(faults_of(folder_.path() / "none.jsonl").error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace hilmark::reports
