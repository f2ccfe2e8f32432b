// hilmark provision
#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>

#include "harness/cli/commands.h"
#include "harness/conductor/provisioning.h"
#include "reports/event_log.h"

namespace hilmark::cli {
namespace {

struct Arguments {
  ProvisionOptions options;
  bool json = false;
};

void tell(const std::string& unit, const reports::Event& done) {
  fmt::print(
      stderr,
      "{0}: it has the certificate {1} as {2}, for a key that {3} made\n"
      "{0}: told the endpoint {7}, it was served by account {4} in {5}, where its CA is in {6} mode, {8} ms after\n"
      "{0}: {9}\n",
      unit, done.text("certificate"), done.text("client_id"), done.flag("own_key") ? "it" : "the rig",
      done.text("account"), done.text("region"), done.text("mode"), done.text("endpoint"), done.number("served_ms"),
      fmt::join(done.texts("files"), ", "));
  if (done.text("server_name").empty()) {
    fmt::print(stderr,
               "{}: warning: it sends no server name (SNI) and was served by its certificate alone; where its CA is in "
               "SNI_ONLY mode it will be refused\n",
               unit);
  }
  for (const std::string& where : done.texts("key_seen_on")) {
    fmt::print(stderr, "{}: warning: its private key was seen on {}; the case PROV-03 judges that\n", unit, where);
  }
}

Result<int> provision_now(const Arguments& arguments) {
  const ProvisionOptions& options = arguments.options;
  auto outcome = provision(options, conductor_parts().worker_command, stderr);
  if (!outcome) return fail(outcome.error());
  if (outcome->signal != 0) {
    fmt::print(stderr, "hilmark: ended by a signal; unit {} {}\n", options.unit,
               outcome->touched ? "may have half of an identity: provision it anew" : "was not touched");
    return 128 + outcome->signal;  // as a shell has it
  }
  boost::json::object& event = outcome->provisioned;
  tell(options.unit, {.type = "provisioned", .members = event});
  if (options.state.empty()) {
    fmt::print(stderr, "{}: the cloud that it knows now ends here; --state FILE keeps one for `hilmark cloud serve`\n",
               options.unit);
  }
  if (!arguments.json) return 0;
  boost::json::object told{{"version", 1}, {"unit", options.unit}};
  for (const auto& [name, value] : event) {
    if (name != "type" && name != "v" && name != "time") told[name] = value;
  }
  fmt::print("{}\n", boost::json::serialize(told));
  return 0;
}

}  // namespace

void add_provision(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<Arguments>();
  ProvisionOptions& options = arguments->options;
  options.out = "out/provisioned";
  CLI::App* command = app.add_subcommand(
      "provision",
      "Give a board that runs its firmware a certificate of a CA, an endpoint and its trust anchor, and see it served");
  command->add_option("--lab", options.lab, "The lab file")->required()->type_name("FILE");
  command->add_option("--unit", options.unit, "The unit of the lab file")->required()->type_name("ID");
  command->add_option("--account", options.account, "The emulated cloud's account that is to know it, one of the lab's")
      ->required()
      ->type_name("ID");
  command
      ->add_option("--mode", options.mode,
                   "How the account knows the CA: DEFAULT (with proof; one account a region), or SNI_ONLY")
      ->required()
      ->check(CLI::IsMember({"DEFAULT", "SNI_ONLY"}))
      ->type_name("MODE");
  command->add_option("--region", options.region, "One of the lab's [its first]")->type_name("REGION");
  command->add_option("--client-id", options.client_id, "MQTT client id, and its certificate's name [hilmark-<unit>]")
      ->type_name("TEXT");
  auto* const ca = command->add_option("--ca", options.ca, "The vendor's CA, PEM [DIR/ca.pem, made if there is none]")
                       ->type_name("FILE");
  auto* const key =
      command->add_option("--ca-key", options.ca_key, "Its private key, PEM [DIR/ca.key]")->type_name("FILE");
  ca->needs(key);
  key->needs(ca);
  command
      ->add_option(
          "--state", options.state,
          "Keep what the cloud knows in this file, for `hilmark cloud serve --state`; else it knows it no more "
          "at the end")
      ->type_name("FILE");
  command
      ->add_option(
          "--out", options.out,
          "Folder for ca.pem and ca.key, and <unit>/ in it: certificate.pem, root_ca.pem, events.jsonl, worker.log")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "What it was given, as JSON on stdout");
  add_wait_option(*command, options.wait);
  command->footer(
      "Examples:\n"
      "  hilmark provision --lab lab.yaml --unit bench-1 --account 111111111111 --mode DEFAULT\n"
      "  hilmark provision --lab lab.yaml --unit bench-1 --account 222222222222 --mode SNI_ONLY \\\n"
      "    --ca rootCA.pem --ca-key rootCA.key --state cloud.db\n"
      "  hilmark cloud serve --state cloud.db      then knows the CA and the device (other accounts than its usual "
      "two: --config)\n"
      "\n"
      "Flash the board first (hilmark flash). Exit status: 0 it was served; 1 it refused, or was not; 2 usage, and "
      "nothing\n"
      "was touched; 3 the rig failed.");
  command->callback([arguments, &context] { context.chosen = [arguments] { return provision_now(*arguments); }; });
}

}  // namespace hilmark::cli
