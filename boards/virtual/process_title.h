// What a helper process, forked and not executed, is called: else it would look like another virtual-lab with the same
// command line, and be taken for one.
#pragma once

#include <string_view>

namespace virtual_lab {

// Of the calling process, which has one thread. At most as long as the command line was.
void set_process_title(std::string_view title);

}  // namespace virtual_lab
