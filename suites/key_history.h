// The public keys that the units of a lab were seen with, over its runs. Workers of one run share it.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/error.h"

namespace hilmark::suites {

/// A text file, a line for each: "KEY UNIT", the key as the SHA-256 over its SubjectPublicKeyInfo in lower-case hex.
/// What is no such line is passed over.
class KeyHistory {
 public:
  /// Beyond these the older half is forgotten.
  static constexpr std::size_t max_lines = 50'000;

  explicit KeyHistory(std::filesystem::path file) : file_(std::move(file)) {}

  struct Others {
    std::set<std::string> units;                              ///< that are known, without this one
    std::vector<std::pair<std::string, std::string>> shared;  ///< key, and another unit that was seen with it
  };
  /// Adds a unit's keys and says what others had before. The file and its folder are made if need be, for their owner
  /// alone; it is locked meanwhile, so that of two units at a time one sees the other. Errors (rig): it cannot be read
  /// or written.
  [[nodiscard]] Result<Others> add(const std::string& unit, const std::set<std::string>& keys) const;

 private:
  std::filesystem::path file_;
};

}  // namespace hilmark::suites
