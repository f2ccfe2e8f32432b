#include "boards/virtual/lab_file.h"

#include <fstream>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace virtual_lab {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view one_unit = R"(  - id: one
    kind: virtual
    board: board
    virtual: {port: "1-1", serial: "V1", core: native}
)";

class LabFile : public testing::Test {
 protected:
  LabFile() {
    std::string pattern = testing::TempDir() + "lab-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    fs::create_directories(folder / "boards/chips");
    write("boards/board.yaml", "version: 1\nchip: chip7\n");
    write("boards/chips/chip7.yaml",
          "version: 1\n"
          "flasher: {protocol: dfuse, layout: \"@Flash /0x08000000/16*128Kg\"}\n"
          "image: {formats: [hilmark], base: 0x08000000, max_bytes: 1572864}\n");
  }
  ~LabFile() override { fs::remove_all(folder); }

  void write(const std::string& name, std::string_view text) { std::ofstream(folder / name) << text; }
  Result<std::vector<UnitSpec>> read_units(const std::string& units) { return read("version: 1\nunits:\n" + units); }
  Result<std::vector<UnitSpec>> read(const std::string& text) {
    write("lab.yaml", text);
    return read_lab_file(folder / "lab.yaml", {});
  }
  // The error begins with file and line, and says `expected`.
  void expect_error(const Result<std::vector<UnitSpec>>& units, const std::string& place, const std::string& expected) {
    ASSERT_FALSE(units) << "no error, but expected: " << expected;
    EXPECT_EQ(units.error().rfind((folder / place).string(), 0), 0U) << units.error();
    EXPECT_NE(units.error().find(expected), std::string::npos) << units.error();
  }

  fs::path folder;
};

TEST_F(LabFile, GivesUnitsWithTheirChipsFacts) {
  const auto units = read_units(std::string(one_unit) + "  - {id: bench, kind: usb, board: whatever}\n");
  ASSERT_TRUE(units) << units.error();
  ASSERT_EQ(units->size(), 1U);
  const UnitSpec& unit = units->front();
  EXPECT_EQ(unit.id, "one");
  EXPECT_EQ(unit.port, 1U);
  EXPECT_EQ(unit.serial, "V1");
  EXPECT_EQ(unit.chip, "chip7");
  EXPECT_EQ(unit.layout.size, 2U << 20);
  EXPECT_EQ(unit.image_max_bytes, 1572864U);
}

TEST_F(LabFile, FindsBoardsAboveItselfAndElsewhere) {
  fs::create_directories(folder / "boards/virtual");
  write("boards/virtual/lab.yaml", "version: 1\nunits:\n" + std::string(one_unit));
  EXPECT_TRUE(read_lab_file(folder / "boards/virtual/lab.yaml", {}));
  fs::create_directories(folder / "elsewhere");
  fs::rename(folder / "boards", folder / "elsewhere/there");
  expect_error(read_units(std::string(one_unit)), "lab.yaml:5", "no file board.yaml");
  EXPECT_TRUE(read_lab_file(folder / "lab.yaml", {folder / "elsewhere/there"}));
}

TEST_F(LabFile, RefusesWhatIsNotALabFile) {
  expect_error(read_lab_file(folder / "none.yaml", {}), "none.yaml", "cannot be read");
  expect_error(read("units: [\n"), "lab.yaml:2", "expected YAML");
  expect_error(read(""), "lab.yaml:1", "version: 1");
  expect_error(read("units: []\n"), "lab.yaml:1", "\"version\" is missing");
  expect_error(read("version: 2\nunits: []\n"), "lab.yaml:1", "expected version 1");
  expect_error(read("version: 1\n"), "lab.yaml:1", "units:");
  expect_error(read("version: 1\nunits: 7\n"), "lab.yaml:2", "units:");
  expect_error(read("version: 1\nunits: []\n"), "lab.yaml:2", "at least one unit");
  expect_error(read("version: 1\nunits: [7]\n"), "lab.yaml:2", "expected a unit");
}

TEST_F(LabFile, RefusesUnitsByLineAndReason) {
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text(one_unit);
    text.replace(text.find(from), from.size(), to);
    return read_units(text);
  };
  expect_error(with("id: one", "id: One"), "lab.yaml:3", "a-z");
  expect_error(with("id: one", "name: one"), "lab.yaml:3", "\"id\" is missing");
  expect_error(with("kind: virtual", "kind: usb"), "lab.yaml:3", "virtual:");
  expect_error(with("board: board", "board: ../board"), "lab.yaml:5", "board's name");
  expect_error(with("1-1", "2-1"), "lab.yaml:6", "expected a port");
  expect_error(with("1-1", "1-0"), "lab.yaml:6", "expected a port");
  expect_error(with("1-1", "1-16"), "lab.yaml:6", "expected a port");
  expect_error(with("1-1", "1-01"), "lab.yaml:6", "expected a port");
  expect_error(with("1-1", "1-1.2"), "lab.yaml:6", "no hub with such a port");
  expect_error(with("1-1", "1"), "lab.yaml:6", "expected a port");
  expect_error(with("\"V1\"", "\"V 1\""), "lab.yaml:6", "printable");
  expect_error(with("\"V1\"", "[1]"), "lab.yaml:6", "expected a text");
  expect_error(with("core: native", "core: qemu"), "lab.yaml:6", "native");
  expect_error(with("core: native", "core: native, speed: 1"), "lab.yaml:6", "unknown key \"speed\"");
  expect_error(with("core: native", "core: native, tty: maybe"), "lab.yaml:6", "for \"tty\"");
  expect_error(with("core: native", "core: native, core: native"), "lab.yaml:6", "twice");
}

TEST_F(LabFile, RefusesTwoOfAKind) {
  const std::string one(one_unit);
  const auto other = [&](const std::string& id, const std::string& port, const std::string& serial) {
    return read_units(one + "  - {id: " + id + ", kind: virtual, board: board, virtual: {port: \"" + port +
                      "\", serial: " + serial + ", core: native}}\n");
  };
  EXPECT_TRUE(other("two", "1-2", "V2"));
  expect_error(other("one", "1-2", "V2"), "lab.yaml:7", "id one is taken by unit one");
  expect_error(other("two", "1-1", "V2"), "lab.yaml:7", "port 1-1 is taken");
  expect_error(other("two", "1-2", "V1"), "lab.yaml:7", "serial V1 is taken");
}

TEST_F(LabFile, PutsUnitsBehindTheHubsThatItNames) {
  const auto with = [&](const std::string& hubs, const std::string& port) {
    std::string unit(one_unit);
    unit.replace(unit.find("1-1"), 3, port);
    return read("version: 1\nvirtual: {hubs: [" + hubs + "]}\nunits:\n" + unit);
  };
  const std::string hub = "{port: \"1-4\", ports: 4}";
  const auto units = with(hub, "1-4.2");
  ASSERT_TRUE(units) << units.error();
  EXPECT_EQ(units->front().port, 4U);
  EXPECT_EQ(units->front().hub_port, 2U);
  EXPECT_EQ(units->front().port_name(), "1-4.2");
  const auto hubs = read_lab_hubs(folder / "lab.yaml");
  ASSERT_TRUE(hubs) << hubs.error();
  ASSERT_EQ(hubs->size(), 1U);
  EXPECT_EQ(hubs->front().usb3, HubSpec::Usb3::none);
  ASSERT_TRUE(
      with(hub + ", {port: \"1-5\", ports: 7, usb3: container-id}, {port: \"1-6\", ports: 1, usb3: peer}", "1-5.7"));
  EXPECT_EQ(read_lab_hubs(folder / "lab.yaml")->at(1).usb3, HubSpec::Usb3::container_id);
  EXPECT_EQ(read_lab_hubs(folder / "lab.yaml")->at(2).usb3, HubSpec::Usb3::peer);
  ASSERT_TRUE(read_units(std::string(one_unit)));
  EXPECT_TRUE(read_lab_hubs(folder / "lab.yaml")->empty());

  expect_error(with(hub, "1-4"), "lab.yaml:7", "has a hub");
  expect_error(with(hub, "1-4.5"), "lab.yaml:7", "no hub with such a port");
  expect_error(with(hub, "1-3.1"), "lab.yaml:7", "no hub with such a port");
  for (const char* bad : {"1-4.", "1-4.0", "1-4.02", "1-4.2.1", "1-4.x", "1-.2", "1-16.1", "2-4.2"}) {
    expect_error(with(hub, bad), "lab.yaml:7", "expected a port");
  }
  expect_error(with(hub + ", " + hub, "1-4.2"), "lab.yaml:2", "has a hub above");
  expect_error(with("{port: \"1-4\"}", "1-1"), "lab.yaml:2", "\"ports\" is missing");
  expect_error(with("{port: \"1-0\", ports: 4}", "1-1"), "lab.yaml:2", "expected a port");
  expect_error(with("{port: \"1-4\", ports: 0}", "1-1"), "lab.yaml:2", "1 to 7 ports");
  expect_error(with("{port: \"1-4\", ports: 8}", "1-1"), "lab.yaml:2", "1 to 7 ports");
  expect_error(with("{port: \"1-4\", ports: 4, usb3: yes}", "1-1"), "lab.yaml:2", "container-id");
  expect_error(with("{port: \"1-4\", ports: 4, usb4: 1}", "1-1"), "lab.yaml:2", "unknown key");
  expect_error(with("7", "1-1"), "lab.yaml:2", "expected a hub");
  expect_error(read("version: 1\nvirtual: {}\nunits:\n" + std::string(one_unit)), "lab.yaml:2", "hubs:");
}

TEST_F(LabFile, TakesIdsAndProtocolFromBoardAndChip) {
  const auto with = [&](const std::string& states, const std::string& flasher) {
    write("boards/board.yaml", "version: 1\nchip: chip7\n" + states);
    write("boards/chips/chip7.yaml",
          "version: 1\nflasher: {" + flasher + "}\nimage: {base: 0x10000000, max_bytes: 9}\n");
    return read_units(std::string(one_unit));
  };
  const std::string states = "states: {bootloader: \"2e8a:0003\", application: \"2E8A:000a\"}\n";
  const std::string picoboot = "protocol: picoboot, layout: \"@F /0x10000000/8*4Kg\"";
  const auto units = with(states, picoboot);
  ASSERT_TRUE(units) << units.error();
  EXPECT_EQ(units->front().protocol, "picoboot");
  EXPECT_EQ(units->front().bootloader, (UsbIds{0x2e8a, 0x0003}));
  EXPECT_EQ(units->front().application, (UsbIds{0x2e8a, 0x000a}));
  const auto plain = with("", "protocol: dfuse, layout: \"@F /0x10000000/8*4Kg\"");
  ASSERT_TRUE(plain) << plain.error();
  EXPECT_EQ(plain->front().protocol, "dfuse");
  EXPECT_EQ(plain->front().bootloader, (UsbIds{0x0483, 0xdf11}));

  expect_error(with("", picoboot), "boards/board.yaml:1", "\"states\" is missing");
  expect_error(with(states, "protocol: picoboot, layout: \"@F /0x10000000/8*8Kg\""), "boards/chips/chip7.yaml:2",
               "sectors of 4 KiB");
  for (const char* bad : {"2e8a0003", "2e8a:003", "2e8a-0003", "2e8g:0003", "2e8a:00003", "2e8a:000g"}) {
    expect_error(with("states: {bootloader: \"" + std::string(bad) + "\", application: \"2e8a:000a\"}\n", picoboot),
                 "boards/board.yaml:3", "expected USB ids");
  }
}

TEST_F(LabFile, RefusesBadBoardAndChipFilesInTheirOwnName) {
  const std::string unit(one_unit);
  write("boards/board.yaml", "version: 1\n");
  expect_error(read_units(unit), "boards/board.yaml:1", "\"chip\" is missing");
  write("boards/board.yaml", "version: 1\nchip: none\n");
  expect_error(read_units(unit), "boards/chips/none.yaml", "cannot be read");
  write("boards/board.yaml", "version: 1\nchip: chip7\n");
  const auto chip = [&](const std::string& flasher, const std::string& image) {
    write("boards/chips/chip7.yaml", "version: 1\nflasher: {" + flasher + "}\nimage: {" + image + "}\n");
    return read_units(unit);
  };
  const std::string flasher = "protocol: dfuse, layout: \"@F /0x08000000/1*128Kg\"";
  const std::string image = "base: 0x08000000, max_bytes: 1024";
  EXPECT_TRUE(chip(flasher, image));
  expect_error(chip("protocol: telepathy, layout: x", image), "boards/chips/chip7.yaml:2", "dfuse, picoboot");
  expect_error(chip("protocol: dfuse, layout: x", image), "boards/chips/chip7.yaml:2", "does not begin with @");
  expect_error(chip(flasher, "base: 0, max_bytes: 1"), "boards/chips/chip7.yaml:3", "first address");
  expect_error(chip(flasher, "base: 0x08000000, max_bytes: 131073"), "boards/chips/chip7.yaml:3", "no more than");
  expect_error(chip(flasher, "base: 0x08000000, max_bytes: many"), "boards/chips/chip7.yaml:3", "expected a number");
}

}  // namespace
}  // namespace virtual_lab
