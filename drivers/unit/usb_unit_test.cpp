// The drivers against virtual boards. Runs inside of virtual-lab with boards/virtual/lab.yaml (see CMakeLists.txt).
#include "drivers/unit/usb_unit.h"

#include <csignal>
#include <cstdlib>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "drivers/image/firmware_image.h"
#include "drivers/usb/usb_lab_testing.h"
#include "harness/base/child_process.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

const ImageRules rules{"stm32h7", {"hilmark", "bin"}, 0x08000000, 1572864, {0x0483, 0xdf11}};

/// Stops the program that a virtual board runs, as if it hung.
void hang_firmware(const std::string& port) {
  const std::string status = ctl("status " + port);
  const auto parsed = boost::json::parse(status.substr(std::min(status.find('{'), status.size())));
  const auto* const pid = parsed.as_object().if_contains("core_pid");
  ASSERT_NE(pid, nullptr) << status;
  ASSERT_EQ(::kill(pid->to_number<pid_t>(), SIGSTOP), 0);
}

/// A certificate for the CSR's key, signed by a key of ours. Empty if the CSR is none.
std::string certificate_for(const std::string& csr) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(csr.data(), static_cast<int>(csr.size())),
                                                     &BIO_free);
  const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request(
      PEM_read_bio_X509_REQ(in.get(), nullptr, nullptr, nullptr), &X509_REQ_free);
  if (!request || X509_REQ_verify(request.get(), X509_REQ_get0_pubkey(request.get())) != 1) return {};
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 7);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_subject_name(certificate.get(), X509_REQ_get_subject_name(request.get()));
  X509_set_issuer_name(certificate.get(), X509_REQ_get_subject_name(request.get()));
  X509_set_pubkey(certificate.get(), X509_REQ_get0_pubkey(request.get()));
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(out.get(), certificate.get());
  char* text = nullptr;
  const long length = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(length)};
}

class VirtualBoard : public InVirtualLab {
 protected:
  static UsbUnitConfig config(int number = 1) {
    UsbUnitConfig result;
    const std::string port = fmt::format("1-{}", number);
    result.info = {.id = fmt::format("virtual-{}", number),
                   .kind = UnitKind::virtual_board,
                   .board = "virtual_stm32h7",
                   .chip = "stm32h7",
                   .serial = fmt::format("V000{}", number),
                   .port = port,
                   .capabilities = {},
                   .timing = {}};
    result.info.timing.boot = Milliseconds{3000};
    result.bootloader = {0x0483, 0xdf11};
    result.application = {0x0483, 0x5740};
    result.flasher = {.protocol = "dfuse",
                      .layout = "@Internal Flash /0x08000000/16*128Kg",
                      .base = 0x08000000,
                      .max_bytes = 1572864};
    result.commands_file = "boards/commands/expresslink.yaml";
    result.settings = {{"BackoffBaseMs", "20"}, {"BackoffCapMs", "400"}};
    result.power = {
        .hub = "1", .port = number, .boot_pin = "\"$HILMARK_VIRTUAL_LAB\" ctl boot-pin " + port + " {state}"};
    result.power_off = Milliseconds{20};
    return result;
  }

  std::unique_ptr<Unit> unit(UsbUnitConfig with = config()) {
    auto made = make_usb_unit(std::move(with), *usb, clock, evidence);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  static FirmwareImage image(const std::string& variant = "golden") {
    return load_firmware_image(environment("HILMARK_IMAGES") + "/" + variant + ".img", rules).value();
  }

  std::unique_ptr<Unit> flashed(const std::string& variant = "golden") {
    auto made = unit();
    const auto report = made->flash(image(variant), {});
    EXPECT_TRUE(report) << report.error().message;
    return made;
  }

  std::vector<std::string> kinds(const std::string& source, std::uint64_t after = 0) const {
    std::vector<std::string> found;
    for (const auto& piece : evidence.all([&](const Evidence& one) { return one.source == source; }, after))
      found.push_back(piece->kind);
    return found;
  }
  bool has_said(const std::string& text, std::uint64_t after, int limit_ms = 5000) const {
    return evidence.wait_for(
               [&](const Evidence& one) { return one.kind == "console_line" && one.text("text").find(text) == 0; },
               after, Deadline(clock, Milliseconds{limit_ms})) != nullptr;
  }

  EvidenceLog evidence{clock};
};

TEST_F(VirtualBoard, AnEmptyFlashDoesNotStartAndIsToldSo) {
  const auto board = unit(config(2));
  const auto started = board->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::unit);
  EXPECT_THAT(started.error().message, AllOf(HasSubstr("virtual-2"), HasSubstr("does not start what its flash holds")));
  EXPECT_FALSE(board->shows_life());
}

TEST_F(VirtualBoard, WhatWasFlashedRunsAndReadsBack) {
  const auto board = unit();
  const FirmwareImage golden = image();
  std::vector<std::string> steps;
  const auto report = board->flash(golden, [&](std::string_view step, double) {
    if (steps.empty() || steps.back() != step) steps.emplace_back(step);
  });
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->bytes_written, golden.content.size());
  EXPECT_EQ(report->sectors_erased, (golden.content.size() + 131071) / 131072)
      << "only the sectors that the image covers";
  EXPECT_THAT(steps, testing::ElementsAre("entering the bootloader", "writing", "verifying", "starting"));
  EXPECT_TRUE(board->shows_life());
  EXPECT_THAT(kinds("rig"), Contains("flash"));
  const auto back = board->read_flash(0x08000000, golden.content.size());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, golden.content);
  EXPECT_TRUE(board->start()) << "the application runs again";
}

TEST_F(VirtualBoard, AMassEraseLeavesNothing) {
  const auto board = flashed();
  const auto erased = board->erase_flash({});
  ASSERT_TRUE(erased) << erased.error().message;
  EXPECT_THAT(kinds("rig"), Contains("mass_erase"));
  const std::size_t size = image().content.size();
  const auto back = board->read_flash(0x08000000, size);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, Bytes(size, 0xff));
  EXPECT_EQ(board->start().error().kind, ErrorKind::unit) << "there is nothing to run";
  EXPECT_TRUE(flashed());
}

TEST_F(VirtualBoard, AnotherBuildThanTheFlashedOneIsNotBelieved) {
  const auto board = unit();
  FirmwareImage lying = image();
  const std::string real = std::exchange(lying.build_id, std::string(40, '0'));
  const auto report = board->flash(lying, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::unit);
  EXPECT_THAT(report.error().message,
              AllOf(HasSubstr("runs build " + real), HasSubstr(lying.build_id + " was flashed")));
}

TEST_F(VirtualBoard, MakesItsKeyTakesItsIdentityAndConnectsAfterAReset) {
  const auto board = flashed();
  const auto csr = board->request_csr("device-7");
  ASSERT_TRUE(csr) << csr.error().message;
  const std::string certificate = certificate_for(*csr);
  ASSERT_FALSE(certificate.empty()) << *csr;
  const auto installed = board->install({certificate, "", certificate, "device-7"});
  ASSERT_TRUE(installed) << installed.error().message;
  const auto moved = board->set_endpoint({"a.example", "127.0.0.1", 8883});
  ASSERT_TRUE(moved) << moved.error().message;
  std::uint64_t mark = evidence.newest();
  const auto connecting = board->connect();
  ASSERT_TRUE(connecting) << connecting.error().message;
  EXPECT_TRUE(has_said("+CONNECTING a.example", mark));
  ASSERT_TRUE(board->set_endpoint({"b.example", "127.0.0.1", 8883}));
  EXPECT_TRUE(has_said("+CONNECTING b.example", mark));
  mark = evidence.newest();
  const auto reset = board->reset();
  ASSERT_TRUE(reset) << reset.error().message;
  EXPECT_THAT(kinds("usb", mark), testing::IsSupersetOf({"left", "arrived"}));
  EXPECT_TRUE(has_said("+CONNECTING b.example", mark)) << "it forgot what it was told";
  EXPECT_TRUE(board->shows_life());
}

TEST_F(VirtualBoard, APrivateKeyIsRefusedBeforeTheUnitHearsOfIt) {
  const auto installed = unit()->install({"cert", "-----BEGIN PRIVATE KEY-----", "root", "x"});
  ASSERT_FALSE(installed);
  EXPECT_EQ(installed.error().kind, ErrorKind::usage);
  EXPECT_EQ(evidence.newest(), 0U);
}

TEST_F(VirtualBoard, PowerIsCutByTheHub) {
  const auto board = flashed();
  const std::uint64_t mark = evidence.newest();
  const auto cut = board->power_cycle();
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_THAT(kinds("rig", mark), Contains("power_cut"));
  EXPECT_THAT(kinds("usb", mark), testing::IsSupersetOf({"left", "arrived"}));
  EXPECT_TRUE(board->shows_life());
}

TEST_F(VirtualBoard, PowerIsCutWhileItIsSpokenTo) {
  constexpr int long_ms = 3000;  // for what is said, on any machine
  const auto board = flashed();
  for (const int after_ms : {0, 5, 20, long_ms}) {
    SCOPED_TRACE(after_ms);
    const auto csr = board->request_csr("device-7");
    ASSERT_TRUE(csr) << csr.error().message;
    const std::string certificate = certificate_for(*csr);
    const std::uint64_t mark = evidence.newest();
    const auto confirmed = board->cut_power_during(
        [&] {
          return board->install({certificate, "", certificate, "device-7"});
        },
        Milliseconds{after_ms});
    ASSERT_TRUE(confirmed) << confirmed.error().message;
    EXPECT_TRUE(*confirmed || after_ms < long_ms);
    EXPECT_THAT(kinds("rig", mark), testing::IsSupersetOf({"install", "power_cut"}));
    EXPECT_THAT(kinds("usb", mark), testing::IsSupersetOf({"left", "arrived"}));
    EXPECT_TRUE(board->shows_life());
  }
  const auto refused = board->cut_power_during(
      [&] {
        return board->install({"no certificate", "", "", "device-7"});
      },
      Milliseconds{long_ms});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unit);
  EXPECT_TRUE(board->start()) << "it runs again all the same";
}

TEST_F(VirtualBoard, AHungFirmwareIsSilenceThenResetByPowerAndFlashedByDetach) {
  const auto board = flashed();
  hang_firmware("1-1");
  const auto csr = board->request_csr("x");  // It comes back: its verbs have a time each.
  EXPECT_EQ(csr.error().kind, ErrorKind::timeout) << csr.error().message;
  std::uint64_t mark = evidence.newest();
  const auto reset = board->reset();
  ASSERT_TRUE(reset) << reset.error().message;
  EXPECT_THAT(kinds("rig", mark), Contains("power_cut"));
  hang_firmware("1-1");
  mark = evidence.newest();
  const auto report = board->flash(image(), {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(kinds("rig", mark), testing::Not(Contains("power_cut")));
}

TEST_F(VirtualBoard, WhereTheApplicationIsUnknownTheBootPinHelps) {
  { const auto board = flashed(); }
  UsbUnitConfig stranger = config();
  stranger.application = {0x1234, 0x5678};
  UsbBoard board(stranger, CommandSet::load(stranger.commands_file).value(), *usb, clock, evidence);
  const auto bootloader = board.enter_bootloader();
  ASSERT_TRUE(bootloader) << bootloader.error().message;
  EXPECT_EQ(bootloader->id, stranger.bootloader);
  EXPECT_THAT(kinds("rig"), Contains("power_cut"));
  EXPECT_TRUE(unit()->start()) << "the boot pin was not let go";
}

TEST_F(VirtualBoard, WithoutBootPinTheMessageSaysWhatToDo) {
  { const auto board = flashed(); }
  UsbUnitConfig stranger = config();
  stranger.application = {0x1234, 0x5678};
  stranger.power = {};
  const auto read = unit(stranger)->read_flash(0x08000000, 16);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::unit);
  EXPECT_THAT(read.error().message, AllOf(HasSubstr("hold BOOT0 and reset"), HasSubstr("0483:5740"), HasSubstr("1-1")));
}

TEST_F(VirtualBoard, PulledOutWhileItIsWrittenIsTheRigsTrouble) {
  for (const double when : {0.01, 0.5, 0.99}) {
    const auto board = unit();
    bool pulled = false;
    const auto report = board->flash(image(), [&](std::string_view step, double fraction) {
      if (step != "writing" || fraction < when || std::exchange(pulled, true)) return;
      ctl("unplug 1-1");
    });
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, ErrorKind::rig);
    EXPECT_THAT(report.error().message,
                AllOf(HasSubstr("virtual-1"), HasSubstr("port 1-1"), HasSubstr("left the bus")));
    ctl("plug 1-1");
    const UsbPortWatcher watcher(*usb, "1-1");
    // Pulled out before the first erase, it still has its old application.
    ASSERT_TRUE(
        watcher.wait_arrival({config().bootloader, config().application}, 0, Deadline(clock, Milliseconds{5000})));
  }
  EXPECT_TRUE(flashed()) << "and it flashes again";
}

TEST_F(VirtualBoard, PulledOutWhileItRunsEveryCallEndsSoon) {
  const auto board = flashed();
  ctl("unplug 1-1");
  const SteadyTime start = clock.now();
  EXPECT_EQ(board->request_csr("x").error().kind, ErrorKind::rig);
  EXPECT_EQ(board->set_endpoint({"a", "127.0.0.1", 1}).error().kind, ErrorKind::rig);
  EXPECT_EQ(board->reset().error().kind, ErrorKind::rig);
  EXPECT_LT(clock.now() - start, Milliseconds{5000});
  ctl("plug 1-1");
  const UsbPortWatcher watcher(*usb, "1-1");
  ASSERT_TRUE(watcher.wait_arrival({config().application}, 0, Deadline(clock, Milliseconds{5000})));
  EXPECT_TRUE(board->request_csr("x"));
}

TEST_F(VirtualBoard, ThePortIsHeldAgainstSerialNumberAndIds) {
  { const auto board = flashed(); }
  UsbUnitConfig other = config();
  other.info.serial = "V0099";
  const auto started = unit(other)->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::usage);
  EXPECT_THAT(started.error().message, AllOf(HasSubstr("V0001"), HasSubstr("V0099")));
  UsbUnitConfig nowhere = config();
  nowhere.info.port = "1-7";
  nowhere.power = {};
  const auto missing = unit(nowhere)->start();
  EXPECT_EQ(missing.error().kind, ErrorKind::rig);
  EXPECT_THAT(missing.error().message, AllOf(HasSubstr("1-7"), HasSubstr("0483:5740 at port 1-1")));
}

TEST_F(VirtualBoard, ASerialNumberLeadsToItsPort) {
  EXPECT_EQ(find_port(*usb, "V0002").value_or("none"), "1-2");
  EXPECT_THAT(find_port(*usb, "V0099").error().message, AllOf(HasSubstr("V0099"), HasSubstr("V0001")));
}

TEST_F(VirtualBoard, TheWrongFlashLayoutIsAWrongSetUp) {
  UsbUnitConfig wrong = config(2);
  wrong.flasher.layout = "@Internal Flash /0x08000000/8*128Kg";
  const auto report = unit(wrong)->flash(image(), {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::usage);
  EXPECT_THAT(report.error().message, HasSubstr("chip file says 8"));
}

}  // namespace
}  // namespace hilmark
