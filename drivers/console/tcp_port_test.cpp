#include "drivers/console/tcp_port.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "drivers/console/port_testing.h"
#include "harness/base/unique_fd.h"

namespace hilmark {
namespace {

using testing::HasSubstr;

/// A listener on loopback; the kernel takes connections for it, so that the test needs no thread.
class Server {
 public:
  explicit Server(int backlog) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    (void)::bind(listener_.get(), generic(), sizeof address_);
    (void)::listen(listener_.get(), backlog);
    socklen_t size = sizeof address_;
    (void)::getsockname(listener_.get(), generic(), &size);
  }
  [[nodiscard]] std::string address() const { return fmt::format("127.0.0.1:{}", ntohs(address_.sin_port)); }
  [[nodiscard]] UniqueFd accept() const {
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval patience{10, 0};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return connection;
  }
  /// A client that is never accepted.
  [[nodiscard]] UniqueFd wait_in_line() const {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(client.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
    return client;
  }
  void close() { listener_.reset(); }

 private:
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&address_); }

  sockaddr_in address_{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
  UniqueFd listener_;
};

Bytes receive(const UniqueFd& connection, std::size_t octets) {
  Bytes received(octets);
  std::size_t size = 0;
  while (size < octets) {
    const ssize_t count = ::recv(connection.get(), received.data() + size, octets - size, 0);
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  received.resize(size);
  return received;
}

void send(const UniqueFd& connection, ByteView data) {
  (void)::send(connection.get(), data.data(), data.size(), MSG_NOSIGNAL);
}

class TcpPortTest : public testing::Test {
 protected:
  void open(bool telnet = false) {
    auto opened =
        TcpPort::open({.transport = "tcp", .address = server.address(), .telnet = telnet}, listener.callbacks());
    ASSERT_TRUE(opened) << opened.error().message;
    port = std::move(*opened);
    peer = server.accept();
  }

  Server server{8};
  PortListener listener;
  std::unique_ptr<ConsolePort> port;
  UniqueFd peer;
};

TEST_F(TcpPortTest, CarriesAThousandLinesBothWays) {
  open();
  std::string sent;
  for (int line = 0; line < 1000; ++line) {
    const std::string text = fmt::format("line {}\r\n", line);
    ASSERT_TRUE(port->write(as_bytes(text), Milliseconds{5000}));
    const Bytes arrived = receive(peer, text.size());
    ASSERT_EQ(as_text(arrived), text);
    send(peer, arrived);
    sent += text;
  }
  EXPECT_EQ(listener.heard(sent.size()), sent);
}

TEST_F(TcpPortTest, RawOctetsAreNoTelnet) {
  open();
  const Bytes octets{255, 253, 1, 0, 13};
  ASSERT_TRUE(port->write(octets, Milliseconds{5000}));
  EXPECT_EQ(receive(peer, octets.size()), octets);
  send(peer, octets);
  EXPECT_EQ(listener.heard(octets.size()), as_text(octets));
}

TEST_F(TcpPortTest, TelnetIsNegotiatedAndTakenOut) {
  open(true);
  send(peer, Bytes{255, 251, 1, 255, 253, 3, 'O', 'K', 255, 255, 13, 10});
  EXPECT_EQ(receive(peer, 6), (Bytes{255, 254, 1, 255, 251, 3}));
  EXPECT_EQ(listener.heard(5), "OK\xff\r\n");
  ASSERT_TRUE(port->write(Bytes{'A', 255, 13}, Milliseconds{5000}));
  EXPECT_EQ(receive(peer, 5), (Bytes{'A', 255, 255, 13, 0}));
}

TEST_F(TcpPortTest, TheServersEndIsToldWithAHint) {
  open();
  send(peer, as_bytes("last"));
  peer.reset();
  const auto end = listener.ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, ErrorKind::rig);
  EXPECT_THAT(end->message, HasSubstr("the console at tcp " + server.address() + " closed the connection"));
  EXPECT_EQ(listener.heard(4), "last");
}

TEST_F(TcpPortTest, AResetIsToldAsOne) {
  open();
  const linger at_once{1, 0};
  ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  peer.reset();
  const auto end = listener.ended();
  ASSERT_TRUE(end);
  EXPECT_THAT(end->message, HasSubstr("reset the connection"));
  EXPECT_EQ(listener.ends(), 1);
}

TEST_F(TcpPortTest, APeerThatReadsNothingTimesTheWriteOutAndCanBeClosed) {
  open();
  const auto written = port->write(Bytes(32U << 20, 'x'), Milliseconds{100});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::timeout);
  port.reset();
  EXPECT_EQ(listener.ends(), 0);
}

TEST_F(TcpPortTest, WhereNothingListensIsSaid) {
  server.close();
  const auto opened = TcpPort::open({.transport = "tcp", .address = server.address()}, listener.callbacks());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::rig);
  EXPECT_THAT(opened.error().message, HasSubstr(server.address() + ": nothing listens there"));
}

TEST_F(TcpPortTest, AServerThatDoesNotAnswerTimesOut) {
  Server full(0);
  std::vector<UniqueFd> in_line;
  for (int client = 0; client < 3; ++client) in_line.push_back(full.wait_in_line());
  const auto opened =
      TcpPort::open({.transport = "tcp", .address = full.address()}, listener.callbacks(), Milliseconds{100});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::timeout);
  EXPECT_THAT(opened.error().message, HasSubstr(full.address() + " did not answer within 100 ms"));
}

}  // namespace
}  // namespace hilmark
