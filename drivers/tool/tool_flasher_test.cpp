// With programs of a shell in the place of the tools; the flash that they write is a file.
#include "drivers/tool/tool_flasher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/temporary_folder.h"
#include "harness/base/unique_fd.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const Bytes content{1, 2, 3, 4, 5, 6, 7, 8};

class Tool : public testing::Test {
 protected:
  [[nodiscard]] std::string flash() const { return (folder.path() / "flash").string(); }
  static ToolCommand shell(const std::string& script) { return {.command = {"/bin/sh", "-c", script}}; }

  ToolConfig config() const {
    ToolConfig made;
    made.name = "burner";
    made.install = "Debian package burner";
    made.write = shell("cp {image} " + flash());
    made.read = shell("dd if=" + flash() + " of={output} bs=1 count=$(({size})) 2>/dev/null");
    made.start = shell("echo {address} >> " + flash() + ".started");
    return made;
  }
  ToolFlasher flasher(ToolConfig with, std::string serial = "S7") {
    ToolTarget target{"0483:374b at port 1-4.2", "1-4.2", "0483:374b", std::move(serial),
                      [this] { return Result<std::string>((folder.path() / "tty").string()); }};
    return {std::move(with), std::move(target), clock, evidence};
  }
  Result<FlashReport> written(const ToolConfig& with) {
    return flasher(with).write(0x08000000, content, progress(), soon());
  }
  [[nodiscard]] Error failure(const ToolConfig& with) {
    const auto report = written(with);
    EXPECT_FALSE(report);
    return report ? Error{} : report.error();
  }
  Progress progress() {
    return [this](std::string_view step, double) {
      if (steps.empty() || steps.back() != step) steps.emplace_back(step);
    };
  }
  [[nodiscard]] Deadline soon() const { return {clock, Milliseconds{20'000}}; }
  [[nodiscard]] std::string text_of(const std::string& file) const {
    const auto read = read_file(file);
    return read ? as_text(*read) : "";
  }
  /// The process whose number stands in that file; killed, it takes its time to go.
  void expect_gone(const std::string& pid_file) const {
    const std::string pid = text_of(pid_file);
    ASSERT_FALSE(pid.empty());
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(pid), 0)));
    pollfd gone{process.get(), POLLIN, 0};
    EXPECT_TRUE(!process || ::poll(&gone, 1, 5000) == 1) << "it runs on";
  }
  [[nodiscard]] std::vector<std::string> said() const {
    std::vector<std::string> lines;
    for (const auto& piece : evidence.all([](const Evidence& one) { return one.kind == "tool_line"; })) {
      lines.push_back(piece->text("text"));
    }
    return lines;
  }

  SystemClock clock;
  EvidenceLog evidence{clock};
  TemporaryFolder folder = TemporaryFolder::make().value();
  std::vector<std::string> steps;
};

TEST_F(Tool, WritesAndReadsBack) {
  const auto report = written(config());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->verified);
  EXPECT_EQ(report->bytes_written, content.size());
  EXPECT_EQ(text_of(flash()), as_text(content));
  EXPECT_THAT(steps, ElementsAre("writing", "verifying"));
}

TEST_F(Tool, ErasesFirstWhereItIsTold) {
  ToolConfig with = config();
  with.erase = shell("echo {address} {size} > " + flash() + ".erased");
  ASSERT_TRUE(written(with));
  EXPECT_EQ(text_of(flash() + ".erased"), "0x08000000 0x8\n");
  EXPECT_THAT(steps, ElementsAre("erasing", "writing", "verifying"));
}

TEST_F(Tool, WhatDiffersWhenReadBackIsTheUnitsFault) {
  ToolConfig with = config();
  with.write = shell("printf '\\001\\002\\011\\004\\005\\006\\007\\010' > " + flash() + "; : {image}");
  const Error error = failure(with);
  EXPECT_EQ(error.kind, ErrorKind::unit);
  EXPECT_THAT(error.message, HasSubstr("0x09 instead of 0x03 at 0x08000002"));
}

TEST_F(Tool, WithoutReadItSaysSoAndIsNotVerified) {
  ToolConfig with = config();
  with.read = {};
  const auto report = written(with);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->verified);
  EXPECT_FALSE(flasher(with).can_read());
  const auto back = flasher(with).read(0x08000000, 4, {}, soon());
  EXPECT_EQ(back.error().kind, ErrorKind::usage);
  EXPECT_THAT(back.error().message, HasSubstr("tool burner has no `read`"));
}

TEST_F(Tool, ReadingLessThanWasAskedForIsAnError) {
  ASSERT_TRUE(written(config()));
  EXPECT_EQ(flasher(config()).read(0x08000000, 4, {}, soon()).value(), (Bytes{1, 2, 3, 4}));
  const auto more = flasher(config()).read(0x08000000, 9, {}, soon());
  EXPECT_EQ(more.error().kind, ErrorKind::rig) << "nobody can tell by it that the board is at fault";
  EXPECT_THAT(more.error().message, HasSubstr("left 8 of 9 bytes"));
  ToolConfig cut = config();
  cut.read = shell("printf 12 > {output}");
  const auto unverified = written(cut);
  EXPECT_EQ(unverified.error().kind, ErrorKind::rig);
  EXPECT_THAT(unverified.error().message, HasSubstr("left 2 of"));
  ToolConfig silent = config();
  silent.read = shell("true {output}");
  EXPECT_THAT(flasher(silent).read(0x08000000, 4, {}, soon()).error().message, HasSubstr("left no file"));
}

TEST_F(Tool, WhatAStepHasNotIsNotHandedToTheProgram) {
  ToolConfig with = config();
  with.start = shell("echo {image} > " + flash() + ".literal");
  const auto started = flasher(with).start(0x08000000, soon());
  EXPECT_EQ(started.error().kind, ErrorKind::usage);
  EXPECT_THAT(started.error().message, HasSubstr("tool burner: there is no {image} when starting"));
  EXPECT_FALSE(std::filesystem::exists(flash() + ".literal"));
}

TEST_F(Tool, StartsByItsTemplateOrNotAtAll) {
  ASSERT_TRUE(flasher(config()).start(0x08000000, soon()));
  EXPECT_EQ(text_of(flash() + ".started"), "0x08000000\n");
  ToolConfig with = config();
  with.start = {};
  EXPECT_TRUE(flasher(with).start(0x08000000, soon()));
}

TEST_F(Tool, FillsInWhatTheTargetAndTheBoardAre) {
  ToolConfig with = config();
  with.wanted = {{"chip", "c"}};
  with.arguments = {{"chip", "esp32"}};
  with.write = shell("echo {serial} {number} {port} {id} {tty} {chip} > " + flash() + "; : {image}");
  with.read = {};
  ASSERT_TRUE(flasher(with, "0050").write(0, content, {}, soon()));
  EXPECT_EQ(text_of(flash()), "0050 50 1-4.2 0483:374b " + (folder.path() / "tty").string() + " esp32\n");
}

TEST_F(Tool, AScriptIsAFileOfItsOwn) {
  ToolConfig with = config();
  with.write = {.command = {"/bin/sh", "{script}"}, .script = "cp {image} " + flash() + "\n"};
  ASSERT_TRUE(written(with));
  EXPECT_EQ(text_of(flash()), as_text(content));
}

TEST_F(Tool, TheImageIsThereAsIntelHexToo) {
  ToolConfig with = config();
  with.write = shell("cp {hex} " + flash());
  with.read = {};
  ASSERT_TRUE(written(with));
  EXPECT_THAT(text_of(flash()), testing::StartsWith(":020000040800F2\n:080000000102030405060708"));
}

TEST_F(Tool, WithoutASerialNumberAToolThatWantsOneIsNotRun) {
  ToolConfig with = config();
  with.write = shell("echo {serial} > " + flash() + "; : {image}");
  const auto report = flasher(with, "").write(0, content, {}, soon());
  EXPECT_EQ(report.error().kind, ErrorKind::usage);
  EXPECT_THAT(report.error().message, HasSubstr("names the device by its serial number"));
  EXPECT_FALSE(std::filesystem::exists(flash()));
}

TEST_F(Tool, AProgramThatIsNotThereIsToldWithTheWayToGetIt) {
  ToolConfig with = config();
  with.write.command = {"no-such-program-as-this", "{image}"};
  const Error error = failure(with);
  EXPECT_EQ(error.kind, ErrorKind::usage);
  EXPECT_THAT(error.message, AllOf(HasSubstr("no-such-program-as-this"), HasSubstr("Debian package burner")));
}

TEST_F(Tool, ItsExitStatusIsBelieved) {
  ToolConfig with = config();
  with.write = shell("echo no probe found; exit 3; : {image}");
  const Error error = failure(with);
  EXPECT_EQ(error.kind, ErrorKind::rig) << "nobody can tell whose fault it is";
  EXPECT_THAT(error.message, AllOf(HasSubstr("port 1-4.2"), HasSubstr("failed in writing"), HasSubstr("exit status 3"),
                                   HasSubstr("'no probe found'")));
}

TEST_F(Tool, ItsWordsAreBelievedMoreThanStatusZero) {
  ToolConfig with = config();
  with.write = shell("echo '** Verify Failed **'; exit 0; : {image}");
  with.write.failure = "Failed";
  EXPECT_THAT(failure(with).message, HasSubstr("it said '** Verify Failed **', and ended with exit status 0"));
  with.write.refusal = "Verify Failed";
  EXPECT_EQ(failure(with).kind, ErrorKind::unit);
  with.write = shell("echo done; : {image}");
  with.write.success = "^verified$";
  EXPECT_THAT(failure(with).message, HasSubstr("said nothing that matches '^verified$'"));
}

TEST_F(Tool, OneThatHangsIsEndedWithAllThatItStarted) {
  ToolConfig with = config();
  // The child says who it is, and ignores the polite signal.
  with.write =
      shell("sh -c 'trap \"\" TERM; echo $$ > " + flash() + ".pid; echo at it; exec sleep 600' & wait; : {image}");
  with.write.timeout_ms = 1500;
  const Error error = failure(with);
  EXPECT_EQ(error.kind, ErrorKind::rig);
  EXPECT_THAT(error.message, AllOf(HasSubstr("was not done with writing within 1500 ms, and was ended"),
                                   HasSubstr("the last that it said was 'at it'")));
  expect_gone(flash() + ".pid");
}

TEST_F(Tool, WhatItLeavesBehindIsNotWaitedForAndEnds) {
  ToolConfig with = config();
  with.write = shell("cp {image} " + flash() + "; sleep 600 & echo $! > " + flash() + ".pid");
  const SteadyTime begin = clock.now();
  ASSERT_TRUE(written(with));
  EXPECT_LT(clock.now() - begin, Milliseconds{10'000});
  expect_gone(flash() + ".pid");
}

TEST_F(Tool, TheCallersDeadlineHoldsToo) {
  ToolConfig with = config();
  with.write = shell("exec sleep 600; : {image}");
  const auto report = flasher(with).write(0, content, {}, Deadline(clock, Milliseconds{200}));
  EXPECT_EQ(report.error().kind, ErrorKind::rig);
  EXPECT_THAT(report.error().message, HasSubstr("it said nothing"));
}

TEST_F(Tool, AllThatItSaysIsKeptAndProgressIsCounted) {
  ToolConfig with = config();
  with.write = shell("cp {image} " + flash() + "; echo begin; printf '10%%\\r90%%\\r\\nend' >&2");
  with.write.progress = R"(^(\d+)%$)";
  with.read = {};
  ASSERT_TRUE(written(with));
  EXPECT_THAT(said(), ElementsAre("begin", "end"));
  const auto started = evidence.all([](const Evidence& one) { return one.kind == "tool_started"; });
  ASSERT_EQ(started.size(), 1U);
  EXPECT_EQ(started[0]->text("step"), "writing");
  EXPECT_THAT(started[0]->text("command"), HasSubstr("cp /"));
  const auto ended = evidence.all([](const Evidence& one) { return one.kind == "tool_ended"; });
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0]->text("status"), "exit status 0");
}

TEST_F(Tool, OfAFloodTwoThousandLinesAreKeptAndTheRestIsCounted) {
  ToolConfig with = config();
  with.write = shell("cp {image} " + flash() + "; yes x | head -n 5000");
  with.read = {};
  ASSERT_TRUE(written(with));
  EXPECT_EQ(said().size(), 2000U);
  const auto ended = evidence.all([](const Evidence& one) { return one.kind == "tool_ended"; });
  EXPECT_EQ(ended.at(0)->data.at("lines_dropped").to_number<int>(), 3000);
}

}  // namespace
}  // namespace hilmark
