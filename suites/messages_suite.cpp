// move: the messages of a unit that moves.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "suites/areas.h"
#include "suites/bench.h"

namespace hilmark::suites {
namespace {

using cloud::CertificateMode;

constexpr int messages_at_either_end = 3;

/// What the unit published in an account since a mark.
std::vector<EvidencePtr> published_in(Bench& bench, const cloud::Place& place, std::uint64_t after) {
  std::vector<EvidencePtr> messages = bench.seen("publish", after);
  messages.erase(std::remove_if(messages.begin(), messages.end(),
                                [&](const EvidencePtr& each) { return each->text("account") != place.account; }),
                 messages.end());
  return messages;
}

/// Waits until it has published some there; false if it did not within its limit for each.
bool publishes_in(Bench& bench, const cloud::Place& place, std::uint64_t after) {
  std::uint64_t mark = after;
  for (int count = 0; count < messages_at_either_end; ++count) {
    const EvidencePtr message = bench.await(
        [&](const Evidence& piece) {
          return piece.kind == "publish" && piece.text("origin") == "unit" && piece.text("account") == place.account;
        },
        mark, bench.reconnect_limit());
    if (!message) return false;
    mark = message->number;
  }
  return true;
}

/// Messages by what makes two of them alike. Ends the case if they cannot be told apart.
using Messages = std::map<std::string, EvidencePtr>;
Messages told_apart(const std::vector<EvidencePtr>& messages) {
  Messages known;
  for (const EvidencePtr& message : messages) {
    const bool is_new = known.emplace(message->text("message"), message).second;
    if (!is_new && !message->flag("dup")) {
      throw NotApplicable("its messages cannot be told apart: it publishes the same more than once");
    }
  }
  return known;
}

/// Those whose acknowledgement reached the unit: it was sent before the unit was told to move, and the unit went on
/// publishing on that connection afterwards. What it sent last may rightly be under way still.
Messages acknowledged(Bench& bench, const std::vector<EvidencePtr>& messages, std::uint64_t after, std::uint64_t told) {
  const Messages known = told_apart(messages);
  Messages taken;
  for (const EvidencePtr& puback : bench.seen("puback", after)) {
    const bool went_on = std::any_of(messages.begin(), messages.end(), [&](const EvidencePtr& later) {
      return later->connection == puback->connection && later->number > puback->number;
    });
    if (puback->number > told || !went_on) continue;
    for (const auto& [id, message] : known) {
      const bool is_its = message->connection == puback->connection && message->number < puback->number &&
                          message->number_of("packet_id") == puback->number_of("packet_id");
      if (is_its) taken.emplace(id, message);
    }
  }
  return taken;
}

/// A unit that publishes measurements may say the same twice by chance. Watched for longer, it does so again; one that
/// numbers its messages does not. Ends the case if what it publishes in B, besides what is `replayed`, repeats itself.
void expect_no_chance_repeats(Bench& bench, const cloud::Place& place, std::uint64_t after, const Messages& replayed) {
  constexpr int enough = 12;
  std::uint64_t mark = bench.now();
  const SteadyTime begun = bench.time();
  for (int count = 0; count < enough && bench.since(begun) < bench.reconnect_limit(); ++count) {
    const EvidencePtr message = bench.await_kind("publish", mark, bench.reconnect_limit() - bench.since(begun));
    if (!message) break;
    mark = message->number;
  }
  std::vector<EvidencePtr> others = published_in(bench, place, after);
  std::erase_if(others, [&](const EvidencePtr& each) { return replayed.count(each->text("message")) > 0; });
  (void)told_apart(others);
}

// Publishing all the while, the unit is moved from A to B and watched in both.
// Assures that each account gets its own messages, and no other's.
// Fails firmware that flushes an old queue in a new account, or goes back to the old one with a new message.
void messages_stay_where_they_belong(Bench& bench) {
  const cloud::Place a = bench.account_a();
  const cloud::Place b = bench.account_b();
  const std::uint64_t laid_out =
      bench.lay_out({{a, CertificateMode::default_mode, true}, {b, CertificateMode::sni_only, true}});
  if (!publishes_in(bench, a, laid_out)) {
    throw Inconclusive("it did not publish in A within " + in_ms(bench.reconnect_limit()));
  }
  const std::uint64_t told = bench.now();
  bench.move_to(b);
  if (bench.started_anew_since(told)) {
    throw NotApplicable("a move starts it anew, so that its messages of before cannot be told from those of after");
  }
  if (!publishes_in(bench, b, told)) {
    throw Inconclusive("it did not publish in B within " + in_ms(bench.reconnect_limit()));
  }
  const EvidencePtr first_in_b = published_in(bench, b, told).front();
  bench.opportunity(first_in_b);
  bench.watch(bench.watch_window());

  const Messages taken_by_a = acknowledged(bench, published_in(bench, a, laid_out), laid_out, told);
  if (taken_by_a.empty())
    bench.note(
        "nothing that it published in A was acknowledged before the move (QoS 0?), so nothing could be replayed");
  for (const EvidencePtr& message : published_in(bench, b, told)) {
    const auto replayed = taken_by_a.find(message->text("message"));
    if (replayed == taken_by_a.end()) continue;
    expect_no_chance_repeats(bench, b, told, taken_by_a);
    bench.rests_on(replayed->second);
    bench.rests_on(message);
    ADD_FAILURE() << "account " << a.account << " acknowledged a message (evidence #" << replayed->second->number
                  << ") that reached account " << b.account << " after the move (evidence #" << message->number << ")";
    return;
  }
  // What was under way while it moved may still arrive in A, on a connection of before.
  constexpr Milliseconds under_way{200};
  const auto connections = bench.seen("tcp_accepted", first_in_b->number);
  for (const EvidencePtr& message : published_in(bench, a, first_in_b->number)) {
    const bool is_of_before = std::none_of(connections.begin(), connections.end(), [&](const EvidencePtr& accepted) {
      return accepted->connection == message->connection;
    });
    if (is_of_before && message->at - first_in_b->at < under_way) {
      bench.note(fmt::format("a message was under way to A at the move (evidence #{})", message->number));
      continue;
    }
    bench.rests_on(message);
    ADD_FAILURE() << "a message was published in account " << a.account << " (evidence #" << message->number
                  << ") when it was served in account " << b.account << " already";
    return;
  }
}

}  // namespace

void add_message_cases(std::vector<Case>& cases) {
  cases.push_back({.id = "MOVE-08",
                   .area = "move",
                   .title = "messages stay where they belong",
                   .demand = "a message that A acknowledged never reaches B, and one that was made after B served it "
                             "never reaches A; one under way at the move may reach either or both",
                   .source = "the service's rule that accounts are apart; MQTT 3.1.1 section 4.3.2",
                   .needs = {Capability::endpoint, Capability::publish},
                   .defects = {"publishes-to-old-account", "replays-acknowledged"},
                   .depends_on = {"LIFE-06", "SNI-02", "SNI-03", "MODE-01", "MOVE-01"},
                   .opportunity = "a message in B after the move",
                   .body = messages_stay_where_they_belong,
                   .file = __FILE__,
                   .line = __LINE__});
}

}  // namespace hilmark::suites
