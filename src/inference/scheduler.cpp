#include "inference/scheduler.h"

#include <algorithm>
#include <chrono>

#include "core/check.h"
#include "core/error.h"
#include "inference/limits.h"

namespace strata::inference {
int64_t SchedulerOptions::steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

Scheduler::Scheduler(std::unique_ptr<Executor> executor, int32_t n_logits,
                     const SchedulerOptions& options)
    : executor_(std::move(executor)),
      n_logits_(static_cast<size_t>(n_logits)),
      options_(options),
      pace_(options.prefill_chunk) {
  CHECK(options.max_batch > 0 && options.prefill_chunk > 0);
}

Error Scheduler::as_error(const std::exception& e) {
  if (const auto* error = dynamic_cast<const Error*>(&e)) return *error;
  return Error(Code::internal, fmt::format("the step failed: {}", e.what()));
}

Scheduler::~Scheduler() {
  CHECK(idle());
}

void Scheduler::add(std::unique_ptr<Generation> generation) {
  line_up(waiting_, {std::move(generation), -1, 0});
}

// What counts more first, then what came first.
bool Scheduler::goes_before(const Live& a, const Live& b) {
  const auto rank = [](const Live& live) {
    return std::pair(live.generation->priority(), live.generation->id());
  };
  return rank(a) < rank(b);
}

void Scheduler::line_up(std::deque<Live>& line, Live live) {
  line.insert(std::upper_bound(line.begin(), line.end(), live, goes_before), std::move(live));
}

void Scheduler::cancel(uint64_t id) {
  for (std::deque<Live>* queue : {&waiting_, &running_}) {
    for (Live& live : *queue) {
      if (live.generation->id() == id) live.generation->end(FinishReason::cancelled);
    }
  }
  sweep();
}

void Scheduler::cancel_all() {
  for (std::deque<Live>* queue : {&waiting_, &running_}) {
    for (Live& live : *queue) live.generation->end(FinishReason::cancelled);
  }
  sweep();
}

void Scheduler::step() {
  begin_anew();
  admit();
  read_sources();
  std::span<const float> logits;
  Plan next = plan(options_.speculate);
  while (!next.rows.empty() && !run(next, logits)) next = plan(false);
  if (!next.rows.empty()) deliver(next, logits);
  sweep();
}

// Short texts that have become long ones are computed from their beginning, as those that wait.
void Scheduler::begin_anew() {
  for (size_t i = 0; i < running_.size();) {
    Live& live = running_[i];
    const auto n_tokens = static_cast<int32_t>(live.generation->tokens().size());
    if (executor_->may_reach(live.sequence, n_tokens)) {
      ++i;
      continue;
    }
    release(live);
    line_up(waiting_, std::move(live));
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void Scheduler::admit() {
  for (size_t i = 0; i < waiting_.size();) {
    const Admission admission = admit_one(i);
    if (admission == Admission::wait) ++i;  // those behind it need not
    if (admission != Admission::no_room) continue;
    if (!can_take_places(waiting_[i])) return;
    preempt_last();  // which lines up behind the one that it is for
  }
}

Scheduler::Admission Scheduler::admit_one(size_t i) {
  Live& live = waiting_[i];
  if (static_cast<int32_t>(running_.size()) >= options_.max_batch) {
    return is_being_computed(live, 0) ? Admission::wait : Admission::no_room;
  }
  try {
    const Admission admission = find_place(live);
    if (admission != Admission::joined) return admission;
  } catch (const std::exception& e) {
    live.generation->end(FinishReason::error, as_error(e));
    sweep();
    return Admission::ended;
  }
  line_up(running_, std::move(live));
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
  return Admission::joined;
}

// Whether there are some that count less, and it would fit when they had made room.
bool Scheduler::can_take_places(const Live& live) const {
  const int32_t priority = live.generation->priority();
  if (running_.empty() || running_.back().generation->priority() <= priority) return false;
  int64_t free = executor_->stats().n_positions_free;
  int64_t needed = static_cast<int64_t>(live.generation->tokens().size());
  for (const Live& other : running_) {
    if (other.generation->priority() > priority) {
      free += other.n_done;
    } else {
      needed += other.todo() + kAdmissionHeadroom;
    }
  }
  return needed <= free;
}

// Joins when all its tokens fit beside what the others are sure to need soon; alone, always: then
// it is the cache that is too small, and the step says so.
Scheduler::Admission Scheduler::find_place(Live& live) {
  // Who wants the log-probabilities of its prompt needs the logits of every position.
  const auto n_tokens = static_cast<int32_t>(live.generation->tokens().size());
  const int32_t n_prompt = live.generation->n_prompt();
  const SequenceId sequence =
      live.generation->wants_prompt_logprobs()
          ? executor_->create_sequence(n_tokens, n_prompt)
          : executor_->create_sequence_from(live.generation->tokens(),
                                            live.generation->cache_scope(), n_prompt);
  const int32_t n_cached = executor_->length(sequence);
  if (is_being_computed(live, n_cached)) {
    executor_->remove_sequence(sequence);
    return Admission::wait;
  }
  int64_t needed = int64_t{n_tokens} - n_cached;
  auto unread = static_cast<int64_t>(live.generation->source().size());
  for (const Live& other : running_) {
    needed += other.todo() + kAdmissionHeadroom;
    if (other.must_read()) unread += static_cast<int64_t>(other.generation->source().size());
  }
  const auto wanted = static_cast<int32_t>(std::min<int64_t>(needed, INT32_MAX));
  const bool fits = executor_->fits(sequence, wanted) &&
                    (unread == 0 || unread <= executor_->stats().n_positions_free);
  if (!running_.empty() && !fits) {
    executor_->remove_sequence(sequence);
    return Admission::no_room;
  }
  live.sequence = sequence;
  live.n_done = n_cached;
  live.n_known = n_cached;
  live.generation->admitted(n_cached);
  return Admission::joined;
}

// Whether another request is about to compute a beginning that this one shares: to wait for it is
// cheaper than to compute it twice.
bool Scheduler::is_being_computed(const Live& live, int32_t n_cached) const {
  if (live.generation->wants_prompt_logprobs() || !live.generation->source().empty()) return false;
  const auto tokens = live.generation->tokens();
  return std::any_of(running_.begin(), running_.end(), [&](const Live& other) {
    if (other.todo() <= 1) return false;
    if (other.generation->cache_scope() != live.generation->cache_scope()) return false;
    const auto theirs = other.generation->tokens();
    const auto end = std::mismatch(tokens.begin(), tokens.end(), theirs.begin(), theirs.end());
    const auto shared = static_cast<int32_t>(end.first - tokens.begin());
    const int32_t worth = shared / kSharedPositions * kSharedPositions;
    return worth > n_cached && worth > other.n_done;
  });
}

Scheduler::Plan Scheduler::plan(bool speculate) {
  Plan plan;
  // Those that decode go first: a long prompt never makes them wait more than a chunk.
  const auto n_decoding = static_cast<int32_t>(
      std::count_if(running_.begin(), running_.end(), [](const Live& l) { return l.decodes(); }));
  // Guesses are for steps that wait for the memory; beside a prompt they would cost its time.
  const bool guesses = speculate && n_decoding == static_cast<int32_t>(running_.size());
  for (Live& live : running_) {
    if (live.decodes()) append_decode(plan, live, guesses ? kMaxGuesses / n_decoding : 0);
  }
  append_prompts(plan, static_cast<int32_t>(plan.rows.size()));
  return plan;
}

// A prompt of one chunk is not paced: most are, and the sooner they are through the more requests
// generate together.
bool Scheduler::is_short(const Live& live) const {
  const auto n_tokens = static_cast<int32_t>(live.generation->tokens().size());
  return n_tokens - live.n_known <= options_.prefill_chunk;
}

// Half of the rows go to the first in line, so that it gets on whatever comes, the other half to
// those that have least left: a short prompt does not wait until a long one is through. All long
// ones together have what the pace allows.
void Scheduler::append_prompts(Plan& plan, int32_t n_decode_rows) {
  std::vector<Live*> prompts;
  int32_t for_long = pace_.rows_beside(n_decode_rows);
  const auto wanted = [&](const Live* live) {
    return is_short(*live) ? live->todo() : std::min(live->todo(), for_long);
  };
  int64_t of_short = 0;
  for (Live& live : running_) {
    if (live.decodes() || live.must_read()) continue;
    prompts.push_back(&live);
    if (is_short(live)) of_short += live.todo();
  }
  if (prompts.empty()) return;
  // The pace wants to see a step without prompts, and this will be none.
  if (for_long == 0 && of_short > 0) for_long = options_.prefill_chunk;
  std::stable_sort(prompts.begin() + 1, prompts.end(),
                   [](const Live* a, const Live* b) { return a->todo() < b->todo(); });
  auto budget =
      static_cast<int32_t>(std::min<int64_t>(options_.prefill_chunk, for_long + of_short));
  int64_t wanted_by_others = 0;
  for (size_t i = 1; i < prompts.size(); ++i) wanted_by_others += wanted(prompts[i]);
  const auto for_others = static_cast<int32_t>(std::min<int64_t>(budget / 2, wanted_by_others));
  int32_t most = budget - for_others;
  for (Live* live : prompts) {
    const int32_t n_rows = std::min(most, wanted(live));
    if (n_rows > 0) append_prompt(plan, *live, n_rows);
    if (!is_short(*live)) for_long -= n_rows;
    budget -= n_rows;
    most = budget;
  }
}

// At most so many tokens that may follow its last one.
std::vector<int32_t> Scheduler::guess(Live& live, int32_t most, GuessSource& source) const {
  if (most <= 0) return {};
  source = GuessSource::rule;
  auto guesses = live.generation->foretold(most);
  if (!guesses.empty()) {
    guesses.resize(static_cast<size_t>(live.foretelling.of(static_cast<int32_t>(guesses.size()))));
  }
  if (guesses.empty()) {
    source = GuessSource::prediction;
    guesses = live.generation->predicted(most);
  }
  if (guesses.empty()) {
    source = GuessSource::text;
    const auto found = live.drafter.guess(live.generation->tokens(), most);
    guesses.assign(found.begin(), found.end());
  }
  const auto length = [&] { return live.n_done + 1 + static_cast<int32_t>(guesses.size()); };
  while (!executor_->may_reach(live.sequence, length())) guesses.pop_back();
  return guesses;
}

void Scheduler::tell_verified(Live& live, GuessSource source, int32_t n_guessed, int32_t n_right) {
  if (n_guessed == 0) return;
  if (source == GuessSource::text) live.drafter.verified(n_guessed, n_right);
  if (source == GuessSource::rule) live.foretelling.verified(n_guessed, n_right);
}

// The row of its last token, and rows of what may follow.
void Scheduler::append_decode(Plan& plan, Live& live, int32_t max_guesses) const {
  Slice slice{&live, 1, true};
  std::span<const WantedLogits> wanted;
  try {
    slice.guesses = guess(live, std::min(max_guesses, live.generation->n_left() - 1), slice.source);
    const auto n_guessed = static_cast<int32_t>(slice.guesses.size());
    wanted = live.generation->wanted(slice.guesses);
    if (slice.guesses.empty()) tell_verified(live, slice.source, n_guessed, 0);
  } catch (const std::exception& e) {
    return live.generation->end(FinishReason::error, as_error(e));
  }
  slice.n_rows = static_cast<int32_t>(wanted.size());
  for (int32_t i = 0; i < slice.n_rows; ++i) {
    const auto at = static_cast<size_t>(i);
    plan.rows.push_back({.token = i == 0 ? live.generation->tokens().back() : slice.guesses[at - 1],
                         .position = live.n_done + i,
                         .sequence = live.sequence,
                         .wants_logits = true,
                         .wanted = wanted[at]});
  }
  plan.slices.push_back(std::move(slice));
}

void Scheduler::append_prompt(Plan& plan, Live& live, int32_t n_rows) const {
  if (live.generation->wants_prompt_logprobs()) n_rows = std::min(n_rows, kMaxPromptLogitRows);
  WantedLogits of_last;
  if (n_rows == live.todo() && live.generation->wants_logits(live.n_done + n_rows - 1)) {
    try {
      std::vector<int32_t> no_guesses;
      of_last = live.generation->wanted(no_guesses).front();
    } catch (const std::exception& e) {
      return live.generation->end(FinishReason::error, as_error(e));
    }
  }
  for (int32_t i = 0; i < n_rows; ++i) {
    const int32_t position = live.n_done + i;
    plan.rows.push_back({.token = live.generation->tokens()[static_cast<size_t>(position)],
                         .position = position,
                         .sequence = live.sequence,
                         .wants_logits = live.generation->wants_logits(position),
                         .wanted = of_last});
  }
  plan.slices.push_back({&live, n_rows, false});
}

// Returns false when the step was not run and another plan is to be tried.
bool Scheduler::run(Plan& plan, std::span<const float>& logits) {
  std::optional<Error> error;
  try {
    const int64_t begin = options_.now_ns();
    logits = executor_->step(plan.rows);
    learn_pace(plan, options_.now_ns() - begin);
    return true;
  } catch (const std::exception& e) {
    error = as_error(e);
  }
  if (error->code() == Code::resource_exhausted) {
    const bool guessed = std::any_of(plan.slices.begin(), plan.slices.end(),
                                     [](const Slice& slice) { return !slice.guesses.empty(); });
    if (guessed) return false;  // there may be room without
    if (makes_room(*error)) return false;
  }
  for (const Slice& slice : plan.slices) slice.live->generation->end(FinishReason::error, error);
  plan = {};
  sweep();
  return true;
}

// Whether it was the cache that was full, and one that runs has left its place.
bool Scheduler::makes_room(const Error& error) {
  if (error.code() != Code::resource_exhausted || running_.size() < 2) return false;
  preempt_last();
  return true;
}

void Scheduler::learn_pace(const Plan& plan, int64_t ns) {
  int32_t n_decode = 0;
  int32_t n_prompt = 0;
  for (const Slice& slice : plan.slices) (slice.decode ? n_decode : n_prompt) += slice.n_rows;
  pace_.took(n_decode, n_prompt, ns);
}

// Its tokens are kept and computed again when there is room: the same rows give the same logits.
void Scheduler::preempt_last() {
  Live live = std::move(running_.back());
  running_.pop_back();
  release(live);
  line_up(waiting_, std::move(live));
}

void Scheduler::deliver(const Plan& plan, std::span<const float> logits) {
  stats_.steps += 1;
  stats_.step_tokens += static_cast<int64_t>(plan.rows.size());
  const bool any_decode =
      std::any_of(plan.slices.begin(), plan.slices.end(), [](const Slice& s) { return s.decode; });
  stats_.decode_steps += any_decode ? 1 : 0;
  for (const Slice& slice : plan.slices) {
    if (slice.decode) {
      deliver_decode(slice, logits);
    } else {
      deliver_prompt(slice, logits);
    }
  }
}

void Scheduler::deliver_prompt(const Slice& slice, std::span<const float>& logits) {
  Generation& generation = *slice.live->generation;
  const int32_t begin = slice.live->n_done;
  slice.live->n_done += slice.n_rows;
  // Which rows have logits was settled before this step's tokens were drawn.
  std::vector<int32_t> positions;
  for (int32_t i = begin; i < slice.live->n_done; ++i) {
    if (generation.wants_logits(i)) positions.push_back(i);
  }
  CHECK(logits.size() >= positions.size() * n_logits_);
  generation.progress(slice.live->n_done);
  for (int32_t position : positions) {
    take(generation, position, logits.first(n_logits_));
    logits = logits.subspan(n_logits_);
  }
  generation.end_if_complete(slice.live->n_done);
}

// A token is drawn behind the last one; as long as it is the one that was guessed, the next row is
// that of the text as it is, and another one is drawn. What was guessed wrong is forgotten.
void Scheduler::deliver_decode(const Slice& slice, std::span<const float>& logits) {
  Live& live = *slice.live;
  Generation& generation = *live.generation;
  CHECK(logits.size() >= static_cast<size_t>(slice.n_rows) * n_logits_);
  const auto rows = logits.first(static_cast<size_t>(slice.n_rows) * n_logits_);
  logits = logits.subspan(rows.size());
  int32_t n_taken = 0;
  bool right = true;
  while (right && n_taken < slice.n_rows && !generation.ended()) {
    take(generation, live.n_done,
         rows.subspan(static_cast<size_t>(n_taken) * n_logits_, n_logits_));
    ++live.n_done;
    ++n_taken;
    right = n_taken < slice.n_rows && !generation.ended() &&
            generation.tokens().back() == slice.guesses[static_cast<size_t>(n_taken) - 1] &&
            generation.wants_as_said(static_cast<size_t>(n_taken));
  }
  stats_.decode_tokens += n_taken;
  if (slice.guesses.empty()) return;
  const auto n_guessed = static_cast<int32_t>(slice.guesses.size());
  stats_.guessed_tokens += n_guessed;
  stats_.right_guesses += n_taken - 1;
  tell_verified(live, slice.source, n_guessed, n_taken - 1);
  if (!generation.ended() && n_taken < slice.n_rows) {
    executor_->truncate(live.sequence, live.n_done);
  }
}

void Scheduler::take(Generation& generation, int32_t position, std::span<const float> logits) {
  if (generation.ended()) return;
  try {
    generation.take(position, logits);
  } catch (const std::exception& e) {
    generation.end(FinishReason::error, as_error(e));
  }
}

void Scheduler::release(Live& live) {
  if (live.sequence >= 0) executor_->remove_sequence(live.sequence);
  live.sequence = -1;
  live.n_done = 0;
  live.has_read = false;
}

// Lets go of the requests that have ended: first their place in the cache, then their last event.
void Scheduler::sweep() {
  std::vector<Live> ended;
  for (std::deque<Live>* queue : {&waiting_, &running_}) {
    for (Live& live : *queue) {
      if (!live.generation->ended()) continue;
      release(live);
      ended.push_back(std::move(live));
    }
    std::erase_if(*queue, [](const Live& live) { return live.generation == nullptr; });
  }
  for (Live& live : ended) live.generation->finish();
}

EngineStats Scheduler::stats() const {
  EngineStats stats = stats_;
  stats.running = static_cast<int32_t>(running_.size());
  stats.queued = static_cast<int32_t>(waiting_.size());
  stats.executor = executor_->stats();
  return stats;
}

}  // namespace strata::inference
