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

// A knows the CA in DEFAULT mode, B in SNI_ONLY mode; the unit's endpoint name belongs to A, then to B.
// Assures that the name alone decides, whichever account it is.
// Fails firmware without SNI, which always lands in the DEFAULT account.
void lands_where_the_name_belongs(Bench& bench) {
  for (const cloud::Place& owner : {bench.account_a(), bench.account_b()}) {
    bench.lay_out({{bench.account_a(), CertificateMode::default_mode, false},
                   {bench.account_b(), CertificateMode::sni_only, false}},
                  Bench::Connections::kept);
    bench.give_name_to(owner);
    const std::uint64_t mark = bench.reset_unit();
    const EvidencePtr served = bench.await_served(mark, bench.connect_limit());
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

// The account does not know the CA: the unit is refused, by an alert and by a close, from its first boot and after a
// served connection; then the CA is registered.
// Assures that a device shipped before its CA was registered needs no visit.
// Fails firmware that gives up after some refusals until it is reset.
void refused_then_registered(Bench& bench) {
  for (const RefuseForm form : {RefuseForm::alert, RefuseForm::close_after_connect}) {
    for (const bool from_boot : {true, false}) {
      const auto refuse = [&] {
        if (from_boot) {
          bench.lay_out({}, Bench::Connections::kept);
        } else {
          bench.forget_registrations();
        }
        bench.cloud().set_deviation({.refuse = form});
        if (from_boot) bench.reset_unit();
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
                   .body = lands_where_the_name_belongs,
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
                   .body = refused_then_registered,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
