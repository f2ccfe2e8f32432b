#include "reports/sample_run.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "harness/base/bytes.h"

namespace hilmark::reports::testing_support {
namespace {

boost::json::object planned(const char* id, const char* area, const char* title, const char* level = "MUST") {
  return {{"case", id},
          {"area", area},
          {"level", level},
          {"title", title},
          {"demand", std::string("what ") + id + " demands"},
          {"source", "RFC 6066 §3"},
          {"needs", boost::json::array{"reset"}},
          {"defects", boost::json::array{"no-sni"}},
          {"depends_on", boost::json::array{}},
          {"opportunity", "a ClientHello"},
          {"file", std::string("suites/") + area + ".cpp"},
          {"line", 42},
          {"skip", nullptr}};
}

boost::json::object finished(const char* unit, const char* id, int round, const char* verdict,
                             const std::string& message) {
  return {{"type", "case_finished"},
          {"unit", unit},
          {"virtual", true},
          {"case", id},
          {"round", round},
          {"verdict", verdict},
          {"message", message},
          {"opportunity", {{"what", "a ClientHello"}, {"seen", true}, {"evidence", 2}}},
          {"evidence", boost::json::array{1, 2}},
          {"blocked_by", nullptr},
          {"error_type", nullptr},
          {"duration_ms", 1234},
          {"waited_ms", 1000},
          {"notes", boost::json::array{"sends the leaf alone"}}};
}

}  // namespace

std::string event_line(boost::json::object members) {
  members["v"] = 1;
  if (!members.contains("time")) members["time"] = "2026-01-31T10:00:00.123Z";
  return boost::json::serialize(members) + "\n";
}

void write_lines(const std::filesystem::path& path, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  if (auto written = write_file(path, text); !written) throw std::runtime_error(written.error().message);
}

std::vector<std::string> sample_run(int rounds) {
  const std::vector<const char*> units{"virtual-1", "virtual-2"};
  std::vector<std::string> lines;
  const auto say = [&](boost::json::object event) { lines.push_back(event_line(std::move(event))); };
  say({{"type", "run_started"},
       {"run", "r1"},
       {"version", "0.1.0"},
       {"catalogue", "1"},
       {"lab", "lab.yaml"},
       {"command", boost::json::array{"build/hilmark", "run", "--lab", "lab.yaml"}},
       {"seed", 7},
       {"rounds", rounds},
       {"host", "bench"},
       {"pid", 1}});
  for (const char* unit : units) {
    boost::json::object skipped = planned("PROV-09", "provisioning", "survives a power cut");
    skipped["skip"] = "needs power; the unit offers reset, console";
    say({{"type", "unit_planned"},
         {"unit", unit},
         {"virtual", true},
         {"kind", "virtual"},
         {"board", "virtual_stm32h7"},
         {"chip", "stm32h7"},
         {"serial", "V0001"},
         {"port", "1-1"},
         {"capabilities", boost::json::array{"reset", "console"}},
         {"limits", {{"connect_ms", 10000}}},
         {"firmware", "build/images/golden.img"},
         {"cases",
          boost::json::array{
              planned("LIFE-06", "lifecycle", "connects"), planned("SNI-01", "sni", "one name <&> \"quoted\""),
              planned("SNI-02", "sni", "the right name"), planned("MODE-01", "modes", "DEFAULT"),
              planned("MQTT-01", "mqtt", "CONNECT first", "SHOULD"), planned("TLS-04", "tls", "names"), skipped}}});
  }
  for (const char* unit : units) say({{"type", "unit_started"}, {"unit", unit}, {"virtual", true}, {"pid", 2}});
  std::uint64_t number = 0;
  for (int round = 1; round <= rounds; ++round) {
    for (const char* unit : units) {
      const auto evidence = [&](const char* id, const char* source, const char* kind, boost::json::object data) {
        say({{"type", "evidence"},
             {"unit", unit},
             {"virtual", true},
             {"case", id},
             {"round", round},
             {"number", ++number},
             {"source", source},
             {"kind", kind},
             {"connection", 3},
             {"data", std::move(data)}});
      };
      const auto run_case = [&](const char* id, boost::json::object end) {
        say({{"type", "case_started"}, {"unit", unit}, {"virtual", true}, {"case", id}, {"round", round}});
        end["evidence"] = boost::json::array{number};
        say(std::move(end));
      };
      evidence("LIFE-06", "endpoint", "client_hello",
               {{"server_name_extensions", 1},
                {"server_names", boost::json::array{boost::json::object{{"type", 0}, {"name", "abc.iot"}}}},
                {"raw", "160301"}});
      run_case("LIFE-06", finished(unit, "LIFE-06", round, "pass", ""));
      evidence("SNI-01", "console", "console_line", {{"text", "ctl \x1b[31m ]]> & <b> \x01 end"}});
      run_case("SNI-01", finished(unit, "SNI-01", round, "fail",
                                  "the ClientHello carries no server_name ]]> \x1b <x>\nsecond line"));
      boost::json::object blocked = finished(unit, "SNI-02", round, "skip", "blocked by SNI-01");
      blocked["blocked_by"] = "SNI-01";
      run_case("SNI-02", blocked);
      boost::json::object unclear =
          finished(unit, "MODE-01", round, "inconclusive", "no opportunity to judge: no ClientHello was seen");
      unclear["error_type"] = "inconclusive";
      run_case("MODE-01", unclear);
      run_case("MQTT-01", finished(unit, "MQTT-01", round, "warn", "keep-alive above 1200 s"));
      boost::json::object broken = finished(unit, "TLS-04", round, "error", "a broker died");
      broken["error_type"] = "rig";
      run_case("TLS-04", broken);
    }
  }
  for (const char* unit : units) {
    say({{"type", "unit_finished"}, {"unit", unit}, {"virtual", true}, {"outcome", "done"}, {"message", ""}});
  }
  say({{"type", "run_finished"}, {"outcome", "done"}, {"exit", 1}, {"counts", {{"pass", 2 * rounds}}}});
  return lines;
}

}  // namespace hilmark::reports::testing_support
