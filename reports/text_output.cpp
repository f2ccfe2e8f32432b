#include "reports/text_output.h"

#include <cerrno>

#include <fcntl.h>

#include "harness/base/write_all.h"

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
  if (trouble_ == 0 && !write_all(fd_.get(), buffer_)) trouble_ = errno;
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
