#include "suites/key_watch.h"

#include <algorithm>
#include <utility>

namespace hilmark::suites {
namespace {

constexpr std::size_t most_lines_before = 3;
constexpr std::size_t longest_line_before = 512;
constexpr std::size_t shortest_line_before = 16;
constexpr std::size_t most_lines_of_pem = 100;

/// Lines as keys are printed in that take several: no blanks but between the octets of a dump.
bool may_go_on(std::string_view line) {
  if (line.find("PRIVATE KEY-----") != std::string_view::npos) return true;
  const auto all_of = [&](std::string_view letters) {
    return std::all_of(line.begin(), line.end(), [&](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || letters.find(c) != std::string_view::npos;
    });
  };
  const auto is_dump = [&] {
    return std::all_of(line.begin(), line.end(), [](char c) {
      return std::isxdigit(static_cast<unsigned char>(c)) != 0 ||
             std::string_view(" :,-xX\t").find(c) != std::string_view::npos;
    });
  };
  return line.size() >= shortest_line_before && line.size() <= longest_line_before && (all_of("+/=-_") || is_dump());
}

struct Cut {
  std::size_t from = 0;
  std::size_t to = 0;
  std::string instead;
};

/// `cuts` may overlap: the first of those that do stands for all.
std::string without(std::string_view line, std::vector<Cut> cuts) {
  std::stable_sort(cuts.begin(), cuts.end(), [](const Cut& one, const Cut& other) { return one.from < other.from; });
  std::string text;
  std::size_t at = 0;
  for (const Cut& cut : cuts) {
    if (cut.from >= at) text += printable(line.substr(at, cut.from - at)) + cut.instead;
    at = std::max(at, cut.to);
  }
  return text + printable(line.substr(std::min(at, line.size())));
}

}  // namespace

pki::PrivateKeySearch KeyWatch::search(ByteView octets) {
  std::size_t limit = 0;
  {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = clock_.now();
    const double seconds = std::chrono::duration<double>(now - std::exchange(granted_, now)).count();
    credit_ = std::min<double>(credit_ + seconds * windows_per_second, pki::PrivateKeyFinder::max_windows);
    limit = static_cast<std::size_t>(credit_);
  }
  pki::PrivateKeySearch found = finder_.search(octets, limit);
  const std::lock_guard lock(mutex_);
  octets_ += octets.size();
  credit_ = std::max(0.0, credit_ - static_cast<double>(found.windows));
  left_out_ += found.left_out;
  return found;
}

void KeyWatch::tell(const Candidate& candidate, const std::string& public_key_id, bool of_unit) {
  if (leaks_.size() >= max_leaks || !told_.insert(candidate.where + candidate.form + public_key_id).second) return;
  const EvidencePtr piece = evidence_.add(
      "rig", "private_key",
      {{"where", candidate.where}, {"form", candidate.form}, {"public_key_id", public_key_id}, {"of_unit", of_unit}},
      candidate.connection);
  leaks_.push_back({candidate.where, candidate.form, public_key_id, of_unit, piece->number});
}

bool KeyWatch::take(const pki::PrivateKeyTrace& trace, std::string_view where, std::uint64_t connection) {
  const bool of_unit = keys_.count(trace.public_key_id) > 0;
  const Candidate candidate{std::string(where), trace.form, connection};
  if (trace.certain || of_unit) {
    tell(candidate, trace.public_key_id, of_unit);
    return true;
  }
  if (candidates_.size() < max_candidates) {
    candidates_.emplace(trace.public_key_id, candidate);
  } else {
    ++left_out_;
  }
  return false;
}

void KeyWatch::add_key(const std::string& public_key_id) {
  const std::lock_guard lock(mutex_);
  keys_.insert(public_key_id);
  const auto found = candidates_.find(public_key_id);
  if (found != candidates_.end()) tell(found->second, public_key_id, true);
}

void KeyWatch::heard(const cloud::Heard& heard) {
  const pki::PrivateKeySearch found = search(heard.octets);
  const std::lock_guard lock(mutex_);
  for (const pki::PrivateKeyTrace& trace : found.traces) {
    (void)take(trace, heard.what, heard.connection);
  }
}

void KeyWatch::remember_line(std::string_view said) {
  if (!may_go_on(said)) {
    lines_before_.clear();
    return;
  }
  lines_before_.emplace_back(said);
  if (lines_before_.size() > most_lines_before) lines_before_.pop_front();
}

std::string KeyWatch::console_line(std::string_view said) {
  const std::lock_guard console_lock(console_mutex_);
  std::string text;
  for (const std::string& line : lines_before_) text += line + "\n";
  const std::size_t begin = text.size();
  text += said;
  remember_line(said);
  const pki::PrivateKeySearch found = search(as_bytes(text));
  const std::lock_guard lock(mutex_);
  std::vector<Cut> cuts;
  for (const pki::PrivateKeyTrace& trace : found.traces) {
    if (trace.at + trace.size <= begin) continue;
    const std::size_t from = std::max(trace.at, begin) - begin;
    const std::size_t to = trace.at + trace.size - begin;
    if (take(trace, console, 0)) {
      cuts.push_back({from, to, fmt::format("(a private key, {}: removed)", trace.form)});
      if (trace.certain) lines_of_pem_ = most_lines_of_pem;
    } else if (trace.alone) {
      cuts.push_back(
          {from, to,
           fmt::format("({}, removed: as a private key, that of the public key {})", trace.form, trace.public_key_id)});
    }
  }
  if (cuts.empty() && lines_of_pem_ > 0) {
    --lines_of_pem_;
    if (said.find("-----END") != std::string_view::npos || !may_go_on(said)) {
      lines_of_pem_ = 0;
    } else {
      return "(of a private key: removed)";
    }
  }
  return without(said, std::move(cuts));
}

std::vector<LeakedKey> KeyWatch::leaks() const {
  const std::lock_guard lock(mutex_);
  return leaks_;
}

std::uint64_t KeyWatch::octets_searched() const {
  const std::lock_guard lock(mutex_);
  return octets_;
}

std::uint64_t KeyWatch::left_out() const {
  const std::lock_guard lock(mutex_);
  return left_out_;
}

}  // namespace hilmark::suites
