#include "app/cli/pull_progress.h"

#include <unistd.h>

#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "core/progress.h"
#include "models/model.h"
#include "modify/quantize_stored.h"

namespace strata::app {
namespace {

// Of a file that is here, before it is copied.
void refuse_quantised_file(std::string_view what) {
  constexpr std::string_view kScheme = "file:";
  if (!what.starts_with(kScheme)) return;
  const fs::path path = what.substr(kScheme.size());
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return;  // as pull() says
  modify::refuse_quantised(*models::open_whole_model_file(path), path.string());
}

}  // namespace

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

models::PullResult pull_quantized(const models::Store& store, std::string_view what,
                                  const std::string& type, const models::PullOptions& options,
                                  int n_threads, bool quiet) {
  const modify::Mix& mix = modify::find_mix(type);
  models::ModelName name = models::name_of_pull(store, what, options);
  if (options.as.empty()) name.tag = mix.name;
  models::PullOptions own = options;
  own.as.clear();
  const models::ModelName source = models::name_of_pull(store, what, own);
  if (!options.refresh && store.has(name.full())) {
    models::Manifest there = store.find(name.full());
    if (models::is_current(there, what, options, fmt::format("{} of ", mix.name)))
      return {std::move(there), true};
  }
  refuse_quantised_file(what);
  const bool kept = store.has(source.full());
  const models::Manifest fetched = pull_with_progress(store, what, own, quiet).manifest;
  models::PullResult result;
  with_pull_progress({}, quiet, [&](const models::PullOptions& shown) {
    result.manifest = modify::quantize_stored(store, fetched.name, mix, name.full(),
                                              {.replace = true,
                                               .n_threads = n_threads,
                                               .progress = shown.progress,
                                               .keep_going = shown.keep_going});
  });
  if (!kept && fetched.name != name.full()) store.remove(fetched.name);
  return result;
}

models::PullOptions pull_options(const Config& config) {
  models::PullOptions options;
  options.policy.offline = config.boolean("offline");
  return options;
}

}  // namespace strata::app
