#include "app/defects.h"

#include <fstream>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace {

constexpr const char* readme = "boards/reference/README.md";

TEST(Defects, AreFoundByTheirNames) {
  for (int i = 0; i < DEFECT_COUNT; i++) {
    defect found = DEFECT_COUNT;
    ASSERT_TRUE(defect_by_name(defect_table[i].name, &found));
    EXPECT_EQ(found, i);
  }
  defect found;
  for (const char* name : {"", "none", "no-sni ", "NO-SNI"}) EXPECT_FALSE(defect_by_name(name, &found)) << name;
}

// The table in README.md is made from the one in defects.c: this test prints the rows to put there.
TEST(Defects, AreInTheReadmeAsInTheTable) {
  std::ifstream file(readme);
  ASSERT_TRUE(file) << readme;
  std::set<std::string> lines;
  bool in_table = false;
  for (std::string line; std::getline(file, line);) {
    in_table = line == "| defect | what it does |" || (in_table && !line.empty());
    if (in_table && line.rfind("| `", 0) == 0) lines.insert(line);
  }
  for (const auto& entry : defect_table) {
    const std::string row = "| `" + std::string(entry.name) + "` | " + entry.sentence + " |";
    EXPECT_EQ(lines.erase(row), 1U) << readme << " lacks the row:\n" << row;
  }
  EXPECT_TRUE(lines.empty()) << readme << " has a row too many:\n" << *lines.begin();
}

}  // namespace
