#include "harness/base/bytes.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/unique_fd.h"
#include "harness/base/write_all.h"

namespace hilmark {

std::string to_hex(ByteView bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
  }
  return text;
}

namespace {
int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/// The length of the well-formed, printable UTF-8 sequence at the start of `text` (RFC 3629 §4); 0 if there is none.
std::size_t printable_sequence(std::string_view text) {
  const auto at = [&](std::size_t index) { return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U; };
  const unsigned lead = at(0);
  if (lead < 0x80) return (lead >= 0x20 && lead != 0x7f) || lead == '\n' || lead == '\t' ? 1 : 0;
  const auto tail = [&](std::size_t index) { return (at(index) & 0xc0U) == 0x80U; };
  if (lead == 0xc2 && at(1) < 0xa0) return 0;  // C1 control characters
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!tail(1) || !tail(2)) return 0;
    if (lead == 0xe0 && at(1) < 0xa0) return 0;                    // overlong
    if (lead == 0xed && at(1) >= 0xa0) return 0;                   // surrogates
    if (lead == 0xef && at(1) == 0xbf && at(2) >= 0xbe) return 0;  // U+FFFE, U+FFFF
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if ((lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) >= 0x90)) return 0;
    return 4;
  }
  return 0;
}
}  // namespace

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(ErrorKind::usage, "odd number of hex digits ({})", text.size());
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t index = 0; index < text.size(); index += 2) {
    const int high = hex_value(text[index]);
    const int low = hex_value(text[index + 1]);
    if (high < 0 || low < 0) return fail(ErrorKind::usage, "not a hex digit at offset {}", index);
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return bytes;
}

ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

std::string as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string printable(std::string_view untrusted) {
  std::string text;
  text.reserve(untrusted.size());
  while (!untrusted.empty()) {
    if (const std::size_t length = printable_sequence(untrusted); length > 0) {
      text.append(untrusted.substr(0, length));
      untrusted.remove_prefix(length);
      continue;
    }
    text += fmt::format("\\x{:02x}", static_cast<unsigned char>(untrusted.front()));
    untrusted.remove_prefix(1);
  }
  return text;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::uint32_t u32_at(ByteView bytes, std::size_t at) {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | static_cast<std::uint32_t>(bytes[at + 3]) << 24;
}

void append_u32(Bytes& bytes, std::uint32_t value) {
  for (unsigned bits = 0; bits < 32; bits += 8) bytes.push_back(static_cast<std::uint8_t>(value >> bits));
}

Result<Bytes> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(ErrorKind::usage, "cannot read {}: {}", path.string(), errno_text(errno));
  Bytes content;
  std::array<std::uint8_t, 65536> chunk{};
  for (;;) {
    const ssize_t count = ::read(fd.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorKind::usage, "cannot read {}: {}", path.string(), errno_text(errno));
    if (count == 0) return content;
    if (content.size() + static_cast<std::size_t>(count) > max_bytes) {
      return fail(ErrorKind::usage, "{} is larger than the {} bytes that it may have", path.string(), max_bytes);
    }
    content.insert(content.end(), chunk.begin(), chunk.begin() + count);
  }
}

Result<void> write_file(const std::filesystem::path& path, std::string_view content, unsigned mode) {
  const std::string temporary = path.string() + ".part";
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return fail(ErrorKind::rig, "cannot write {}: {}", path.string(), errno_text(errno));
  if (!write_all(fd.get(), content) || ::fchmod(fd.get(), mode) != 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int number = errno;
    ::unlink(temporary.c_str());
    return fail(ErrorKind::rig, "cannot write {}: {}", path.string(), errno_text(number));
  }
  return {};
}

}  // namespace hilmark
