#include "app/cli/pull_progress.h"

#include <unistd.h>

#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "core/progress.h"

namespace strata::app {

void with_pull_progress(models::PullOptions options, bool quiet,
                        const std::function<void(const models::PullOptions&)>& work) {
  const Interrupts interrupts;
  ProgressPrinter printer(ProgressPrinter::style_for(STDERR_FILENO, quiet));
  options.progress = [&](const models::PullProgress& p) {
    printer.show(p.file.empty() ? p.stage : p.stage + " " + p.file, p.done, p.total);
  };
  options.keep_going = [&] { return !interrupts.happened(); };
  options.skipped = [&](std::string_view source, std::string_view why) {
    printer.finish();
    complain(fmt::format("note: {} cannot be reached ({}); trying the next source", source, why));
  };
  work(options);
}

models::PullResult pull_with_progress(const models::Store& store, std::string_view what,
                                      const models::PullOptions& options, bool quiet) {
  models::PullResult result;
  with_pull_progress(options, quiet, [&](const models::PullOptions& shown) {
    result = models::pull(store, what, shown);
  });
  return result;
}

models::PullOptions pull_options(const Config& config) {
  models::PullOptions options;
  options.policy.offline = config.boolean("offline");
  return options;
}

}  // namespace strata::app
