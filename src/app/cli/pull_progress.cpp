#include "app/cli/pull_progress.h"

#include <unistd.h>

#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "core/progress.h"

namespace strata::app {

models::PullResult pull_with_progress(const models::Store& store, std::string_view what,
                                      models::PullOptions options, bool quiet) {
  const Interrupts interrupts;
  ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, quiet));
  const bool is_local = what.starts_with("file:");
  options.progress = [&, is_local](const models::PullProgress& p) {
    const std::string stage = is_local && p.stage == "downloading" ? "copying" : p.stage;
    printer.show(p.file.empty() ? stage : stage + " " + p.file, p.done, p.total);
  };
  options.keep_going = [&] { return !interrupts.happened(); };
  options.skipped = [&](std::string_view source, std::string_view why) {
    printer.finish();
    complain(fmt::format("note: {} cannot be reached ({}); trying the next source", source, why));
  };
  return models::pull(store, what, options);
}

models::PullOptions pull_options(const Config& config) {
  models::PullOptions options;
  options.policy.offline = config.boolean("offline");
  return options;
}

}  // namespace strata::app
