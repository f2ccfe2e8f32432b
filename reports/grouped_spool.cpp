#include "reports/grouped_spool.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace hilmark::reports {
namespace {

Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return fail(ErrorKind::rig, "cannot write a temporary file: {}; set TMPDIR to a folder with room",
                  errno_text(errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> read_at(int fd, std::uint64_t offset, void* target, std::size_t size) {
  auto* bytes = static_cast<char*>(target);
  while (size > 0) {
    const ssize_t count = ::pread(fd, bytes, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(ErrorKind::rig, "cannot read a temporary file: {}", errno_text(errno));
    bytes += count;
    size -= static_cast<std::size_t>(count);
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

}  // namespace

Result<GroupedSpool> GroupedSpool::make() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/hilmark-spool-XXXXXX";
  UniqueFd fd(::mkostemp(pattern.data(), O_CLOEXEC));
  if (!fd) return fail(ErrorKind::rig, "cannot make a temporary file {}: {}", pattern, errno_text(errno));
  ::unlink(pattern.c_str());
  return GroupedSpool(std::move(fd));
}

Result<void> GroupedSpool::append(std::size_t group, std::string_view fragment) {
  if (group >= chains_.size()) chains_.resize(group + 1);
  Chain& chain = chains_[group];
  const Head head{.next = 0, .size = fragment.size()};
  const std::string_view head_bytes(reinterpret_cast<const char*>(&head), sizeof head);
  if (auto written = write_at(fd_.get(), end_, std::string(head_bytes) + std::string(fragment)); !written)
    return written;
  if (chain.last != 0) {
    const std::string_view next(reinterpret_cast<const char*>(&end_), sizeof end_);
    if (auto written = write_at(fd_.get(), chain.last, next); !written) return written;
  }
  if (chain.first == 0) chain.first = end_;
  chain.last = end_;
  end_ += sizeof head + fragment.size();
  return {};
}

Result<void> GroupedSpool::each(std::size_t group, const std::function<void(std::string_view)>& sink) const {
  if (group >= chains_.size()) return {};
  std::string fragment;
  for (std::uint64_t at = chains_[group].first; at != 0;) {
    Head head;
    if (auto read = read_at(fd_.get(), at, &head, sizeof head); !read) return read;
    fragment.resize(head.size);
    if (auto read = read_at(fd_.get(), at + sizeof head, fragment.data(), fragment.size()); !read) return read;
    sink(fragment);
    at = head.next;
  }
  return {};
}

}  // namespace hilmark::reports
