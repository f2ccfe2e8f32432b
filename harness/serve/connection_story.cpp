#include "harness/serve/connection_story.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "harness/base/bytes.h"

namespace hilmark::serve {
namespace {

constexpr std::size_t short_id_digits = 12;

std::string short_id(const std::string& id) {
  return id.size() <= short_id_digits ? id : id.substr(0, short_id_digits) + "…";
}

/// The first host_name of a ClientHello's evidence, made printable there.
std::string name_in(const Evidence& hello) {
  const boost::json::value* names = hello.data.if_contains("server_names");
  const boost::json::array* list = names != nullptr ? names->if_array() : nullptr;
  if (list == nullptr || list->empty() || !list->front().is_object()) return {};
  const boost::json::value* name = list->front().get_object().if_contains("name");
  return name != nullptr && name->is_string() ? std::string(name->get_string()) : std::string();
}

}  // namespace

std::string ConnectionStories::who(std::uint64_t number, const Story& story) {
  return fmt::format("#{} {} {} sni={} certificate={}", number, story.peer, story.region,
                     story.sni.empty() ? "none" : story.sni,
                     story.certificate_id.empty() ? "none" : short_id(story.certificate_id));
}

std::optional<ConnectionStories::Line> ConnectionStories::decision(std::uint64_t number, Story& story,
                                                                   const Evidence& piece) {
  const auto line = [&](bool bad, const std::string& what) -> std::optional<Line> {
    story.decided = true;
    return Line{bad, who(number, story) + ": " + what};
  };
  if (piece.kind == "connack") {
    story.served = true;
    // Only a switch let it in: the service would not.
    const bool lenient = !story.event.empty();
    return line(lenient, fmt::format("served by account {} as \"{}\", certificate mode {}{}{}", piece.text("account"),
                                     piece.text("client_id"), piece.text("mode"),
                                     lenient ? "; the service refuses it, " : "", story.event));
  }
  if (piece.kind == "refused") {
    const std::string account = piece.text("account");
    return line(true,
                fmt::format("refused, {}{}{}", piece.text("reason"), account.empty() ? "" : " in account ", account));
  }
  if (piece.kind == "registered") {
    const std::string fault = piece.text("fault");
    return line(!fault.empty(),
                fmt::format("registered in account {} by {} ({}), status {}{}{}; closed, it is to connect again",
                            piece.text("account"), piece.text("by"), piece.text("mode"), piece.text("status"),
                            fault.empty() ? "" : ": ", fault));
  }
  if (piece.kind == "handshake_failed") {
    return line(true, fmt::format("no handshake, {}", piece.text("detail")));
  }
  if (piece.kind == "client_hello_malformed") return line(true, "no ClientHello, " + piece.text("why"));
  if (piece.kind == "mqtt_not_connect") return line(true, "its first packet is no CONNECT");
  return std::nullopt;
}

std::optional<ConnectionStories::Line> ConnectionStories::ending(std::uint64_t number, const Story& story,
                                                                 const Evidence& piece) {
  const auto lasted = std::chrono::duration_cast<Milliseconds>(piece.at - story.began);
  if (story.served) {
    return Line{false, fmt::format("#{} closed by {} after {:.1f} s, {} messages published", number,
                                   piece.text("by") == "us" ? "the cloud" : "the " + piece.text("by"),
                                   static_cast<double>(lasted.count()) / 1000.0, story.publishes)};
  }
  if (story.decided) return std::nullopt;
  return Line{true, who(number, story) + ": closed before anything was decided"};
}

std::optional<ConnectionStories::Line> ConnectionStories::add(const Evidence& piece) {
  if (piece.source != "endpoint" || piece.connection == 0) return std::nullopt;
  if (piece.kind == "tcp_accepted") {
    if (open_.size() >= max_open) open_.erase(open_.begin());
    Story& story = open_[piece.connection];
    story.peer = piece.text("peer");
    story.region = piece.text("region");
    story.began = piece.at;
    return std::nullopt;
  }
  const auto found = open_.find(piece.connection);
  if (found == open_.end()) return std::nullopt;
  Story& story = found->second;
  if (piece.kind == "client_hello") story.sni = name_in(piece);
  if (piece.kind == "client_certificates") story.certificate_id = piece.text("certificate_id");
  if (piece.kind == "routed") story.event = piece.text("event");
  if (piece.kind == "publish") ++story.publishes;
  if (piece.kind != "closed") return decision(piece.connection, story, piece);
  const auto line = ending(piece.connection, story, piece);
  open_.erase(found);
  return line;
}

}  // namespace hilmark::serve
