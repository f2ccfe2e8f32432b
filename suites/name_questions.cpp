#include "suites/name_questions.h"

#include "suites/matchers.h"

namespace hilmark::suites {

EvidenceLog::Matcher of_questions(std::string kind, std::string name) {
  return [kind = std::move(kind), name = std::move(name)](const Evidence& piece) {
    return piece.kind == kind && piece.text("origin") == "unit" &&
           (name.empty() || same_name(piece.text("name"), name));
  };
}

void expect_no_question_for(Bench& bench, const std::string& old_name, std::uint64_t after) {
  for (const EvidencePtr& question : bench.all(of_questions("dns_question", old_name), after)) {
    bench.rests_on(question);
    ADD_FAILURE() << "DNS question #" << question->number << " is for the old name " << old_name;
  }
}

}  // namespace hilmark::suites
