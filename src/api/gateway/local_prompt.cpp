#include "api/gateway/local_prompt.h"

#include <algorithm>
#include <random>

#include "api/gateway/prompt_budget.h"

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
  const auto is_system = [](const Message& message) {
    return message.role == "system" || message.role == "developer";
  };
  PromptCounts counts;
  if (asked.empty() || !is_system(asked.front())) counts.system = tokens_of(own.system);
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

// Refuses by its bytes what would be over the limit however it is cut into tokens: encoding takes
// many times the memory of the text.
void check_bytes(const ChatRequest& request, const LoadedModel& loaded, std::string_view text,
                 int64_t limit) {
  const auto least = [&](std::string_view part) {
    const auto bytes = static_cast<int64_t>(part.size());
    return (bytes + loaded.longest_token_bytes - 1) / loaded.longest_token_bytes;
  };
  const int64_t total = least(text);
  if (total <= limit) return;
  const auto counts = request.raw ? PromptCounts{.message = total}
                                  : count_parts(request, *loaded.model, total, least);
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

models::MarkedText render(const ChatRequest& request, const models::Model& model) {
  if (request.chat_template.empty() && request.model_messages) {
    return models::render_conversation(model, request.conversation);
  }
  models::Model other = model;
  if (!request.model_messages) other.overrides.messages.clear();
  if (!request.chat_template.empty()) {
    other.chat_template =
        models::parse_template(*model.tokenizer, request.chat_template, request_template_limits());
  }
  return models::render_conversation(other, request.conversation);
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

std::vector<int32_t> prompt_ids(const ChatRequest& request, const LoadedModel& loaded,
                                int64_t limit) {
  const models::Model& model = *loaded.model;
  const models::Tokenizer& tokenizer = *model.tokenizer;
  if (!request.prompt_ids.empty()) return check_ids(request.prompt_ids, model.spec.n_vocab);
  if (request.raw || continues_prompt(request, model)) {
    check_bytes(request, loaded, request.prompt, limit);
    return models::as_prompt(model, request.raw ? tokenizer.encode_trusted(request.prompt)
                                                : tokenizer.encode_text(request.prompt));
  }
  const models::MarkedText text = render(request, model);
  check_bytes(request, loaded, text.text, limit);
  return models::as_prompt(model, tokenizer.encode(text));
}

// The counts of a prompt that was encoded and does not fit.
Error overflow(const ChatRequest& request, const LoadedModel& loaded, int64_t total,
               int64_t limit) {
  if (request.raw) return context_overflow(total, limit);
  const auto tokens_of = [&](const std::string& text) {
    // A template need not write all of a message: what it left out may be of any length.
    const size_t most = static_cast<size_t>(total * loaded.longest_token_bytes);
    const auto part = std::string_view(text).substr(0, most);
    return static_cast<int64_t>(loaded.model->tokenizer->encode_text(part).size());
  };
  return context_overflow(count_parts(request, *loaded.model, total, tokens_of), limit);
}

uint64_t random_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace

std::vector<int32_t> make_prompt(const ChatRequest& request, const LoadedModel& loaded) {
  inference::refuse_silent(*loaded.model);
  return prompt_ids(request, loaded, kMaxCountedContexts * loaded.engine->context());
}

inference::GenerateRequest make_generate_request(const ChatRequest& request,
                                                 const LoadedModel& loaded) {
  inference::refuse_silent(*loaded.model);
  inference::GenerateRequest out;
  out.context_limit = loaded.engine->context();
  if (request.context && *request.context > 0) {
    out.context_limit = std::min(out.context_limit, *request.context);
  }
  out.prompt = prompt_ids(request, loaded, out.context_limit);
  const auto n_prompt = static_cast<int64_t>(out.prompt.size());
  if (n_prompt >= out.context_limit) {
    throw overflow(request, loaded, n_prompt, out.context_limit);
  }
  const auto& defaults = loaded.defaults;
  out.sampler = apply(request.sampling, defaults.sampler);
  const bool given = request.sampling.seed.has_value() || defaults.seed_given;
  if (!given || request.sampling.seed == kFreshSeed) out.sampler.seed = random_seed();
  out.max_tokens = request.sampling.max_tokens.value_or(defaults.max_tokens);
  out.stop = request.sampling.stop.value_or(defaults.stop);
  out.ignore_end_tokens = request.ignore_end_tokens;
  out.n_logprobs = request.n_logprobs;
  out.prompt_logprobs = request.prompt_logprobs;
  out.cache_scope = request.cache_scope;
  out.priority = request.priority;
  out.output = request.output;
  return out;
}

}  // namespace strata::api
