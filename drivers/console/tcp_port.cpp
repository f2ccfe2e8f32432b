#include "drivers/console/tcp_port.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "drivers/console/stream_thread.h"
#include "drivers/console/telnet.h"

namespace hilmark {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

/// A terminal server that loses its power is noticed within some 25 s.
void keep_alive(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(tcp::socket::keep_alive(true), ignored);
  constexpr std::array<std::pair<int, int>, 3> options{{{TCP_KEEPIDLE, 10}, {TCP_KEEPINTVL, 5}, {TCP_KEEPCNT, 3}}};
  for (const auto& [option, value] : options) {
    (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  }
}

std::string end_text(const error_code& how) {
  if (how == boost::asio::error::eof) return "closed the connection; is the port in use by another client?";
  if (how == boost::asio::error::connection_reset) return "reset the connection; was the terminal server restarted?";
  if (how == boost::asio::error::timed_out) return "does not answer any more; check its power and its network";
  if (how == boost::asio::error::no_buffer_space) return "negotiates telnet without end; say telnet: false";
  return how.message();
}

tl::unexpected<Error> connect_failure(const std::string& text, const error_code& why) {
  if (why == boost::asio::error::connection_refused) {
    return fail(ErrorKind::rig, "{}: nothing listens there (connection refused); check address and port", text);
  }
  return fail(ErrorKind::rig, "{}: connecting: {}", text, why.message());
}

}  // namespace

struct TcpPort::Inner {
  bool telnet = false;
  TelnetFilter filter;  // on the thread alone, once it runs
  StreamThread<tcp::socket> thread;

  Result<void> connect(const TcpAddress& address, const std::string& text, Milliseconds limit);
  void take(ByteView received, const std::function<void(ByteView)>& on_data);
};

Result<void> TcpPort::Inner::connect(const TcpAddress& address, const std::string& text, Milliseconds limit) {
  error_code resolved;
  const auto found = tcp::resolver(thread.io()).resolve(address.host, address.port, resolved);
  if (resolved) {
    const bool unknown = resolved == boost::asio::error::host_not_found;
    return fail(unknown ? ErrorKind::usage : ErrorKind::rig, "{}: resolving {}: {}", text, address.host,
                resolved.message());
  }
  error_code connected = boost::asio::error::would_block;
  bool done = false;
  boost::asio::async_connect(thread.stream(), found, [&](const error_code& outcome, const tcp::endpoint&) {
    connected = outcome;
    done = true;
    thread.io().stop();
  });
  thread.io().run_for(limit);
  if (!done) {
    error_code ignored;
    thread.stream().close(ignored);
    thread.io().restart();
    thread.io().poll();  // the handlers, which refer to what is here
    return fail(ErrorKind::timeout, "{} did not answer within {} ms; check its power and its network", text,
                limit.count());
  }
  if (connected) return connect_failure(text, connected);
  keep_alive(thread.stream());
  return {};
}

void TcpPort::Inner::take(ByteView received, const std::function<void(ByteView)>& on_data) {
  if (!telnet) return on_data(received);
  TelnetFilter::Step step = filter.feed(received);
  if (!step.data.empty()) on_data(step.data);
  if (!step.reply.empty() && !thread.send(std::move(step.reply))) thread.end(boost::asio::error::no_buffer_space);
}

TcpPort::TcpPort(std::string text) : text_(std::move(text)), inner_(std::make_unique<Inner>()) {}

TcpPort::~TcpPort() = default;

Result<std::unique_ptr<ConsolePort>> TcpPort::open(const ConsoleConfig& config, Callbacks callbacks,
                                                   Milliseconds limit) {
  const auto address = parse_tcp_address(config.address);
  if (!address) return fail(address.error());
  const std::string text = fmt::format("the console at {} {}", config.telnet ? "telnet" : "tcp", config.address);
  std::unique_ptr<TcpPort> port(new TcpPort(text));
  Inner& inner = *port->inner_;
  inner.telnet = config.telnet;
  if (const auto connected = inner.connect(*address, text, limit); !connected) return fail(connected.error());
  inner.thread.run();
  inner.thread.start({[&inner, on_data = std::move(callbacks.on_data)](ByteView data) { inner.take(data, on_data); },
                      [text, on_closed = std::move(callbacks.on_closed)](const error_code& how) {
                        on_closed({ErrorKind::rig, fmt::format("{} {}", text, end_text(how))});
                      }});
  return port;
}

Result<void> TcpPort::write(ByteView data, Milliseconds limit) {
  if (!inner_->telnet) return inner_->thread.write(data, limit, text_);
  const Bytes escaped = inner_->thread.call([&] { return inner_->filter.escaped(data); });
  return inner_->thread.write(escaped, limit, text_);
}

}  // namespace hilmark
