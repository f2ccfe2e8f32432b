// A command of the user's, run for each certificate that waits for its activation: what a listener to the service's
// registration event does, without a listener.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fixtures/cloud/types.h"
#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace hilmark::serve {

struct PendingCertificate {
  cloud::Place place;
  std::string certificate_id;
  std::string ca_id;
};

/// Runs one command at a time, in the order of arrival, each for 60 s at most. A certificate whose turn has not come
/// yet is not queued again; one that finds max_waiting before it is dropped: its device comes again.
class JitrHook {
 public:
  enum class Told { outcome, dropped };
  struct Settings {
    std::vector<std::string> command;
    /// What the CLI needs to act in an account: AWS_ACCESS_KEY_ID and kin.
    std::function<std::map<std::string, std::string>(const cloud::Place&)> environment;
    /// How it went, a line, on the hook's thread; or, on that of add(), that certificates are dropped from now on: once
    /// until there is room again.
    std::function<void(Told, const std::string&)> report;
  };
  /// Errors (rig): the kernel gives no descriptor to end a command by.
  [[nodiscard]] static Result<std::unique_ptr<JitrHook>> start(Settings settings);
  JitrHook(const JitrHook&) = delete;
  JitrHook& operator=(const JitrHook&) = delete;
  ~JitrHook();  ///< a command under way is ended

  void add(const PendingCertificate& certificate);
  static constexpr std::size_t max_waiting = 1000;

 private:
  JitrHook(Settings settings, UniqueFd stopping);
  void work();
  void run(const PendingCertificate& certificate);
  void request_stop();

  Settings settings_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PendingCertificate> waiting_;
  std::set<std::pair<cloud::Place, std::string>> known_;  // in waiting_
  bool dropping_ = false;                                 // and it was told
  bool stop_ = false;
  UniqueFd stopping_;  // an eventfd, for who waits for a command; see request_stop()
  std::thread thread_;
};

}  // namespace hilmark::serve
