// A file that appears whole or not at all, or stdout.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace hilmark::reports {

class TextOutput {
 public:
  /// Errors (usage): it cannot be made.
  [[nodiscard]] static Result<TextOutput> to_file(const std::filesystem::path& path);
  [[nodiscard]] static TextOutput to_stdout();
  TextOutput(TextOutput&& other) noexcept = default;
  TextOutput& operator=(TextOutput&&) = delete;
  ~TextOutput();  ///< removes what was not finished

  void write(std::string_view text);    ///< buffered; a failure is told by finish()
  [[nodiscard]] Result<void> finish();  ///< errors (rig): something of it could not be written

 private:
  TextOutput(UniqueFd fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}
  void flush();
  [[nodiscard]] std::filesystem::path part() const { return path_.string() + ".part"; }
  UniqueFd fd_;
  std::filesystem::path path_;  // empty: stdout
  std::string buffer_;
  int trouble_ = 0;  // errno of the first failure
};

}  // namespace hilmark::reports
