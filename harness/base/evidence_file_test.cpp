#include "harness/base/evidence_file.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/bytes.h"
#include "harness/base/temporary_folder.h"

namespace hilmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class TheEvidenceFile : public testing::Test {
 protected:
  EvidencePtr seen(const char* kind) { return log_.add("endpoint", kind, {{"peer", "127.0.0.1"}}, 7); }
  SystemClock clock_;
  EvidenceLog log_{clock_};
  TemporaryFolder folder_ = std::move(TemporaryFolder::make().value());
};

TEST_F(TheEvidenceFile, has_a_line_for_each_piece_of_evidence_and_keeps_what_it_had) {
  const auto path = folder_.path() / "events.jsonl";
  for (const char* kind : {"tcp_accepted", "closed"}) {
    auto file = EvidenceFile::open(path);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(*seen(kind)));
  }
  const std::string text = as_text(read_file(path).value());
  const std::size_t end = text.find('\n');
  const boost::json::object first = boost::json::parse(text.substr(0, end)).as_object();
  EXPECT_EQ(first.at("kind"), "tcp_accepted");
  EXPECT_EQ(first.at("connection"), 7);
  EXPECT_EQ(boost::json::parse(text.substr(end + 1)).as_object().at("kind"), "closed");
}

TEST_F(TheEvidenceFile, tells_once_that_its_disk_is_full) {
  auto file = EvidenceFile::open("/dev/full");
  ASSERT_TRUE(file);
  const auto written = file->write(*seen("closed"));
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, AllOf(HasSubstr("/dev/full"), HasSubstr("No space left")));
  EXPECT_TRUE(file->write(*seen("closed")));
}

TEST_F(TheEvidenceFile, is_refused_where_it_cannot_be_made) {
  EXPECT_THAT(EvidenceFile::open(folder_.path() / "none" / "events").error().message,
              HasSubstr("none/events cannot be written"));
  EXPECT_TRUE(EvidenceFile::open("")->write(*seen("closed")));
}

}  // namespace
}  // namespace hilmark
