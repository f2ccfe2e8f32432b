// What the evidence of a handshake costs the endpoint: full mutual TLS 1.3 handshakes without a network, and within
// them, where connection.cpp records, all that it records between TCP's accept and its close. Timed one by one between
// TLS's own work, whose octets push theirs out of the caches: in a loop by itself it would look three times as cheap.
// Prints the medians of a device with its leaf alone and of one with its chain: microseconds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "fixtures/cloud/endpoint/recorder.h"
#include "fixtures/cloud/endpoint/ticket_book.h"
#include "fixtures/pki/pki.h"

namespace {

using namespace hilmark;

constexpr int rounds = 1500;
constexpr char name[] = "abcdefghij0123-ats.iot.us-east-1.amazonaws.com";

struct Release {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, Release>;
using Ssl = std::unique_ptr<SSL, Release>;

Context client_of(const pki::DeviceCredential& device, bool with_chain) {
  Context context(SSL_CTX_new(TLS_client_method()));
  const auto leaf = pki::read_certificate(device.certificate_pem);
  const auto key = pki::read_private_key(device.private_key_pem);
  SSL_CTX_use_certificate(context.get(), leaf->get());
  SSL_CTX_use_PrivateKey(context.get(), key->get());
  for (const std::string& pem : device.issuers_pem) {
    if (with_chain) SSL_CTX_add1_chain_cert(context.get(), pki::read_certificate(pem)->get());
  }
  return context;
}

Bytes said_by(SSL* client) {
  SSL_do_handshake(client);
  Bytes octets(BIO_ctrl_pending(SSL_get_wbio(client)));
  if (!octets.empty()) BIO_read(SSL_get_wbio(client), octets.data(), static_cast<int>(octets.size()));
  return octets;
}

/// Handshakes of one device, and what their evidence took.
class Handshakes {
 public:
  Handshakes(std::shared_ptr<const cloud::TlsContext> server, Context client)
      : server_(std::move(server)), client_(std::move(client)) {}

  double median_us() {
    std::vector<double> took;
    for (int i = 0; i < rounds; ++i) {
      spent_ = {};
      one();
      took.push_back(std::chrono::duration<double, std::micro>(spent_).count());
      log_.forget(log_.newest());
    }
    std::nth_element(took.begin(), took.begin() + rounds / 2, took.end());
    return took[rounds / 2];
  }

 private:
  template <class Record>
  void timed(Record record) {
    const auto begun = std::chrono::steady_clock::now();
    record();
    spent_ += std::chrono::steady_clock::now() - begun;
  }

  void one() {
    const Ssl client(SSL_new(client_.get()));
    SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client.get());
    SSL_set_tlsext_host_name(client.get(), name);
    cloud::Recorder recorder(log_, {1, "us-east-1", "unit"});
    timed([&] {
      recorder.add("tcp_accepted", {{"peer", "127.0.0.1:40000"}, {"local", "127.0.0.1:8883"}, {"listener", "mqtt"}});
    });
    Bytes octets = said_by(client.get());
    cloud::ClientHelloReader hello;
    hello.feed(octets);
    timed([&] { recorder.add("client_hello", cloud::evidence_of(hello.hello(), tickets_)); });
    cloud::TlsEngine::Options options;
    options.judge = [&](const std::vector<pki::Certificate>& certificates) -> std::optional<cloud::TlsAlertCode> {
      timed([&] { recorder.add("client_certificates", cloud::evidence_of(certificates, signatures_)); });
      return std::nullopt;
    };
    options.issuers = &issuers_;
    const auto engine = std::move(*cloud::TlsEngine::make(server_, std::move(options)));
    for (; !octets.empty(); octets = said_by(client.get())) {
      engine->feed(octets);
      const Bytes answer = engine->take_output();
      if (!answer.empty()) BIO_write(SSL_get_rbio(client.get()), answer.data(), static_cast<int>(answer.size()));
    }
    if (engine->state() != cloud::TlsEngine::State::established) {
      fmt::print(stderr, "cloud_evidence: no handshake: {}\n", engine->failure().reason);
      std::exit(1);
    }
    timed([&] {
      recorder.add("handshake_done", {{"version", engine->version()},
                                      {"cipher", engine->cipher()},
                                      {"protocol", "mqtt"},
                                      {"alpn", ""},
                                      {"duration_ms", 1}});
      recorder.add("closed", {{"by", "peer"}, {"clean", false}, {"reset", false}, {"delivered", true}});
    });
  }

  std::shared_ptr<const cloud::TlsContext> server_;
  Context client_;
  SystemClock clock_;
  EvidenceLog log_{clock_};
  cloud::CertificatePool issuers_;
  pki::SignatureMemo signatures_;
  cloud::TicketBook tickets_;
  std::chrono::steady_clock::duration spent_{};
};

}  // namespace

int main() {
  const SystemClock clock;
  const auto servers = pki::ServerAuthority::make(clock);
  const auto devices = pki::DeviceAuthority::make(clock);
  if (!servers || !devices) return 1;
  const auto credential = servers->issue({.name = name});
  auto device = devices->make_device("unit-1");
  if (!credential || !device) return 1;
  device->issuers_pem = {devices->ca_pem()};
  const auto server = cloud::TlsContext::make(**credential);
  if (!server) return 1;
  for (const bool with_chain : {false, true}) {
    fmt::print("{:.1f}\n", Handshakes(*server, client_of(*device, with_chain)).median_us());
  }
  return 0;
}
