// Where a board's flash cells live: in memory for one lab, or in a file that several labs follow each other in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "boards/virtual/result.h"
#include "boards/virtual/unique_fd.h"

namespace virtual_lab {

class FlashStore {
 public:
  // Erased flash that is gone with the lab.
  [[nodiscard]] static Result<FlashStore> fresh(std::size_t size_bytes);
  // The cells of `file`, which is made if it is not there, and held by an exclusive lock. A shorter file is erased
  // flash (0xFF) from its end on; a longer one is refused. Whatever is written survives a kill -9 of the lab at any
  // instant, as flash survives a power cut: the file is mapped, never rewritten.
  [[nodiscard]] static Result<FlashStore> kept_in(const std::filesystem::path& file, std::size_t size_bytes);

  FlashStore(FlashStore&& other) noexcept;
  FlashStore& operator=(FlashStore&& other) = delete;
  ~FlashStore();

  [[nodiscard]] std::span<std::uint8_t> cells() const { return cells_; }

 private:
  FlashStore(UniqueFd file, std::span<std::uint8_t> cells) : file_(std::move(file)), cells_(cells) {}

  UniqueFd file_;
  std::span<std::uint8_t> cells_;
};

}  // namespace virtual_lab
