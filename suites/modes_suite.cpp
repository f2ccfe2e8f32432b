// modes: one certificate authority, registered in DEFAULT mode here and in SNI_ONLY mode there.
#include "suites/areas.h"
#include "suites/bench.h"
#include "suites/matchers.h"
#include "suites/refusals.h"

namespace hilmark::suites {
namespace {

using cloud::CertificateMode;
using cloud::RefuseForm;

/// First connection by JITP in an account that knows the CA in `mode`: registered, closed without CONNACK, then served.
void registers_and_is_served(Bench& bench, CertificateMode mode) {
  const EvidencePtr attempt = bench.first_connection_in({{bench.account_a(), mode, false}});
  if (!attempt) throw Inconclusive("no CONNECT within " + in_ms(bench.connect_limit()) + " of a reset");
  bench.opportunity(attempt);
  const EvidencePtr served = bench.await_served(attempt->number, bench.reconnect_limit());
  ASSERT_TRUE(served) << (attempt->kind == "refused" ? "refused: " + attempt->text("reason")
                                                     : "registered by its first connection, then")
                      << " not served within " << in_ms(bench.reconnect_limit());
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served), testing::AllOf(LandedIn(bench.account_a().account), InMode(name_of(mode)),
                                                    WithCertificate(bench.certificate_id())));
}

// The unit's first connection to an account that proved possession of the CA.
// Assures that the close which registration causes is met with a new connection.
// Fails firmware that takes that close for a final refusal.
void default_mode_by_jitp(Bench& bench) { registers_and_is_served(bench, CertificateMode::default_mode); }

// The unit's first connection to an account that registered the CA without proof.
// Assures that a device of a shared CA reaches the account by its name alone.
// Fails firmware whose ClientHello carries no server name.
void sni_only_mode_by_jitp(Bench& bench) { registers_and_is_served(bench, CertificateMode::sni_only); }

/// A knows the CA in DEFAULT mode, B in SNI_ONLY mode; the unit's endpoint name belongs to A, then to B.
void lands_where_the_name_belongs(Bench& bench, bool certificate_registered) {
  for (const cloud::Place& owner : {bench.account_a(), bench.account_b()}) {
    const std::uint64_t mark =
        bench.restart_in({{bench.account_a(), CertificateMode::default_mode, certificate_registered},
                          {bench.account_b(), CertificateMode::sni_only, certificate_registered}},
                         [&] { bench.give_name_to(owner); });
    const EvidencePtr served = bench.await_registered_and_served(mark, bench.connect_limit());
    const auto refusals = bench.seen("refused", mark);
    for (const EvidencePtr& refusal : refusals) bench.opportunity(refusal);
    for (const EvidencePtr& routed : bench.seen("routed", mark)) {
      bench.opportunity(routed);
      EXPECT_EQ(routed->text("by"), "sni") << "evidence #" << routed->number << ": not routed by its server name";
    }
    for (const EvidencePtr& refusal : refusals) {
      EXPECT_NE(refusal->text("reason"), "sni_unknown") << "evidence #" << refusal->number;
    }
    ASSERT_TRUE(served) << "not served by account " << owner.account << ", whose name it is configured with, within "
                        << in_ms(bench.connect_limit());
    bench.opportunity(served);
    EXPECT_THAT(Landing::from(served), LandedIn(owner.account));
  }
}

// Neither account has seen the unit before, and each would register it.
// Assures that the name alone decides, whichever account it is.
// Fails firmware without SNI, which always lands in the DEFAULT account.
void a_stranger_lands_by_name(Bench& bench) { lands_where_the_name_belongs(bench, false); }

// Both accounts have the unit's certificate already.
// Assures that the name alone decides between two accounts to which one certificate belongs.
// Fails firmware without SNI, which always lands in the DEFAULT account.
void a_registered_unit_lands_by_name(Bench& bench) { lands_where_the_name_belongs(bench, true); }

// The account does not know the CA: the unit is refused, by an alert and by a close, from its first boot and after a
// served connection; then the CA is registered.
// Assures that a device shipped before its CA was registered needs no visit.
// Fails firmware that gives up after some refusals until it is reset.
void refused_then_registered(Bench& bench) {
  for (const RefuseForm form : {RefuseForm::alert, RefuseForm::close_after_connect}) {
    for (const bool from_boot : {true, false}) {
      const auto refuse = [&] {
        const auto deviate = [&] { bench.cloud().set_deviation({.refuse = form}); };
        if (from_boot) {
          bench.restart_in({}, deviate);
        } else {
          deviate();
          bench.forget_registrations();
        }
      };
      if (!from_boot) bench.bring_to_served();
      expect_served_after_refusals(bench,
                                   {.form = form, .expected_reason = "not_in_account", .begin = refuse, .cure = [&] {
                                      bench.register_ca(bench.account_a(), CertificateMode::default_mode);
                                    }});
      if (testing::Test::HasFailure()) return;  // The same fault four times over tells no more.
    }
  }
}

// The CA is there, but INACTIVE; then ACTIVE, but not auto-registering. The unit is refused, and the account changed.
// Assures that a device shipped before its account was ready needs no visit, however it is refused.
// Fails firmware that gives up after some refusals until it is reset.
void refused_then_enabled(Bench& bench) {
  const cloud::Place home = bench.account_a();
  const auto set = [&](bool by_status, bool enabled) {
    if (by_status) {
      bench.set_ca_status(home, enabled ? cloud::CaStatus::active : cloud::CaStatus::inactive);
    } else {
      bench.set_auto_registration(home, enabled);
    }
  };
  for (const bool by_status : {true, false}) {
    for (const RefuseForm form : {RefuseForm::alert, RefuseForm::close_after_connect}) {
      const auto refuse = [&] {
        bench.restart_in({{home, CertificateMode::default_mode, false}}, [&] {
          set(by_status, false);
          bench.cloud().set_deviation({.refuse = form});
        });
      };
      expect_served_after_refusals(bench, {.form = form,
                                           .expected_reason = by_status ? "ca_inactive" : "auto_registration_disabled",
                                           .begin = refuse,
                                           .cure = [&] {
                                             bench.expect_unregistered(home);
                                             set(by_status, true);
                                           }});
      if (testing::Test::HasFailure()) return;
    }
  }
}

// The served unit's certificate and CA are deleted, and the CA is registered in the other mode; from each to the other.
// Assures that an account can change the mode of a CA while its devices are in the field.
// Fails firmware that does not come back by itself, or that an SNI_ONLY account cannot see.
void registers_again_in_the_other_mode(Bench& bench) {
  const cloud::Place home = bench.account_a();
  for (const CertificateMode before : {CertificateMode::default_mode, CertificateMode::sni_only}) {
    const CertificateMode after =
        before == CertificateMode::default_mode ? CertificateMode::sni_only : CertificateMode::default_mode;
    const std::uint64_t laid_out = bench.lay_out({{home, before, true}});
    const EvidencePtr control = bench.await_served(laid_out, bench.reconnect_limit());
    if (!control) throw Inconclusive("not served before the mode was changed");
    bench.opportunity(control);
    const std::uint64_t mark = bench.now();
    // First, so that a unit without its certificate does not register itself in the old mode meanwhile.
    bench.set_ca_status(home, cloud::CaStatus::inactive);
    bench.delete_certificate(home);
    bench.delete_ca(home);
    bench.register_ca(home, after);
    const EvidencePtr served = bench.await_registered_and_served(mark, bench.reconnect_limit());
    ASSERT_TRUE(served) << "not served within " << in_ms(bench.reconnect_limit()) << " of the CA's registration in "
                        << name_of(after) << " mode; attempts seen since: " << bench.seen("tcp_accepted", mark).size();
    bench.rests_on(served);
    EXPECT_THAT(Landing::from(served), testing::AllOf(LandedIn(home.account), InMode(name_of(after)),
                                                      WithCertificate(bench.certificate_id())));
  }
}

// The unit's certificate is registered in an account that does not know its CA.
// Assures multi-account registration of single devices.
// Fails firmware whose ClientHello carries no server name.
void registered_without_its_ca(Bench& bench) {
  const cloud::Place home = bench.account_a();
  const std::uint64_t mark = bench.restart_in({}, [&] { bench.register_certificate_alone(home); });
  const EvidencePtr hello = bench.await_kind("client_hello", mark, bench.connect_limit());
  if (!hello) throw Inconclusive("no ClientHello within " + in_ms(bench.connect_limit()) + " of a reset");
  bench.opportunity(hello);
  const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
  ASSERT_TRUE(served) << "not served within " << in_ms(bench.connect_limit()) << " of a reset";
  bench.rests_on(served);
  EXPECT_THAT(Landing::from(served),
              testing::AllOf(LandedIn(home.account), InMode("SNI_ONLY"), WithCertificate(bench.certificate_id())));
}

}  // namespace

void add_mode_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "MODE-01",
                   .area = "modes",
                   .title = "registers and connects in DEFAULT mode",
                   .demand =
                       "with the CA in DEFAULT mode the device registers by JITP and is served within the reconnect "
                       "limit; its certificate's mode is DEFAULT",
                   .source = "the service's rules for just-in-time provisioning; house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"no-reconnect"},
                   .depends_on = {"LIFE-06", "SNI-02"},
                   .opportunity = "a first CONNECT",
                   .body = default_mode_by_jitp,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "MODE-02",
                   .area = "modes",
                   .title = "registers and connects in SNI_ONLY mode",
                   .demand =
                       "with the CA in SNI_ONLY mode (no verification certificate) it registers and connects; its "
                       "certificate's mode is SNI_ONLY",
                   .source = "the service's rules for SNI_ONLY",
                   .needs = {Capability::reset},
                   .defects = {"no-sni"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
                   .opportunity = "a first CONNECT",
                   .body = sni_only_mode_by_jitp,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "MODE-03",
                   .area = "modes",
                   .title = "lands in the account that owns its name",
                   .demand =
                       "CA DEFAULT in A and SNI_ONLY in B, one region: the device lands in the account that owns the "
                       "name it is configured with, whichever that is",
                   .source = "the service's routing by SNI",
                   .needs = {Capability::reset},
                   .defects = {"no-sni"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
                   .opportunity = "a CONNECT that was routed or refused",
                   .body = a_stranger_lands_by_name,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back({.id = "MODE-04",
                   .area = "modes",
                   .title = "refused until the CA is registered, then served",
                   .demand =
                       "refused because the account does not know the CA (by an alert, by a close; from the first "
                       "boot, after a served connection): served within the reconnect limit after the CA is "
                       "registered, with no reset by the rig",
                   .source = "house rule H1",
                   .needs = {Capability::reset},
                   .defects = {"give-up-after-refusal"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
                   .opportunity = "a refusal that reached the unit",
                   .waits = true,
                   .body = refused_then_registered,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back(
      {.id = "MODE-05",
       .area = "modes",
       .title = "refused until auto-registration is possible, then served",
       .demand = "the account has the CA INACTIVE, or with auto-registration DISABLE: refused, nothing registered; "
                 "served within the reconnect limit after it is enabled, with no reset by the rig",
       .source = "the service's rules for just-in-time provisioning; house rule H1",
       .needs = {Capability::reset},
       .defects = {"give-up-after-refusal"},
       .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
       .opportunity = "a refusal that reached the unit",
       .waits = true,
       .body = refused_then_enabled,
       .file = __FILE__,
       .line = __LINE__});
  cases.push_back({.id = "MODE-06",
                   .area = "modes",
                   .title = "registers again when the CA's mode is changed",
                   .demand = "certificate and CA deleted, the CA registered in the other mode: the device registers "
                             "again by itself, same certificate id, new mode; both directions",
                   .source = "the service's rules for certificate modes; house rules H1 and H2",
                   .needs = {Capability::reset},
                   .defects = {"no-sni", "no-reconnect", "give-up-after-refusal"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
                   .opportunity = "a served connection in the first mode",
                   .body = registers_again_in_the_other_mode,
                   .file = __FILE__,
                   .line = __LINE__});
  cases.push_back(
      {.id = "MODE-07",
       .area = "modes",
       .title = "is served where its certificate is registered without a CA",
       .demand = "registered without a CA (multi-account registration): it connects with its name, mode SNI_ONLY",
       .source = "the service's rules for RegisterCertificateWithoutCA",
       .needs = {Capability::reset},
       .defects = {"no-sni"},
       .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01"},
       .opportunity = "a ClientHello",
       .body = registered_without_its_ca,
       .file = __FILE__,
       .line = __LINE__});
  cases.push_back({.id = "MODE-08",
                   .area = "modes",
                   .title = "with its certificate in two accounts it lands by name",
                   .demand = "its certificate registered in A (DEFAULT) and in B (SNI_ONLY) of one region: the unit "
                             "lands by name in each",
                   .source = "the service's routing by SNI",
                   .needs = {Capability::reset},
                   .defects = {"no-sni", "sni-trailing-dot"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MODE-03"},
                   .opportunity = "a CONNECT that was routed or refused",
                   .body = a_registered_unit_lands_by_name,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
