#include "boards/virtual/control_server.h"

#include <array>
#include <fstream>
#include <iterator>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "boards/virtual/unix_socket.h"

namespace virtual_lab {
namespace {

// Answers are short, and whoever does not read them loses them.
bool send_line(int fd, std::string text) {
  text.push_back('\n');
  return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

}  // namespace

ControlServer::~ControlServer() {
  if (listener_.valid()) loop_.unwatch(listener_.get());
  for (const auto& [fd, client] : clients_) loop_.unwatch(fd);
}

Result<void> ControlServer::listen(const std::filesystem::path& path) {
  constexpr int backlog = 32;
  auto listener = listen_at(path, backlog);
  if (!listener) return failure(listener.error());
  listener_ = std::move(*listener);
  loop_.watch(listener_.get(), POLLIN, [this](short) { accept_one(); });
  return {};
}

void ControlServer::accept_one() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid() || clients_.size() >= max_clients) return;
  const int number = fd.get();
  clients_[number].fd = std::move(fd);
  loop_.watch(number, POLLIN, [this, number](short) { serve(number); });
}

void ControlServer::serve(int fd) {
  std::array<char, max_line> buffer;
  Client& client = clients_.at(fd);
  const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return drop(fd);
  client.unfinished_line.append(buffer.data(), static_cast<std::size_t>(got));
  if (!answer_lines(client)) drop(fd);
}

bool ControlServer::answer_lines(Client& client) {
  std::size_t end = 0;
  while ((end = client.unfinished_line.find('\n')) != std::string::npos) {
    const std::string line = client.unfinished_line.substr(0, end);
    client.unfinished_line.erase(0, end + 1);
    const auto answer = handler_(line);
    const std::string text = answer ? (answer->empty() ? "ok" : "ok " + *answer) : "error " + answer.error();
    if (!send_line(client.fd.get(), text)) return false;
  }
  if (client.unfinished_line.size() <= max_line) return true;
  send_line(client.fd.get(), "error the line is too long");
  return false;
}

void ControlServer::drop(int fd) {
  loop_.unwatch(fd);
  clients_.erase(fd);
}

namespace {

Result<std::string> control_path(const std::filesystem::path& umockdev_dir) {
  const std::filesystem::path file = umockdev_dir / "lab.json";
  std::ifstream stream(file);
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  boost::system::error_code error;
  const boost::json::value lab = boost::json::parse(text, error);
  const auto* object = error ? nullptr : lab.if_object();
  const auto* path = object == nullptr ? nullptr : object->if_contains("control");
  if (path == nullptr || !path->is_string()) return failure(fmt::format("{} is not a lab's", file.string()));
  return std::string(path->get_string().c_str());
}

}  // namespace

ControlAnswer ask_lab(const std::filesystem::path& umockdev_dir, const std::string& line) {
  const auto path = control_path(umockdev_dir);
  if (!path) return {.text = path.error()};
  const auto address = unix_address(*path);
  if (!address) return {.text = address.error()};
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{10, 0};
  if (fd.valid()) ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (!fd.valid() || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      !send_line(fd.get(), line)) {
    return {.text = errno_failure(fmt::format("cannot reach the lab at {}", *path)).value()};
  }
  std::string answer;
  std::array<char, 4096> buffer;
  while (!answer.ends_with('\n')) {
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {.text = "the lab did not answer within 10 s"};
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  answer.pop_back();
  const bool ok = answer == "ok" || answer.starts_with("ok ");
  const std::size_t space = answer.find(' ');
  return {.reached_lab = true, .ok = ok, .text = space == std::string::npos ? "" : answer.substr(space + 1)};
}

}  // namespace virtual_lab
