#include <algorithm>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/openai/request_parts.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

struct Prompt {
  std::string text;
  std::vector<int32_t> ids;
};

// A string, strings, ids, or arrays of ids.
std::vector<Prompt> read_prompts(Fields& fields) {
  const json::value* value = fields.get("prompt");
  if (!value) fields.fail("prompt", "is missing");
  if (value->is_string()) return {{std::string(value->get_string()), {}}};
  if (!value->is_array() || value->get_array().empty()) {
    fields.fail("prompt", "must be a string, an array of strings, or token ids");
  }
  const json::array& items = value->get_array();
  if (items.front().is_number()) return {{"", read_ids(items, fields, "prompt")}};
  if (items.size() > kMaxPrompts) {
    fields.fail("prompt",
                fmt::format("has {} prompts, the limit is {}", items.size(), kMaxPrompts));
  }
  std::vector<Prompt> prompts;
  for (const json::value& item : items) {
    if (item.is_string()) {
      prompts.push_back({std::string(item.get_string()), {}});
    } else if (item.is_array() && !item.get_array().empty()) {
      prompts.push_back({"", read_ids(item.get_array(), fields, "prompt")});
    } else {
      fields.fail("prompt", "must be a string, an array of strings, or token ids");
    }
  }
  return prompts;
}

}  // namespace

namespace {

// best_of candidates are made for each prompt, of which the n likeliest are answered.
void read_best_of(Fields& fields, Parsed& parsed, ChatRequest& request) {
  parsed.n_kept = request.n;
  const auto best_of = fields.integer("best_of", 0, 20);
  if (!best_of || *best_of == 0) return;
  if (*best_of < request.n) {
    fields.fail("best_of",
                fmt::format("is {}, it must be at least n, which is {}", *best_of, request.n));
  }
  request.n = static_cast<int32_t>(*best_of);
  if (request.n == parsed.n_kept) return;
  if (fields.boolean("stream").value_or(false)) {
    fields.fail("best_of", "over n cannot be streamed: all candidates are needed to rank them");
  }
  request.n_logprobs = std::max(0, request.n_logprobs);
}

// Of one prompt. Who scores a text asks for its tokens and for one token more, and counts from the
// end: that one is told even where it is an end token, which other answers leave out.
void read_echo(ChatRequest& request, const Parsed& parsed) {
  if (!parsed.echo) return;
  // Echoed ids are written as the text that they stand for, which comes with their log-probs.
  request.prompt_logprobs = parsed.logprobs || !request.prompt_ids.empty();
  if (request.prompt_logprobs) request.n_logprobs = std::max(0, request.n_logprobs);
  if (parsed.logprobs && request.sampling.max_tokens == 1) request.ignore_end_tokens = true;
}

void add_prompts(Fields& fields, Parsed& parsed, const ChatRequest& request) {
  auto prompts = read_prompts(fields);
  const size_t n_answers = prompts.size() * static_cast<size_t>(request.n);
  if (n_answers > kMaxAnswers) {
    fields.fail(request.n == parsed.n_kept ? "n" : "best_of",
                fmt::format("times {} prompts is {} answers, the limit is {}", prompts.size(),
                            n_answers, kMaxAnswers));
  }
  for (Prompt& prompt : prompts) {
    ChatRequest one = request;
    one.prompt = prompt.text;
    one.prompt_ids = std::move(prompt.ids);
    if (!one.suffix.empty() && !one.prompt_ids.empty()) {
      fields.fail("suffix", "needs a prompt that is text, not token ids");
    }
    read_echo(one, parsed);
    parsed.prompts.push_back(std::move(prompt.text));
    parsed.requests.push_back(std::move(one));
  }
}

}  // namespace

Parsed parse_completion(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Parsed parsed;
  ChatRequest request;
  request.raw = true;
  read_sampling(fields, parsed, request, true);
  if (!request.sampling.max_tokens) request.sampling.max_tokens = 16;
  request.suffix = fields.text("suffix").value_or("");
  read_output_rule(fields, request);
  const auto logprobs = fields.integer("logprobs", 0, kMaxTopLogprobs);
  if (logprobs) request.n_logprobs = static_cast<int32_t>(*logprobs);
  read_n_probs(fields, "logprobs", logprobs, request);
  parsed.logprobs = request.n_logprobs >= 0;
  parsed.echo = fields.boolean("echo").value_or(false);
  read_best_of(fields, parsed, request);
  add_prompts(fields, parsed, request);
  read_stream(fields, parsed);
  end_fields(fields, parsed.requests.front().ignored);
  return parsed;
}

}  // namespace strata::api::openai
