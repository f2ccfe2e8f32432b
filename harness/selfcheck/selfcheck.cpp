#include "harness/selfcheck/selfcheck.h"

#include <algorithm>
#include <iterator>

#include <boost/json/serialize.hpp>
#include <yaml-cpp/yaml.h>

#include "harness/inventory/board_folders.h"
#include "harness/inventory/yaml_document.h"
#include "harness/selfcheck/detection_text.h"
#include "reports/text_output.h"

namespace hilmark::selfcheck {
namespace {

/// Of a run that was interrupted, which ends the selfcheck, too.
constexpr int signal_exit_base = 128;

Result<void> write(const std::filesystem::path& path, const std::string& text) {
  auto output = reports::TextOutput::to_file(path);
  if (!output) return fail(output.error());
  output->write(text);
  return output->finish();
}

Result<Bench> read_benches(const std::vector<std::filesystem::path>& labs) {
  std::optional<Bench> all;
  for (const std::filesystem::path& lab : labs) {
    auto bench = read_bench(lab, BoardFolders::of_environment());
    if (!bench) return fail(bench.error());
    if (!all) {
      all.emplace(std::move(*bench));
    } else {
      std::move(bench->units.begin(), bench->units.end(), std::back_inserter(all->units));
    }
  }
  if (!all) return fail(ErrorKind::usage, "no lab file was given");
  return std::move(*all);
}

/// A unit of a program that has a defect.
YAML::Node with_defect(const YAML::Node& unit, const Trial& trial) {
  YAML::Node clone = YAML::Clone(unit);
  clone["id"] = trial.unit;
  clone["command"].push_back("--defect");
  clone["command"].push_back(trial.defect);
  return clone;
}

/// One lab file with the units of all, and one of its own for each program that has a defect.
Result<void> write_lab(const Options& options, const Bench& bench, const Deal& deal,
                       const std::filesystem::path& path) {
  YAML::Node whole;
  YAML::Node units;
  auto known = bench.units.begin();
  for (const std::filesystem::path& lab : options.labs) {
    auto root = detail::load_yaml(lab);
    if (!root) return fail(root.error());
    if (whole.IsNull()) whole = YAML::Clone(*root);
    for (YAML::Node unit : (*root)["units"]) {
      // Paths may have been from the lab file's folder.
      if (!known->firmware.empty()) unit["firmware"] = known->firmware;
      if (!known->command.empty()) unit["command"] = known->command;
      units.push_back(unit);
      for (const Batch& batch : deal.batches) {
        for (const Trial& trial : batch) {
          if (trial.of == known->id && trial.unit != known->id) units.push_back(with_defect(unit, trial));
        }
      }
      ++known;
    }
  }
  whole["units"] = units;
  YAML::Emitter text;
  text << whole;
  return write(path, std::string(text.c_str()) + "\n");
}

RunOptions run_of(const Batch& batch, const Options& options, const std::filesystem::path& lab,
                  const std::filesystem::path& out) {
  RunOptions run = options.run;
  run.lab = lab;
  run.out = out;
  run.selection = {};
  run.firmware.clear();
  // Of this batch alone: a defect's keys must not be held against anybody else.
  run.key_history = std::filesystem::absolute(out / "public_keys");
  for (const Trial& trial : batch) {
    run.selection.units.push_back(trial.unit);
    if (!trial.cases.empty()) run.selection.cases_of_unit[trial.unit] = trial.cases;
    if (!trial.firmware.empty()) run.firmware.push_back(trial.unit + "=" + trial.firmware);
  }
  return run;
}

Result<void> take_verdicts(const Batch& batch, const std::filesystem::path& events, Judge& judge) {
  reports::RunFollower follower(reports::RunFollower::Keep::verdicts, [&](const reports::CaseOutcome& outcome) {
    const auto trial =
        std::find_if(batch.begin(), batch.end(), [&](const Trial& each) { return each.unit == outcome.unit->id; });
    if (trial != batch.end()) judge.take(*trial, outcome);
  });
  return reports::follow_file(events, follower).map([&](std::uint64_t) { follower.end(); });
}

}  // namespace

Result<int> selfcheck(const Options& options, const ConductorParts& parts) {
  const auto bench = read_benches(options.labs);
  if (!bench) return fail(bench.error());
  const auto defects = read_defects(options.defects);
  if (!defects) return fail(defects.error());
  const auto deal = selfcheck::deal(*bench, *defects, parts.catalogue, options.quick);
  if (!deal) return fail(deal.error());
  const std::filesystem::path out = options.run.out.value_or("out/selfcheck");
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (error) return fail(ErrorKind::usage, "cannot make {}: {}", out.string(), error.message());
  const std::filesystem::path lab = out / "lab.yaml";
  if (auto written = write_lab(options, *bench, *deal, lab); !written) return fail(written.error());

  Judge judge(*defects);
  for (std::size_t index = 0; index < deal->batches.size(); ++index) {
    const Batch& batch = deal->batches[index];
    const std::filesystem::path folder = out / fmt::format("batch-{}", index);
    fmt::print(parts.terminal, "selfcheck: batch {} of {}: {} {}\n", index + 1, deal->batches.size(), batch.size(),
               index == 0 ? "golden units" : "units with a defect each");
    std::filesystem::remove(folder / "public_keys", error);
    const auto status = conduct(run_of(batch, options, lab, folder), parts);
    if (!status) return fail(status.error());
    if (*status > signal_exit_base) return *status;
    if (auto taken = take_verdicts(batch, folder / "events.jsonl", judge); !taken) return fail(taken.error());
  }
  const Detection detection = judge.detection(deal->not_tried);
  if (auto written = write(out / "selfcheck.json", boost::json::serialize(detection_json(detection)) + "\n"); !written)
    return fail(written.error());
  if (options.markdown) {
    const auto written = write(*options.markdown, detection_markdown(detection, parts.catalogue, *defects));
    if (!written) return fail(written.error());
  }
  fmt::print("{}", options.json ? boost::json::serialize(detection_json(detection)) + "\n"
                                : detection_text(detection, parts.catalogue));
  return detection.exit_status();
}

}  // namespace hilmark::selfcheck
