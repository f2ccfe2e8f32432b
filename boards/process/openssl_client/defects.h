// Faults that are switched on by name, one at a time, so that a suite can prove that it sees them. README.md has what
// each one is.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

namespace openssl_client {

enum class Defect {
  none,
  alpn_missing,
  alpn_wrong,
  claim_reused,
  http_host_stale,
  resume_only,
  resumes_old_identity,
  sni_drop_on_alert,
  sni_lost_on_hrr,
  sni_lost_on_resume,
  sni_mqtt_only,
  sni_truncated,
  ticket_shared_across_hosts,
};

inline std::optional<Defect> defect_named(std::string_view name) {
  constexpr std::pair<std::string_view, Defect> all[] = {
      {"alpn-missing", Defect::alpn_missing},
      {"alpn-wrong", Defect::alpn_wrong},
      {"claim-reused", Defect::claim_reused},
      {"http-host-stale", Defect::http_host_stale},
      {"resume-only", Defect::resume_only},
      {"resumes-old-identity", Defect::resumes_old_identity},
      {"sni-drop-on-alert", Defect::sni_drop_on_alert},
      {"sni-lost-on-hrr", Defect::sni_lost_on_hrr},
      {"sni-lost-on-resume", Defect::sni_lost_on_resume},
      {"sni-mqtt-only", Defect::sni_mqtt_only},
      {"sni-truncated", Defect::sni_truncated},
      {"ticket-shared-across-hosts", Defect::ticket_shared_across_hosts},
  };
  for (const auto& [known, defect] : all) {
    if (known == name) return defect;
  }
  return std::nullopt;
}

}  // namespace openssl_client
