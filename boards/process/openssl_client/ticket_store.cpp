#include "boards/process/openssl_client/ticket_store.h"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>

namespace openssl_client {
namespace {

std::string to_hex(const std::vector<unsigned char>& octets) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char octet : octets) {
    hex += digits[octet >> 4U];
    hex += digits[octet & 15U];
  }
  return hex;
}

Session session_from(const std::string& hex) {
  long size = 0;
  unsigned char* octets = OPENSSL_hexstr2buf(hex.c_str(), &size);
  if (octets == nullptr) return nullptr;
  const unsigned char* at = octets;
  Session session(d2i_SSL_SESSION(nullptr, &at, size));
  OPENSSL_free(octets);
  return session;
}

}  // namespace

TicketStore::TicketStore(std::string file, std::string identity, Rules rules)
    : file_(std::move(file)), identity_(std::move(identity)), rules_(rules) {
  load();
}

void TicketStore::load() {
  std::ifstream in(file_);
  std::string name;
  Entry entry;
  while (in >> name >> entry.identity >> entry.session_hex) {
    if (entry.identity == identity_ || rules_.ignore_identity) entries_[name] = entry;
  }
}

void TicketStore::save() const {
  // By rename, so that a power cut leaves the old file or the new one; it holds secrets.
  const std::string fresh = file_ + ".new";
  const mode_t before = ::umask(077);
  std::ofstream out(fresh, std::ios::trunc);
  for (const auto& [name, entry] : entries_) out << name << ' ' << entry.identity << ' ' << entry.session_hex << '\n';
  out.close();
  ::umask(before);
  if (!out || std::rename(fresh.c_str(), file_.c_str()) != 0) std::perror(file_.c_str());
}

void TicketStore::put(const std::string& name, SSL_SESSION* session) {
  const int size = i2d_SSL_SESSION(session, nullptr);
  if (size <= 0) return;
  std::vector<unsigned char> octets(static_cast<std::size_t>(size));
  unsigned char* at = octets.data();
  i2d_SSL_SESSION(session, &at);
  entries_[name] = {identity_, to_hex(octets)};
  save();
}

Session TicketStore::take(const std::string& name) {
  auto found = entries_.find(name);
  if (found == entries_.end() && rules_.ignore_name) found = entries_.begin();
  if (found == entries_.end()) return nullptr;
  Session session = session_from(found->second.session_hex);
  entries_.erase(found);
  save();
  return session;
}

std::string fingerprint(const std::string& first_file, const std::string& second_file) {
  std::stringstream content;
  for (const std::string& file : {first_file, second_file}) content << std::ifstream(file).rdbuf() << '\n';
  const std::string octets = content.str();
  std::vector<unsigned char> digest(32);
  EVP_Digest(octets.data(), octets.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return to_hex(digest);
}

}  // namespace openssl_client
