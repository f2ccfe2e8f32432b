#include "suites/areas.h"
#include "suites/case.h"

namespace hilmark::suites {

std::string_view name_of(Level level) { return level == Level::must ? "MUST" : "SHOULD"; }

const std::vector<Case>& catalogue() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    add_control_of_all(all);
    add_return_case(all);
    add_sni_cases(all);
    add_sni_answer_cases(all);
    add_sni_endpoint_cases(all);
    add_mode_cases(all);
    add_key_cases(all);
    add_provisioning_cases(all);
    add_install_cases(all);
    add_fleet_cases(all);
    add_move_cases(all);
    add_message_cases(all);
    add_power_cases(all);
    add_tls_cases(all);
    add_mqtt_cases(all);
    add_lifecycle_cases(all);
    add_resolver_cases(all);
    add_endurance_cases(all);
    // Late: a unit that insists on the sessions which they hand out has no way back.
    add_session_cases(all);
    add_leak_case(all);
    return all;
  }();
  return cases;
}

}  // namespace hilmark::suites
