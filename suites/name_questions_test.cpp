#include "suites/name_questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hilmark::suites {
namespace {

/// As the name server tells them: their source is not the endpoint.
Evidence piece(const char* kind, const char* origin, const char* name) {
  Evidence made;
  made.source = "resolver";
  made.kind = kind;
  made.data = {{"origin", origin}, {"name", name}};
  return made;
}

TEST(NameQuestions, AreTheUnitsAboutThatName) {
  const auto asks = of_questions("dns_question", "a.example");
  EXPECT_TRUE(asks(piece("dns_question", "unit", "A.example")));
  EXPECT_FALSE(asks(piece("dns_question", "unit", "b.example")));
  EXPECT_FALSE(asks(piece("dns_question", "probe", "a.example")));
  EXPECT_FALSE(asks(piece("dns_answer", "unit", "a.example")));
  EXPECT_TRUE(of_questions("dns_question")(piece("dns_question", "unit", "b.example"))) << "any name";
}

}  // namespace
}  // namespace hilmark::suites
