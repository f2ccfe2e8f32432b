// hilmark cloud serve
#include <CLI/CLI.hpp>

#include "harness/base/bytes.h"
#include "harness/cli/commands.h"
#include "harness/conductor/run_options.h"
#include "harness/serve/cloud_server.h"

namespace hilmark::cli {
namespace {

struct Arguments {
  serve::ServeOptions serve;
  std::string rig_activates = "never";
};

/// "never" or "after=2s".
Result<std::optional<Milliseconds>> activation(const std::string& text) {
  static constexpr std::string_view after = "after=";
  if (text == "never") return std::optional<Milliseconds>();
  if (text.rfind(after, 0) != 0) {
    return fail(ErrorKind::usage, "--rig-activates: expected after=TIME (after=2s) or never; got {}", printable(text));
  }
  const auto time = parse_duration(text.substr(after.size()));
  if (!time) return fail(time.error(), "--rig-activates");
  return std::optional<Milliseconds>(*time);
}

Result<int> serve_now(Arguments arguments) {
  const auto after = activation(arguments.rig_activates);
  if (!after) return fail(after.error());
  arguments.serve.activates_after = *after;
  return serve::serve_cloud(arguments.serve);
}

}  // namespace

void add_cloud(CLI::App& app, Context& context) {
  CLI::App* cloud = app.add_subcommand("cloud", "The emulated cloud on its own");
  cloud->require_subcommand(1);
  auto arguments = std::make_shared<Arguments>();
  serve::ServeOptions& options = arguments->serve;
  CLI::App* command = cloud->add_subcommand(
      "serve",
      "Serve the cloud's API (the vendor's CLI works against it) and its TLS endpoint, until SIGTERM or Ctrl-C");
  command
      ->add_option("--config", options.config, "Accounts, keys, regions, names and rules [two accounts, two regions]")
      ->type_name("FILE");
  command->add_option("--listen", options.listen, "IPv4 address of the API and of the first region")
      ->type_name("ADDRESS")
      ->capture_default_str();
  command->add_option("--control", options.control, "Port of the API; 0: any free one")
      ->type_name("PORT")
      ->capture_default_str();
  command->add_option("--mqtt", options.mqtt, "Port of MQTT over TLS; 0: any free one")
      ->type_name("PORT")
      ->capture_default_str();
  command->add_option("--https", options.https, "Port of HTTPS publish; 0: any free one")
      ->type_name("PORT")
      ->capture_default_str();
  command->add_option("--alpn", options.alpn, "Port where ALPN decides, 443 at the service [none]")->type_name("PORT");
  command
      ->add_option("--state", options.state, "Keep what is registered in this file; it survives a kill at any instant")
      ->type_name("FILE");
  command->add_option("--events", options.events, "Append all that is seen, one JSON object a line (reports/events.md)")
      ->type_name("FILE");
  command->add_option("--ready-file", options.ready_file, "Written once it answers: addresses, names, keys, as JSON")
      ->type_name("FILE");
  command
      ->add_option("--rig-activates", arguments->rig_activates,
                   "Activate certificates that were registered just in time without a template: after=2s, or never")
      ->type_name("after=TIME|never")
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  hilmark cloud serve\n"
      "  AWS_ACCESS_KEY_ID=hilmark-a AWS_SECRET_ACCESS_KEY=hilmark-a AWS_DEFAULT_REGION=us-east-1 \\\n"
      "    aws --endpoint-url http://127.0.0.1:4580 iot get-registration-code\n"
      "  hilmark cloud serve --state cloud.db --rig-activates after=2s\n"
      "docs/desk.md goes the whole way.");
  command->callback([arguments, &context] { context.chosen = [arguments] { return serve_now(*arguments); }; });
}

}  // namespace hilmark::cli
