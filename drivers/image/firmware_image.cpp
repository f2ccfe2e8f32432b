#include "drivers/image/firmware_image.h"

#include <array>

#include <openssl/evp.h>
#include <zlib.h>

#include "drivers/image/uf2.h"

namespace hilmark {
namespace {

constexpr std::string_view header_magic = "HMIMAGE1";
constexpr std::string_view trailer_magic = "HMTRAIL1";
constexpr std::size_t header_bytes = 96;
constexpr std::size_t trailer_bytes = 64;
constexpr std::size_t build_id_digits = 40;
constexpr std::size_t suffix_bytes = 16;
constexpr std::uint16_t dfuse_file_version = 0x011a;
constexpr std::uint16_t any_id = 0xffff;
constexpr std::size_t max_file_bytes = 64U << 20;

std::uint16_t half_at(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] | bytes[at + 1] << 8);
}

std::uint32_t crc32_of(ByteView bytes) { return static_cast<std::uint32_t>(::crc32_z(0, bytes.data(), bytes.size())); }

std::string padded_text(ByteView field) {
  const std::string text = as_text(field);
  return printable(text.substr(0, text.find('\0')));
}

bool starts_with(ByteView bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && as_text(bytes.first(magic.size())) == magic;
}

std::string build_id_of(ByteView body) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(body.data(), body.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) return {};
  return to_hex(ByteView(digest).first(length)).substr(0, build_id_digits);
}

/// Removes a DFU suffix, having checked it.
Result<void> take_suffix(const std::string& path, Bytes& content, const ImageRules& rules) {
  if (content.size() < suffix_bytes) return {};
  const ByteView suffix = ByteView(content).last(suffix_bytes);
  if (as_text(suffix.subspan(8, 3)) != "UFD" || suffix[11] < suffix_bytes) return {};
  // The suffix has the sum without its final inversion.
  if (u32_at(suffix, 12) != ~crc32_of(ByteView(content).first(content.size() - 4))) {
    return fail(ErrorKind::usage, "{} is damaged: the sum of its DFU suffix does not fit its content", path);
  }
  if (half_at(suffix, 6) == dfuse_file_version) {
    return fail(ErrorKind::usage, "{} is a DfuSe container; give the raw image that it was made of", path);
  }
  const UsbId made_for{half_at(suffix, 4), half_at(suffix, 2)};
  const bool fits = (made_for.vendor == any_id || made_for.vendor == rules.bootloader.vendor) &&
                    (made_for.product == any_id || made_for.product == rules.bootloader.product);
  if (!fits) {
    return fail(ErrorKind::usage, "{} is for another board: its DFU suffix says {}, the bootloader is {}", path,
                to_text(made_for), to_text(rules.bootloader));
  }
  if (suffix[11] > content.size())
    return fail(ErrorKind::usage, "{} is damaged: its DFU suffix is longer than the file", path);
  content.resize(content.size() - suffix[11]);
  return {};
}

Result<FirmwareImage> hilmark_image(const std::string& path, Bytes content, const ImageRules& rules) {
  const ByteView bytes(content);
  if (bytes.size() < header_bytes) {
    return fail(ErrorKind::usage, "{} is cut short: {} bytes, less than the header of a hilmark image", path,
                bytes.size());
  }
  if (u32_at(bytes, 88) != crc32_of(bytes.first(88))) {
    return fail(ErrorKind::usage, "{} is damaged: the sum of its header does not fit", path);
  }
  const std::string chip = padded_text(bytes.subspan(24, 24));
  if (chip != rules.chip) {
    return fail(ErrorKind::usage, "{} is for another chip: it was built for {}, the board has {}", path, chip,
                rules.chip);
  }
  if (u32_at(bytes, 8) != header_bytes || u32_at(bytes, 16) != trailer_bytes || u32_at(bytes, 92) != 0) {
    return fail(ErrorKind::usage, "{} has a header of a newer form than this hilmark knows", path);
  }
  const std::uint64_t wanted = header_bytes + std::uint64_t{u32_at(bytes, 12)} + trailer_bytes;
  if (bytes.size() != wanted) {
    return fail(ErrorKind::usage, "{} is {}: it has {} bytes, its header says {}", path,
                bytes.size() < wanted ? "cut short" : "too long", bytes.size(), wanted);
  }
  const ByteView body = bytes.subspan(header_bytes);
  if (u32_at(bytes, 20) != crc32_of(body)) {
    return fail(ErrorKind::usage, "{} is damaged: the sum of its content does not fit", path);
  }
  const std::string build_id = padded_text(bytes.subspan(48, build_id_digits));
  if (build_id != build_id_of(body)) {
    return fail(ErrorKind::usage, "{} is damaged: its build id {} is not that of its content", path, build_id);
  }
  const ByteView trailer = bytes.last(trailer_bytes);
  if (!starts_with(trailer, trailer_magic)) return fail(ErrorKind::usage, "{} is damaged: it has no trailer", path);
  const std::string variant = padded_text(trailer.subspan(trailer_magic.size(), 48));
  return FirmwareImage{path, build_id, chip, variant, rules.base, std::move(content)};
}

Result<FirmwareImage> raw_image(const std::string& path, Bytes content, const ImageRules& rules) {
  if (starts_with(content,
                  "\x7f"
                  "ELF")) {
    return fail(ErrorKind::usage, "{} is an ELF file; give the raw image that objcopy -O binary makes of it", path);
  }
  if (path.ends_with(".hex") || path.ends_with(".uf2") || path.ends_with(".img")) {
    return fail(ErrorKind::usage, "{} is no image that this board takes: it neither begins with {} nor is a raw .bin",
                path, header_magic);
  }
  return FirmwareImage{path, "", "", "", rules.base, std::move(content)};
}

/// The last block of a UF2 file is as long as all others, so what it holds may be followed by filling.
void drop_filling(Bytes& content) {
  constexpr std::size_t page_bytes = 256;
  if (content.size() < header_bytes || !starts_with(content, header_magic)) return;
  const std::uint64_t wanted = header_bytes + std::uint64_t{u32_at(content, 12)} + trailer_bytes;
  if (content.size() > wanted && content.size() - wanted < page_bytes) content.resize(static_cast<std::size_t>(wanted));
}

Result<FirmwareImage> uf2_image(const std::string& path, const Bytes& file, const ImageRules& rules) {
  if (!rules.uf2_family) return fail(ErrorKind::usage, "{}: the chip file of {} names no UF2 family", path, rules.chip);
  auto found = read_uf2_for(path, file, *rules.uf2_family);
  if (!found) return fail(found.error());
  if (found->address != rules.base) {
    return fail(ErrorKind::usage, "{} is for the address {:#010x}, images of chip {} belong at {:#010x}", path,
                found->address, rules.chip, rules.base);
  }
  if (found->content.size() > rules.max_bytes) {
    return fail(ErrorKind::usage, "{} holds {} bytes, chip {} takes {} at most", path, found->content.size(),
                rules.chip, rules.max_bytes);
  }
  drop_filling(found->content);
  if (starts_with(found->content, header_magic)) return hilmark_image(path, std::move(found->content), rules);
  return FirmwareImage{path, "", "", "", found->address, std::move(found->content)};
}

}  // namespace

std::string chip_named_by_image(const std::filesystem::path& path) {
  const auto content = read_file(path, max_file_bytes);
  if (!content || content->size() < header_bytes || !starts_with(*content, header_magic)) return {};
  return padded_text(ByteView(*content).subspan(24, 24));
}

Result<FirmwareImage> check_firmware_image(const std::string& path, Bytes content, const ImageRules& rules) {
  if (content.empty()) return fail(ErrorKind::usage, "{} is empty", path);
  if (const auto taken = take_suffix(path, content, rules); !taken) return fail(taken.error());
  const bool is_hilmark = starts_with(content, header_magic);
  const bool has_blocks = is_uf2(content);
  const std::string format = is_hilmark ? "hilmark" : (has_blocks ? "uf2" : "bin");
  if (rules.formats.count(format) == 0) {
    return fail(ErrorKind::usage, "{} is of the format {}, which chip {} does not take", path, format, rules.chip);
  }
  if (has_blocks) return uf2_image(path, content, rules);
  if (content.size() > rules.max_bytes) {
    return fail(ErrorKind::usage, "{} has {} bytes, chip {} takes {} at most", path, content.size(), rules.chip,
                rules.max_bytes);
  }
  return is_hilmark ? hilmark_image(path, std::move(content), rules) : raw_image(path, std::move(content), rules);
}

Result<FirmwareImage> load_firmware_image(const std::filesystem::path& path, const ImageRules& rules) {
  auto content = read_file(path, max_file_bytes);
  if (!content) return fail(content.error());
  return check_firmware_image(path.string(), std::move(*content), rules);
}

}  // namespace hilmark
