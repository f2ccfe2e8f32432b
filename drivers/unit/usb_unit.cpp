#include "drivers/unit/usb_unit.h"

namespace hilmark {
namespace {

class UsbUnit final : public Unit {
 public:
  UsbUnit(UsbUnitConfig config, CommandSet commands, UsbContext& usb, const Clock& clock, EvidenceLog& evidence)
      : config_(std::move(config)),
        clock_(clock),
        evidence_(evidence),
        board_(config_, std::move(commands), usb, clock, evidence),
        subscription_(usb.subscribe([this](const UsbEvent& event) { on_usb(event); })) {}

  [[nodiscard]] const UnitInfo& info() const override { return config_.info; }
  [[nodiscard]] bool shows_life() override { return board_.shows_life(); }

  Result<FlashReport> flash(const FirmwareImage& image, const Progress& progress) override {
    return told("flashing", do_flash(image, progress));
  }
  Result<void> erase_flash(const Progress& progress) override { return told("erasing the flash", do_erase(progress)); }
  Result<Bytes> read_flash(std::uint32_t address, std::size_t size) override {
    return told("reading the flash", do_read(address, size));
  }
  Result<void> start() override { return told("starting", do_start()); }
  Result<void> reset() override {
    known_endpoint_.reset();
    return told("resetting", board_.reset());
  }
  Result<void> power_cycle() override {
    known_endpoint_.reset();
    return told("power-cycling", board_.power_cycle());
  }
  Result<bool> cut_power_during(const std::function<Result<void>()>& work, Milliseconds after) override {
    return told("cutting its power", do_cut_power_during(work, after));
  }
  Result<void> check_present() override { return told("looking for it", board_.check_present()); }
  Result<std::string> request_csr(const std::string& client_id) override {
    return told("asking for a CSR", do_request_csr(client_id));
  }
  [[nodiscard]] bool makes_new_keys() override { return board_.console().commands().has("keygen"); }
  Result<void> install(const IdentityBundle& identity) override {
    return told("installing an identity", do_install(identity));
  }
  Result<void> set_endpoint(const EndpointAddress& endpoint) override {
    return told("setting the endpoint", do_set_endpoint(endpoint));
  }
  Result<void> connect() override { return told("telling it to connect", do_connect()); }

 private:
  template <class T>
  Result<T> told(std::string_view doing, Result<T> result) const {
    if (result) return result;
    return fail(result.error(), "{}: {}", config_.info.id, doing);
  }

  void on_usb(const UsbEvent& event) {
    if (event.device.port != config_.info.port) return;
    evidence_.add("usb", event.kind == UsbEvent::Kind::arrived ? "arrived" : "left",
                  {{"port", event.device.port}, {"id", to_text(event.device.id)}});
  }

  Result<void> say(const std::string& verb, const CommandArguments& arguments = {},
                   const std::optional<Deadline>& deadline = std::nullopt) {
    if (auto ready = board_.ready(); !ready) return ready;
    const auto answer = board_.console().say(verb, arguments, deadline);
    if (!answer) return fail(answer.error());
    return {};
  }

  Result<FlashReport> do_flash(const FirmwareImage& image, const Progress& progress) {
    const SteadyTime start = clock_.now();
    known_endpoint_.reset();
    if (progress) progress("entering the bootloader", 0);
    auto flasher = board_.open_flash();
    if (!flasher) return fail(flasher.error());
    auto report = (*flasher)->write(image.address, image.content, progress, Deadline(clock_, config_.flash_limit));
    if (!report) return report;
    if (progress) progress("starting", 0);
    const bool can_read = (*flasher)->can_read();
    if (const auto started = board_.start_application(std::move(*flasher)); !started) return fail(started.error());
    if (!report->verified && can_read) {
      if (const auto verified = verify_anew(image, progress); !verified) return fail(verified.error());
      report->verified = true;
    }
    if (!image.build_id.empty()) {
      const auto proved = board_.console().prove(image.build_id, Deadline(clock_, config_.info.timing.boot));
      if (!proved) return fail(proved.error());
    }
    if (progress) progress("starting", 1);
    report->duration = std::chrono::duration_cast<Milliseconds>(clock_.now() - start);
    evidence_.add("rig", "flash",
                  {{"build_id", image.build_id},
                   {"variant", image.variant},
                   {"bytes", report->bytes_written},
                   {"sectors_erased", report->sectors_erased},
                   {"verified", report->verified},
                   {"duration_ms", report->duration.count()}});
    return report;
  }

  Result<void> do_erase(const Progress& progress) {
    known_endpoint_.reset();
    auto flasher = board_.open_flash();
    if (!flasher) return fail(flasher.error());
    evidence_.add("rig", "mass_erase", {});
    return (*flasher)->erase_all(progress, Deadline(clock_, config_.flash_limit));
  }

  Result<Bytes> do_read(std::uint32_t address, std::size_t size) {
    const auto found = board_.watcher().now();
    const bool ran = !found || found->id != config_.bootloader;
    auto flasher = board_.open_flash();
    if (!flasher) return fail(flasher.error());
    auto content = (*flasher)->read(address, size, {}, Deadline(clock_, config_.flash_limit));
    // Whatever came of it: the unit is not left in its bootloader, unless it was there because it has nothing to run.
    const auto started = board_.start_application(std::move(*flasher));
    if (!content) return content;
    if (!started && (ran || started.error().kind != ErrorKind::unit)) return fail(started.error());
    return content;
  }

  /// What a bootloader that left for good after writing did not let us compare.
  Result<void> verify_anew(const FirmwareImage& image, const Progress& progress) {
    if (progress) progress("verifying", 0);
    const auto content = do_read(image.address, image.content.size());
    if (!content) return fail(content.error());
    return compare_flash(fmt::format("port {}", config_.info.port), image.address, image.content, *content);
  }

  Result<void> do_start() {
    const auto there = board_.watcher().now();
    known_endpoint_.reset();
    if (there && config_.probe.empty() && there->id == config_.bootloader) return board_.start_application();
    if (!there) return board_.power_cycle();
    const auto ready = board_.ready();
    const bool is_halted = !ready && ready.error().kind == ErrorKind::timeout && !config_.probe.empty() &&
                           !config_.flasher.tool.start.command.empty();
    // A tool that was ended in the middle leaves the chip halted; its probe can start it.
    return is_halted ? board_.reset() : ready;
  }

  Result<bool> do_cut_power_during(const std::function<Result<void>()>& work, Milliseconds after) {
    if (const auto ready = board_.ready(); !ready) return fail(ready.error());
    Result<void> done;
    const auto back = board_.power_cycle_during([&] { done = work(); }, after);
    known_endpoint_.reset();
    if (!back) return fail(back.error());
    if (!done && done.error().kind == ErrorKind::unit) return fail(done.error());
    return done.has_value();
  }

  Result<std::string> do_request_csr(const std::string& client_id) {
    if (const auto named = say("client_id", {{"value", client_id}}); !named) return fail(named.error());
    if (board_.console().commands().has("keygen")) {
      if (const auto made = say("keygen"); !made) return fail(made.error());
    }
    return board_.console().say("csr");
  }

  Result<void> do_install(const IdentityBundle& identity) {
    if (!identity.private_key.empty() && !board_.console().commands().has("private_key")) {
      return fail(ErrorKind::usage, "this unit takes no private key; it makes its own");
    }
    evidence_.add("rig", "install",
                  {{"client_id", identity.client_id},
                   {"certificate_chain", identity.certificate_chain},
                   {"trust_anchor", identity.trust_anchor}});
    const std::pair<const char*, const std::string*> parts[] = {{"client_id", &identity.client_id},
                                                                {"trust_anchor", &identity.trust_anchor},
                                                                {"private_key", &identity.private_key},
                                                                {"certificate", &identity.certificate_chain}};
    for (const auto& [verb, value] : parts) {
      if (value->empty()) continue;
      if (auto said = say(verb, {{"value", *value}}); !said) return said;
    }
    return {};
  }

  Result<void> do_set_endpoint(EndpointAddress endpoint) {
    // A unit dials what it is told to dial, or asks the name server that it is told to ask.
    if (board_.console().commands().has("resolver") && !endpoint.resolver.empty()) {
      endpoint.connect_address.clear();
    } else {
      endpoint.resolver.clear();
    }
    evidence_.add("rig", "set_endpoint",
                  {{"name", endpoint.name},
                   {"connect_address", endpoint.connect_address},
                   {"port", endpoint.port},
                   {"resolver", endpoint.resolver}});
    if (auto ready = board_.ready(); !ready) return ready;
    // All of them together, synchronising included, have the limit that the unit declares for taking an endpoint.
    const Deadline limit(clock_, config_.info.timing.endpoint_command);
    const auto tell = [&](const char* verb, const std::string& value) { return say(verb, {{"value", value}}, limit); };
    // Each of these may make a connected firmware move; so only what differs is said, and the name last.
    if (!endpoint.resolver.empty() && (!known_endpoint_ || known_endpoint_->resolver != endpoint.resolver)) {
      if (auto said = tell("resolver", endpoint.resolver); !said) return said;
    }
    if (!known_endpoint_ || known_endpoint_->connect_address != endpoint.connect_address) {
      if (auto said = tell("connect_address", endpoint.connect_address); !said) return said;
    }
    if (!known_endpoint_ || known_endpoint_->port != endpoint.port) {
      if (auto said = tell("port", std::to_string(endpoint.port)); !said) return said;
    }
    if (auto said = tell("endpoint", endpoint.name); !said) return said;
    known_endpoint_ = endpoint;
    return {};
  }

  Result<void> do_connect() {
    for (const auto& [key, value] : config_.settings) {
      if (auto said = say("setting", {{"key", key}, {"value", value}}); !said) return said;
    }
    const bool publishes = config_.info.can(Capability::publish) && board_.console().commands().has("topic");
    if (publishes && !config_.topic.empty()) {
      if (auto said = say("topic", {{"value", config_.topic}}); !said) return said;
    }
    return say("connect");
  }

  UsbUnitConfig config_;
  const Clock& clock_;
  EvidenceLog& evidence_;
  UsbBoard board_;
  std::optional<EndpointAddress> known_endpoint_;           // what the unit was told since its last restart
  std::unique_ptr<UsbContext::Subscription> subscription_;  // ends before what it calls
};

}  // namespace

Result<std::unique_ptr<Unit>> make_usb_unit(UsbUnitConfig config, UsbContext& usb, const Clock& clock,
                                            EvidenceLog& evidence) {
  const std::string id = config.info.id;
  if (config.info.port.empty()) return fail(ErrorKind::usage, "{} has no USB port; name it in the lab file", id);
  if (const auto checked = check(config.flasher); !checked) {
    return fail(checked.error(), "{}: chip {}", id, config.info.chip);
  }
  auto commands = CommandSet::load(config.commands_file);
  if (!commands) return fail(commands.error(), "{}", id);
  CommandSet adapted = commands->adapted(config.console.line_end, config.console.prompt);
  return std::make_unique<UsbUnit>(std::move(config), std::move(adapted), usb, clock, evidence);
}

}  // namespace hilmark
