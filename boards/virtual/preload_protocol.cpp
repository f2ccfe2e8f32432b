#include "boards/virtual/preload_protocol.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace virtual_lab {
namespace {

template <class T>
ByteView bytes_of(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

}  // namespace

void PreloadReply::append(const PreloadMessage& message) {
  const ByteView bytes = bytes_of(message);
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void PreloadReply::write_memory(std::uint64_t address, ByteView bytes) {
  append({static_cast<std::uint64_t>(PreloadCommand::write_memory), address, bytes.size()});
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void PreloadReply::write_memory_i32(std::uint64_t address, std::int32_t value) {
  write_memory(address, bytes_of(value));
}

void PreloadReply::write_memory_u64(std::uint64_t address, std::uint64_t value) {
  write_memory(address, bytes_of(value));
}

void PreloadReply::done(int error, std::int64_t result) {
  const std::int64_t answer = error == 0 ? result : -1;
  append({static_cast<std::uint64_t>(PreloadCommand::done), static_cast<std::uint64_t>(answer),
          static_cast<std::uint64_t>(error)});
}

bool PreloadConnection::receive(PreloadMessage& message) {
  return receive_all(std::span(reinterpret_cast<std::uint8_t*>(&message), sizeof message));
}

bool PreloadConnection::read_memory(std::uint64_t address, std::span<std::uint8_t> into) {
  if (into.empty()) return true;
  const PreloadMessage question{static_cast<std::uint64_t>(PreloadCommand::read_memory), address, into.size()};
  return send_all(bytes_of(question)) && receive_all(into);
}

bool PreloadConnection::send_all(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

bool PreloadConnection::receive_all(std::span<std::uint8_t> into) {
  while (!into.empty()) {
    const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace virtual_lab
