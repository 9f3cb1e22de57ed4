#include "api/gateway/local_prompt.h"

#include <algorithm>
#include <random>

#include "api/gateway/prompt_budget.h"

namespace strata::api {
namespace {

using models::Message;

// How many tokens each part has, the template's own words counted with the history.
PromptCounts count_parts(const models::Model& model, const std::vector<Message>& messages,
                         int64_t total) {
  PromptCounts counts;
  const auto tokens_of = [&](const Message& message) {
    return static_cast<int64_t>(model.tokenizer->encode_text(message.content).size());
  };
  for (const auto& message : messages) {
    if (message.role == "system" || message.role == "developer")
      counts.system += tokens_of(message);
  }
  if (!messages.empty()) counts.message = tokens_of(messages.back());
  counts.history = std::max<int64_t>(0, total - counts.system - counts.message);
  return counts;
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

// Never EOS, whatever the model's flags say: the text is to be continued, not to have ended.
std::vector<int32_t> with_bos(const models::Tokenizer& tokenizer, std::vector<int32_t> ids) {
  const int32_t bos = tokenizer.bos();
  const bool is_wanted = tokenizer.add_bos() && bos >= 0;
  if (is_wanted && (ids.empty() || ids.front() != bos)) ids.insert(ids.begin(), bos);
  return ids;
}

std::vector<int32_t> prompt_ids(const ChatRequest& request, const models::Model& model) {
  if (!request.prompt_ids.empty()) return check_ids(request.prompt_ids, model.spec.n_vocab);
  if (request.raw) {
    return with_bos(*model.tokenizer, model.tokenizer->encode_trusted(request.prompt));
  }
  if (!request.chat_template.empty()) {
    models::Model other = model;
    other.chat_template = models::parse_template(*model.tokenizer, request.chat_template);
    return models::encode_conversation(other, request.conversation);
  }
  if (model.chat_template == nullptr && !request.prompt.empty()) {
    return with_bos(*model.tokenizer, model.tokenizer->encode_text(request.prompt));
  }
  return models::encode_conversation(model, request.conversation);
}

uint64_t random_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace

inference::GenerateRequest make_generate_request(const ChatRequest& request,
                                                 const LoadedModel& loaded) {
  const models::Model& model = *loaded.model;
  inference::GenerateRequest out;
  out.prompt = prompt_ids(request, model);
  out.context_limit = loaded.engine->context();
  if (request.context && *request.context > 0) {
    out.context_limit = std::min(out.context_limit, *request.context);
  }
  const auto n_prompt = static_cast<int64_t>(out.prompt.size());
  if (n_prompt >= out.context_limit) {
    if (request.raw) throw context_overflow(n_prompt, out.context_limit);
    throw context_overflow(count_parts(model, request.conversation.messages, n_prompt),
                           out.context_limit);
  }
  const auto& defaults = loaded.defaults;
  out.sampler = apply(request.sampling, defaults.sampler);
  if (!request.sampling.seed && !defaults.seed_given) out.sampler.seed = random_seed();
  out.max_tokens = request.sampling.max_tokens.value_or(defaults.max_tokens);
  out.stop = request.sampling.stop.value_or(defaults.stop);
  out.ignore_end_tokens = request.ignore_end_tokens;
  out.n_logprobs = request.n_logprobs;
  out.prompt_logprobs = request.prompt_logprobs;
  return out;
}

}  // namespace strata::api
