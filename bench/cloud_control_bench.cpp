// How many signed requests the control plane answers on one core, over connections that are kept.
//   hilmark_bench_cloud_control CONTROL_PLANE_SERVER [SECONDS [CONNECTIONS]]
// The requests (GetRegistrationCode and DescribeCertificate in turn) are signed beforehand; the server is a process of
// its own, whose processor time is read from /proc.
#include <cstdio>
#include <fstream>
#include <sstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <boost/json/parse.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/cloud/control_plane/sigv4_testing.h"
#include "harness/base/unique_fd.h"

namespace {

using namespace hilmark;
using cloud::testing::ClientRequest;
using cloud::testing::signed_request;

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "cloud_control: {}\n", why);
  std::exit(1);
}

/// The server as a child: ends with its standard input, that is with this object.
class ServerProcess {
 public:
  explicit ServerProcess(const char* path) {
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) give_up("no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(to[0], STDIN_FILENO);
      ::dup2(from[1], STDOUT_FILENO);
      ::execl(path, path, nullptr);
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    input_ = UniqueFd(to[1]);
    output_ = UniqueFd(from[0]);
    char line[64] = {};
    if (::read(output_.get(), line, sizeof line - 1) <= 0 || std::sscanf(line, "port %hu", &port_) != 1) {
      give_up(std::string("cannot start ") + path);
    }
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    input_ = UniqueFd();
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// User and system time since its start.
  [[nodiscard]] double processor_s() const {
    std::ifstream file(fmt::format("/proc/{}/stat", pid_));
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

 private:
  pid_t pid_ = -1;
  UniqueFd input_;
  UniqueFd output_;
  std::uint16_t port_ = 0;
};

class Connection {
 public:
  explicit Connection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("no connection");
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  void send(const std::string& wire) const {
    if (::send(socket_.get(), wire.data(), wire.size(), 0) != static_cast<ssize_t>(wire.size())) give_up("not sent");
  }
  /// Reads what is there; the body once the answer is whole.
  std::optional<std::string> receive() {
    char octets[8192];
    const ssize_t count = ::recv(socket_.get(), octets, sizeof octets, 0);
    if (count <= 0) give_up("the server closed a connection");
    received_.append(octets, static_cast<std::size_t>(count));
    const std::size_t head = received_.find("\r\n\r\n");
    if (head == std::string::npos) return std::nullopt;
    if (!received_.starts_with("HTTP/1.1 200 ")) give_up("refused: " + received_);
    const std::size_t length = std::stoul(received_.substr(received_.find("Content-Length: ") + 16, 12));
    if (received_.size() < head + 4 + length) return std::nullopt;
    std::string body = received_.substr(head + 4, length);
    received_.clear();
    return body;
  }
  [[nodiscard]] int descriptor() const { return socket_.get(); }

 private:
  UniqueFd socket_;
  std::string received_;
};

std::string new_certificate(std::uint16_t port, WallTime now) {
  Connection connection(port);
  connection.send(signed_request({"POST", "/keys-and-certificate", "setAsActive=true"}, {}, now).wire());
  std::optional<std::string> body;
  while (!body) body = connection.receive();
  return std::string(boost::json::parse(*body).as_object().at("certificateId").as_string());
}

struct Count {
  std::uint64_t answers = 0;
  double seconds = 0;
};

Count run(std::vector<Connection>& connections, const std::vector<std::string>& requests, double seconds) {
  const UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  for (std::size_t i = 0; i < connections.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, connections[i].descriptor(), &event);
    connections[i].send(requests[i % requests.size()]);
  }
  Count count;
  const auto begun = std::chrono::steady_clock::now();
  const auto elapsed_s = [begun] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  while (elapsed_s() < seconds) {
    epoll_event events[64];
    const int ready = ::epoll_wait(poll.get(), events, 64, 1000);
    for (int i = 0; i < ready; ++i) {
      Connection& connection = connections[events[i].data.u64];
      if (!connection.receive()) continue;
      connection.send(requests[++count.answers % requests.size()]);
    }
  }
  count.seconds = elapsed_s();
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) give_up("usage: hilmark_bench_cloud_control CONTROL_PLANE_SERVER [SECONDS [CONNECTIONS]]");
  const double seconds = argc > 2 ? std::stod(argv[2]) : 5;
  const int connection_count = argc > 3 ? std::stoi(argv[3]) : 32;
  const ServerProcess server(argv[1]);
  const WallTime now = SystemClock().wall();
  const std::string id = new_certificate(server.port(), now);
  const std::vector<std::string> requests{signed_request({"GET", "/registrationcode"}, {}, now).wire(),
                                          signed_request({"GET", "/certificates/" + id}, {}, now).wire()};
  std::vector<Connection> connections;
  for (int i = 0; i < connection_count; ++i) connections.emplace_back(server.port());
  const double before_s = server.processor_s();
  const Count count = run(connections, requests, seconds);
  const double used_s = server.processor_s() - before_s;
  const auto answers = static_cast<double>(count.answers);
  fmt::print(
      "{} requests in {:.1f} s: {:.0f} requests/s; server {:.2f} s of processor: {:.0f} requests/s of one core\n",
      count.answers, count.seconds, answers / count.seconds, used_s, answers / used_s);
  return 0;
}
