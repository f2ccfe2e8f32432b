// Who is tried with what, and what a verdict on a seeded defect means.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/temporary_folder.h"
#include "harness/selfcheck/detection_text.h"

namespace hilmark::selfcheck {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<suites::Case> catalogue() {
  return {
      {.id = "LIFE-06", .area = "lifecycle", .defects = {}},
      {.id = "SNI-01", .area = "sni", .needs = {Capability::reset}, .defects = {"no-sni"}, .depends_on = {"LIFE-06"}},
      {.id = "SNI-04", .area = "sni", .needs = {Capability::resume}, .defects = {"lost"}, .depends_on = {"SNI-01"}}};
}

class Dealt : public ::testing::Test {
 protected:
  Dealt() {
    for (const char* name : {"golden.img", "no-sni.img", "stale.img", "lost.img"})
      std::ofstream(folder_.path() / name) << "image";
    bench_.lab = "lab.yaml";
    bench_.units = {board("one", "h7"), board("two", "h7"), board("three", "f4"), program("client")};
  }
  [[nodiscard]] BenchUnit board(const std::string& id, const std::string& chip) const {
    BenchUnit unit;
    unit.id = id;
    unit.kind = "virtual";
    unit.chip = chip;
    unit.board = "board_" + chip;
    unit.firmware = (folder_.path() / "golden.img").string();
    unit.capabilities = {"reset"};
    return unit;
  }
  static BenchUnit program(const std::string& id) {
    BenchUnit unit;
    unit.id = id;
    unit.kind = "process";
    unit.capabilities = {"reset", "resume"};
    return unit;
  }
  Result<Deal> deal_all(bool quick = false) { return deal(bench_, defects_, catalogue_, quick); }

  const TemporaryFolder folder_ = std::move(*TemporaryFolder::make());
  Bench bench_;
  std::vector<suites::Case> catalogue_ = catalogue();
  std::vector<SeededDefect> defects_{{.name = "lost", .unit = "client", .also = {}},
                                     {.name = "no-sni", .unit = "", .also = {}}};
};

std::vector<std::string> units_of(const Batch& batch) {
  std::vector<std::string> units;
  for (const Trial& trial : batch) units.push_back(trial.unit + ":" + trial.defect);
  return units;
}

TEST_F(Dealt, GoldenUnitsComeFirstThenEachDefectOnEachChip) {
  const auto dealt = deal_all();
  ASSERT_TRUE(dealt) << dealt.error().message;
  ASSERT_THAT(dealt->batches, SizeIs(2));
  EXPECT_THAT(units_of(dealt->batches[0]), ElementsAre("one:", "two:", "three:", "client:"));
  EXPECT_THAT(units_of(dealt->batches[1]), ElementsAre("lost:lost", "three:no-sni", "one:no-sni"));
  EXPECT_EQ(dealt->batches[1][1].firmware, (folder_.path() / "no-sni.img").string());
  EXPECT_THAT(dealt->batches[1][1].cases, IsEmpty());
}

TEST_F(Dealt, InHasteEachIsTriedOnceByTheCasesThatListIt) {
  const auto dealt = deal_all(true);
  ASSERT_TRUE(dealt) << dealt.error().message;
  EXPECT_THAT(units_of(dealt->batches[0]), ElementsAre("one:", "three:", "client:"));
  EXPECT_THAT(units_of(dealt->batches[1]), ElementsAre("lost:lost", "one:no-sni"));
  EXPECT_THAT(dealt->batches[1][0].cases, ElementsAre("SNI-04", "SNI-01", "LIFE-06"));
}

TEST_F(Dealt, WhoeverHasHadTheLeastIsNext) {
  catalogue_[1].defects = {"no-sni", "stale"};
  defects_ = {{.name = "no-sni", .unit = "", .also = {}}, {.name = "stale", .unit = "", .also = {}}};
  const auto dealt = deal_all();
  ASSERT_TRUE(dealt) << dealt.error().message;
  ASSERT_THAT(dealt->batches, SizeIs(3));  // there is one f4
  EXPECT_THAT(units_of(dealt->batches[1]), ElementsAre("three:no-sni", "one:no-sni", "two:stale"));
  EXPECT_THAT(units_of(dealt->batches[2]), ElementsAre("three:stale"));
}

TEST_F(Dealt, WhatNoUnitCanShowIsNotTried) {
  defects_ = {{.name = "lost", .unit = "", .also = {}}, {.name = "no-sni", .unit = "another", .also = {}}};
  const auto dealt = deal_all();
  ASSERT_TRUE(dealt) << dealt.error().message;
  EXPECT_THAT(dealt->not_tried, ElementsAre("lost", "no-sni"));
}

TEST_F(Dealt, FaultsAreNamed) {
  std::filesystem::remove(folder_.path() / "no-sni.img");
  EXPECT_THAT(deal_all().error().message, HasSubstr("no-sni.img"));
  defects_ = {{.name = "unheard-of", .unit = "", .also = {}}};
  EXPECT_THAT(deal_all().error().message, HasSubstr("no case of the catalogue lists the defect unheard-of"));
  defects_ = {{.name = "no-sni", .unit = "", .also = {{"SNI-99", "why"}}}};
  EXPECT_THAT(deal_all().error().message, HasSubstr("SNI-99"));
}

class Judged : public ::testing::Test {
 protected:
  void take(const Trial& trial, const std::string& id, reports::Verdict verdict, const std::string& level = "MUST",
            const std::string& blocked_by = {}) {
    reports::UnitStory unit;
    unit.board = "board";
    reports::PlannedCase planned;
    planned.id = id;
    planned.area = "sni";
    planned.level = level;
    if (id == "SNI-01") planned.defects = {"no-sni"};
    reports::CaseOutcome outcome;
    outcome.unit = &unit;
    outcome.planned = &planned;
    outcome.verdict = verdict;
    outcome.message = "what was seen";
    outcome.evidence = {7};
    outcome.blocked_by = blocked_by;
    judge_.take(trial, outcome);
  }
  [[nodiscard]] Detection seen() const { return judge_.detection({}); }
  [[nodiscard]] Mark last() const { return seen().defects.back().cases.back().mark; }

  const Trial golden_{.unit = "one", .of = "one", .defect = "", .firmware = "", .cases = {}};
  const Trial faulty_{.unit = "one", .of = "one", .defect = "no-sni", .firmware = "", .cases = {}};
  Judge judge_{{{.name = "no-sni", .unit = "", .also = {{"LIFE-06", "it is not served"}}}}};
};

TEST_F(Judged, ACaseThatListsTheDefectCatchesIt) {
  take(golden_, "SNI-01", reports::Verdict::pass);
  take(faulty_, "SNI-01", reports::Verdict::fail);
  take(faulty_, "LIFE-06", reports::Verdict::fail);
  EXPECT_EQ(last(), Mark::also);
  EXPECT_EQ(seen().exit_status(), 0);
  const boost::json::value json = detection_json(seen());
  EXPECT_EQ(json.at("caught"), 1);
  EXPECT_EQ(json.at_pointer("/matrix/no-sni/one/SNI-01"), "caught");
  EXPECT_THAT(detection_text(seen(), catalogue()), HasSubstr("SNI-01: what was seen [evidence 7]"));
}

TEST_F(Judged, APassIsAMissAndAnotherCaseThatFailsAFalseAlarm) {
  take(faulty_, "SNI-01", reports::Verdict::pass);
  EXPECT_EQ(last(), Mark::missed);
  take(faulty_, "SNI-02", reports::Verdict::fail);
  EXPECT_EQ(last(), Mark::false_alarm);
  EXPECT_THAT(seen().missed(), ElementsAre("no-sni on one"));
  EXPECT_THAT(seen().alarms(), ElementsAre("SNI-02 on one (no-sni)"));
  EXPECT_EQ(seen().exit_status(), 1);
}

TEST_F(Judged, AShouldIsCaughtByItsWarning) {
  take(faulty_, "SNI-01", reports::Verdict::warn, "SHOULD");
  EXPECT_EQ(last(), Mark::caught);
  take(faulty_, "SNI-02", reports::Verdict::warn, "SHOULD");
  EXPECT_EQ(last(), Mark::false_alarm);
  take(faulty_, "SNI-02", reports::Verdict::warn, "MUST");
  EXPECT_EQ(last(), Mark::warned);
}

TEST_F(Judged, WhatTheGoldenUnitIsWarnedOfIsNoAlarm) {
  take(golden_, "SNI-02", reports::Verdict::warn, "SHOULD");
  take(faulty_, "SNI-02", reports::Verdict::warn, "SHOULD");
  EXPECT_EQ(last(), Mark::warned);
}

TEST_F(Judged, AGoldenUnitThatIsBlamedOrNotJudgedIsNotClean) {
  take(golden_, "SNI-01", reports::Verdict::inconclusive);
  EXPECT_FALSE(seen().golden.front().is_clean());
  EXPECT_EQ(seen().exit_status(), 1);
}

TEST_F(Judged, ABlockedCaseIsNeitherCaughtNorMissed) {
  take(faulty_, "SNI-01", reports::Verdict::skip, "MUST", "LIFE-06");
  EXPECT_EQ(last(), Mark::blocked);
  EXPECT_THAT(seen().missed(), SizeIs(1));  // nobody caught it
}

TEST_F(Judged, TheRigsOwnErrorsAreTheRigs) {
  take(faulty_, "SNI-01", reports::Verdict::fail);
  take(faulty_, "SNI-02", reports::Verdict::error);
  EXPECT_EQ(seen().exit_status(), 3);
}

TEST(DefectList, IsReadStrictly) {
  const TemporaryFolder folder = std::move(*TemporaryFolder::make());
  const auto file = folder.path() / "defects.yaml";
  std::ofstream(file) << "version: 1\ndefects:\n  b: {unit: client}\n  a:\n    also: {LIFE-06: \"because\"}\n";
  const auto defects = read_defects(file);
  ASSERT_TRUE(defects) << defects.error().message;
  ASSERT_THAT(*defects, SizeIs(2));
  EXPECT_EQ(defects->at(0).also.at("LIFE-06"), "because");
  EXPECT_EQ(defects->at(1).unit, "client");
  std::ofstream(file) << "version: 1\ndefects:\n  a: {color: red}\n";
  EXPECT_THAT(read_defects(file).error().message, HasSubstr("defects.yaml:3"));
}

}  // namespace
}  // namespace hilmark::selfcheck
