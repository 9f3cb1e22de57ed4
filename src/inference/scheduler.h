// Joins live requests into one continuous batch and steps it. Single-threaded: the engine's thread
// owns it. Rules: docs/engine/batching.md.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "inference/draft.h"
#include "inference/engine.h"
#include "inference/executor.h"
#include "inference/generation.h"
#include "inference/guess_reach.h"
#include "inference/prefill_pace.h"

namespace strata::inference {

struct SchedulerOptions {
  int32_t max_batch = 32;                       // requests that run at once
  int32_t prefill_chunk = 256;                  // prompt rows in one step
  bool speculate = true;                        // inference/draft.h
  std::function<int64_t()> now_ns = steady_ns;  // how long steps take

  static int64_t steady_ns();
};

class Scheduler {
 public:
  Scheduler(std::unique_ptr<Executor> executor, int32_t n_logits, const SchedulerOptions& options);
  ~Scheduler();  // precondition: idle()

  void add(std::unique_ptr<Generation> generation);  // ids ascending
  void cancel(uint64_t id);                          // unknown ids are passed over
  void cancel_all();
  bool idle() const { return waiting_.empty() && running_.empty(); }
  // One step of the batch: all decode rows and a chunk of prompt rows. Does not throw: errors end
  // the requests that they concern.
  void step();
  EngineStats stats() const;

 private:
  // Who guessed: the output's rule, what the caller says the answer is, or the text so far.
  enum class GuessSource { rule, prediction, text };
  // A request and its place in the executor. Waiting: no sequence.
  struct Live {
    std::unique_ptr<Generation> generation;
    SequenceId sequence = -1;
    int32_t n_done = 0;     // tokens whose rows are computed
    int32_t n_known = 0;    // of them, those that the cache held
    bool has_read = false;  // the source of its generation, where that has one
    Drafter drafter{};
    GuessReach foretelling{};  // of the output's rule
    int32_t todo() const { return static_cast<int32_t>(generation->tokens().size()) - n_done; }
    bool decodes() const { return todo() == 1 && generation->n_generated() > 0; }
    bool must_read() const { return !has_read && !generation->source().empty(); }
  };
  // The rows of one request in a step.
  struct Slice {
    Live* live = nullptr;
    int32_t n_rows = 0;
    bool decode = false;
    std::vector<int32_t> guesses{};          // the tokens of the last rows
    GuessSource source = GuessSource::text;  // of the guesses
  };
  struct Plan {
    std::vector<Row> rows;
    std::vector<Slice> slices;
  };

  enum class Admission { joined, ended, wait, no_room };
  void begin_anew();
  void admit();
  Admission admit_one(size_t i);  // of those that wait
  Admission find_place(Live& live);
  bool can_take_places(const Live& live) const;
  bool is_being_computed(const Live& live, int32_t n_cached) const;
  void read_sources();
  std::vector<Live*> next_to_read();
  bool take_up(const std::vector<Live*>& readers);
  static bool goes_before(const Live& a, const Live& b);
  static void line_up(std::deque<Live>& line, Live live);
  Plan plan(bool speculate);
  bool is_short(const Live& live) const;
  void append_prompts(Plan& plan, int32_t n_decode_rows);
  std::vector<int32_t> guess(Live& live, int32_t most, GuessSource& source) const;
  static void tell_verified(Live& live, GuessSource source, int32_t n_guessed, int32_t n_right);
  void append_decode(Plan& plan, Live& live, int32_t max_guesses) const;
  void append_prompt(Plan& plan, Live& live, int32_t n_rows) const;
  bool run(Plan& plan, std::span<const float>& logits);
  bool makes_room(const Error& error);
  void learn_pace(const Plan& plan, int64_t ns);
  void deliver(const Plan& plan, std::span<const float> logits);
  void deliver_prompt(const Slice& slice, std::span<const float>& logits);
  void deliver_decode(const Slice& slice, std::span<const float>& logits);
  static Error as_error(const std::exception& e);
  static void take(Generation& generation, int32_t position, std::span<const float> logits);
  void preempt_last();
  void release(Live& live);
  void sweep();

  std::unique_ptr<Executor> executor_;
  const size_t n_logits_;
  const SchedulerOptions options_;
  // Both in the order of goes_before().
  std::deque<Live> waiting_;
  std::deque<Live> running_;
  PrefillPace pace_;
  EngineStats stats_;
};

}  // namespace strata::inference
