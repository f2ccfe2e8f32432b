#include "harness/conductor/preflight.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"
#include "harness/conductor/fake_worker_testing.h"
#include "harness/conductor/worker_orders.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

class Preflight : public testing::Test {
 protected:
  Preflight() {
    options_.lab = testing_support::fake_lab(folder_.path(), {"good"});
    options_.out = folder_.path() / "out";
  }
  Result<PreparedRun> prepare() { return prepare_run(options_, testing_support::fake_catalogue(), clock_); }
  std::string error() {
    const auto run = prepare();
    EXPECT_FALSE(run);
    if (run) return "";
    EXPECT_EQ(run.error().kind, ErrorKind::usage);
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "out")) << "nothing is left behind";
    return run.error().message;
  }
  TemporaryFolder folder_ = TemporaryFolder::make().value();
  RunOptions options_;
  SystemClock clock_;
};

TEST_F(Preflight, FindsWhatIsWrongBeforeAnythingIsTouched) {
  options_.selection.cases = {"twoo"};
  EXPECT_THAT(error(), HasSubstr("no case `twoo` in the catalogue; did you mean two?"));
  options_.selection.cases = {};
  options_.firmware = {"app.img"};
  EXPECT_THAT(error(), HasSubstr("no selected unit can be flashed"));
  options_.firmware = {"good=app.img"};
  EXPECT_THAT(error(), HasSubstr("unit good cannot be flashed"));
  options_.firmware = {"bad=app.img"};
  EXPECT_THAT(error(), HasSubstr("no unit `bad` is selected"));
  options_.firmware = {};
  ::setenv("HILMARK_MOSQUITTO", "/nowhere/mosquitto", 1);
  EXPECT_THAT(error(), HasSubstr("/nowhere/mosquitto"));
  ::unsetenv("HILMARK_MOSQUITTO");
}

TEST_F(Preflight, AMachineThatLostItsTimeJudgesNobody) {
  const ManualClock lost(WallTime{});
  const auto run = prepare_run(options_, testing_support::fake_catalogue(), lost);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::usage);
  EXPECT_THAT(run.error().message, HasSubstr("clock says 1970-01-01T00:00:00.000Z; set it first"));
}

TEST_F(Preflight, TheFolderIsEmptiedOfAnEarlierRunsReportsAndNothingElse) {
  std::filesystem::create_directories(folder_.path() / "out/units/old");
  ASSERT_TRUE(write_file(folder_.path() / "out/events.jsonl", "old"));
  ASSERT_TRUE(write_file(folder_.path() / "out/mine.txt", "mine"));
  const auto run = prepare();
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "out/events.jsonl"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "out/units/old"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "out/mine.txt"));
}

TEST_F(Preflight, LatestPointsToTheNewestRun) {
  PreparedRun run;
  run.default_out = true;
  for (const char* id : {"1", "2"}) {
    run.id = id;
    run.out = folder_.path() / "runs" / id;
    std::filesystem::create_directories(run.out);
    link_latest(run);
    EXPECT_EQ(std::filesystem::read_symlink(folder_.path() / "runs/latest"), id);
  }
}

TEST_F(Preflight, TheSeedIsTheUsersOrRandom) {
  options_.seed = 7;
  EXPECT_EQ(prepare()->seed, 7);
  options_.seed.reset();
  EXPECT_NE(prepare()->seed, prepare()->seed);
}

TEST(Duration, IsANumberWithItsUnit) {
  EXPECT_EQ(parse_duration("90"), Milliseconds(90'000));
  EXPECT_EQ(parse_duration("500ms"), Milliseconds(500));
  EXPECT_EQ(parse_duration("15m"), Milliseconds(900'000));
  EXPECT_EQ(parse_duration("2h"), Milliseconds(7'200'000));
  for (const char* bad : {"", "h", "-1s", "0", "1d", "99999999999999999999s", "999999999h"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(KeyHistory, IsTheUsersOwnForEachLab) {
  ::setenv("XDG_STATE_HOME", "/state", 1);
  const auto of = [](const char* lab) { return key_history_of(lab).string(); };
  EXPECT_THAT(of("a/lab.yaml"), testing::StartsWith("/state/hilmark/public_keys/lab-"));
  EXPECT_EQ(of("a/lab.yaml"), of("a/../a/lab.yaml"));
  EXPECT_NE(of("a/lab.yaml"), of("b/lab.yaml"));
  ::setenv("XDG_STATE_HOME", "", 1);
  ::setenv("HOME", "/home/user", 1);
  EXPECT_THAT(of("lab.yaml"), testing::StartsWith("/home/user/.local/state/hilmark/"));
  ::unsetenv("HOME");
  EXPECT_EQ(of("lab.yaml"), "");
}

TEST(Orders, SurviveTheirWay) {
  WorkerOrders orders;
  orders.unit.id = "virtual-1";
  orders.cases = {"SNI-01"};
  orders.seed = 4'294'967'295;
  orders.key_history = "/state/keys";
  const auto again = orders_from(orders_line(orders));
  ASSERT_TRUE(again);
  EXPECT_EQ(orders_line(*again), orders_line(orders));
  EXPECT_THAT(orders_from("{}").error().message, HasSubstr("not by hand"));
  EXPECT_FALSE(orders_from("garbage"));
}

}  // namespace
}  // namespace hilmark
