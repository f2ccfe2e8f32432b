// Sorts text fragments into groups by way of a temporary file, so that memory does not grow with their number.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace hilmark::reports {

class GroupedSpool {
 public:
  [[nodiscard]] static Result<GroupedSpool> make();
  [[nodiscard]] Result<void> append(std::size_t group, std::string_view fragment);
  /// The group's fragments in the order in which they came.
  [[nodiscard]] Result<void> each(std::size_t group, const std::function<void(std::string_view)>& sink) const;

 private:
  // On file: {next, size} and the fragment; `next` is filled in when the group's next fragment comes.
  struct Head {
    std::uint64_t next = 0;
    std::uint64_t size = 0;
  };
  struct Chain {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  explicit GroupedSpool(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::vector<Chain> chains_;
  std::uint64_t end_ = sizeof(Head);  // so that 0 means none
};

}  // namespace hilmark::reports
