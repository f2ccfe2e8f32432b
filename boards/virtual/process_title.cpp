#include "boards/virtual/process_title.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <sys/prctl.h>

namespace virtual_lab {

void set_process_title(std::string_view title) {
  ::prctl(PR_SET_NAME, std::string(title).c_str());
  // proc(5), /proc/PID/stat: fields 48 and 49 are where the arguments lie. The second field, in parentheses, may hold
  // anything; the third is counted from its end.
  std::ifstream file("/proc/self/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  constexpr int first_field = 3;
  constexpr int begin_field = 48;
  std::string skipped;
  for (int field = first_field; field < begin_field; ++field) fields >> skipped;
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  if (!(fields >> begin >> end) || begin == 0 || end <= begin) return;
  auto* arguments = reinterpret_cast<char*>(begin);  // NOLINT(performance-no-int-to-ptr)
  const std::size_t room = end - begin - 1;
  std::fill_n(arguments, room + 1, '\0');
  std::copy_n(title.begin(), std::min(title.size(), room), arguments);
}

}  // namespace virtual_lab
