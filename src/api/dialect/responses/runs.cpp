#include "api/dialect/responses/run.h"

namespace strata::api::responses {

Runs::Runs(const Services& services, const Dialect& dialect)
    : services_(services), dialect_(dialect), writer_("answers to keep", 1, 2 * kMaxRuns) {}

Runs::~Runs() {
  writer_.stop();
  std::map<std::string, std::shared_ptr<Run>> left;
  {
    const std::lock_guard lock(mutex_);
    left = runs_;
  }
  for (const auto& [id, run] : left) {
    run->stop();
    run->write_end();
  }
}

void Runs::start(Ask ask, const std::shared_ptr<Exchange>& exchange) {
  const auto run =
      std::make_shared<Run>(*this, services_, dialect_, std::move(ask), exchange->request().owner);
  const Ask& asked = run->ask();
  {
    const std::lock_guard lock(mutex_);
    if (runs_.size() >= kMaxRuns) {
      throw Error(Code::unavailable, fmt::format("{} responses are under way already", kMaxRuns),
                  "try again in a moment");
    }
    runs_[run->id()] = run;
  }
  try {
    if (asked.store) {
      const ResponseRow row{.id = run->id(),
                            .created = services_.now_ms() / 1000,
                            .status = std::string(asked.background ? kQueued : kInProgress),
                            .previous = asked.previous,
                            .in_conversation = !asked.conversation.empty(),
                            .background = asked.background,
                            .streamed = asked.background && asked.stream,
                            .data = resource(asked, run->id(), services_.now_ms() / 1000)};
      services_.history->responses.create(run->owner(), row, asked.input, asked.request);
    }
    run->attach(exchange);
    run->start();
  } catch (...) {
    run->drop();
    remove(run->id());
    if (asked.store) services_.history->responses.remove(run->owner(), run->id());
    throw;
  }
  if (asked.background && !asked.stream) respond_json(*exchange, run->snapshot());
}

std::shared_ptr<Run> Runs::find(const std::string& owner, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto at = runs_.find(id);
  return at != runs_.end() && at->second->owner() == owner ? at->second : nullptr;
}

void Runs::remove(const std::string& id) {
  std::shared_ptr<Run> last;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto at = runs_.find(id);
  if (at == runs_.end()) return;
  last = std::move(at->second);
  runs_.erase(at);
}

}  // namespace strata::api::responses
