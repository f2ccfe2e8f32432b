#include "boards/virtual/uevent_sender.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "boards/virtual/unique_fd.h"

namespace virtual_lab {
namespace {

// Numbers that are marked so are in network order, the others in the host's.
struct MonitorHeader {
  char prefix[8] = {'l', 'i', 'b', 'u', 'd', 'e', 'v', 0};
  std::uint32_t magic_network = htonl(0xfeedcafe);
  std::uint32_t header_size = sizeof(MonitorHeader);
  std::uint32_t properties_offset = sizeof(MonitorHeader);
  std::uint32_t properties_size = 0;
  std::uint32_t subsystem_hash_network = 0;
  std::uint32_t devtype_hash_network = 0;
  std::uint32_t tag_bloom_high = 0;
  std::uint32_t tag_bloom_low = 0;
};
static_assert(sizeof(MonitorHeader) == 40);

enum class Sent { yes, later, nobody_there };

Sent send_to(const std::filesystem::path& listener, const Bytes& message) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = listener.string();
  if (!fd.valid() || path.size() >= sizeof address.sun_path) return Sent::nobody_there;
  path.copy(address.sun_path, path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno == EAGAIN ? Sent::later : Sent::nobody_there;
  }
  if (::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) return Sent::yes;
  return errno == EAGAIN || errno == ENOBUFS ? Sent::later : Sent::nobody_there;
}

}  // namespace

std::uint32_t murmur_hash2(std::string_view text) {
  constexpr std::uint32_t multiplier = 0x5bd1e995;
  auto hash = static_cast<std::uint32_t>(text.size());
  for (; text.size() >= 4; text.remove_prefix(4)) {
    std::uint32_t word = 0;
    std::memcpy(&word, text.data(), sizeof word);
    word *= multiplier;
    word ^= word >> 24;
    word *= multiplier;
    hash = (hash * multiplier) ^ word;
  }
  if (!text.empty()) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      hash ^= static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) << (8 * i);
    }
    hash *= multiplier;
  }
  hash ^= hash >> 13;
  hash *= multiplier;
  hash ^= hash >> 15;
  return hash;
}

Bytes encode_uevent(const Uevent& event, std::uint64_t sequence_number) {
  std::string text;
  std::string devtype;
  const auto add = [&](std::string_view key, std::string_view value) {
    text += fmt::format("{}={}", key, value);
    text.push_back('\0');
  };
  add("ACTION", event.action);
  add("DEVPATH", event.syspath.substr(std::strlen("/sys")));
  add("SUBSYSTEM", event.subsystem);
  add("SEQNUM", std::to_string(sequence_number));
  for (const auto& [key, value] : event.properties) {
    add(key, value);
    if (key == "DEVTYPE") devtype = value;
  }
  MonitorHeader header;
  header.properties_size = static_cast<std::uint32_t>(text.size());
  header.subsystem_hash_network = htonl(murmur_hash2(event.subsystem));
  if (!devtype.empty()) header.devtype_hash_network = htonl(murmur_hash2(devtype));
  Bytes message(sizeof header);
  std::memcpy(message.data(), &header, sizeof header);
  message.insert(message.end(), text.begin(), text.end());
  return message;
}

void UeventSender::send(const Uevent& event) {
  const Bytes message = encode_uevent(event, ++sequence_number_);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(root_, ignored)) {
    if (!entry.path().filename().string().starts_with("event")) continue;
    auto& queue = waiting_[entry.path()];
    queue.push_back(message);
    if (queue.size() > max_waiting) queue.pop_front();
  }
  flush();
}

bool UeventSender::flush() {
  for (auto listener = waiting_.begin(); listener != waiting_.end();) {
    auto& queue = listener->second;
    Sent sent = Sent::yes;
    while (!queue.empty() && (sent = send_to(listener->first, queue.front())) == Sent::yes) queue.pop_front();
    if (sent == Sent::nobody_there) {
      // The socket of a client that has ended.
      std::error_code ignored;
      std::filesystem::remove(listener->first, ignored);
    }
    const bool keep = sent == Sent::later;
    listener = keep ? std::next(listener) : waiting_.erase(listener);
  }
  return !waiting_.empty();
}

}  // namespace virtual_lab
