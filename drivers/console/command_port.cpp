#include "drivers/console/command_port.h"

#include <array>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "drivers/console/stream_thread.h"
#include "harness/base/child_process.h"

namespace hilmark {
namespace {

using boost::system::error_code;

constexpr std::size_t max_last_words = 400;
constexpr Milliseconds end_limit{500};  // of a program that has closed its output

}  // namespace

/// All but open() runs on the port's thread, which starts the program, since it dies with the thread that did.
struct CommandPort::Inner {
  ChildProcess child;
  std::string last_words;
  std::array<char, 1024> error_buffer{};
  StreamThread<boost::asio::local::stream_protocol::socket> thread;
  boost::asio::posix::stream_descriptor errors{thread.io()};
  boost::asio::posix::stream_descriptor ended{thread.io()};

  Result<void> start(const std::vector<std::string>& command);
  void read_errors();
  /// Keeps the last of what the program says by its standard error.
  void hear_words(std::size_t size);
  void await_end();
  /// How it ended, for people.
  std::string end_text();
};

Result<void> CommandPort::Inner::start(const std::vector<std::string>& command) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return fail(ErrorKind::rig, "socketpair: {}", errno_text(errno));
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  ChildOptions options;
  options.command = command;
  options.keep_preload = true;
  options.descriptors = {{0, theirs.get()}, {1, theirs.get()}};  // what is left in its output pipe is standard error
  auto started = ChildProcess::start(options);
  if (!started) return fail(started.error());
  child = std::move(*started);
  error_code error;
  thread.stream().assign({}, ours.get(), error);
  if (error) return fail(ErrorKind::rig, "{}: {}", command[0], error.message());
  (void)ours.release();
  errors.assign(child.take_output().release(), error);
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0)));
  if (process) ended.assign(process.release(), error);
  if (error || !ended.is_open()) return fail(ErrorKind::rig, "{}: cannot be watched", command[0]);
  read_errors();
  return {};
}

void CommandPort::Inner::hear_words(std::size_t size) {
  last_words.append(error_buffer.data(), size);
  if (last_words.size() > max_last_words) last_words.erase(0, last_words.size() - max_last_words);
}

void CommandPort::Inner::read_errors() {
  errors.async_read_some(boost::asio::buffer(error_buffer), [this](const error_code& error, std::size_t size) {
    hear_words(size);
    if (!error) read_errors();
  });
}

void CommandPort::Inner::await_end() {
  // Its output may be held open by programs that it has started; it has ended all the same.
  ended.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const error_code& error) {
    if (!error) thread.drain_and_end({});
  });
}

std::string CommandPort::Inner::end_text() {
  const SystemClock clock;
  const auto status = child.wait(Deadline(clock, end_limit));
  error_code error;
  errors.non_blocking(true, error);
  while (!error) {
    hear_words(errors.read_some(boost::asio::buffer(error_buffer), error));
  }
  while (!last_words.empty() && last_words.back() == '\n') last_words.pop_back();
  const std::string how = status ? "ended with " + status->text() : "closed its output, and runs on";
  return last_words.empty() ? how : fmt::format("{}: {}", how, printable(last_words));
}

CommandPort::CommandPort(std::string text) : text_(std::move(text)), inner_(std::make_unique<Inner>()) {}

CommandPort::~CommandPort() {
  inner_->thread.call([this] {
    inner_->thread.fall_silent();
    error_code ignored;
    inner_->thread.stream().shutdown(boost::asio::socket_base::shutdown_both, ignored);
    if (inner_->child.pid() > 0) (void)inner_->child.stop(grace);
  });
  inner_->thread.stop();  // before what its handlers use
}

Result<std::unique_ptr<ConsolePort>> CommandPort::open(const std::vector<std::string>& command, Callbacks callbacks) {
  const std::string text = fmt::format("the console program {}", command.at(0));
  std::unique_ptr<CommandPort> port(new CommandPort(text));
  Inner& inner = *port->inner_;
  inner.thread.run();
  const auto started = inner.thread.call([&] { return inner.start(command); });
  if (!started) return fail(started.error());
  inner.thread.start(
      {std::move(callbacks.on_data), [&inner, text, on_closed = std::move(callbacks.on_closed)](const error_code&) {
         on_closed({ErrorKind::rig, fmt::format("{} {}", text, inner.end_text())});
       }});
  inner.thread.call([&] { inner.await_end(); });
  return port;
}

Result<void> CommandPort::write(ByteView data, Milliseconds limit) { return inner_->thread.write(data, limit, text_); }

}  // namespace hilmark
