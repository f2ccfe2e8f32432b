// The lab's folder, $UMOCKDEV_DIR. A process of its own removes it when the lab ends, be it by SIGKILL.
#pragma once

#include <filesystem>

#include <sys/types.h>

#include "boards/virtual/result.h"
#include "boards/virtual/unique_fd.h"

namespace virtual_lab {

class TemporaryRoot {
 public:
  // Below $TMPDIR, else /tmp. To be called before there are threads.
  [[nodiscard]] static Result<TemporaryRoot> make();

  TemporaryRoot(TemporaryRoot&& other) noexcept;
  TemporaryRoot& operator=(TemporaryRoot&&) = delete;
  // Waits until the folder is removed.
  ~TemporaryRoot();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  TemporaryRoot(std::filesystem::path path, UniqueFd alive, pid_t remover)
      : path_(std::move(path)), alive_(std::move(alive)), remover_(remover) {}

  std::filesystem::path path_;
  UniqueFd alive_;  // closed by our end, however it comes
  pid_t remover_;
};

}  // namespace virtual_lab
