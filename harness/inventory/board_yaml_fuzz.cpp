// libFuzzer: whatever is handed over as a board, chip, lab or tool file, reading it ends with facts, or with faults
// that name the file.
#include <cstdint>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/base/unique_fd.h"
#include "harness/inventory/board_file.h"
#include "harness/inventory/lab_file.h"
#include "harness/inventory/tool_file.h"

namespace {

template <class Facts>
void check(const hilmark::Result<Facts>& read, const std::string& path) {
  if (read) return;
  const bool named = read.error().message.find(path) != std::string::npos;
  if (!named || read.error().kind != hilmark::ErrorKind::usage) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const hilmark::UniqueFd file(::memfd_create("board.yaml", MFD_CLOEXEC));
  if (!file || ::write(file.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  const std::string path = fmt::format("/proc/self/fd/{}", file.get());
  check(hilmark::read_board_file(path), path);
  check(hilmark::read_chip_file(path), path);
  check(hilmark::read_lab_file(path), path);
  check(hilmark::read_tool_file(path), path);
  return 0;
}
