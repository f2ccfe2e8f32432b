#include "harness/base/evidence_file.h"

#include <cerrno>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/stat.h>

#include "harness/base/clock.h"
#include "harness/base/write_all.h"

namespace hilmark {

Result<EvidenceFile> EvidenceFile::open(const std::filesystem::path& path) {
  EvidenceFile file;
  if (path.empty()) return file;
  file.path_ = path;
  file.fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.fd_) return fail(ErrorKind::usage, "{} cannot be written: {}", path.string(), errno_text(errno));
  return file;
}

Result<void> EvidenceFile::write(const Evidence& piece) {
  if (!fd_) return {};
  const boost::json::object event{{"v", 1},
                                  {"type", "evidence"},
                                  {"time", iso8601(piece.wall)},
                                  {"number", piece.number},
                                  {"source", piece.source},
                                  {"kind", piece.kind},
                                  {"connection", piece.connection},
                                  {"data", piece.data}};
  if (write_all(fd_.get(), boost::json::serialize(event) + "\n")) return {};
  auto why = fail(ErrorKind::rig, "the events file {} cannot be written: {}; no more is written there", path_.string(),
                  errno_text(errno));
  fd_.reset();
  return why;
}

}  // namespace hilmark
