#include "boards/process/openssl_client/https_publisher.h"

#include <cctype>
#include <fstream>

namespace openssl_client {
namespace {

constexpr Milliseconds answer_limit{5000};

/// All but the unreserved characters (RFC 3986 §2.3).
std::string percent_encoded(const std::string& text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string result;
  for (const char letter : text) {
    const auto octet = static_cast<unsigned char>(letter);
    if (std::isalnum(octet) != 0 || std::string("-._~").find(letter) != std::string::npos) {
      result += letter;
    } else {
      result += {'%', digits[octet >> 4U], digits[octet & 0xfU]};
    }
  }
  return result;
}

}  // namespace

std::string host_of(const Settings& settings) {
  if (settings.defect != Defect::http_host_stale) return settings.endpoint;
  const std::string file = settings.ticket_file + ".host";
  std::string first;
  if (std::ifstream(file) >> first) return first;
  std::ofstream(file) << settings.endpoint;
  return settings.endpoint;
}

std::string publish_request(const Settings& settings, const std::string& host, const std::string& payload) {
  return "POST /topics/" + percent_encoded(settings.topic) + "?qos=1 HTTP/1.1\r\nHost: " + host +
         "\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(payload.size()) + "\r\n\r\n" + payload;
}

std::string HttpsPublisher::publish(const LinkPlan& plan) const {
  TlsLink link(settings_, tickets_);
  link.open(plan);
  const std::string request = publish_request(settings_, host_, "{\"counter\":" + std::to_string(count_) + "}");
  link.send({request.begin(), request.end()});
  const auto deadline = Clock::now() + answer_limit;
  std::string answer;
  while (answer.find("\r\n") == std::string::npos) {
    const Bytes octets = link.receive(deadline);
    if (octets.empty()) throw ConnectionLost("no answer");
    answer.append(octets.begin(), octets.end());
  }
  link.close();
  return answer.substr(0, answer.find("\r\n"));
}

std::string HttpsPublisher::tick(Clock::time_point now) {
  if (!settings_.https_interval || now < next_) return "";
  next_ = now + *settings_.https_interval;
  LinkPlan plan{
      .port = "8443", .protocol = "", .send_name = settings_.defect != Defect::sni_mqtt_only, .resume = false};
  if (++count_ % 2 == 0) {
    plan.port = "443";
    plan.protocol = "x-amzn-http-ca";
  }
  try {
    return publish(plan);
  } catch (const ConnectionLost& lost) {
    return lost.what();
  }
}

Clock::time_point HttpsPublisher::next_deadline() const {
  return settings_.https_interval ? next_ : Clock::time_point::max();
}

}  // namespace openssl_client
