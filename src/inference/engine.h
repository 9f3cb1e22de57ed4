// A loaded model that answers: requests in from any thread, events out. One scheduler thread owns
// the executor and joins all live requests into one continuous batch.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "inference/constraint/output_rule.h"
#include "inference/embedding.h"
#include "inference/executor.h"
#include "inference/sampler_params.h"
#include "models/chat/output/output_plan.h"

namespace strata::inference {

struct TokenLogprob {
  int32_t id = 0;
  std::string bytes;  // what the token stands for
  float logprob = 0.0f;
};

struct GeneratedToken {
  int32_t id = 0;
  std::string bytes;
  float logprob = 0.0f;  // of the model before bias, penalties, truncation and temperature;
                         // NaN for a prompt's first token, which nothing comes before
  std::vector<TokenLogprob> alternatives;  // most likely first
};

enum class FinishReason { stop, length, cancelled, error };

struct Usage {
  int32_t prompt_tokens = 0;
  int32_t cached_tokens = 0;  // of the prompt, taken from the cache
  int32_t completion_tokens = 0;
  int32_t reasoning_tokens = 0;  // of the completion's
  // Of the request's prediction, those that the answer has and those that it has not.
  int32_t accepted_prediction_tokens = 0, rejected_prediction_tokens = 0;
  int64_t queue_ns = 0;
  int64_t prompt_ns = 0;
  int64_t completion_ns = 0;
};

// What happens to a request, in this order: progress*, (text)*, finished.
struct Event {
  enum class Kind { progress, text, finished } kind = Kind::text;
  int32_t prompt_done = 0;  // progress: prompt tokens worked so far
  std::string text;         // whole UTF-8 characters, may be empty
  std::string reasoning;    // text: likewise, where the request says how its answer is read
  std::vector<models::ToolCallPiece> calls;  // text: pieces of calls, behind `text`
  // Behind the text so far, once no stop string can take it back; filled when logprobs are asked.
  // An end token is not among them, nor those of reasoning and calls.
  std::vector<GeneratedToken> tokens;
  std::vector<GeneratedToken> prompt_tokens;  // first text event, when prompt logprobs are asked
  FinishReason reason = FinishReason::stop;   // finished
  std::string stop_string;                    // finished by this one
  Usage usage;                                // finished; of progress cached_tokens
  std::optional<Error> error;                 // finished with reason error
};

struct GenerateRequest {
  std::vector<int32_t> prompt;
  // Of a model with an encoder what it reads, and the prompt is what the text begins with: submit()
  // makes them of the prompt that it is given.
  std::vector<int32_t> source;
  std::vector<int32_t> prediction;  // of the answer's text, to be quicker where it is right
  SamplerParams sampler;
  int32_t max_tokens = -1;        // -1: until the context is full
  int64_t most_ms = 0;            // of writing, once the answer has an end of line; 0: no limit
  std::vector<std::string> stop;  // text held back while one of these may still match
  bool ignore_end_tokens = false;
  int32_t n_logprobs = -1;  // -1: none; 0: the chosen token only
  bool token_ids = false;   // events have the tokens without log-probabilities, too: NaN
  bool prompt_logprobs = false;
  int32_t context_limit = 0;  // 0: the engine's
  int32_t choice = 0;         // of n choices with one seed: each has its own noise
  uint64_t cache_scope = 0;   // only requests of the same scope share what the cache holds
  int32_t priority = 0;       // lower goes first, and may take the place of higher
  OutputRule output;          // of the answer's text; behind triggers stands something else
  std::vector<OutputTrigger> triggers;  // of what stands behind certain texts
  OutputFrame frame;                    // of both, where one of them says all that may be written
  // Which of the text is reasoning and calls; null: all of it is the answer's text. Stop strings
  // are looked for in the answer's text alone.
  std::shared_ptr<const models::OutputPlan> reading;
};

// Whether a rule says all that may be written.
inline bool is_strict(const GenerateRequest& request) {
  return request.output.kind != OutputRule::Kind::none || request.frame.calls_only;
}

struct EngineOptions {
  int32_t n_threads = 0;
  int32_t context = 0;          // positions a request may use; 0: the model's, memory permitting
  int32_t max_batch = 32;       // requests that run at once
  int32_t max_queue = 512;      // requests that wait
  int32_t prefill_chunk = 256;  // prompt rows in one step
  bool speculate = true;        // guess tokens from the text and verify several in one step
  bool float32 = false;         // the plain executor, for judging the fast one
  DiskCache disk{};             // keeps computed beginnings from one engine to the next
  DiskCache packed{};           // and packed weights
  tensor::KvFormat kv = tensor::KvFormat::bf16;  // of keys and values; not with float32
};

struct EngineStats {
  int64_t steps = 0;
  int64_t step_tokens = 0;  // rows of all steps
  int64_t decode_steps = 0;
  int64_t decode_tokens = 0;   // generated in decode steps: the metric tokens_per_step
  int64_t guessed_tokens = 0;  // rows that speculation added, and how many of them were right
  int64_t right_guesses = 0;
  int32_t running = 0;  // requests, those for vectors too
  int32_t queued = 0;
  ExecutorStats executor;
};

class Engine {
 public:
  // Takes effect within one step; the request's last event is `finished`.
  class Handle {
   public:
    virtual ~Handle() = default;  // cancels
    virtual void cancel() = 0;
  };

  static std::unique_ptr<Engine> create(std::shared_ptr<const models::Model> model,
                                        const EngineOptions& options);
  virtual ~Engine() = default;  // cancels what still runs, joins the thread

  // The sink is called on the scheduler thread and must neither block nor destroy the engine; it
  // gets exactly one `finished`. When it throws, its request is cancelled and it is not called
  // again. Throws at once: failed_precondition (the model generates no text), invalid_argument (the
  // prompt is empty or does not fit, with the counts; a bad parameter or rule), unavailable
  // (max_batch + max_queue requests are already here). Of a model with an encoder the prompt is
  // read and has no log-probabilities: invalid_argument.
  virtual std::unique_ptr<Handle> submit(GenerateRequest request,
                                         std::function<void(Event&&)> sink) = 0;
  // Vectors of all inputs, and scores where the model has a head for them. The sink is called once,
  // as that of submit(); the same errors are thrown at once, those of check_embedding_inputs too.
  virtual std::unique_ptr<Handle> embed(std::vector<EmbeddingInput> inputs, EmbeddingSink sink) = 0;
  virtual const models::Model& model() const = 0;
  virtual int32_t context() const = 0;
  virtual std::string_view kernels() const = 0;
  virtual EngineStats stats() const = 0;
};

// Error{failed_precondition} for a model that makes vectors or reads its prompt with an encoder:
// `what` is of models that continue a text.
void refuse_reader(const models::Model& model, std::string_view what);
// Error{failed_precondition} for a model that generates no text, with the ways out.
void refuse_silent(const models::Model& model);

}  // namespace strata::inference
