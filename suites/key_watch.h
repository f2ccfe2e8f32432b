// Watches for private keys in what a unit says and sends. What it keeps of them are their public halves.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fixtures/cloud/endpoint/heard.h"
#include "fixtures/pki/private_key_finder.h"
#include "harness/base/evidence.h"

namespace hilmark::suites {

/// A private key that was said or sent.
struct LeakedKey {
  std::string where;          ///< "the console", "an MQTT packet"
  std::string form;           ///< as PrivateKeyTrace has it
  std::string public_key_id;  ///< empty: not read
  bool of_unit = false;       ///< of a key that the unit has, or had in this run
  std::uint64_t evidence = 0;
};

/// Any thread. Each leak is also evidence "rig"/"private_key", once for each place, form and key.
class KeyWatch {
 public:
  static constexpr std::string_view console = "the console";

  /// Windows that look like keys and are tried, a second on average: 5 % of one processor. What comes faster than that
  /// for long, binary payloads or a flooded console, is passed over and counted.
  static constexpr double windows_per_second = 2000;

  KeyWatch(EvidenceLog& evidence, const Clock& clock) : evidence_(evidence), clock_(clock), granted_(clock.now()) {}
  KeyWatch(const KeyWatch&) = delete;
  KeyWatch& operator=(const KeyWatch&) = delete;

  /// A key of the unit's, by the SHA-256 over its SubjectPublicKeyInfo. What was said before counts as well.
  void add_key(const std::string& public_key_id);
  /// A line of the unit's as it may be kept: printable, with what is a private key, or may be one, taken out.
  [[nodiscard]] std::string console_line(std::string_view said);
  void heard(const cloud::Heard& heard);

  [[nodiscard]] std::vector<LeakedKey> leaks() const;
  [[nodiscard]] std::uint64_t octets_searched() const;
  /// What was passed over for want of time or memory.
  [[nodiscard]] std::uint64_t left_out() const;

 private:
  /// Where something stood that is a private key if the unit has its public half.
  struct Candidate {
    std::string where;
    std::string form;
    std::uint64_t connection = 0;
  };
  /// Whether it is a leak.
  bool take(const pki::PrivateKeyTrace& trace, std::string_view where, std::uint64_t connection);
  void tell(const Candidate& candidate, const std::string& public_key_id, bool of_unit);
  /// Without the lock: nobody waits for a search but who asked for it.
  [[nodiscard]] pki::PrivateKeySearch search(ByteView octets);
  void remember_line(std::string_view said);

  static constexpr std::size_t max_candidates = 100'000;
  static constexpr std::size_t max_leaks = 100;

  EvidenceLog& evidence_;
  const Clock& clock_;
  const pki::PrivateKeyFinder finder_;
  mutable std::mutex mutex_;  // of all that follows, but for the console's two
  SteadyTime granted_;
  double credit_ = pki::PrivateKeyFinder::max_windows;  // windows
  std::set<std::string> keys_;                          // of the unit: ids
  std::map<std::string, Candidate> candidates_;         // by public_key_id
  std::set<std::string> told_;
  std::vector<LeakedKey> leaks_;
  std::uint64_t octets_ = 0;
  std::uint64_t left_out_ = 0;
  std::mutex console_mutex_;              // before mutex_
  std::deque<std::string> lines_before_;  // that a key may have begun in
  std::size_t lines_of_pem_ = 0;          // that may still follow the beginning of a private key
};

}  // namespace hilmark::suites
