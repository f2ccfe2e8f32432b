#include "harness/base/evidence.h"

#include <boost/json/value.hpp>

#include "harness/base/bytes.h"

namespace hilmark {

std::string Evidence::text(std::string_view key) const {
  const auto* value = data.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t Evidence::number_of(std::string_view key) const {
  const auto* value = data.if_contains(key);
  if (value == nullptr) return 0;
  if (value->is_int64()) return value->get_int64();
  return value->is_uint64() ? static_cast<std::int64_t>(value->get_uint64()) : 0;
}

bool Evidence::flag(std::string_view key) const {
  const auto* value = data.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

void EvidenceLog::on_added(std::function<void(const EvidencePtr&)> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void EvidenceLog::screen_speech(Screen screen) {
  const std::lock_guard lock(screen_mutex_);
  screen_ = std::move(screen);
}

std::string EvidenceLog::speech(std::string_view said) const {
  const std::lock_guard lock(screen_mutex_);
  return screen_ ? screen_(said) : printable(said);
}

EvidencePtr EvidenceLog::add(std::string source, std::string kind, boost::json::object data, std::uint64_t connection) {
  const std::lock_guard lock(mutex_);
  auto piece = std::make_shared<Evidence>();
  piece->number = ++newest_;
  piece->at = clock_.now();
  piece->wall = clock_.wall();
  piece->source = std::move(source);
  piece->kind = std::move(kind);
  piece->connection = connection;
  piece->data = std::move(data);
  kept_.push_back(piece);
  if (kept_.size() > keep_) kept_.pop_front();
  if (listener_) listener_(piece);
  added_.notify_all();
  return piece;
}

std::uint64_t EvidenceLog::newest() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

EvidencePtr EvidenceLog::wait_for(const Matcher& matches, std::uint64_t after, const Deadline& deadline) const {
  std::unique_lock lock(mutex_);
  std::uint64_t examined = after;
  for (;;) {
    for (const EvidencePtr& piece : kept_) {
      if (piece->number > examined && matches(*piece)) return piece;
    }
    examined = newest_;
    if (deadline.expired()) return nullptr;
    added_.wait_for(lock, deadline.left());
  }
}

std::vector<EvidencePtr> EvidenceLog::all(const Matcher& matches, std::uint64_t after) const {
  const std::lock_guard lock(mutex_);
  std::vector<EvidencePtr> found;
  for (const EvidencePtr& piece : kept_) {
    if (piece->number > after && matches(*piece)) found.push_back(piece);
  }
  return found;
}

void EvidenceLog::forget(std::uint64_t through) {
  const std::lock_guard lock(mutex_);
  while (!kept_.empty() && kept_.front()->number <= through) kept_.pop_front();
}

}  // namespace hilmark
