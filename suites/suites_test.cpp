#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "suites/bench.h"
#include "suites/case.h"
#include "suites/matchers.h"
#include "suites/service_ports.h"

namespace hilmark::suites {
namespace {

using testing::Contains;
using testing::Not;

EvidencePtr piece_of(boost::json::object data) {
  auto piece = std::make_shared<Evidence>();
  piece->number = 7;
  piece->data = std::move(data);
  return piece;
}

TEST(Catalogue, EveryCaseIsCompleteAndFirstOfItsId) {
  std::set<std::string> before;
  for (const Case& test_case : catalogue()) {
    SCOPED_TRACE(test_case.id);
    EXPECT_TRUE(before.insert(test_case.id).second);
    EXPECT_TRUE(test_case.body);
    EXPECT_FALSE(test_case.title.empty() || test_case.demand.empty() || test_case.source.empty());
    EXPECT_FALSE(test_case.opportunity.empty());
    EXPECT_FALSE(test_case.needs.empty());
    EXPECT_FALSE(test_case.defects.empty()) << "a case without a defect that it catches is not done";
    for (const std::string& other : test_case.depends_on) EXPECT_THAT(before, Contains(other)) << "must run before it";
  }
}

TEST(Catalogue, TheControlOfAllOthersComesFirst) { EXPECT_EQ(catalogue().at(0).id, "LIFE-06"); }

TEST(Catalogue, WhatIsSaidInAnyCasesTimeIsJudgedAfterAllOfThem) { EXPECT_EQ(catalogue().back().id, "PROV-03"); }

TEST(Verdict, AClaimFailsOnlyIfItsOpportunityWasSeen) {
  Findings findings;
  findings.failures = {"no name"};
  EXPECT_EQ(judge(findings, "a ClientHello", Level::must).verdict, Verdict::inconclusive);
  findings.opportunity = piece_of({});
  EXPECT_EQ(judge(findings, "a ClientHello", Level::must).verdict, Verdict::fail);
  EXPECT_EQ(judge(findings, "a ClientHello", Level::should).verdict, Verdict::warn);
}

TEST(Verdict, SilenceNeverPasses) {
  EXPECT_EQ(judge({}, "a ClientHello", Level::must).verdict, Verdict::inconclusive);
  EXPECT_THAT(judge({}, "a ClientHello", Level::must).message, testing::HasSubstr("a ClientHello was not seen"));
}

TEST(Verdict, ABrokenRigIsNeverTheDevicesFault) {
  Findings findings;
  findings.rig_trouble = "the broker died";
  findings.failures = {"not served"};
  EXPECT_EQ(judge(findings, "x", Level::must).verdict, Verdict::error);
}

TEST(Verdict, WhatTheDeviceDidBeforeTheRigBrokeIsStillItsFault) {
  Findings findings;
  findings.opportunity = piece_of({});
  findings.failures = {"completed the handshake"};
  findings.rig_trouble = "the broker died";
  EXPECT_EQ(judge(findings, "x", Level::must).verdict, Verdict::fail);
}

TEST(Verdict, NothingIsHeldAgainstAUnitOnARigThatIsNotWell) {
  Findings findings;
  findings.opportunity = piece_of({});
  findings.failures = {"not served"};
  findings.unsound = "the rig's own probe was not served";
  const Judgement judgement = judge(findings, "x", Level::must);
  EXPECT_EQ(judgement.verdict, Verdict::error);
  EXPECT_THAT(judgement.message, testing::StartsWith("the rig's own probe was not served; so this is not held"));
}

TEST(Verdict, PassNeedsTheOpportunityAndNothingElse) {
  Findings findings;
  findings.opportunity = piece_of({});
  EXPECT_EQ(judge(findings, "x", Level::must).verdict, Verdict::pass);
  findings.warnings = {"slow"};
  EXPECT_EQ(judge(findings, "x", Level::must).verdict, Verdict::warn);
  findings.not_applicable = "no power";
  EXPECT_EQ(judge(findings, "x", Level::must).verdict, Verdict::skip);
}

Hello hello_with(boost::json::array names, int extensions = 1) {
  return Hello::from(piece_of({{"server_name_extensions", extensions}, {"server_names", std::move(names)}}));
}

TEST(Matchers, ExactlyOneHostNameIsPresenceAndAbsence) {
  const boost::json::value good = {{"type", 0}, {"name", "a.test"}};
  const boost::json::value empty = {{"type", 0}, {"name", ""}};
  const boost::json::value other_type = {{"type", 1}, {"name", "a.test"}};
  EXPECT_THAT(hello_with({good}), CarriesExactlyOneHostName());
  EXPECT_THAT(hello_with({}, 0), Not(CarriesExactlyOneHostName()));
  EXPECT_THAT(hello_with({}, 1), Not(CarriesExactlyOneHostName()));
  EXPECT_THAT(hello_with({empty}), Not(CarriesExactlyOneHostName()));
  EXPECT_THAT(hello_with({good, good}), Not(CarriesExactlyOneHostName()));
  EXPECT_THAT(hello_with({good}, 2), Not(CarriesExactlyOneHostName()));
  EXPECT_THAT(hello_with({other_type}), Not(CarriesExactlyOneHostName()));
}

TEST(Matchers, TheNameIsComparedWithoutCaseAndWithoutMercy) {
  const auto named = [](const char* name) { return hello_with({{{"type", 0}, {"name", name}}}); };
  EXPECT_THAT(named("A.Test"), CarriesServerName("a.test"));
  EXPECT_THAT(named("a.test."), Not(CarriesServerName("a.test")));
  EXPECT_THAT(named("a.test:8883"), Not(CarriesServerName("a.test")));
  EXPECT_THAT(named("127.0.0.1"), Not(CarriesServerName("a.test")));
  EXPECT_THAT(named("b.test"), Not(CarriesServerName("a.test")));
}

TEST(Matchers, OneOfTheProtocolsThatAreOfferedIsEnough) {
  const auto offering = [](boost::json::array protocols) {
    return Hello::from(piece_of({{"alpn", std::move(protocols)}}));
  };
  EXPECT_THAT(offering({"mqtt", "x-amzn-mqtt-ca"}), OffersProtocol("x-amzn-mqtt-ca"));
  EXPECT_THAT(offering({"x-amzn-mqtt"}), Not(OffersProtocol("x-amzn-mqtt-ca")));
  EXPECT_THAT(offering({}), Not(OffersProtocol("x-amzn-mqtt-ca")));
}

TEST(Host, IsComparedWithoutItsPort) {
  EXPECT_EQ(host_without_port("a.test:8443"), "a.test");
  EXPECT_EQ(host_without_port("a.test"), "a.test");
  EXPECT_EQ(host_without_port("a.test:x"), "a.test:x");
  EXPECT_EQ(host_without_port(""), "");
}

TEST(Matchers, AFailureReadsAsAFinding) {
  const Hello hello = hello_with({}, 0);
  EXPECT_EQ(testing::PrintToString(hello), "ClientHello #7 without a server_name extension");
}

TEST(Findings, ReadWithoutTheCodesOwnWords) {
  EXPECT_EQ(
      finding_of("Value of: first_hello(bench)\nExpected: carries one name\n  Actual: ClientHello #7 without any (of "
                 "type hilmark::suites::Hello), it is malformed\nafter a reset"),
      "found: ClientHello #7 without any, it is malformed\nafter a reset\nexpected: carries one name");
  EXPECT_EQ(finding_of("Value of: served\n  Actual: false\nExpected: true\nconnection 94 of 100 was not served"),
            "connection 94 of 100 was not served");
  EXPECT_EQ(finding_of("not served"), "not served");
  EXPECT_EQ(finding_of("Failed\nnot served"), "not served");
}

}  // namespace
}  // namespace hilmark::suites
