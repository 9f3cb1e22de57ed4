#include "api/gateway/local_embedding.h"

#include <algorithm>

#include "core/error.h"
#include "models/text_prompts.h"

namespace strata::api {
namespace {

using models::TokenId;

// What can be answered is known before a text is encoded.
void check_request(const EmbeddingRequest& request, const models::Model& model) {
  const models::ModelSpec& spec = model.spec;
  if (request.scores && !spec.scores) {
    throw Error(Code::failed_precondition,
                fmt::format("{} has no head that scores a text for a query", model.name),
                "choose a reranker, or compare vectors from /v1/embeddings");
  }
  if (request.dimensions && *request.dimensions > spec.n_embd) {
    throw Error(Code::invalid_argument, fmt::format("dimensions is {}, {} makes vectors of {}",
                                                    *request.dimensions, model.name, spec.n_embd));
  }
}

void cut(std::vector<TokenId>& ids, int64_t limit) {
  if (static_cast<int64_t>(ids.size()) > limit) ids.resize(static_cast<size_t>(limit));
}

// Both texts of a pair within the limit: the second gives way first, as it is the document.
inference::EmbeddingInput encode_pair(const models::Tokenizer& tokenizer, const EmbeddingText& text,
                                      int64_t limit, bool truncate) {
  std::vector<TokenId> first = tokenizer.encode_text(text.text);
  std::vector<TokenId> second = tokenizer.encode_text(*text.second);
  const auto n_around = static_cast<int64_t>(tokenizer.join({}, {}).ids.size());
  if (truncate) {
    cut(first, std::max<int64_t>(0, limit - n_around));
    cut(second, std::max<int64_t>(0, limit - n_around - static_cast<int64_t>(first.size())));
  }
  const models::JoinedIds joined = tokenizer.join(first, second);
  const auto begin = std::ranges::find(joined.segments, uint8_t{1});
  const auto second_begin =
      begin == joined.segments.end() ? 0 : static_cast<int32_t>(begin - joined.segments.begin());
  return {joined.ids, second_begin};
}

inference::EmbeddingInput encode(const models::Tokenizer& tokenizer, const EmbeddingText& text,
                                 int64_t limit, bool truncate) {
  if (text.second) return encode_pair(tokenizer, text, limit, truncate);
  if (!text.ids.empty()) {
    inference::EmbeddingInput given{text.ids};
    if (truncate) cut(given.ids, limit);
    return given;
  }
  std::vector<TokenId> ids = tokenizer.encode_text(text.text);
  const auto n_around = static_cast<int64_t>(tokenizer.with_bos_eos({}).size());
  if (truncate) cut(ids, std::max<int64_t>(0, limit - n_around));
  return {tokenizer.with_bos_eos(std::move(ids))};
}

// Ids are read as they come, and a pair has its own order.
EmbeddingText with_prompt(const EmbeddingText& text, const std::string& front,
                          const EmbeddingRequest& request) {
  if (front.empty() || request.scores) return text;
  if (!text.ids.empty()) {
    if (!request.prompt_name) return text;
    throw Error(
        Code::invalid_argument,
        fmt::format("a prompt '{}' can't be put in front of token ids", *request.prompt_name),
        "send text, or ids that begin with it");
  }
  EmbeddingText whole = text;
  whole.text = front + text.text;
  return whole;
}

void shape(const EmbeddingRequest& request, std::vector<float>& vector) {
  if (request.dimensions) vector.resize(static_cast<size_t>(*request.dimensions));
  if (request.normalized) inference::normalize(vector);
}

}  // namespace

void LocalEmbedding::begin(std::shared_ptr<ModelManager::Use> use, int64_t load_ns) {
  LoadedModel& loaded = use->model();
  check_request(request_, *loaded.model);
  int64_t limit = loaded.engine->context();
  if (request_.context && *request_.context > 0) {
    limit = std::min<int64_t>(limit, *request_.context);
  }
  std::vector<inference::EmbeddingInput> inputs;
  const models::TextPrompts prompts = models::text_prompts(*loaded.model->file);
  const std::string front(models::prompt_text(prompts, request_.prompt_name));
  for (const EmbeddingText& text : request_.inputs) {
    inputs.push_back(encode(*loaded.model->tokenizer, with_prompt(text, front, request_), limit,
                            request_.truncate));
    answer_.n_tokens += static_cast<int64_t>(inputs.back().ids.size());
  }
  inference::check_embedding_inputs(loaded.model->spec, inputs, static_cast<int32_t>(limit));
  answer_.load_ns = load_ns;
  if (request_.scores) answer_.labels = models::score_labels(*loaded.model->file);
  if (inputs.empty()) {  // the model was to be loaded, or the caller has nothing
    sink_(std::move(answer_), nullptr);
    return;
  }
  use_ = std::move(use);
  try {
    auto handle = loaded.engine->embed(
        std::move(inputs), [self = shared_from_this()](
                               std::vector<inference::Embedding>&& embeddings, const Error* error) {
          self->finish(std::move(embeddings), error);
        });
    const std::lock_guard lock(mutex_);
    if (!cancelled_) handle_ = std::move(handle);
    // Otherwise the handle goes here, and the work with it.
  } catch (const Error&) {
    use_.reset();
    throw;
  }
}

void LocalEmbedding::cancel() {
  std::unique_ptr<inference::Engine::Handle> handle;
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  handle = std::move(handle_);
}

bool LocalEmbedding::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

// On the engine's thread.
void LocalEmbedding::finish(std::vector<inference::Embedding>&& embeddings, const Error* error) {
  if (error == nullptr) {
    for (inference::Embedding& each : embeddings) shape(request_, each.vector);
    answer_.embeddings = std::move(embeddings);
    sink_(std::move(answer_), nullptr);
  } else {
    sink_({}, error);
  }
  use_.reset();
}

}  // namespace strata::api
