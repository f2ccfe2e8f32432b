#include "boards/virtual/tty_node.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "boards/virtual/preload_protocol.h"
#include "boards/virtual/unix_socket.h"

namespace virtual_lab {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t chunk_bytes = 512;

// No line discipline between board and host until the host asks for one; and none of the last host's settings.
void make_raw(int terminal) {
  termios settings{};
  ::tcgetattr(terminal, &settings);
  ::cfmakeraw(&settings);
  ::cfsetspeed(&settings, B9600);
  ::tcsetattr(terminal, TCSANOW, &settings);
}

}  // namespace

void TtyClients::serve(UniqueFd connection, std::weak_ptr<UniqueFd> terminal) {
  const int fd = connection.get();
  clients_.insert_or_assign(fd, Client{std::move(connection), std::move(terminal), {}});
  loop_.watch(fd, POLLIN, [this, fd](short) { answer(fd); });
}

void TtyClients::answer(int fd) {
  constexpr std::int64_t not_handled = -100;  // umockdev then makes the real call
  Client& client = clients_.at(fd);
  std::array<std::uint8_t, 16 * sizeof(PreloadMessage)> buffer{};
  const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return gone(fd);
  client.unfinished.insert(client.unfinished.end(), buffer.begin(), buffer.begin() + size);
  while (client.unfinished.size() >= sizeof(PreloadMessage)) {
    client.unfinished.erase(client.unfinished.begin(),
                            client.unfinished.begin() + static_cast<std::ptrdiff_t>(sizeof(PreloadMessage)));
    PreloadReply reply;
    reply.done(0, not_handled);
    const ByteView bytes = reply.bytes();
    // A client waits for each answer, so there is room for it, unless it is no such client.
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return gone(fd);
  }
}

void TtyClients::gone(int fd) {
  loop_.unwatch(fd);
  const std::shared_ptr<UniqueFd> terminal = clients_.at(fd).terminal.lock();
  clients_.erase(fd);
  if (!terminal) return;
  const bool is_open_still = std::any_of(clients_.begin(), clients_.end(),
                                         [&](const auto& entry) { return entry.second.terminal.lock() == terminal; });
  if (is_open_still) return;
  // What the kernel does when a tty is closed for the last time, and does not do here, since we hold it too.
  ::ioctl(terminal->get(), TIOCNXCL);
  make_raw(terminal->get());
}

void TtyClients::disconnect_all() {
  for (const auto& [fd, client] : clients_) loop_.unwatch(fd);
  clients_.clear();
}

Result<std::unique_ptr<TtyNode>> TtyNode::make(EventLoop& loop, TtyClients& clients, const Place& place, Board board) {
  std::unique_ptr<TtyNode> node(new TtyNode(loop, clients, std::move(board)));
  if (const auto opened = node->open_terminal(); !opened) return failure(opened.error());
  // The preload library looks for a node's socket below "ioctl". It must listen before anybody can open the node.
  const auto listening = node->listen(place.root / "ioctl/dev" / name(place.number));
  if (!listening) return failure(listening.error());
  if (const auto linked = node->link(place); !linked) return failure(linked.error());
  node->watch();
  return node;
}

TtyNode::~TtyNode() {
  std::error_code ignored;
  for (const fs::path& file : files_) fs::remove(file, ignored);
  if (listener_.valid()) loop_.unwatch(listener_.get());
  if (board_end_.valid()) loop_.unwatch(board_end_.get());
}

Result<void> TtyNode::open_terminal() {
  board_end_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  std::array<char, 64> path{};
  if (!board_end_.valid() || ::grantpt(board_end_.get()) != 0 || ::unlockpt(board_end_.get()) != 0 ||
      ::ptsname_r(board_end_.get(), path.data(), path.size()) != 0) {
    return errno_failure("cannot make a pseudo terminal");
  }
  terminal_path_ = path.data();
  terminal_->reset(::open(path.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal_->valid()) return errno_failure(fmt::format("cannot open {}", terminal_path_));
  make_raw(terminal_->get());
  return {};
}

Result<void> TtyNode::listen(const fs::path& path) {
  constexpr int backlog = 128;
  auto listener = listen_at(path, backlog);
  if (!listener) return failure(listener.error());
  listener_ = std::move(*listener);
  files_.push_back(path);
  loop_.watch(listener_.get(), POLLIN, [this](short) {
    for (;;) {
      UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection.valid()) return;
      clients_.serve(std::move(connection), terminal_);
    }
  });
  return {};
}

// The node, and what the preload library must know of it: that /dev/pts/3 is a terminal of the lab's.
Result<void> TtyNode::link(const Place& place) try {
  const fs::path map = place.root / "dev/.ptymap";
  fs::create_directories(map);
  std::string flat = terminal_path_;
  std::replace(flat.begin(), flat.end(), '/', '_');
  const fs::path node = place.root / "dev" / name(place.number);
  constexpr const char* terminal_number = "4:64";  // major 4: isatty() says yes
  for (const auto& [file, target] : {std::pair(map / flat, std::string(terminal_number)), {node, terminal_path_}}) {
    fs::remove(file);
    fs::create_symlink(target, file);
    files_.push_back(file);
  }
  return {};
} catch (const fs::filesystem_error& error) {
  return failure(fmt::format("cannot make a tty of the lab: {}", error.what()));
}

void TtyNode::pump() {
  if (moving_) return;  // the board calls back while it takes input
  moving_ = true;
  while (move_input()) {
  }
  while (move_output()) {
  }
  moving_ = false;
  watch();
}

// Whether there may be more.
bool TtyNode::move_input() {
  if (input_.empty()) {
    input_.resize(chunk_bytes);
    const ssize_t size = ::read(board_end_.get(), input_.data(), input_.size());
    input_.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (input_.empty()) return false;
  }
  const std::size_t taken = board_.take_input(input_);
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(taken));
  return taken > 0;
}

bool TtyNode::move_output() {
  if (output_.empty()) {
    output_.resize(chunk_bytes);
    output_.resize(board_.give_output(output_));
    if (output_.empty()) return false;
  }
  const ssize_t size = ::write(board_end_.get(), output_.data(), output_.size());
  if (size <= 0) return false;
  output_.erase(output_.begin(), output_.begin() + size);
  return true;
}

void TtyNode::watch() {
  const int events = (input_.empty() ? POLLIN : 0) | (output_.empty() ? 0 : POLLOUT);
  loop_.watch(board_end_.get(), static_cast<short>(events), [this](short) { pump(); });
}

}  // namespace virtual_lab
