#include "inference/generation.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "inference/limits.h"
#include "inference/logprobs.h"

namespace strata::inference {
namespace {

int64_t nanoseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

int32_t context_of(const GenerateRequest& request, int32_t context) {
  return request.context_limit > 0 ? std::min(request.context_limit, context) : context;
}

}  // namespace

void validate(const GenerateRequest& request, const models::Tokenizer& tokenizer, int32_t n_vocab,
              int32_t context) {
  const auto refuse = [](std::string message, std::string hint = {}) {
    throw Error(Code::invalid_argument, std::move(message), std::move(hint));
  };
  const std::vector<int32_t>& prompt = request.source.empty() ? request.prompt : request.source;
  if (prompt.empty()) refuse("the prompt has no tokens", "give it at least one");
  for (int32_t id : prompt) {
    if (id >= 0 && id < n_vocab) continue;
    refuse(fmt::format("the prompt holds token {}, the vocabulary has {}", id, n_vocab));
  }
  if (request.max_tokens < -1) {
    refuse(fmt::format("max_tokens is {}, it must be -1 (no limit) or more", request.max_tokens));
  }
  if (request.choice < 0) refuse(fmt::format("choice is {}, it must be 0 or more", request.choice));
  if (request.n_logprobs < -1 || request.n_logprobs > kMaxLogprobs) {
    refuse(fmt::format("{} log-probabilities are asked for a token, the limit is {}",
                       request.n_logprobs, kMaxLogprobs));
  }
  for (int32_t id : request.prediction) {
    if (id >= 0 && id < n_vocab) continue;
    refuse(fmt::format("the prediction holds token {}, the vocabulary has {}", id, n_vocab));
  }
  if (std::cmp_greater(request.prediction.size(), context)) {
    refuse(fmt::format("the prediction has {} tokens and the context {} positions",
                       request.prediction.size(), context),
           "leave it out, or send what the answer may be");
  }
  if (request.context_limit < 0) {
    refuse(fmt::format("the context limit is {}, it must not be negative", request.context_limit));
  }
  validate_stops(request.stop);
  validate(request.sampler, tokenizer.n_vocab());
  const auto n_prompt = static_cast<int64_t>(prompt.size());
  const int64_t needed = n_prompt + (request.max_tokens == 0 ? 0 : 1);
  const int32_t limit = context_of(request, context);
  if (needed > limit) {
    refuse(fmt::format("the prompt has {} tokens and the context {} positions, one of which an "
                       "answer needs",
                       n_prompt, limit),
           limit < context ? fmt::format("shorten it, or ask for a context of up to {}", context)
                           : "shorten it, or load the model with a larger context");
  }
}

void read_prompt(GenerateRequest& request, int32_t first_token) {
  if (request.prompt_logprobs) {
    throw Error(Code::invalid_argument,
                "log-probabilities of the prompt are asked for: the model reads it, it does not "
                "write it",
                "leave out echo, or logprobs");
  }
  if (request.prompt.empty()) return;  // which validate() says
  request.source = std::exchange(request.prompt, {first_token});
}

Generation::Generation(uint64_t id, GenerateRequest request, Sink sink,
                       std::shared_ptr<const models::Tokenizer> tokenizer, int32_t n_vocab,
                       int32_t context, std::shared_ptr<const DryBreakers> breakers,
                       const std::shared_ptr<Matcher>& matcher)
    : id_(id),
      request_(std::move(request)),
      sink_(std::move(sink)),
      tokenizer_(std::move(tokenizer)),
      n_vocab_(static_cast<size_t>(n_vocab)),
      n_prompt_(static_cast<int32_t>(request_.prompt.size())),
      tokens_(request_.prompt),
      sampler_(request_.sampler, request_.choice, std::move(breakers)),
      decoder_(tokenizer_, request_.reading ? request_.reading->spelled : std::vector<int32_t>{}),
      reader_(request_.reading),
      stops_(request_.stop) {
  if (matcher) constraint_.emplace(matcher);
  if (!request_.prediction.empty()) prediction_.emplace(request_.prediction);
  const int32_t room = context_of(request_, context) - n_prompt_;
  max_new_ = request_.max_tokens < 0 ? room : std::min(request_.max_tokens, room);
  usage_.prompt_tokens =
      request_.source.empty() ? n_prompt_ : static_cast<int32_t>(request_.source.size());
}

bool Generation::wants_prompt_logprobs() const {
  return request_.prompt_logprobs && prompt_tokens_.size() < tokens_.size() &&
         static_cast<int32_t>(prompt_tokens_.size()) < n_prompt_;
}

bool Generation::wants_logits(int32_t position) const {
  if (position + 1 == static_cast<int32_t>(tokens_.size())) return max_new_ > 0;
  // The row before a prompt token tells that token's probability; the first has none before it.
  return wants_prompt_logprobs() &&
         position + 1 >= std::max(1, static_cast<int32_t>(prompt_tokens_.size()));
}

std::span<const WantedLogits> Generation::wanted(std::vector<int32_t>& guesses) {
  const bool all = request_.n_logprobs >= 0 || wants_prompt_logprobs();
  const int32_t n = all ? 0 : sampler_.n_likeliest();
  wanted_.clear();
  masks_.clear();
  places_.clear();
  if (!constraint_ || reader_.reasoning()) {
    // In front of a rule the reasoning may have to go on, whatever is likeliest.
    wanted_.assign(guesses.size() + 1, {constraint_ ? 0 : n});
    return wanted_;
  }
  const auto want = [&](std::shared_ptr<const TokenMask> mask, const Constraint& place) {
    wanted_.push_back({n, all ? nullptr : mask.get()});
    masks_.push_back(std::move(mask));
    places_.push_back(place);
  };
  want(constraint_->mask(), *constraint_);
  for (const int32_t guess : guesses) {
    Constraint place = places_.back();
    auto mask = place.accept_guess(guess);
    if (!mask) break;
    want(std::move(mask), place);
  }
  guesses.resize(wanted_.size() - 1);
  return wanted_;
}

bool Generation::wants_as_said(size_t i) const {
  if (wanted_[i].allowed == nullptr) return true;
  return !reader_.reasoning() && *constraint_ == places_[i];
}

std::vector<int32_t> Generation::foretold(int32_t most) const {
  if (!constraint_ || reader_.reasoning()) return {};
  return constraint_->foretold(tokens_.back(), most);
}

std::vector<int32_t> Generation::predicted(int32_t most) const {
  if (!prediction_ || reader_.reasoning()) return {};
  const auto guessed = prediction_->next(most);
  return {guessed.begin(), guessed.end()};
}

void Generation::take(int32_t position, std::span<const float> logits) {
  CHECK(!ended() && logits.size() >= n_vocab_);
  const std::span<const float> choosable = logits.first(n_vocab_);
  if (position + 1 < static_cast<int32_t>(tokens_.size())) {
    take_prompt_row(position, choosable);
  } else {
    generate(choosable);
  }
}

void Generation::take_prompt_row(int32_t position, std::span<const float> logits) {
  const auto next = static_cast<size_t>(position) + 1;
  if (prompt_tokens_.empty()) prompt_tokens_.push_back(without_logprob(tokens_.front()));
  CHECK(next == prompt_tokens_.size());
  prompt_tokens_.push_back(describe(tokens_[next], logits));
}

GeneratedToken Generation::without_logprob(int32_t id) const {
  return {id, tokenizer_->piece(id, true), std::numeric_limits<float>::quiet_NaN(), {}};
}

GeneratedToken Generation::describe(int32_t id, std::span<const float> logits) const {
  const LogprobRow row = logprobs(logits, id, std::max(0, request_.n_logprobs));
  GeneratedToken token{id, tokenizer_->piece(id, true), row.chosen, {}};
  for (const IdLogprob& top : row.top) {
    token.alternatives.push_back({top.id, tokenizer_->piece(top.id, true), top.logprob});
  }
  return token;
}

// From the tokens that the constraint allows: it is of the answer, not of the reasoning.
int32_t Generation::choose(std::span<const float> logits) {
  if (const auto forced = reader_.forced_token()) return *forced;
  if (!constraint_) return sampler_.sample(logits, tokens_);
  if (reader_.reasoning()) return reason(logits);
  const auto mask = constraint_->mask();
  if (std::ranges::all_of(mask->bits, [](uint64_t word) { return word == 0; })) {
    throw Error(Code::internal,
                "no token is left to choose from: the rule of the output leads to a place where "
                "none of the model's tokens may follow",
                "write the rule in another way, of characters that the model's tokens have");
  }
  keep_allowed(logits, *mask, allowed_);
  const int32_t id = sampler_.sample(allowed_, tokens_);
  CHECK(constraint_->accept(id));
  return id;
}

// Where all of the answer has to follow a rule, it begins with a token of its own, and the
// reasoning does not end without one.
int32_t Generation::reason(std::span<const float> logits) {
  const int32_t id = sampler_.sample(logits, tokens_);
  const auto spoils = [&](int32_t token) {
    return tokenizer_->ends_generation(token) ||
           reader_.ends_inside(tokenizer_->piece(token, true));
  };
  if (!is_strict(request_) || !spoils(id)) return id;
  allowed_.assign(logits.begin(), logits.end());
  for (size_t i = 0; i < allowed_.size(); ++i) {
    if (spoils(static_cast<int32_t>(i))) allowed_[i] = -std::numeric_limits<float>::infinity();
  }
  return sampler_.sample(allowed_, tokens_);
}

void Generation::leave_reasoning() {
  const auto is_bare = [](const OutputTrigger& trigger) { return trigger.bare; };
  const bool has_front = is_strict(request_) || std::ranges::any_of(request_.triggers, is_bare);
  if (!constraint_ || !has_front || request_.frame.front.any.empty()) return;
  if (constraint_->accept_reasoning()) return;
  throw Error(Code::internal, "the rule of the answer has no place for its reasoning");
}

void Generation::generate(std::span<const float> logits) {
  const int32_t id = choose(logits);
  if (!first_token_) first_token_ = Clock::now();
  tokens_.push_back(id);
  ++usage_.completion_tokens;
  if (tokenizer_->ends_generation(id) && !request_.ignore_end_tokens) {
    end_ = FinishReason::stop;
    emit_text(settle_rest());
    return;
  }
  const std::string text = decoder_.push(id);
  if (request_.n_logprobs >= 0 || request_.token_ids) {
    auto token = request_.n_logprobs >= 0 ? describe(id, logits) : without_logprob(id);
    pending_.push_back({std::move(token), text_seen_, text_seen_ + text.size()});
  }
  text_seen_ += text.size();
  const bool reasoned = reader_.reasoning();
  if (prediction_ && !reasoned) prediction_->push(id);
  const std::string answered = reader_.push(text);
  has_line_ = has_line_ || answered.find('\n') != std::string::npos;
  std::string settled = stops_.push(answered);
  if (reasoned && !reader_.reasoning()) leave_reasoning();
  const bool complete = reader_.calls_enough() || (constraint_ && constraint_->complete());
  if (!stops_.matched() && (complete || n_generated() >= max_new_ || is_late())) {
    end_ = complete ? FinishReason::stop : FinishReason::length;
    settled += settle_rest();
  }
  if (stops_.matched()) end_ = FinishReason::stop;
  emit_text(std::move(settled));
}

bool Generation::is_late() const {
  return request_.most_ms > 0 && has_line_ &&
         Clock::now() - *first_token_ > std::chrono::milliseconds(request_.most_ms);
}

// The text that was held back: bytes of an unfinished character and beginnings of stop strings.
std::string Generation::settle_rest() {
  const std::string rest = decoder_.finish();
  text_seen_ += rest.size();
  std::string settled;
  if (!rest.empty()) settled = stops_.push(reader_.push(rest));
  settled += stops_.push(reader_.finish(end_ == FinishReason::length));
  settled += stops_.finish();
  return settled;
}

std::vector<GeneratedToken> Generation::settled_tokens() {
  std::vector<GeneratedToken> settled;
  while (!pending_.empty()) {
    const PendingToken& first = pending_.front();
    const AnswerReader::Place place = reader_.place(first.begin, first.end);
    if (place.kind == AnswerReader::Place::Kind::unknown) break;
    if (place.kind == AnswerReader::Place::Kind::elsewhere) {
      pending_.pop_front();
      continue;
    }
    // After a stop string, a token that it cuts in two stays; without one, all stay in the end.
    const bool begun = place.begin < text_released_;
    const bool whole = place.end <= text_released_;
    if (!(whole || (ended() && (begun || !stops_.matched())))) break;
    settled.push_back(std::move(pending_.front().token));
    pending_.pop_front();
  }
  return settled;
}

void Generation::emit_text(std::string text) {
  text_released_ += text.size();
  Event event;
  event.kind = Event::Kind::text;
  event.calls = reader_.take_calls();
  // What goes on with a call that was begun stands before the text behind it.
  const bool goes_on = !event.calls.empty() && event.calls.front().name.empty();
  if (goes_on && !text.empty()) {
    const auto begun = std::find_if(event.calls.begin(), event.calls.end(),
                                    [](const auto& piece) { return !piece.name.empty(); });
    Event rest;
    rest.kind = Event::Kind::text;
    rest.calls.assign(event.calls.begin(), begun);
    rest.usage.prompt_tokens = usage_.prompt_tokens;
    rest.usage.cached_tokens = usage_.cached_tokens;
    event.calls.erase(event.calls.begin(), begun);
    emit(std::move(rest));
  }
  event.text = std::move(text);
  event.reasoning = reader_.take_reasoning();
  event.tokens = settled_tokens();
  event.usage.prompt_tokens = usage_.prompt_tokens;
  event.usage.cached_tokens = usage_.cached_tokens;
  if (request_.prompt_logprobs && !prompt_tokens_emitted_) {
    if (prompt_tokens_.empty()) prompt_tokens_.push_back(without_logprob(tokens_.front()));
    event.prompt_tokens = std::move(prompt_tokens_);
    prompt_tokens_.resize(static_cast<size_t>(n_prompt_));
    prompt_tokens_emitted_ = true;
  }
  const bool says_nothing = event.text.empty() && event.reasoning.empty() && event.calls.empty() &&
                            event.tokens.empty() && event.prompt_tokens.empty();
  if (!says_nothing) emit(std::move(event));
}

void Generation::progress(int32_t n_done) {
  if (request_.source.empty()) emit_progress(std::min(n_done, n_prompt_));
}

void Generation::source_read() {
  emit_progress(static_cast<int32_t>(request_.source.size()));
}

void Generation::emit_progress(int32_t prompt_done) {
  if (prompt_done <= prompt_done_) return;
  prompt_done_ = prompt_done;
  Event event;
  event.kind = Event::Kind::progress;
  event.prompt_done = prompt_done;
  event.usage.cached_tokens = usage_.cached_tokens;
  emit(std::move(event));
}

void Generation::end_if_complete(int32_t n_done) {
  if (ended() || n_done < n_prompt_ || max_new_ > 0) return;
  end_ = FinishReason::length;
  emit_text({});
}

void Generation::admitted(int32_t n_cached) {
  if (admitted_) return;
  admitted_ = Clock::now();
  usage_.cached_tokens = n_cached;
}

void Generation::end(FinishReason reason, std::optional<Error> error) {
  if (end_) return;
  end_ = reason;
  error_ = std::move(error);
}

void Generation::finish() {
  CHECK(ended());
  const Clock::time_point now = Clock::now();
  const Clock::time_point left_queue = admitted_.value_or(now);
  const Clock::time_point first_token = first_token_.value_or(now);
  usage_.queue_ns = nanoseconds(left_queue - submitted_);
  usage_.prompt_ns = nanoseconds(first_token - left_queue);
  usage_.completion_ns = nanoseconds(now - first_token);
  usage_.reasoning_tokens = reader_.reasoning_tokens();
  if (prediction_) {
    usage_.accepted_prediction_tokens = prediction_->n_met();
    usage_.rejected_prediction_tokens = prediction_->size() - prediction_->n_met();
  }
  Event event;
  event.kind = Event::Kind::finished;
  event.reason = end_.value_or(FinishReason::cancelled);
  if (event.reason == FinishReason::stop && stops_.matched()) event.stop_string = stops_.match();
  event.usage = usage_;
  event.error = std::move(error_);
  emit(std::move(event));
  sink_ = nullptr;
}

void Generation::emit(Event&& event) {
  if (sink_failed_) return;
  try {
    sink_(std::move(event));
  } catch (...) {
    sink_failed_ = true;  // its own affair: nobody is left to tell
  }
}

}  // namespace strata::inference
