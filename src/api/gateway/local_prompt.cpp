#include "api/gateway/local_prompt.h"

#include <algorithm>
#include <random>

#include "api/gateway/local_conversation.h"
#include "api/gateway/prompt_budget.h"
#include "models/text_prompts.h"

namespace strata::api {
namespace {

using models::Message;

// How many tokens each part has, the model's own messages among them; what the template itself
// writes is the rest.
template <typename Count>
PromptCounts count_parts(const ChatRequest& request, const models::Model& model, int64_t total,
                         Count tokens_of) {
  models::ModelOverrides own = model.overrides;
  if (!request.model_messages) own.messages.clear();
  const auto& asked = request.conversation.messages;
  PromptCounts counts{.answer = request.sampling.max_tokens.value_or(-1),
                      .left_out = request.left_out};
  if (asked.empty() || !is_system(asked.front())) counts.system = tokens_of(own.system);
  if (!request.system_front.empty()) counts.system += tokens_of(request.system_front);
  for (const auto& message : own.messages) counts.history += tokens_of(message.content);
  for (size_t i = 0; i < asked.size(); ++i) {
    int64_t& part = i + 1 == asked.size() ? counts.message
                    : is_system(asked[i]) ? counts.system
                                          : counts.history;
    part += tokens_of(asked[i].content);
  }
  counts.template_words = std::max<int64_t>(0, total - counts.total());
  return counts;
}

PromptCounts raw_counts(const ChatRequest& request, int64_t total) {
  return {.message = total, .answer = request.sampling.max_tokens.value_or(-1)};
}

int64_t least_tokens(std::string_view text, const LoadedModel& loaded) {
  const auto bytes = static_cast<int64_t>(text.size());
  return (bytes + loaded.longest_token_bytes - 1) / loaded.longest_token_bytes;
}

// Refuses by its bytes what would be over the limit however it is cut into tokens: encoding takes
// many times the memory of the text.
void check_bytes(const ChatRequest& request, const LoadedModel& loaded, std::string_view text,
                 int64_t limit) {
  const auto least = [&](std::string_view part) { return least_tokens(part, loaded); };
  const int64_t total = least(text);
  if (total <= limit) return;
  const auto counts =
      request.raw ? raw_counts(request, total) : count_parts(request, *loaded.model, total, least);
  throw context_overflow_at_least(counts, static_cast<int64_t>(text.size()), limit);
}

std::vector<int32_t> check_ids(const std::vector<int32_t>& ids, int32_t n_vocab) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= n_vocab) {
      throw Error(Code::invalid_argument,
                  fmt::format("prompt: token id {} is not below the vocabulary's {}", id, n_vocab));
    }
  }
  return ids;
}

// A model without a template continues a prompt as it is, if nothing belongs in front of it.
bool continues_prompt(const ChatRequest& request, const models::Model& model) {
  if (model.chat_template != nullptr || !request.chat_template.empty()) return false;
  if (request.prompt.empty()) return false;
  if (model.overrides.system.empty() && model.overrides.messages.empty()) return true;
  throw Error(Code::failed_precondition,
              fmt::format("{} has a SYSTEM or MESSAGE of its own and no chat template that says "
                          "where they stand",
                          model.name),
              "give it one with strata create and TEMPLATE, send a template, or send raw: true to "
              "continue the prompt alone");
}

// A text to be filled in between two others, as models are trained on it: Bavarian et al.,
// "Efficient training of language models to fill in the middle" (2022), prefix, suffix, middle.
std::vector<int32_t> infill_ids(const ChatRequest& request, const LoadedModel& loaded,
                                int64_t limit) {
  const models::Tokenizer& tokenizer = *loaded.model->tokenizer;
  const models::SpecialIds& special = tokenizer.special_ids();
  if (special.fill_prefix < 0 || special.fill_suffix < 0 || special.fill_middle < 0) {
    throw Error(Code::failed_precondition,
                fmt::format("suffix: {} fills in no text: its vocabulary has no tokens that mark "
                            "what stands before and behind",
                            loaded.model->name),
                "leave suffix out, or choose a model for code that was trained to fill in");
  }
  check_bytes(request, loaded, request.prompt, limit);
  check_bytes(request, loaded, request.suffix, limit);
  std::vector<int32_t> ids{special.fill_prefix};
  const auto add = [&](const std::string& text, int32_t mark) {
    const auto part = tokenizer.encode_text(text);
    ids.insert(ids.end(), part.begin(), part.end());
    ids.push_back(mark);
  };
  add(request.prompt, special.fill_suffix);
  add(request.suffix, special.fill_middle);
  return models::as_prompt(*loaded.model, std::move(ids));
}

struct Prompt {
  std::vector<int32_t> ids;
  PreparedConversation conversation;
};

Prompt read_prompt(const ChatRequest& request, const LoadedModel& loaded, int64_t limit,
                   uint64_t id_seed) {
  const models::Model& model = *loaded.model;
  const models::Tokenizer& tokenizer = *model.tokenizer;
  if (!request.suffix.empty()) return {infill_ids(request, loaded, limit), {}};
  if (!request.prompt_ids.empty()) return {check_ids(request.prompt_ids, model.spec.n_vocab), {}};
  if (request.raw || continues_prompt(request, model)) {
    check_bytes(request, loaded, request.prompt, limit);
    return {models::as_prompt(model, request.raw ? tokenizer.encode_trusted(request.prompt)
                                                 : tokenizer.encode_text(request.prompt)),
            {}};
  }
  PreparedConversation prepared = prepare_conversation(request, model, id_seed);
  check_bytes(request, loaded, prepared.text.text, limit);
  auto ids = models::as_prompt(model, tokenizer.encode(prepared.text));
  return {std::move(ids), std::move(prepared)};
}

void append_parts(const std::vector<PromptPart>& parts, const ChatRequest& request,
                  const LoadedModel& loaded, int64_t limit, std::vector<int32_t>& ids) {
  const models::Tokenizer& tokenizer = *loaded.model->tokenizer;
  for (const PromptPart& part : parts) {
    check_bytes(request, loaded, part.text, limit);
    const auto more = !part.ids.empty() ? check_ids(part.ids, loaded.model->spec.n_vocab)
                      : part.plain      ? tokenizer.encode_text(part.text)
                                        : tokenizer.encode_trusted(part.text);
    ids.insert(ids.end(), more.begin(), more.end());
  }
}

// The ids with what the request puts around them; only the last so many of them all.
std::vector<int32_t> with_parts(const ChatRequest& request, const LoadedModel& loaded,
                                std::vector<int32_t> ids, int64_t limit) {
  const models::Model& model = *loaded.model;
  if (!request.prompt_front.empty()) {
    std::vector<int32_t> all;
    append_parts(request.prompt_front, request, loaded, limit, all);
    // The beginning that the vocabulary wants stands before all of it, or nowhere.
    const bool began = !ids.empty() && ids.front() == model.tokenizer->bos();
    all.insert(all.end(), ids.begin() + (began ? 1 : 0), ids.end());
    const bool as_given = !request.prompt_front.front().ids.empty();
    ids = as_given ? std::move(all) : models::as_prompt(model, std::move(all));
  }
  append_parts(request.prompt_back, request, loaded, limit, ids);
  if (request.keep_last > 0 && ids.size() > static_cast<size_t>(request.keep_last)) {
    ids.erase(ids.begin(), ids.end() - request.keep_last);
  }
  return ids;
}

// The counts of a prompt that was encoded and does not fit.
ContextOverflow overflow(const ChatRequest& request, const LoadedModel& loaded, int64_t total,
                         int64_t limit) {
  if (request.raw) return context_overflow(raw_counts(request, total), limit);
  const auto tokens_of = [&](const std::string& text) {
    // A template need not write all of a message: what it left out may be of any length.
    const size_t most = static_cast<size_t>(total * loaded.longest_token_bytes);
    const auto part = std::string_view(text).substr(0, most);
    return static_cast<int64_t>(loaded.model->tokenizer->encode_text(part).size());
  };
  return context_overflow(count_parts(request, *loaded.model, total, tokens_of), limit);
}

std::vector<int32_t> prediction_ids(const ChatRequest& request, const LoadedModel& loaded) {
  const int64_t least = least_tokens(request.prediction, loaded);
  if (least > loaded.engine->context()) {
    throw Error(Code::invalid_argument,
                fmt::format("the prediction's {} bytes are {} tokens at least, the context has {} "
                            "positions",
                            request.prediction.size(), least, loaded.engine->context()),
                "leave it out, or send what the answer may be");
  }
  return loaded.model->tokenizer->encode_text(request.prediction);
}

uint64_t random_bits() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

// Of 32 bits: answers tell it, and JavaScript reads numbers as doubles. The last of them is none,
// it asks llama.cpp's interface for another.
uint64_t random_seed() {
  return random_bits() % UINT32_MAX;
}

// The ids of a text whose model makes vectors of it, as it would for them.
std::vector<int32_t> read_silently(const ChatRequest& request, const LoadedModel& loaded,
                                   int64_t limit) {
  const models::Model& model = *loaded.model;
  std::vector<PromptPart> parts = request.prompt_front;
  if (!request.prompt.empty()) parts.push_back({.text = request.prompt});
  if (models::text_reading(*model.file).lower_case) {
    for (PromptPart& part : parts) part.text = models::lower_case(part.text);
  }
  std::vector<int32_t> ids;
  append_parts(parts, request, loaded, limit, ids);
  const bool as_given = !parts.empty() && !parts.front().ids.empty();
  return as_given ? ids : model.tokenizer->with_bos_eos(std::move(ids));
}

}  // namespace

std::vector<int32_t> make_prompt(const ChatRequest& request, const LoadedModel& loaded) {
  const int64_t limit = kMaxCountedContexts * loaded.engine->context();
  if (request.raw && !models::generates(loaded.model->spec)) {
    return read_silently(request, loaded, limit);
  }
  inference::refuse_silent(*loaded.model);
  return with_parts(request, loaded, read_prompt(request, loaded, limit, 0).ids, limit);
}

std::optional<int64_t> count_conversation(const ChatRequest& request, const LoadedModel& loaded) {
  const models::Model& model = *loaded.model;
  if (continues_prompt(request, model)) return 0;
  const models::MarkedText text = render_prompt(request, model);
  if (least_tokens(text.text, loaded) > kMaxCountedContexts * loaded.engine->context()) {
    return std::nullopt;
  }
  return static_cast<int64_t>(models::as_prompt(model, model.tokenizer->encode(text)).size());
}

int32_t positions_for(const ChatRequest& request, const LoadedModel& loaded) {
  const int32_t all = loaded.engine->context();
  const int32_t asked = request.context.value_or(0);
  return asked > 0 ? std::min(all, asked) : all;
}

std::string prompt_text(const ChatRequest& request, const models::Model& model,
                        const std::vector<int32_t>& ids) {
  const bool rendered = !request.raw && request.prompt_ids.empty() &&
                        request.prompt_front.empty() && !continues_prompt(request, model);
  return rendered ? prepare_conversation(request, model, 0).text.text
                  : model.tokenizer->decode(ids, true);
}

inference::GenerateRequest make_generate_request(const ChatRequest& request,
                                                 const LoadedModel& loaded,
                                                 std::vector<std::string>& notices) {
  // Of ids that are only to be told as text nothing is generated, and there may be any number.
  const bool is_told = request.prompt_only && !request.prompt_ids.empty();
  if (!is_told) inference::refuse_silent(*loaded.model);
  inference::GenerateRequest out;
  out.context_limit = positions_for(request, loaded);
  Prompt prompt = read_prompt(request, loaded, out.context_limit, random_bits());
  out.prompt = with_parts(request, loaded, std::move(prompt.ids), out.context_limit);
  out.reading = std::move(prompt.conversation.reading);
  out.triggers = std::move(prompt.conversation.triggers);
  out.frame = std::move(prompt.conversation.frame);
  notices = std::move(prompt.conversation.notices);
  const auto n_prompt = static_cast<int64_t>(out.prompt.size());
  if (!is_told && n_prompt >= out.context_limit) {
    throw overflow(request, loaded, n_prompt, out.context_limit);
  }
  out.prediction = prediction_ids(request, loaded);
  const auto& defaults = loaded.defaults;
  out.sampler = apply(request.sampling, defaults.sampler);
  const bool given = request.sampling.seed.has_value() || defaults.seed_given;
  if (!given || request.sampling.seed == kFreshSeed) out.sampler.seed = random_seed();
  out.max_tokens = request.sampling.max_tokens.value_or(defaults.max_tokens);
  out.stop = request.sampling.stop.value_or(defaults.stop);
  out.ignore_end_tokens = request.ignore_end_tokens;
  out.most_ms = request.most_ms;
  out.n_logprobs = request.n_logprobs;
  out.token_ids = request.token_ids;
  out.prompt_logprobs = request.prompt_logprobs;
  out.cache_scope = request.cache_scope;
  out.priority = request.priority;
  out.output = request.output;
  out.output.members = inference::Members::as_listed;
  return out;
}

}  // namespace strata::api
