// Where board, chip, command and tool files are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/base/error.h"

namespace hilmark {

/// The folders of $HILMARK_BOARDS (colons between them), `boards` in the working directory, `boards` beside the program
/// or above it; the first that has a file wins, so that a user's boards may stand on the rig's chips.
class BoardFolders {
 public:
  [[nodiscard]] static BoardFolders of_environment();
  explicit BoardFolders(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}

  [[nodiscard]] Result<std::filesystem::path> board(const std::string& name) const { return find("", name, "board"); }
  [[nodiscard]] Result<std::filesystem::path> chip(const std::string& name) const {
    return find("chips", name, "chip");
  }
  [[nodiscard]] Result<std::filesystem::path> commands(const std::string& name) const {
    return find("commands", name, "console command set");
  }
  [[nodiscard]] Result<std::filesystem::path> tool(const std::string& name) const {
    return find("tools", name, "flashing tool");
  }
  [[nodiscard]] std::vector<std::string> boards() const { return names_in(""); }  ///< names, sorted

 private:
  [[nodiscard]] Result<std::filesystem::path> find(const char* folder, const std::string& name, const char* what) const;
  [[nodiscard]] std::vector<std::string> names_in(const char* folder) const;
  std::vector<std::filesystem::path> folders_;
};

}  // namespace hilmark
