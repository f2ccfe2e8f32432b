#include "suites/observations.h"

#include <ostream>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

namespace hilmark::suites {

namespace {

std::vector<Offer> offers_in(const Evidence& hello) {
  std::vector<Offer> offers;
  const auto* list = hello.data.if_contains("offers");
  if (list == nullptr || !list->is_array()) return offers;
  for (const auto& entry : list->get_array()) {
    const auto* fields = entry.if_object();
    if (fields == nullptr) continue;
    Evidence view;
    view.data = *fields;
    offers.push_back(
        {view.text("kind"), view.text("id"), view.flag("ours"), view.text("account"), view.text("certificate_id")});
  }
  return offers;
}

std::vector<std::string> protocols_in(const Evidence& hello) {
  std::vector<std::string> protocols;
  const auto* list = hello.data.if_contains("alpn");
  if (list == nullptr || !list->is_array()) return protocols;
  for (const auto& entry : list->get_array()) {
    if (entry.is_string()) protocols.emplace_back(entry.get_string());
  }
  return protocols;
}

}  // namespace

Hello Hello::from(const EvidencePtr& evidence) {
  Hello hello{evidence,
              static_cast<int>(evidence->number_of("server_name_extensions")),
              {},
              evidence->text("malformed"),
              offers_in(*evidence),
              evidence->text("listener"),
              protocols_in(*evidence)};
  if (evidence->kind == "client_hello_malformed") hello.malformed = evidence->text("why");
  const auto* names = evidence->data.if_contains("server_names");
  if (names == nullptr || !names->is_array()) return hello;
  for (const auto& entry : names->get_array()) {
    const auto* fields = entry.if_object();
    if (fields == nullptr) continue;
    Evidence view;
    view.data = *fields;
    hello.names.push_back({static_cast<int>(view.number_of("type")), view.text("name")});
  }
  return hello;
}

void PrintTo(const Hello& hello, std::ostream* out) {
  *out << "ClientHello #" << hello.evidence->number;
  if (!hello.malformed.empty()) *out << " (malformed: " << hello.malformed << ")";
  if (hello.server_name_extensions == 0) {
    *out << " without a server_name extension";
    return;
  }
  *out << " with " << hello.server_name_extensions << " server_name extension(s), names: [";
  for (std::size_t index = 0; index < hello.names.size(); ++index) {
    *out << (index > 0 ? ", " : "") << '"' << hello.names[index].name << "\" (type " << hello.names[index].type << ')';
  }
  *out << ']';
}

Landing Landing::from(const EvidencePtr& evidence) {
  return {evidence, evidence->text("account"), evidence->text("certificate_id"), evidence->text("mode"),
          evidence->text("sni")};
}

void PrintTo(const Landing& landing, std::ostream* out) {
  *out << "connection #" << landing.evidence->number << " served in account " << landing.account << " (" << landing.mode
       << ") with certificate " << landing.certificate_id.substr(0, 16) << "… for the name \"" << landing.sni << '"';
}

Presented Presented::from(const EvidencePtr& evidence) {
  return {evidence, evidence->text("certificate_id"), evidence->flag("order_ok"), evidence->text("order_fault"),
          evidence->number_of("count")};
}

void PrintTo(const Presented& presented, std::ostream* out) {
  *out << presented.count << " certificate(s) in #" << presented.evidence->number << ", the first "
       << presented.certificate_id.substr(0, 16) << "…";
  if (!presented.order_ok) *out << ", out of order: " << presented.order_fault;
}

}  // namespace hilmark::suites
