// The socket protocol between umockdev's preload library (in the client) and whoever answers its ioctls. It is internal
// to umockdev; this is what 0.17.16 speaks. The server reads and writes the client's memory through the client itself.
#pragma once

#include <cstdint>

#include "boards/virtual/little_endian.h"

namespace virtual_lab {

enum class PreloadCommand : std::uint64_t {
  ioctl = 1,         // from the client: request, argument
  done = 3,          // to the client: result, errno
  read_memory = 5,   // to the client: address, length; the bytes come back
  write_memory = 6,  // to the client: address, length, and the bytes follow
  read = 7,          // from the client: buffer, length
  write = 8,         // from the client: buffer, length
};

// As the library lays it out: three unsigned longs.
struct PreloadMessage {
  std::uint64_t command = 0;
  std::uint64_t argument1 = 0;
  std::uint64_t argument2 = 0;
};
static_assert(sizeof(unsigned long) == sizeof(std::uint64_t), "the protocol is known for 64-bit clients only");

// One answer, gathered so that it leaves in one send().
class PreloadReply {
 public:
  void write_memory(std::uint64_t address, ByteView bytes);
  void write_memory_i32(std::uint64_t address, std::int32_t value);
  void write_memory_u64(std::uint64_t address, std::uint64_t value);
  // Always last: `error` 0 answers `result`, else -1 with that errno.
  void done(int error, std::int64_t result = 0);

  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  void append(const PreloadMessage& message);

  Bytes bytes_;
};

// A connection that serves one client's descriptor. All calls block; false means that the client is gone.
class PreloadConnection {
 public:
  explicit PreloadConnection(int fd) : fd_(fd) {}

  [[nodiscard]] bool receive(PreloadMessage& message);
  [[nodiscard]] bool read_memory(std::uint64_t address, std::span<std::uint8_t> into);
  template <class T>
  [[nodiscard]] bool read_struct(std::uint64_t address, T& into) {
    return read_memory(address, std::span(reinterpret_cast<std::uint8_t*>(&into), sizeof into));
  }
  [[nodiscard]] bool send(const PreloadReply& reply) { return send_all(reply.bytes()); }

 private:
  [[nodiscard]] bool send_all(ByteView bytes);
  [[nodiscard]] bool receive_all(std::span<std::uint8_t> into);

  int fd_;
};

}  // namespace virtual_lab
