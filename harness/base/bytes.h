// Octets, text made safe, and files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/error.h"

namespace hilmark {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

[[nodiscard]] std::string to_hex(ByteView bytes);             ///< lower case, no separators
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);  ///< even number of hex digits, either case
[[nodiscard]] ByteView as_bytes(std::string_view text);       ///< a view; `text` must outlive it
[[nodiscard]] std::string as_text(ByteView bytes);
/// Untrusted octets as printable UTF-8: what is no printable text becomes `\x1b`; nothing is dropped.
[[nodiscard]] std::string printable(std::string_view untrusted);
/// Every `from`, which is not empty, becomes `to`; what `to` brings in is not looked at again.
void replace_all(std::string& text, std::string_view from, std::string_view to);

/// Little endian; `bytes` must reach that far.
[[nodiscard]] std::uint32_t u32_at(ByteView bytes, std::size_t at);
void append_u32(Bytes& bytes, std::uint32_t value);  ///< little endian

/// A whole file, refused above `max_bytes`. The error (usage) names the file and why.
[[nodiscard]] Result<Bytes> read_file(const std::filesystem::path& path, std::size_t max_bytes = 64U << 20);
/// By a temporary file and rename; `mode` as chmod's (keys: 0600).
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, std::string_view content,
                                      unsigned mode = 0644);

}  // namespace hilmark
