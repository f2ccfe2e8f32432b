#include "harness/inventory/board_folders.h"

#include <cstdlib>
#include <set>

#include <fmt/ranges.h>

#include "harness/base/bytes.h"
#include "harness/inventory/near_miss.h"

namespace hilmark {

BoardFolders BoardFolders::of_environment() {
  std::vector<std::filesystem::path> folders;
  if (const char* listed = std::getenv("HILMARK_BOARDS"); listed != nullptr) {
    const std::string_view text(listed);
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t end = std::min(text.find(':', start), text.size());
      if (end > start) folders.emplace_back(text.substr(start, end - start));
      start = end + 1;
    }
  }
  folders.emplace_back("boards");
  std::error_code error;
  std::filesystem::path above = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (; !error && above.has_relative_path(); above = above.parent_path()) {
    if (std::filesystem::is_directory(above / "boards" / "chips", error)) {
      folders.push_back(above / "boards");
      break;
    }
    error.clear();
  }
  return BoardFolders(std::move(folders));
}

Result<std::filesystem::path> BoardFolders::find(const char* folder, const std::string& name, const char* what) const {
  std::error_code ignored;
  std::vector<std::string> looked;
  for (const std::filesystem::path& base : folders_) {
    const std::filesystem::path place = *folder == '\0' ? base : base / folder;
    const std::filesystem::path path = place / (name + ".yaml");
    if (std::filesystem::is_regular_file(path, ignored)) return path;
    looked.push_back(place.string());
  }
  return fail(ErrorKind::usage, "no {} `{}` in {}{}", what, printable(name), fmt::join(looked, " or "),
              suggestion(name, names_in(folder)));
}

std::vector<std::string> BoardFolders::names_in(const char* folder) const {
  std::set<std::string> names;
  for (const std::filesystem::path& base : folders_) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(*folder == '\0' ? base : base / folder, error)) {
      if (entry.path().extension() == ".yaml") names.insert(entry.path().stem().string());
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace hilmark
