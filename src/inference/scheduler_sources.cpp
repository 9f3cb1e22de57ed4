// How the scheduler has sources read, of models with an encoder (docs/engine/sources.md).
#include "core/error.h"
#include "inference/scheduler.h"

namespace strata::inference {

// Before anything else of those that have one: a source is read whole, several together as long as
// they are no more than a chunk. Those that decode wait for it.
void Scheduler::read_sources() {
  for (auto readers = next_to_read(); !readers.empty(); readers = next_to_read()) {
    if (take_up(readers)) return;
  }
}

std::vector<Scheduler::Live*> Scheduler::next_to_read() {
  std::vector<Live*> readers;
  int64_t n_tokens = 0;
  for (Live& live : running_) {
    if (!live.must_read()) continue;
    n_tokens += static_cast<int64_t>(live.generation->source().size());
    if (!readers.empty() && n_tokens > options_.prefill_chunk) break;
    readers.push_back(&live);
  }
  return readers;
}

// Returns false when they were not read and others are to be tried.
bool Scheduler::take_up(const std::vector<Live*>& readers) {
  std::optional<Error> error;
  try {
    std::vector<Source> sources;
    for (const Live* live : readers)
      sources.push_back({live->sequence, live->generation->source()});
    executor_->encode(sources);
    for (Live* live : readers) {
      live->has_read = true;
      live->generation->source_read();
    }
    return true;
  } catch (const std::exception& e) {
    error = as_error(e);
  }
  if (makes_room(*error)) return false;
  for (Live* live : readers) live->generation->end(FinishReason::error, error);
  sweep();
  return false;
}

}  // namespace strata::inference
