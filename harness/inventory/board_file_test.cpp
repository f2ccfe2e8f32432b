#include "harness/inventory/board_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"
#include "harness/inventory/near_miss.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

const std::string board = R"(version: 1
chip: stm32h7
states: {bootloader: "0483:df11", application: "0483:5740"}
console: {transport: cdc-acm, commands: expresslink}
capabilities: [reset, keeps-identity]
)";
const std::string chip = R"(version: 1
flasher: {protocol: dfuse, layout: "@Internal Flash /0x08000000/16*128Kg"}
image: {formats: [hilmark, bin], base: 0x08000000, max_bytes: 1572864}
)";

class BoardFile : public testing::Test {
 protected:
  TemporaryFolder folder_ = TemporaryFolder::make().value();
  std::filesystem::path path(const std::string& text) {
    EXPECT_TRUE(write_file(folder_.path() / "f.yaml", text));
    return folder_.path() / "f.yaml";
  }
};

TEST_F(BoardFile, SaysTheFactsOfTheBoard) {
  const auto facts =
      read_board_file(path(board + "settings: {KeepAliveS: 60}\ntiming: {boot_ms: 3000}\nsources: {states: RM0433}\n"));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->states.bootloader, "0483:df11");
  EXPECT_EQ(facts->settings.at("KeepAliveS"), "60");
  EXPECT_EQ(facts->timing.boot_ms, 3000);
}

TEST_F(BoardFile, SaysTheFactsOfTheChip) {
  const auto facts = read_chip_file(path(chip));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->image.base, 0x08000000U);
  EXPECT_EQ(facts->image.max_bytes, 1572864U);
}

TEST_F(BoardFile, FaultsNameTheirPlace) {
  const auto told = [&](const std::string& text) { return read_board_file(path(text)).error().message; };
  EXPECT_THAT(told(board + "port: \"1-1\"\n"), HasSubstr("f.yaml:6:1: expected a known key in the file; got `port`"));
  EXPECT_THAT(told("version: 1\nchip: ../x\n"), HasSubstr("f.yaml:2:7: expected a name"));
  EXPECT_THAT(told(board + "settings: {A: [1]}\n"), HasSubstr("f.yaml:6:15: expected a text for `A`; got a list"));
  std::string other = board;
  EXPECT_THAT(told(other.replace(other.find("df11"), 4, "DF1")), HasSubstr("expected USB ids"));
}

TEST_F(BoardFile, FaultsOfAChipNameTheirPlace) {
  const auto told = [&](const std::string& text) { return read_chip_file(path(text)).error().message; };
  EXPECT_THAT(told("version: 1\nflasher: {protocol: telepathy, layout: x}\n"),
              HasSubstr("f.yaml:2:21: expected one of dfu, dfuse, picoboot, tool for `protocol`; got `telepathy`"));
  EXPECT_THAT(
      told("version: 1\nimage: {formats: [elf], base: -1, max_bytes: 0}\n"),
      testing::AllOf(HasSubstr("got `elf`"), HasSubstr("for `base`; got `-1`"), HasSubstr("for `max_bytes`; got `0`")));
}

TEST_F(BoardFile, AnImageMustFitIntoTheChipsMemory) {
  const auto told = [&](const char* layout, const char* base, const char* max_bytes) {
    return read_chip_file(path(fmt::format("version: 1\nflasher: {{protocol: dfuse, layout: \"{}\"}}\n"
                                           "image: {{formats: [bin], base: {}, max_bytes: {}}}\n",
                                           layout, base, max_bytes)))
        .error()
        .message;
  };
  EXPECT_THAT(told("rubbish", "0", "1"), HasSubstr("f.yaml:2:36: 'rubbish' is no DfuSe memory layout"));
  EXPECT_THAT(
      told("@F /0x08000000/16*128Kg", "08000000", "1"),
      HasSubstr(
          "f.yaml:3:31: expected a whole number for `base`, without a leading 0; got `08000000`; is it 0x08000000?"));
  EXPECT_THAT(told("@F /0x08000000/16*128Kg", "0x18000000", "1"),
              HasSubstr("f.yaml:3:31: expected `base` and `max_bytes` within"));
  EXPECT_THAT(told("@F /0x08000000/16*128Kg", "0x08000000", "2097153"),
              HasSubstr("expected `base` and `max_bytes` within"));
  EXPECT_TRUE(
      read_chip_file(path("version: 1\nflasher: {protocol: dfuse, layout: \"@F /0x08000000/16*128Kg\"}\n"
                          "image: {formats: [bin], base: 0x08000000, max_bytes: 2097152}\n")));
}

TEST(NearMiss, NamesWhatWasMeant) {
  EXPECT_THAT(near_misses("SNI-1", {"SNI-01", "SNI-02", "MODE-01"}), testing::ElementsAre("SNI-01"));
  EXPECT_THAT(near_misses("sni-01", {"SNI-01"}), testing::ElementsAre("SNI-01"));
  EXPECT_THAT(near_misses("zebra", {"SNI-01"}), testing::IsEmpty());
  EXPECT_EQ(suggestion("zebra", {"SNI-01"}), "; there is SNI-01");
}

}  // namespace
}  // namespace hilmark
