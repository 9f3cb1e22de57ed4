// One request on its way: its tokens so far, the text it still holds back, and how it ends. Turns
// logits into events; knows nothing of batches, sequences or threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "inference/answer_reader.h"
#include "inference/constraint/constraint.h"
#include "inference/engine.h"
#include "inference/executor.h"
#include "inference/prediction.h"
#include "inference/sampler.h"
#include "inference/stop_strings.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::inference {

using Sink = std::function<void(Event&&)>;

// Checks a request against what the model and the engine allow. Throws Error{invalid_argument}.
void validate(const GenerateRequest& request, const models::Tokenizer& tokenizer, int32_t n_vocab,
              int32_t context);

// Of a model with an encoder: the prompt becomes the source, and the text begins anew. Throws
// Error{invalid_argument} where the prompt's log-probabilities are asked for.
void read_prompt(GenerateRequest& request, int32_t first_token);

class Generation {
 public:
  // request must have passed validate(); n_vocab: ids that may be chosen; context: positions;
  // matcher: of what the request says of its output, null where it says nothing.
  Generation(uint64_t id, GenerateRequest request, Sink sink,
             std::shared_ptr<const models::Tokenizer> tokenizer, int32_t n_vocab, int32_t context,
             std::shared_ptr<const DryBreakers> breakers,
             const std::shared_ptr<Matcher>& matcher = nullptr);

  uint64_t id() const { return id_; }  // ascending in the order of submission
  std::span<const int32_t> tokens() const { return tokens_; }  // the prompt and what was generated
  // What the sequence's encoder is to read before the first row; empty: the model has none.
  std::span<const int32_t> source() const { return request_.source; }
  int32_t n_prompt() const { return n_prompt_; }
  int32_t n_generated() const { return static_cast<int32_t>(tokens_.size()) - n_prompt_; }
  uint64_t cache_scope() const { return request_.cache_scope; }
  int32_t priority() const { return request_.priority; }
  int32_t n_left() const { return max_new_ - n_generated(); }  // tokens that it may still generate
  bool wants_prompt_logprobs() const;                          // some are still missing

  // Whether the row at this position must bring logits.
  bool wants_logits(int32_t position) const;
  // Drops the guesses of what follows the last token that the output's rule does not allow, and
  // those behind them. Which logits are looked at behind the last token and each guess that is
  // left; masks live until the next call. May throw Error: the rule has become too much work.
  std::span<const WantedLogits> wanted(std::vector<int32_t>& guesses);
  // Whether what wanted() said of row i, the text having come there, is still what is looked at: a
  // guess may open a reasoning, of which any token may come, or be written in the rule's stead.
  bool wants_as_said(size_t i) const;
  // A guess of at most `most` next tokens by the output's rule; most often there is none.
  std::vector<int32_t> foretold(int32_t most) const;
  // One by the request's prediction.
  std::vector<int32_t> predicted(int32_t most) const;
  // The logits behind tokens()[position], which wanted them. Emits the text that they settle.
  // May throw Error: what Sampler::sample throws.
  void take(int32_t position, std::span<const float> logits);
  void admitted(int32_t n_cached);  // leaves the queue; the first call counts
  // The source is read; emits progress.
  void source_read();
  // The rows of all positions below n_done are computed; emits progress. Before their take().
  void progress(int32_t n_done);
  // After take(): ends a request that asks for no new token.
  void end_if_complete(int32_t n_done);

  // No more rows are wanted: the caller frees the sequence, then calls finish().
  bool ended() const { return end_.has_value() || sink_failed_; }
  void end(FinishReason reason, std::optional<Error> error = std::nullopt);
  // Emits the last event. Precondition: ended(). Called once.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  struct PendingToken {
    GeneratedToken token;
    size_t begin = 0;  // where its text begins and ends in all the text generated
    size_t end = 0;
  };

  void take_prompt_row(int32_t position, std::span<const float> logits);
  void generate(std::span<const float> logits);
  int32_t choose(std::span<const float> logits);
  int32_t reason(std::span<const float> logits);
  void leave_reasoning();
  void emit_progress(int32_t prompt_done);
  bool is_late() const;
  std::string settle_rest();
  void emit_text(std::string text);
  std::vector<GeneratedToken> settled_tokens();
  GeneratedToken without_logprob(int32_t id) const;
  GeneratedToken describe(int32_t id, std::span<const float> logits) const;
  void emit(Event&& event);

  const uint64_t id_;
  const GenerateRequest request_;
  Sink sink_;
  std::shared_ptr<const models::Tokenizer> tokenizer_;
  const size_t n_vocab_;
  const int32_t n_prompt_;
  int32_t max_new_ = 0;
  std::vector<int32_t> tokens_;
  Sampler sampler_;
  std::optional<Prediction> prediction_;
  std::optional<Constraint> constraint_;
  std::vector<WantedLogits> wanted_;                     // of the present step
  std::vector<std::shared_ptr<const TokenMask>> masks_;  // of them, where there is a rule
  std::vector<Constraint> places_;                       // where they hold
  std::vector<float> allowed_;  // logits, -inf where the constraint allows no token
  models::StreamDecoder decoder_;
  AnswerReader reader_;
  StopMatcher stops_;
  size_t text_seen_ = 0;      // bytes decoded
  bool has_line_ = false;     // the answer's text has an end of line
  size_t text_released_ = 0;  // bytes of the answer's text emitted
  std::deque<PendingToken> pending_;
  std::vector<GeneratedToken> prompt_tokens_;
  bool prompt_tokens_emitted_ = false;
  int32_t prompt_done_ = 0;
  std::optional<FinishReason> end_;
  std::optional<Error> error_;
  bool sink_failed_ = false;
  Usage usage_;
  Clock::time_point submitted_ = Clock::now();
  std::optional<Clock::time_point> admitted_, first_token_;
};

}  // namespace strata::inference
