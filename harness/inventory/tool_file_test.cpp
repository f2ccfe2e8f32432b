#include "harness/inventory/tool_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"
#include "harness/inventory/bench.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string tool = R"(version: 1
install: Debian package burner
arguments: {chip: the chip's name}
write: {command: [burner, --chip, "{chip}", "{image}"], success: "^ok", timeout_ms: 1000}
start: {command: [burner, --go]}
)";
const std::string chip = R"(version: 1
flasher: {protocol: dfuse, layout: "@Internal Flash /0x08000000/16*128Kg"}
image: {formats: [bin], base: 0x08000000, max_bytes: 2097152}
)";
const std::string board = R"(version: 1
chip: c
states: {probe: ["0483:374b", "0483:3752"]}
flasher: {protocol: tool, tool: burner, arguments: {chip: esp32}}
console: {transport: serial, commands: k}
capabilities: [flash]
)";

class ToolFile : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"chips", "commands", "tools"}) std::filesystem::create_directory(folder.path() / name);
    write("chips/c.yaml", chip);
    write("commands/k.yaml", "version: 1\ncommands:\n  echo: {send: \"e {text}\", expect: \"^OK (.*)$\"}\n");
    write("tools/burner.yaml", tool);
  }
  void write(const std::string& file, const std::string& text) { ASSERT_TRUE(write_file(folder.path() / file, text)); }
  std::string complaint(const std::string& file, const std::string& text) {
    write(file, text);
    const auto checked = check_file(folder.path() / file, folders);
    return checked ? "" : checked.error().message;
  }
  /// The same of the board file while the tool's is `text`.
  std::string board_complaint(const std::string& text) {
    write("tools/burner.yaml", text);
    return complaint("b.yaml", board);
  }
  static std::string changed(std::string text, const std::string& from, const std::string& to) {
    EXPECT_NE(text.find(from), std::string::npos);
    return text.replace(text.find(from), from.size(), to);
  }

  TemporaryFolder folder = TemporaryFolder::make().value();
  BoardFolders folders{{folder.path()}};
};

TEST_F(ToolFile, SaysHowItIsDone) {
  const auto read = read_tool_file(folder.path() / "tools/burner.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->write.timeout_ms, 1000);
  EXPECT_EQ(read->start.timeout_ms, 120'000);
  EXPECT_EQ(read->wanted.at("chip"), "the chip's name");
  EXPECT_FALSE(read->erases_chip);
}

TEST_F(ToolFile, ABoardBehindAProbeStandsOnIt) {
  EXPECT_EQ(complaint("b.yaml", board), "");
  EXPECT_EQ(complaint("tools/burner.yaml", tool), "");
}

TEST_F(ToolFile, FaultsNameFileLineAndRemedy) {
  const auto told = [&](const std::string& from, const std::string& to) {
    return complaint("tools/burner.yaml", changed(tool, from, to));
  };
  EXPECT_THAT(told("{image}", "{imge}"), AllOf(HasSubstr("burner.yaml:4:18: expected placeholders that somebody fills"),
                                               HasSubstr("got `{imge}`; did you mean image?"),
                                               HasSubstr("expected {image} or {hex} in `write`; got it nowhere")));
  EXPECT_THAT(told("\"^ok\"", "\"(ok\""), HasSubstr("expected a Perl regular expression for `success`; got `(ok`"));
  EXPECT_THAT(told("success: \"^ok\"", "progress: \"[0-9]%\""), HasSubstr("0 groups; one tells percent"));
  EXPECT_THAT(told("1000", "0"), HasSubstr("from 1 to 3600000 for `timeout_ms`; got `0`"));
  EXPECT_THAT(told("install: Debian package burner\n", ""), HasSubstr("expected `install`"));
  EXPECT_THAT(told("start:", "starts:"), HasSubstr("did you mean start?"));
  EXPECT_THAT(told("{chip: the", "{port: the"),
              HasSubstr("that the rig does not fill itself in `arguments`; got `port`"));
  EXPECT_THAT(told("start:", "erases: all\nstart:"), HasSubstr("expected touched or chip for `erases`; got `all`"));
}

TEST_F(ToolFile, ABoardTellsTheToolWhatItWants) {
  EXPECT_THAT(complaint("b.yaml", changed(board, ", arguments: {chip: esp32}", "")),
              AllOf(HasSubstr("b.yaml:4: tool burner wants the argument `chip`: the chip's name")));
  EXPECT_THAT(complaint("b.yaml", changed(board, "{chip: esp32}", "{chip: esp32, speed: 9}")),
              HasSubstr("b.yaml:4: tool burner takes no argument `speed`; it wants chip"));
  EXPECT_THAT(complaint("b.yaml", changed(board, "tool: burner", "tool: burnr")),
              AllOf(HasSubstr("b.yaml:4: no flashing tool `burnr`"), HasSubstr("did you mean burner?")));
}

TEST_F(ToolFile, WhatDoesNotGoTogetherIsTold) {
  EXPECT_THAT(
      complaint("b.yaml", changed(board, "flasher: {protocol: tool, tool: burner, arguments: {chip: esp32}}\n", "")),
      HasSubstr("c.yaml:2: expected `flasher: {protocol: tool, …}` for a board behind a probe; got dfuse"));
  EXPECT_THAT(complaint("b.yaml", changed(board, "protocol: tool", "protocol: dfuse")),
              HasSubstr("expected `tool` with protocol tool alone; got it with dfuse"));
  EXPECT_THAT(complaint("b.yaml", changed(board, "states: {", "states: {application: \"0483:5740\", ")),
              HasSubstr("expected either `probe` or `application` in `states`; got both"));
  EXPECT_THAT(complaint("b.yaml", changed(board, "\"0483:374b\", \"0483:3752\"", "")),
              HasSubstr("expected a list of USB ids for `probe`; got none"));
}

TEST_F(ToolFile, WhoErasesTheChipKeepsNoIdentity) {
  const std::string whole = changed(tool, "start:", "erases: chip\nstart:");
  EXPECT_EQ(board_complaint(whole), "");
  EXPECT_THAT(complaint("b.yaml", changed(board, "[flash]", "[flash, keeps-identity]")),
              HasSubstr("tool burner erases the whole chip, and with it the identity"));
}

TEST_F(ToolFile, OutOfABootloaderAToolMustLead) {
  write("tools/burner.yaml", changed(tool, "start: {command: [burner, --go]}\n", ""));
  EXPECT_EQ(complaint("b.yaml", board), "") << "behind a probe writing may end with it";
  EXPECT_THAT(complaint("b.yaml", changed(board, "probe: [\"0483:374b\", \"0483:3752\"]",
                                          "bootloader: \"0483:df11\", application: \"0483:5740\"")),
              HasSubstr("tool burner has no `start`"));
}

TEST_F(ToolFile, TheLabMayLayItsArgumentsOverTheBoards) {
  write("b.yaml", board);
  write("lab.yaml", R"(version: 1
cloud: {accounts: ["111111111111", "222222222222"], regions: [us-east-1]}
units:
  - id: bench-1
    kind: usb
    board: b
    usb: {port: "1-4"}
    network: {rig_address: 192.0.2.1}
    flasher: {arguments: {chip: esp32s3}}
)");
  const auto bench = read_bench(folder.path() / "lab.yaml", folders);
  ASSERT_TRUE(bench) << bench.error().message;
  EXPECT_EQ(bench->units.at(0).flasher.tool.arguments.at("chip"), "esp32s3");
  EXPECT_EQ(bench->units.at(0).flasher.layout, "@Internal Flash /0x08000000/16*128Kg") << "the chip's";
}

}  // namespace
}  // namespace hilmark
