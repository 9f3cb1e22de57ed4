// The one internal request and event stream that every dialect reads into and writes from.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/prompt/context_policy.h"
#include "inference/constraint/output_rule.h"
#include "inference/engine.h"
#include "models/chat/chat_template.h"
#include "models/chat/message.h"

namespace strata::api {

// What a template that came with a request may use.
models::TemplateLimits request_template_limits();

// The seed that stands for "drawn anew": -1 on the wire, whatever the model's own setting says.
constexpr uint64_t kFreshSeed = UINT64_MAX;

// Sampling options as the caller gave them; what is absent takes the model's own setting, then the
// product's default (inference/defaults.h).
struct SamplingOptions {
  std::optional<float> temperature, top_p, min_p, typical_p, top_n_sigma;
  std::optional<float> xtc_probability, xtc_threshold;
  std::optional<float> repeat_penalty, presence_penalty, frequency_penalty;
  std::optional<float> dry_multiplier, dry_base;
  std::optional<int32_t> dry_allowed_length, dry_penalty_last_n;
  std::optional<std::vector<std::string>> dry_sequence_breakers;
  std::optional<int32_t> top_k, repeat_last_n, mirostat;
  std::optional<float> mirostat_tau, mirostat_eta;
  std::optional<uint64_t> seed;
  std::optional<int32_t> max_tokens;
  std::optional<std::vector<std::string>> stop;
  std::map<int32_t, float> logit_bias;
};

// base with everything that the options give put over it.
inference::SamplerParams apply(const SamplingOptions& options, inference::SamplerParams base);

// A piece of a prompt: text, or ids.
struct PromptPart {
  std::string text = {};
  std::vector<int32_t> ids = {};
  bool plain = false;  // control tokens that the text spells are text
};

struct ChatRequest {
  std::string model;
  // Either a conversation, or a raw prompt (text or ids) that the caller has formatted.
  bool raw = false;
  bool load_only = false;  // no answer is wanted, only the model in memory
  models::Conversation conversation;
  std::string system_front;    // stands before the system text, whose ever that is; "": nothing
  bool model_messages = true;  // false: without the messages that the model itself brings
  std::string chat_template;   // Jinja, instead of the model's own; "": that
  // Beside a conversation: what a model without a template continues; "": it refuses.
  std::string prompt;
  std::vector<int32_t> prompt_ids;
  // What stands before and behind the prompt or the rendered conversation. Where ids come first,
  // the vocabulary's own beginning is not put in front of them.
  std::vector<PromptPart> prompt_front, prompt_back;
  int32_t keep_last = 0;   // of the prompt's ids only the last so many are read; 0: all
  std::string suffix;      // of a raw prompt: what stands behind the text that is to be filled in
  std::string prediction;  // what the answer's text may be, to be quicker where it is right
  bool continue_last = false;  // the last message, an assistant's, is gone on with
  models::ToolChoice tool_choice;
  bool call_fragments = false;  // arguments of calls may come piece by piece
  models::ReasoningWish reasoning;
  inference::OutputRule output;  // of the text, not of the reasoning or of tool calls
  SamplingOptions sampling;
  int32_t n = 1;                 // choices
  int32_t n_logprobs = -1;       // -1: none
  bool token_ids = false;        // events have tokens without log-probabilities, too
  bool prompt_logprobs = false;  // the first text event carries the prompt's tokens
  bool tell_start = false;       // an event before all text has `start`
  bool prompt_only = false;      // the same, and no answer is wanted
  bool ignore_end_tokens = false;
  int64_t most_ms = 0;                          // inference::GenerateRequest
  std::optional<int32_t> context;               // positions to provide, Ollama's num_ctx
  std::optional<ContextPolicy> context_policy;  // for a conversation that does not fit
  int64_t left_out = 0;                  // messages that are not in the conversation any more
  std::optional<int64_t> keep_alive_ms;  // -1: for ever
  uint64_t cache_scope = 0;              // inference::GenerateRequest
  bool computes_anew = false;            // nothing that the cache holds is used
  std::string caller;                    // the id of his key; "": without one
  int32_t priority = 0;                  // the same
  std::string end_user;                  // whom the caller asks for, in his words; for the records
  std::vector<std::string> ignored;      // fields that were understood but have no effect here
};

// What an answer begins with, as the backend has settled it.
struct AnswerStart {
  std::vector<int32_t> prompt_ids;
  std::string prompt;  // as text: a conversation as its template writes it
  inference::SamplerParams sampler;
  int32_t max_tokens = -1;  // -1: until the context is full
  std::vector<std::string> stop;
  int32_t context = 0;  // positions
};

class ContextOverflow;

// One event of one choice.
struct ChatEvent {
  int32_t choice = 0;
  std::string reasoning = {};  // piece of the reasoning, if any
  std::vector<models::ToolCallPiece> calls = {};
  inference::Event event = {};   // text, progress, finished
  int64_t load_ns = 0;           // finished: what the request waited for its model to be loaded
  int32_t reasoning_tokens = 0;  // finished: how many of the answer's tokens were reasoning
  // progress, before the first text: what is done otherwise than the request asked.
  std::string notice{};
  std::shared_ptr<const AnswerStart> start{};             // progress, where the request asks for it
  std::shared_ptr<const ContextChange> context_change{};  // progress, likewise told in `notice`
  // Finished by this: the event's error with the numbers that dialects have fields for.
  std::shared_ptr<const ContextOverflow> overflow{};
};

}  // namespace strata::api
