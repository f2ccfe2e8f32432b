#include "reports/text_output.h"

#include <cerrno>

#include <fcntl.h>

namespace hilmark::reports {

Result<TextOutput> TextOutput::to_file(const std::filesystem::path& path) {
  TextOutput output(UniqueFd(), path);
  output.fd_.reset(::open(output.part().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!output.fd_) return fail(ErrorKind::usage, "cannot write {}: {}", path.string(), errno_text(errno));
  return output;
}

TextOutput TextOutput::to_stdout() { return {UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)), {}}; }

TextOutput::~TextOutput() {
  std::error_code ignored;
  if (fd_ && !path_.empty()) std::filesystem::remove(part(), ignored);
}

void TextOutput::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= 65536) flush();
}

void TextOutput::flush() {
  std::string_view left = buffer_;
  while (!left.empty() && trouble_ == 0) {
    const ssize_t count = ::write(fd_.get(), left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      trouble_ = errno;
      break;
    }
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  buffer_.clear();
}

Result<void> TextOutput::finish() {
  flush();
  const std::string name = path_.empty() ? "the output" : path_.string();
  if (trouble_ == 0 && !path_.empty() && ::rename(part().c_str(), path_.c_str()) != 0) trouble_ = errno;
  if (trouble_ != 0) return fail(ErrorKind::rig, "cannot write {}: {}", name, errno_text(trouble_));
  fd_.reset();
  return {};
}

}  // namespace hilmark::reports
