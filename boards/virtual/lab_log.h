// The lab's log: what its boards do, and what their firmware writes to descriptor 2. Bounded, and never in the way.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

namespace virtual_lab {

class LabLog {
 public:
  static constexpr std::size_t max_bytes = 16U << 20;

  explicit LabLog(const std::filesystem::path& file) : file_(std::fopen(file.c_str(), "ae")) {}

  [[nodiscard]] bool usable() const { return file_ != nullptr; }
  // A line, or several.
  void write(std::string_view who, std::string_view text);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::unique_ptr<std::FILE, Close> file_;
  std::size_t written_bytes_ = 0;
};

}  // namespace virtual_lab
