// A device on OpenSSL 3: TLS 1.2 and 1.3 with resumption, MQTT 5. README.md in the folder above says how it is used.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <random>

#include <poll.h>

#include "boards/process/openssl_client/backoff.h"
#include "boards/process/openssl_client/claim_session.h"
#include "boards/process/openssl_client/https_publisher.h"
#include "boards/process/openssl_client/mqtt_session.h"
#include "boards/process/openssl_client/own_identity.h"
#include "boards/process/openssl_client/tls_link.h"

namespace openssl_client {
namespace {

void say(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

TicketStore::Rules rules_of(Defect defect) {
  return {defect == Defect::ticket_shared_across_hosts, defect == Defect::resumes_old_identity};
}

/// On 443 the service tells MQTT from HTTPS by ALPN.
LinkPlan mqtt_plan(const Settings& settings, bool send_name) {
  LinkPlan plan{.port = settings.port, .protocol = "", .send_name = send_name};
  if (settings.port != "443" || settings.defect == Defect::alpn_missing) return plan;
  plan.protocol = settings.defect == Defect::alpn_wrong ? "mqtt" : "x-amzn-mqtt-ca";
  return plan;
}

void wait_before_next(Backoff& backoff) {
  const Milliseconds pause = backoff.next();
  say("next attempt in " + std::to_string(pause.count()) + " ms");
  ::poll(nullptr, 0, static_cast<int>(pause.count()));
}

/// The device before it has an identity: connects with its claim until it got one.
class ClaimedDevice {
 public:
  explicit ClaimedDevice(const Settings& settings)
      : settings_(settings),
        claim_(with_claim(settings)),
        tickets_("", "", {}),
        backoff_(settings.backoff_cap, std::random_device()()) {}

  void provision() {
    while (!provision_once()) wait_before_next(backoff_);
  }

 private:
  static Settings with_claim(Settings settings) {
    settings.chain_file = settings.claim_chain_file;
    settings.key_file = settings.claim_key_file;
    return settings;
  }

  bool provision_once() {
    const OwnKey key;
    TlsLink link(claim_, tickets_);
    bool done = false;
    try {
      LinkPlan plan = mqtt_plan(claim_, true);
      plan.resume = false;  // Nothing of the claim is to outlive it.
      link.open(plan);
      say("connected to " + claim_.endpoint + " with the claim by " + link.description());
      ClaimSession session(claim_, key.request(claim_.client_id), Clock::now());
      talk(link, session);
      store_own_identity(settings_, key, session.certificate_pem());
      say("provisioned");
      done = true;
    } catch (const ConnectionLost& lost) {
      say(std::string("not provisioned: ") + lost.what());
    }
    link.close();
    return done;
  }

  static void talk(TlsLink& link, ClaimSession& session) {
    while (!session.provisioned()) {
      session.tick(Clock::now());
      link.send(session.take_output());
      const Bytes octets = link.receive(session.next_deadline());
      session.receive(octets, Clock::now());
    }
    link.send(session.take_output());
  }

  const Settings& settings_;
  const Settings claim_;
  TicketStore tickets_;  // stays empty
  Backoff backoff_;
};

class Device {
 public:
  explicit Device(Settings settings)
      : settings_(std::move(settings)),
        tickets_(settings_.ticket_file, fingerprint(settings_.chain_file, settings_.key_file),
                 rules_of(settings_.defect)),
        session_(settings_),
        https_(settings_, tickets_),
        backoff_(settings_.backoff_cap, std::random_device()()) {}

  /// Never gives up.
  [[noreturn]] void run() {
    while (true) {
      connect_once();
      wait_before_next(backoff_);
    }
  }

 private:
  void connect_once() {
    served_since_.reset();
    TlsLink link(settings_, tickets_);
    try {
      link.open(mqtt_plan(settings_, !name_dropped_));
      say("connected to " + settings_.endpoint + " by " + link.description());
      talk(link);
    } catch (const NameRefused& refused) {
      say(std::string("refused: ") + refused.what());
      if (settings_.defect == Defect::sni_drop_on_alert) name_dropped_ = true;
    } catch (const ConnectionLost& lost) {
      say(std::string("lost: ") + lost.what());
    }
    link.close();
    if (served_since_) backoff_.served_for(std::chrono::duration_cast<Milliseconds>(Clock::now() - *served_since_));
  }

  [[noreturn]] void talk(TlsLink& link) {
    session_.begin(Clock::now());
    while (true) {
      session_.tick(Clock::now());
      link.send(session_.take_output());
      if (session_.served()) publish_by_https();
      const Bytes octets = link.receive(std::min(session_.next_deadline(), https_.next_deadline()));
      session_.receive(octets, Clock::now());
      if (session_.served() && !served_since_) {
        served_since_ = Clock::now();
        name_dropped_ = false;
        say("served");
      }
    }
  }

  void publish_by_https() {
    const std::string outcome = https_.tick(Clock::now());
    if (outcome.empty() || outcome == https_outcome_) return;
    https_outcome_ = outcome;
    say("HTTPS: " + outcome);
  }

  const Settings settings_;
  TicketStore tickets_;
  MqttSession session_;
  HttpsPublisher https_;
  std::string https_outcome_;  // told already
  Backoff backoff_;
  std::optional<Clock::time_point> served_since_;
  bool name_dropped_ = false;
};

void provision_if_need_be(const Settings& settings) {
  if (settings.claim_chain_file.empty()) return;
  if (has_own_identity(settings) && settings.defect != Defect::claim_reused) return;
  ClaimedDevice(settings).provision();
}

}  // namespace

[[noreturn]] void run(const Settings& settings) {
  provision_if_need_be(settings);
  Device(settings).run();
}

}  // namespace openssl_client

int main(int argc, char** argv) {
  // A peer that is gone is an error of a write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    openssl_client::run(openssl_client::read_settings({argv + 1, argv + argc}));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "openssl_client: %s\n", error.what());
  }
  return 2;
}
