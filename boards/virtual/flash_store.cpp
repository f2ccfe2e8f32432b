#include "boards/virtual/flash_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace virtual_lab {
namespace {

// Fills what is missing of the file with erased cells. Killed in between, it is only shorter still.
bool pad_with_erased_cells(int fd, std::size_t from, std::size_t to) {
  const std::vector<std::uint8_t> erased(64UL * 1024, 0xff);
  while (from < to) {
    const ssize_t written = ::pwrite(fd, erased.data(), std::min(erased.size(), to - from), static_cast<off_t>(from));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    from += static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace

Result<FlashStore> FlashStore::fresh(std::size_t size_bytes) {
  void* memory = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno_failure("no memory for a board's flash");
  const std::span<std::uint8_t> cells(static_cast<std::uint8_t*>(memory), size_bytes);
  std::fill(cells.begin(), cells.end(), std::uint8_t{0xff});
  return FlashStore(UniqueFd(), cells);
}

Result<FlashStore> FlashStore::kept_in(const std::filesystem::path& file, std::size_t size_bytes) {
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return errno_failure(fmt::format("cannot open the flash file {}", file.string()));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return failure(fmt::format("the flash file {} is in use by another virtual-lab", file.string()));
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return failure(fmt::format("the flash file {} is not a regular file", file.string()));
  }
  const auto present = static_cast<std::size_t>(status.st_size);
  if (present > size_bytes) {
    return failure(
        fmt::format("the flash file {} has {} bytes, the board's flash {}", file.string(), present, size_bytes));
  }
  if (!pad_with_erased_cells(fd.get(), present, size_bytes)) {
    return errno_failure(fmt::format("cannot fill the flash file {}", file.string()));
  }
  void* memory = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return errno_failure(fmt::format("cannot map the flash file {}", file.string()));
  return FlashStore(std::move(fd), std::span<std::uint8_t>(static_cast<std::uint8_t*>(memory), size_bytes));
}

FlashStore::FlashStore(FlashStore&& other) noexcept
    : file_(std::move(other.file_)), cells_(std::exchange(other.cells_, {})) {}

FlashStore::~FlashStore() {
  if (cells_.empty()) return;
  if (file_.valid()) ::msync(cells_.data(), cells_.size(), MS_SYNC);
  ::munmap(cells_.data(), cells_.size());
}

}  // namespace virtual_lab
