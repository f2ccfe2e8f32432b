// One function an area: appends its cases, in the order in which they run.
#pragma once

#include <vector>

#include "suites/case.h"

namespace hilmark::suites {

/// LIFE-06, on which all others rest.
void add_control_of_all(std::vector<Case>& cases);
/// MQTT-10, on which all rest that make a unit connect anew.
void add_return_case(std::vector<Case>& cases);
void add_lifecycle_cases(std::vector<Case>& cases);
/// Those of lifecycle that take many connections, or much time.
void add_endurance_cases(std::vector<Case>& cases);
void add_sni_cases(std::vector<Case>& cases);
void add_sni_answer_cases(std::vector<Case>& cases);
/// The endpoint's other names, ports and protocols.
void add_sni_endpoint_cases(std::vector<Case>& cases);
void add_session_cases(std::vector<Case>& cases);
void add_mode_cases(std::vector<Case>& cases);
void add_provisioning_cases(std::vector<Case>& cases);
void add_key_cases(std::vector<Case>& cases);
/// PROV-03, which judges what was said in all others' time.
void add_leak_case(std::vector<Case>& cases);
void add_install_cases(std::vector<Case>& cases);
void add_fleet_cases(std::vector<Case>& cases);
void add_move_cases(std::vector<Case>& cases);
/// DNS: cases of sni, move and lifecycle that the rig's name server provokes.
void add_resolver_cases(std::vector<Case>& cases);
void add_message_cases(std::vector<Case>& cases);
/// Power that fails while something is changed: cases of provisioning and move.
void add_power_cases(std::vector<Case>& cases);
void add_tls_cases(std::vector<Case>& cases);
void add_mqtt_cases(std::vector<Case>& cases);

}  // namespace hilmark::suites
