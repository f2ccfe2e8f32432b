#include "harness/conductor/run_reports.h"

#include "reports/html.h"
#include "reports/junit.h"
#include "reports/overview.h"
#include "reports/summary.h"
#include "reports/terminal.h"

namespace hilmark {
namespace {

constexpr int rig_trouble_exit = 3;
constexpr int signal_exit_base = 128;

template <class Write>
Result<void> write_report(const std::filesystem::path& path, Write&& write) {
  auto output = reports::TextOutput::to_file(path);
  if (!output) return fail(output.error());
  if (auto written = write(*output); !written) return written;
  return output->finish();
}

Result<void> write_reports(const std::filesystem::path& out) {
  const std::filesystem::path events = out / "events.jsonl";
  return write_report(out / "junit.xml", [&](auto& output) { return reports::write_junit({events}, output); })
      .and_then([&] {
        return write_report(out / "summary.json", [&](auto& output) { return reports::write_summary(events, output); });
      })
      .and_then([&] {
        return write_report(out / "report.html", [&](auto& output) { return reports::write_html(events, output); });
      });
}

}  // namespace

Result<int> finish_run(const RunEnd& end, RunLog& log, const std::function<void(std::string_view)>& line) {
  const std::filesystem::path events = end.run.out / "events.jsonl";
  const auto overview = reports::overview_of(events);
  if (!overview) return fail(overview.error());
  int status = end.stopped_by_signal != 0 ? signal_exit_base + end.stopped_by_signal : reports::exit_status(*overview);
  if (end.trouble) {
    line("hilmark: " + end.trouble->message);
    if (status == 0) status = rig_trouble_exit;
  } else {
    boost::json::object counts;
    for (const reports::Verdict verdict : reports::all_verdicts)
      counts[reports::name_of(verdict)] = overview->tally.counts[verdict];
    const char* outcome = end.stopped_by_signal != 0 ? "interrupted" : end.deadline_came ? "deadline" : "done";
    auto appended = log.append({{"type", "run_finished"}, {"outcome", outcome}, {"exit", status}, {"counts", counts}});
    if (!appended) return fail(appended.error());
  }
  if (auto written = write_reports(end.run.out); !written) return fail(written.error());
  if (auto told = reports::tell_run(events, {.colour = end.look.colour}, line); !told) return fail(told.error());
  return status;
}

}  // namespace hilmark
