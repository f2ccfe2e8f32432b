#include "harness/selfcheck/defects.h"

#include "harness/inventory/yaml_document.h"

namespace hilmark::selfcheck {

Result<std::vector<SeededDefect>> read_defects(const std::filesystem::path& path) {
  std::vector<SeededDefect> defects;
  const auto read = read_yaml(path, [&](YamlMapping& root) {
    root.check_version();
    root.require("defects");
    const auto list = root.mapping("defects");
    if (!list) return;
    for (const std::string& name : list->keys()) {
      const auto entry = list->mapping(name);
      if (entry) defects.push_back({.name = name, .unit = entry->text("unit"), .also = entry->text_map("also")});
    }
  });
  if (!read) return fail(read.error());
  return defects;
}

}  // namespace hilmark::selfcheck
