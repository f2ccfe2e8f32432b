#include "harness/inventory/lab_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

class LabFile : public testing::Test {
 protected:
  TemporaryFolder folder_ = TemporaryFolder::make().value();

  Result<LabFacts> read(const std::string& text) {
    EXPECT_TRUE(write_file(folder_.path() / "lab.yaml", text));
    return read_lab_file(folder_.path() / "lab.yaml");
  }
};

const std::string head = R"(version: 1
cloud: {accounts: ["111111111111", "222222222222"], regions: [us-east-1, eu-west-1]}
units:
)";

TEST_F(LabFile, SaysWhatIsOnTheBench) {
  const auto lab = read(head + R"(
  - id: bench-1
    kind: usb
    board: nucleo_h743zi
    usb: {port: "1-4.2"}
    power: {hub: "1-4", port: 2, boot_pin: "pin {state}"}
    network: {rig_address: 192.168.50.21}
    firmware: out/app.img
  - id: virtual-1
    kind: virtual
    board: virtual_stm32h7
    virtual: {port: "1-1", serial: "V0001", core: native}
  - id: sdk-sample
    kind: process
    command: [./my_client, --verbose]
    capabilities: [reset, endpoint, install, publish]
    timing: {boot_ms: 2000, reconnect_max_ms: 10000}
)");
  ASSERT_TRUE(lab) << lab.error().message;
  ASSERT_EQ(lab->units.size(), 3U);
  EXPECT_EQ(lab->units[0].rig_addresses.at(0), "192.168.50.21");
  EXPECT_EQ(lab->units[0].power.port, 2);
  EXPECT_EQ(lab->units[1].serial, "V0001");
  EXPECT_EQ(lab->units[2].timing.reconnect_max_ms, 10000);
  EXPECT_FALSE(lab->units[2].timing.connect_ms);
  EXPECT_THAT(lab->units[2].command, testing::ElementsAre("./my_client", "--verbose"));
}

TEST_F(LabFile, LeavesVirtualHubsToVirtualLab) {
  const auto lab =
      read("version: 1\nvirtual: {hubs: [{port: \"1-4\", ports: 4}]}\n" + head.substr(head.find("cloud:")) +
           "  - {id: a, kind: virtual, board: b, virtual: {port: \"1-4.2\", serial: S, core: native}}\n");
  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->units[0].port, "1-4.2");
}

TEST_F(LabFile, EachFaultIsToldWithItsPlaceAndWhatWasExpected) {
  const std::string process = "  - {id: a, kind: process, command: [x], capabilities: [reset]}\n";
  const struct {
    std::string text;
    const char* told;
  } bad[] = {
      {"version: 2\n", "lab.yaml:1:10: expected a whole number from 1 to 1 for `version`; got `2`"},
      {head, "lab.yaml:3:1: expected a list for `units`; got nothing"},
      {head + "  []\n", "lab.yaml:4:3: expected at least one entry in `units`"},
      {"colour: blue\n" + head + process, "lab.yaml:1:1: expected a known key in the file; got `colour`"},
      {"version: 1\n" + head + process,
       "lab.yaml:2:1: expected each key once in the file; got `version` again (first in line 1)"},
      {head + "  - {id: A_b, kind: process, command: [x], capabilities: []}\n",
       "lab.yaml:4:10: expected 1 to 40 of a-z, 0-9 and - for `id`; got `A_b`"},
      {head + "  - {id: a, kind: toaster}\n",
       "lab.yaml:4:19: expected usb, virtual or process for `kind`; got `toaster`"},
      {head + "  - {id: a, kind: process, capabilities: [reset]}\n",
       "lab.yaml:4:5: expected `command` in an entry of `units`; got nothing"},
      {head + "  - {id: a, kind: process, command: x, capabilities: [reset]}\n",
       "lab.yaml:4:37: expected a list of texts for `command`; got `x`"},
      {head + "  - {id: a, kind: process, command: [x], capabilities: [rest]}\n",
       "expected capabilities; got `rest`; did you mean reset?"},
      {head + "  - {id: a, kind: process, command: [x], capabilities: [flash]}\n", "expected what a process can do"},
      {head + "  - {id: a, kind: process, comand: [x], capabilities: []}\n", "got `comand`; did you mean command?"},
      {head + process + process, "lab.yaml:5:5: expected another id for each unit; got `a` again (first in line 4)"},
      {head + "  - {id: a, kind: process, command: [x], capabilities: [], timing: {boot_ms: soon}}\n",
       "lab.yaml:4:78: expected a whole number from 1 to 3600000 for `boot_ms`; got `soon`"},
      {head + "  - {id: a, kind: process, command: [x], capabilities: [], board: b}\n", "got `board`"},
      {head + "  - {id: a, kind: virtual, board: b, virtual: {port: \"2-1\", serial: S, core: native}}\n",
       "expected a port of the virtual bus"},
      {head + "  - {id: a, kind: virtual, board: b, virtual: {port: \"1-1\", core: native}}\n",
       "expected `serial` in `virtual`; got nothing"},
      {head + "  - {id: a, kind: usb, board: b, network: {rig_address: 1.2.3.4}, usb: {}}\n",
       "expected `port` or `serial` in `usb`; got neither"},
      {head + "  - {id: a, kind: usb, board: b, network: {rig_address: 1.2.3}, usb: {serial: s}}\n",
       "expected an IPv4 address"},
      {head + "  - {id: a, kind: usb, board: b, usb: {serial: s}}\n", "expected `network`"},
      {head +
           "  - {id: a, kind: usb, board: b, usb: {serial: s}, network: {rig_address: 1.2.3.4}, power: {hub: \"1\"}}\n",
       "expected `hub` and `port` together"},
      {head + "  - {id: a, kind: usb, board: b, usb: {serial: s}, network: {rig_address: 1.2.3.4}, power: {boot_pin: "
              "x}}\n",
       "expected a command with `{state}`"},
      {"version: 1\ncloud: {accounts: [\"1\"], regions: [mars]}\nunits:\n" + process,
       "lab.yaml:2:19: expected account ids of 12 digits in `accounts`; got `1`"},
      {"version: 1\ncloud: 5\nunits:\n" + process, "lab.yaml:2:8: expected a mapping for `cloud`; got `5`"},
      {"version: 1\nunits:\n" + process, "lab.yaml:1:1: expected `cloud` in the file; got nothing"},
      {"- a\n", "lab.yaml:1:1: expected a mapping for the file; got a list"},
      {"a: [\n", "lab.yaml:2:1: expected YAML; got"},
      {"", "expected one YAML document; got none"},
      {"a: 1\n---\nb: 2\n", "expected one YAML document; got more"},
      {", a: 1\n", "expected one YAML document; got more"},
      {"? [a]\n: 1\n", "expected a name as key in the file; got a list"},
  };
  for (const auto& [text, told] : bad) {
    const auto lab = read(text);
    ASSERT_FALSE(lab) << text;
    EXPECT_EQ(lab.error().kind, ErrorKind::usage);
    EXPECT_THAT(lab.error().message, HasSubstr(told)) << text;
  }
}

TEST_F(LabFile, AllFaultsAreToldAtOnceFromTheTop) {
  const auto lab =
      read("version: 3\n" + head.substr(11) + "  - {id: a, kind: process, comand: [x], capabilities: []}\n");
  ASSERT_FALSE(lab);
  EXPECT_THAT(lab.error().message,
              testing::MatchesRegex(".*lab.yaml:1:10: [^\n]*\n.*lab.yaml:4:5: [^\n]*\n.*lab.yaml:4:28: [^\n]*"));
}

TEST_F(LabFile, HostileYamlIsRefused) {
  EXPECT_FALSE(read(std::string(2U << 20, ' ')));
  EXPECT_FALSE(read("a: &a [*a]\n"));
  EXPECT_FALSE(read("version: !!binary AA==\nunits: *nowhere\n"));
  EXPECT_FALSE(read("version: 1\nunits: \"\x1b]0;\x07\"\n"));
  EXPECT_FALSE(read(std::string(20000, '[')));
}

}  // namespace
}  // namespace hilmark
