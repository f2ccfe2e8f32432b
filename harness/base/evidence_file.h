// A file of evidence: every piece as a line (reports/events.md).
#pragma once

#include <filesystem>

#include "harness/base/error.h"
#include "harness/base/evidence.h"
#include "harness/base/unique_fd.h"

namespace hilmark {

/// Appends. Thread-safe as it is used: the evidence log calls one at a time.
class EvidenceFile {
 public:
  /// Made if it is not there, for its owner alone. `path` empty: nothing is written. Errors (usage): why it cannot be.
  [[nodiscard]] static Result<EvidenceFile> open(const std::filesystem::path& path);
  /// Errors (rig): it cannot be written. That is told once; nothing is written from then on.
  [[nodiscard]] Result<void> write(const Evidence& piece);

 private:
  UniqueFd fd_;
  std::filesystem::path path_;
};

}  // namespace hilmark
