#include "harness/plan/plan.h"

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/plan/plan_text.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

suites::Case make_case(const char* id, const char* area, std::vector<Capability> needs) {
  suites::Case test_case;
  test_case.id = id;
  test_case.area = area;
  test_case.title = "title";
  test_case.demand = "a | b";
  test_case.needs = std::move(needs);
  return test_case;
}

class PlanOf : public testing::Test {
 protected:
  PlanOf() {
    bench_.lab = "lab.yaml";
    bench_.units.resize(2);
    bench_.units[0].id = "one";
    bench_.units[0].capabilities = {"reset", "endpoint"};
    bench_.units[1].id = "two";
    bench_.units[1].kind = "virtual";
    bench_.units[1].capabilities = {"reset"};
  }
  std::string error(const Selection& selection) {
    const auto plan = make_plan(bench_, catalogue_, selection);
    EXPECT_FALSE(plan);
    EXPECT_EQ(plan.error().kind, ErrorKind::usage);
    return plan.error().message;
  }
  Bench bench_;
  std::vector<suites::Case> catalogue_{
      make_case("LIFE-06", "lifecycle", {Capability::reset}), make_case("SNI-01", "sni", {Capability::reset}),
      make_case("SNI-06", "sni", {Capability::endpoint}),
      make_case("PROV-11", "provisioning", {Capability::flash, Capability::keeps_identity})};
};

TEST_F(PlanOf, AllRunsOnAllUnlessAUnitLacksWhatIsNeeded) {
  const Plan plan = make_plan(bench_, catalogue_, {}).value();
  ASSERT_EQ(plan.size(), 2U);
  EXPECT_THAT(plan[0].running(), ElementsAre("LIFE-06", "SNI-01", "SNI-06"));
  EXPECT_THAT(plan[1].running(), ElementsAre("LIFE-06", "SNI-01"));
  EXPECT_EQ(plan[0].cases.at(3).skip, "needs flash, keeps-identity; the unit offers reset, endpoint");
}

TEST_F(PlanOf, AreasAndCasesIntersect) {
  const Plan plan =
      make_plan(bench_, catalogue_, {.units = {"one"}, .areas = {"sni", "lifecycle"}, .cases = {"*-06", "PROV-*"}})
          .value();
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_THAT(plan[0].running(), ElementsAre("LIFE-06", "SNI-06"));
}

TEST_F(PlanOf, UnitsOfOneTypeShareTheCasesThatWait) {
  bench_.units[1] = bench_.units[0];
  bench_.units[1].id = "two";
  bench_.units.push_back(bench_.units[0]);
  bench_.units[2].id = "other";
  bench_.units[2].chip = "another";
  for (const char* id : {"LIFE-01", "LIFE-03", "LIFE-05"}) {
    catalogue_.push_back(make_case(id, "lifecycle", {Capability::reset}));
    catalogue_.back().waits = true;
  }
  catalogue_.back().depends_on = {"LIFE-01"};
  const Plan plan = make_plan(bench_, catalogue_, {.shard = true}).value();
  EXPECT_THAT(plan[0].running(), ElementsAre("LIFE-06", "SNI-01", "SNI-06", "LIFE-01", "LIFE-05"));
  EXPECT_THAT(plan[1].running(), ElementsAre("LIFE-06", "SNI-01", "SNI-06", "LIFE-03"));
  EXPECT_THAT(plan[2].running(), ElementsAre("LIFE-06", "SNI-01", "SNI-06", "LIFE-01", "LIFE-03", "LIFE-05"));
  EXPECT_EQ(plan[1].cases.at(4).skip, "runs on one for all of its type (--shard)");
}

TEST_F(PlanOf, AWordThatChoosesNothingIsToldWithWhatWasMeant) {
  EXPECT_THAT(error({.units = {"twoo"}, .areas = {}, .cases = {}}),
              AllOf(HasSubstr("no unit `twoo` in lab.yaml"), HasSubstr("did you mean two?")));
  EXPECT_THAT(error({.units = {}, .areas = {"sin"}, .cases = {}}), HasSubstr("no area `sin`"));
  EXPECT_THAT(error({.units = {}, .areas = {}, .cases = {"SNI-*", "SNI-7"}}), HasSubstr("no case `SNI-7`"));
  EXPECT_THAT(error({.units = {}, .areas = {"sni"}, .cases = {"LIFE-06"}}), HasSubstr("nothing is selected"));
}

TEST_F(PlanOf, ScriptsAreToldTheSame) {
  const Plan plan = make_plan(bench_, catalogue_, {}).value();
  const boost::json::object json = plan_json(plan);
  EXPECT_EQ(json.at("version"), 1);
  EXPECT_TRUE(json.at("units").at(1).at("virtual").as_bool());
  EXPECT_TRUE(json.at("units").at(0).at("cases").at(0).at("skip").is_null());
  EXPECT_EQ(json.at("units").at(0).at("cases").at(3).at("skip"),
            "needs flash, keeps-identity; the unit offers reset, endpoint");
  EXPECT_THAT(plan_text(plan), AllOf(HasSubstr("two (, virtual; VIRTUAL)"),
                                     HasSubstr("skipped: needs endpoint; the unit offers reset")));
}

TEST_F(PlanOf, TheCatalogueIsATableForEachArea) {
  EXPECT_THAT(catalogue_markdown(catalogue_), AllOf(HasSubstr("## sni"), HasSubstr("| SNI-06 | MUST | a \\| b |")));
  EXPECT_EQ(catalogue_json(catalogue_).at("cases").at(0).at("id"), "LIFE-06");
}

}  // namespace
}  // namespace hilmark
