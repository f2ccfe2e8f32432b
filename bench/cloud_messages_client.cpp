// A publisher and a subscriber over TLS: how fast messages go from one to the other.
//   hilmark_bench_cloud_messages FOLDER PORT QOS PAYLOAD_BYTES SECONDS
// The folder is that of hilmark_bench_cloud_endpoint. Each message is a TLS record of its own, as devices send them,
// but one write takes all that the window allows: the client is not what is measured. Prints the messages that arrived
// and the seconds they took.
#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "fixtures/cloud/endpoint/mqtt_packet.h"
#include "fixtures/cloud/endpoint/mqtt_writer.h"
#include "harness/base/unique_fd.h"

namespace {

using namespace hilmark;

/// Messages under way at once: the service's own bound for QoS 1. More would be dropped by a broker, QoS 0 included.
constexpr std::uint64_t window = 100;
constexpr int protocol_level = 4;
constexpr char topic[] = "bench/messages";

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "cloud_messages: {}\n", why);
  std::exit(1);
}

std::string text_of(const std::string& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

struct Release {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, Release>;

Context context_of(const std::string& folder) {
  Context context(SSL_CTX_new(TLS_client_method()));
  const std::string chain = folder + "/device_chain.pem";
  const std::string key = folder + "/device.key";
  if (SSL_CTX_use_certificate_chain_file(context.get(), chain.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    give_up("no device in " + folder);
  }
  return context;
}

class Client {
 public:
  Client(SSL_CTX* context, const std::string& name, std::uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), ssl_(SSL_new(context)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("no connection");
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
    while (SSL_connect(ssl_.get()) != 1) {
      send();
      receive();
    }
    send();
  }

  /// Encrypts; send() sends.
  void put(ByteView packet) {
    if (SSL_write(ssl_.get(), packet.data(), static_cast<int>(packet.size())) <= 0) give_up("not encrypted");
  }
  void send() {
    char* octets = nullptr;
    BIO* wire = SSL_get_wbio(ssl_.get());
    for (long left = BIO_get_mem_data(wire, &octets); left > 0;) {
      const ssize_t sent = ::send(socket_.get(), octets, static_cast<std::size_t>(left), MSG_NOSIGNAL);
      if (sent <= 0) give_up("the server closed a connection");
      octets += sent;
      left -= sent;
    }
    (void)BIO_reset(wire);
  }
  /// Waits for what the server sends next and calls `take` with each whole packet in it.
  template <class Take>
  void read_packets(Take take) {
    receive();
    std::array<std::uint8_t, 16384> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    for (int count = 0; (count = SSL_read(ssl_.get(), chunk.data(), chunk.size())) > 0;) {
      framer_.feed(ByteView(chunk).first(static_cast<std::size_t>(count)));
    }
    while (const auto packet = framer_.next()) take(*packet);
  }
  void await(cloud::PacketType wanted) {
    for (bool come = false; !come;) {
      read_packets([&](const cloud::MqttPacket& packet) { come = come || packet.type() == wanted; });
    }
  }
  [[nodiscard]] int descriptor() const { return socket_.get(); }

 private:
  void receive() {
    std::array<char, 65536> octets;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const ssize_t count = ::recv(socket_.get(), octets.data(), octets.size(), 0);
    if (count <= 0) give_up("the server closed a connection");
    BIO_write(SSL_get_rbio(ssl_.get()), octets.data(), static_cast<int>(count));
  }

  UniqueFd socket_;
  std::unique_ptr<SSL, Release> ssl_;
  cloud::MqttFramer framer_;
};

Bytes connect_packet(const std::string& client_id) {
  cloud::Connect connect;
  connect.protocol_level = protocol_level;
  connect.clean_session = true;
  connect.keep_alive_s = 60;
  connect.client_id = client_id;
  return cloud::write_connect(connect);
}

Bytes subscribe_packet(int qos) {
  cloud::Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.subscriptions.push_back({topic, static_cast<std::uint8_t>(qos)});
  return cloud::write_subscribe(subscribe, protocol_level);
}

struct Load {
  int qos = 0;
  Bytes payload;
  double seconds = 0;
};

class Flow {
 public:
  Flow(Client& publisher, Client& subscriber, const Load& load)
      : publisher_(publisher), subscriber_(subscriber), load_(load) {}

  /// How long it took to bring `arrived()` messages through.
  double run() {
    const auto begun = std::chrono::steady_clock::now();
    const auto elapsed_s = [begun] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    };
    while (elapsed_s() < load_.seconds) turn();
    return elapsed_s();
  }
  [[nodiscard]] std::uint64_t arrived() const { return arrived_; }

 private:
  void turn() {
    fill_window();
    pollfd ready[] = {{publisher_.descriptor(), POLLIN, 0}, {subscriber_.descriptor(), POLLIN, 0}};
    if (::poll(ready, 2, 5000) <= 0) give_up("nothing came for 5 s: a message was lost");
    if (ready[0].revents != 0) {
      publisher_.read_packets([this](const cloud::MqttPacket& packet) {
        if (packet.type() == cloud::PacketType::puback) ++acknowledged_;
      });
    }
    if (ready[1].revents != 0) take_messages();
  }
  void fill_window() {
    const std::uint64_t done = load_.qos == 0 ? arrived_ : std::min(arrived_, acknowledged_);
    // Half of it at least, so that neither side works message by message.
    if (published_ - done > window / 2) return;
    while (published_ - done < window) publisher_.put(next_publish());
    publisher_.send();
  }
  Bytes next_publish() {
    cloud::Publish publish;
    publish.topic = topic;
    publish.qos = load_.qos;
    if (load_.qos > 0) publish.packet_id = static_cast<std::uint16_t>(published_ % 60'000 + 1);
    ++published_;
    return cloud::write_publish(publish, load_.payload, protocol_level);
  }
  void take_messages() {
    subscriber_.read_packets([this](const cloud::MqttPacket& packet) {
      if (packet.type() != cloud::PacketType::publish) return;
      ++arrived_;
      if (load_.qos > 0)
        subscriber_.put(cloud::write_puback(cloud::parse_publish(packet, protocol_level).packet_id, 0));
    });
    subscriber_.send();
  }

  Client& publisher_;
  Client& subscriber_;
  const Load& load_;
  std::uint64_t published_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t acknowledged_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) give_up("usage: hilmark_bench_cloud_messages FOLDER PORT QOS PAYLOAD_BYTES SECONDS");
  const std::string folder = arguments[1];
  const auto port = static_cast<std::uint16_t>(std::stoul(arguments[2]));
  Load load;
  load.qos = std::stoi(arguments[3]);
  load.payload.assign(std::stoul(arguments[4]), 'x');
  load.seconds = std::stod(arguments[5]);
  const Context context = context_of(folder);
  const std::string name = text_of(folder + "/name");
  Client publisher(context.get(), name, port);
  Client subscriber(context.get(), name, port);
  for (auto [client, id] : {std::pair(&publisher, "publisher"), std::pair(&subscriber, "subscriber")}) {
    client->put(connect_packet(id));
    client->send();
    client->await(cloud::PacketType::connack);
  }
  subscriber.put(subscribe_packet(load.qos));
  subscriber.send();
  subscriber.await(cloud::PacketType::suback);
  Flow flow(publisher, subscriber, load);
  const double seconds = flow.run();
  fmt::print("{} {:.3f}\n", flow.arrived(), seconds);
  return 0;
}
