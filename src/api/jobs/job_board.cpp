#include "api/jobs/job_board.h"

#include <algorithm>
#include <list>
#include <mutex>

#include "core/os.h"
#include "core/random.h"
#include "models/hub/download.h"

namespace strata::api {
namespace {

constexpr uint64_t kRateSampleNs = 500'000'000;
constexpr double kRateKeeps = 0.6;  // of the earlier rate at each sample

bool has_ended(const JobInfo& info) {
  return info.state == JobInfo::State::done || info.state == JobInfo::State::failed;
}

bool can_resume(const JobInfo& info) {
  return info.kind == JobInfo::Kind::pull &&
         (info.state == JobInfo::State::paused || info.state == JobInfo::State::failed);
}

}  // namespace

// One try at a job has one run number; what an earlier try still says is not heard.
struct JobBoard::Entry {
  JobInfo info;
  std::unique_ptr<ModelLibrary::Job> job;
  uint64_t run = 0;
  int n_threads = 0;     // of all tries that have not ended yet
  std::string part;      // PullProgress::part
  bool removed = false;  // what came is deleted when the last thread has ended
  uint64_t sampled_ns = 0, sampled_done = 0;

  void hear(const models::PullProgress& now) {
    if (now.stage != info.stage || now.done < sampled_done) {
      sampled_ns = 0;
      info.bytes_per_second = 0;
    }
    info.stage = now.stage;
    info.done = now.done;
    info.total = now.total;
    if (!now.part.empty()) part = now.part;
    measure_rate(monotonic_ns());
  }

  void measure_rate(uint64_t time) {
    if (sampled_ns != 0 && time - sampled_ns < kRateSampleNs) return;
    if (sampled_ns != 0) {
      const double rate = static_cast<double>(info.done - sampled_done) * 1e9 /
                          static_cast<double>(time - sampled_ns);
      const double before = info.bytes_per_second;
      info.bytes_per_second = before == 0 ? rate : kRateKeeps * before + (1 - kRateKeeps) * rate;
    }
    sampled_ns = time;
    sampled_done = info.done;
  }

  void end(const models::Manifest* manifest, const Error* error) {
    info.bytes_per_second = 0;
    if (manifest != nullptr) {
      info.state = JobInfo::State::done;
      info.name = manifest->name;
      info.done = info.total = manifest->size_bytes();
    } else {
      info.state = JobInfo::State::failed;
      info.error = error->message();
      info.hint = error->hint();
    }
  }
};

struct JobBoard::State {
  std::mutex mutex;
  std::list<std::shared_ptr<Entry>> entries;  // the newest first
};

JobBoard::JobBoard(ModelLibrary& library) : library_(library), state_(std::make_shared<State>()) {}

JobBoard::~JobBoard() {
  const std::lock_guard lock(state_->mutex);
  for (const auto& entry : state_->entries) {
    ++entry->run;
    entry->job.reset();
  }
}

std::vector<JobInfo> JobBoard::list() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<JobInfo> out;
  for (const auto& entry : state_->entries) out.push_back(entry->info);
  return out;
}

// The caller holds the mutex.
std::shared_ptr<JobBoard::Entry> JobBoard::find(const std::string& id) const {
  const auto found = std::ranges::find_if(state_->entries,
                                          [&](const auto& entry) { return entry->info.id == id; });
  if (found != state_->entries.end()) return *found;
  throw Error(Code::not_found, fmt::format("there is no job '{}'", id.substr(0, 80)),
              "GET /api/v1/jobs lists them");
}

// The caller holds the mutex.
std::shared_ptr<JobBoard::Entry> JobBoard::add(JobInfo info) {
  auto& entries = state_->entries;
  if (entries.size() >= kMaxJobs) {
    const auto oldest = std::find_if(entries.rbegin(), entries.rend(),
                                     [](const auto& entry) { return has_ended(entry->info); });
    if (oldest == entries.rend()) {
      throw Error(Code::resource_exhausted,
                  fmt::format("{} jobs are under way or paused", entries.size()),
                  "remove one of them");
    }
    entries.erase(std::next(oldest).base());
  }
  auto entry = std::make_shared<Entry>();
  entry->info = std::move(info);
  entry->info.id = "job_" + random_hex(8);
  entries.push_front(entry);
  return entry;
}

// The caller holds the mutex: the threads of the try wait for it before they are heard.
JobInfo JobBoard::run(const std::shared_ptr<Entry>& entry) {
  const uint64_t run = ++entry->run;
  const auto progress = [state = state_, entry, run](const models::PullProgress& now) {
    const std::lock_guard lock(state->mutex);
    if (entry->run == run) entry->hear(now);
  };
  const auto done = [state = state_, entry, run, &store = library_.store()](
                        const models::Manifest* manifest, const Error* error) {
    const std::lock_guard lock(state->mutex);
    if (entry->run == run) entry->end(manifest, error);
    --entry->n_threads;
    if (entry->removed && entry->n_threads == 0) models::discard_partial(store, entry->part);
  };
  JobInfo& info = entry->info;
  info.state = JobInfo::State::running;
  info.error.clear();
  info.hint.clear();
  ++entry->n_threads;
  try {
    entry->job = info.kind == JobInfo::Kind::pull
                     ? library_.pull(info.model, false, progress, done)
                     : library_.quantize(info.model, info.type, info.name, progress, done);
  } catch (...) {
    --entry->n_threads;
    throw;
  }
  return info;
}

JobInfo JobBoard::pull(const std::string& model) {
  const std::lock_guard lock(state_->mutex);
  for (const auto& entry : state_->entries) {
    const JobInfo& info = entry->info;
    if (info.kind != JobInfo::Kind::pull || info.model != model) continue;
    if (info.state == JobInfo::State::running) return info;
    if (can_resume(info)) return run(entry);
  }
  const auto entry = add({.kind = JobInfo::Kind::pull, .model = model});
  try {
    return run(entry);
  } catch (...) {
    state_->entries.remove(entry);
    throw;
  }
}

JobInfo JobBoard::quantize(const std::string& model, const std::string& type,
                           const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  const auto entry =
      add({.kind = JobInfo::Kind::quantize, .model = model, .type = type, .name = name});
  try {
    return run(entry);
  } catch (...) {
    state_->entries.remove(entry);
    throw;
  }
}

JobInfo JobBoard::pause(const std::string& id) {
  const std::lock_guard lock(state_->mutex);
  const auto entry = find(id);
  JobInfo& info = entry->info;
  if (info.kind != JobInfo::Kind::pull) {
    throw Error(Code::failed_precondition, "a quantisation cannot go on from its middle",
                "let it end, or remove it");
  }
  if (info.state != JobInfo::State::running) {
    throw Error(Code::failed_precondition, fmt::format("the pull of {} does not run", info.model));
  }
  ++entry->run;
  entry->job.reset();
  info.state = JobInfo::State::paused;
  info.bytes_per_second = 0;
  return info;
}

JobInfo JobBoard::resume(const std::string& id) {
  const std::lock_guard lock(state_->mutex);
  const auto entry = find(id);
  if (can_resume(entry->info)) return run(entry);
  throw Error(
      Code::failed_precondition,
      fmt::format("the job of {} is neither paused nor a pull that failed", entry->info.model));
}

void JobBoard::remove(const std::string& id) {
  const std::lock_guard lock(state_->mutex);
  const auto entry = find(id);
  ++entry->run;
  entry->job.reset();
  entry->removed = true;
  state_->entries.remove(entry);
  if (entry->n_threads == 0) models::discard_partial(library_.store(), entry->part);
}

}  // namespace strata::api
