// The device under judgement, whatever it is: what suites and the harness ask of it. They know no transport.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/bytes.h"
#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace hilmark {

/// What a unit can do, so what cases may need of it (named as in lab and board files).
enum class Capability {
  reset,
  power,
  console,
  csr,
  install,
  flash,
  keeps_identity,
  endpoint,
  publish,
  subscribe,
  jitr,
  tls13,
  resume,
  alpn443,
  https,
  mqtt5,
  fleet,
  clock,
};
[[nodiscard]] std::string_view name_of(Capability capability);  ///< "keeps-identity"
[[nodiscard]] std::optional<Capability> capability_from(std::string_view name);
[[nodiscard]] std::vector<std::string> capability_names();  ///< all there are
using Capabilities = std::set<Capability>;

enum class UnitKind { usb, virtual_board, process };
[[nodiscard]] std::string_view name_of(UnitKind kind);  ///< "usb", "virtual", "process"

/// The unit's declared times, from its board and lab file; what is not declared has the catalogue's limit.
struct Timing {
  Milliseconds boot{10'000};            ///< from power to the first sign of life
  Milliseconds connect{120'000};        ///< LIFE-06: from a reset to CONNACK
  Milliseconds reconnect_max{180'000};  ///< H1: back by itself after any fault
  Milliseconds handshake{120'000};
  Milliseconds endpoint_command{30'000};
  Milliseconds dns_ttl{10'000};  ///< for how long answers hold that a case moves away from; whole seconds
  Milliseconds watch{60'000};    ///< how long silence is watched where a claim says that something must not happen
  /// The time in which the service takes 15 attempts of one client at most. Declared shorter only for a device whose
  /// whole clock is compressed for the lab.
  Milliseconds storm_window{10'000};
  Milliseconds soak{3'600'000};  ///< LIFE-05: for how long it is met with one fault after the other
  int keep_alive_s = 1200;
};

struct UnitInfo {
  std::string id;  ///< as in the lab file
  UnitKind kind = UnitKind::usb;
  std::string board;   ///< "virtual_stm32h7"; for a process unit the program's file name
  std::string chip;    ///< empty for a process unit
  std::string serial;  ///< USB serial number; empty for a process unit
  std::string port;    ///< USB port path, "1-1"; empty for a process unit
  Capabilities capabilities;
  Timing timing;
  [[nodiscard]] bool is_virtual() const { return kind == UnitKind::virtual_board; }
  [[nodiscard]] bool can(Capability capability) const { return capabilities.count(capability) > 0; }
};

/// Where a unit shall connect to.
struct EndpointAddress {
  std::string name;             ///< to send as SNI and to verify: "abc-ats.iot.us-east-1.amazonaws.com"
  std::string connect_address;  ///< IPv4 address to dial, where names are not to be resolved or cannot be
  std::uint16_t port = 8883;
  /// IPv4 address of the name server (port 53) that the name is to be asked of; empty: there is none.
  std::string resolver = {};
  friend bool operator==(const EndpointAddress&, const EndpointAddress&) = default;
};

/// What an installation gives to a unit. All PEM.
struct IdentityBundle {
  std::string certificate_chain;  ///< leaf first, then each issuer
  std::string private_key;        ///< empty where the unit made its own (capability csr)
  std::string trust_anchor;       ///< the server's root
  std::string client_id;
};

/// What a unit of a fleet is given instead of an identity: a claim, under which it provisions itself. All PEM.
struct ClaimBundle {
  std::string certificate_chain;  ///< the claim's: leaf first, then each issuer
  std::string private_key;
  std::string trust_anchor;   ///< the server's root
  std::string client_id;      ///< its own, and the parameter SerialNumber of its provisioning
  std::string template_name;  ///< of provisioning
};

/// A firmware image, read and checked (see drivers/image/firmware_image.h for the formats).
struct FirmwareImage {
  std::string path;
  std::string build_id;       ///< what the running firmware must report; empty for formats that carry none
  std::string chip;           ///< empty for formats that carry none
  std::string variant;        ///< the trailer's name: "golden" or a defect's; empty if unknown
  std::uint32_t address = 0;  ///< where it belongs
  Bytes content;              ///< what is written, octet for octet
};

struct FlashReport {
  std::size_t bytes_written = 0;
  std::size_t sectors_erased = 0;
  Milliseconds duration{0};
  bool verified = true;  ///< read back and found the same; false where the bootloader cannot be read
};

/// Told as work goes on: what is done, and how far (0 to 1).
using Progress = std::function<void(std::string_view step, double fraction)>;

/// One line that the unit said, of its present boot and firmware only.
struct ConsoleLine {
  SteadyTime at{};
  std::string text;  ///< made printable
};

/// A unit of the bench. Calls are made from one thread at a time. What its console says, and what is done to it, goes
/// to the EvidenceLog that it was made with ("console"/"console_line"; "rig"/"reset", "power_cut", "flash", "install",
/// "set_endpoint" …). Errors: rig (unplugged, port lost), unit (it answered no), timeout (it answered nothing).
class Unit {
 public:
  virtual ~Unit() = default;
  [[nodiscard]] virtual const UnitInfo& info() const = 0;

  /// Writes the image, verifies it by reading it back, starts it and proves, by its build id said after a nonce of
  /// ours, that it is what runs.
  [[nodiscard]] virtual Result<FlashReport> flash(const FirmwareImage& image, const Progress& progress) = 0;
  /// Erases all of its flash, identity and settings included, and leaves it in its bootloader. Errors as those of
  /// flash(); usage where its bootloader has no mass erase.
  [[nodiscard]] virtual Result<void> erase_flash(const Progress& progress);
  /// What the flash holds from `address` on. Leaves the application running, where there is one.
  [[nodiscard]] virtual Result<Bytes> read_flash(std::uint32_t address, std::size_t size) = 0;
  /// Brings it to life without touching its firmware: opens the console, or starts the process.
  [[nodiscard]] virtual Result<void> start() = 0;

  /// Restarts it, by console if that answers, else by power. Returns when the restart has been caused and, where it has
  /// a console, that answers again.
  [[nodiscard]] virtual Result<void> reset() = 0;
  [[nodiscard]] virtual Result<void> power_cycle() = 0;

  /// Does `work`, which is calls of this unit, and cuts its power `after` the beginning, in whatever it does then.
  /// Returns once it runs again: whether the unit had confirmed the work. Errors: as those of both, and unit if it
  /// refused the work; usage where there is no power to cut.
  [[nodiscard]] virtual Result<bool> cut_power_during(const std::function<Result<void>()>& work, Milliseconds after);

  [[nodiscard]] virtual Result<std::string> request_csr(const std::string& client_id) = 0;  ///< PEM
  /// Whether request_csr() tells it to make a new key each time.
  [[nodiscard]] virtual bool makes_new_keys() { return false; }
  [[nodiscard]] virtual Result<void> install(const IdentityBundle& identity) = 0;
  /// As it leaves the factory: it forgets its identity, and makes itself one by the claim. install() ends that.
  /// Capability fleet; without it an error (usage).
  [[nodiscard]] virtual Result<void> install_claim(const ClaimBundle& claim);
  /// Returns when the unit has confirmed the change (or has been started anew with it).
  [[nodiscard]] virtual Result<void> set_endpoint(const EndpointAddress& endpoint) = 0;
  /// Applies the board file's `settings` and tells it to connect from now on.
  [[nodiscard]] virtual Result<void> connect() = 0;

  /// An error (rig) if it is not there any more: unplugged, its program not startable. Asked when something failed to
  /// come, so that a broken bench is not taken for a silent device.
  [[nodiscard]] virtual Result<void> check_present() { return {}; }

  /// Whether it has shown any sign of life (console output, enumeration as application, process alive) since its last
  /// restart.
  [[nodiscard]] virtual bool shows_life() = 0;
};

}  // namespace hilmark
