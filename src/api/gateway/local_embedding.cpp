#include "api/gateway/local_embedding.h"

#include <algorithm>

#include "api/gateway/mask_encoder.h"
#include "api/json_fields.h"
#include "core/error.h"
#include "models/text_prompts.h"

namespace strata::api {
namespace {

using models::TokenId;

// What can be answered is known before a text is encoded.
void check_request(const EmbeddingRequest& request, const models::Model& model) {
  const models::ModelSpec& spec = model.spec;
  if (request.query && !spec.scores) {
    throw Error(Code::failed_precondition,
                fmt::format("{} has no head that scores a text for a query", model.name),
                "choose a reranker, or compare vectors from /v1/embeddings");
  }
  if (request.dimensions && *request.dimensions > models::vector_width(spec)) {
    throw Error(Code::invalid_argument,
                fmt::format("dimensions is {}, {} makes vectors of {}", *request.dimensions,
                            model.name, models::vector_width(spec)));
  }
}

// From texts to ids, each within the limit, what stands around them counted.
class InputEncoder {
 public:
  InputEncoder(const models::Model& model, const EmbeddingRequest& request, int64_t limit)
      : tokenizer_(*model.tokenizer),
        n_vocab_(model.spec.n_vocab),
        request_(request),
        limit_(limit),
        lower_case_(models::text_reading(*model.file).lower_case),
        front_(models::prompt_text(models::text_prompts(*model.file), request.prompt_name)) {
    if (request.query) read_query();
    n_around_ = static_cast<int64_t>(tokenizer_.with_bos_eos({}).size());
    if (request.most_read && !query_ && n_around_ >= limit_) refuse_most_read();
  }

  inference::EmbeddingInput encode(const EmbeddingText& text) {
    cut_ = false;
    inference::EmbeddingInput input = query_ ? pair(text) : single(text);
    n_cut_ += cut_ ? 1 : 0;
    return input;
  }
  int64_t n_cut() const { return n_cut_; }

 private:
  // Vectors of what stands around a text would be the same for every text.
  [[noreturn]] void refuse_most_read() const {
    throw FieldError("truncate_prompt_tokens",
                     fmt::format("truncate_prompt_tokens leaves {} tokens, and {} stand around a "
                                 "text: nothing of it is left",
                                 limit_, n_around_),
                     fmt::format("ask for more than {}", n_around_));
  }

  void read_query() {
    query_ = tokenizer_.encode_text(*request_.query);
    n_around_pair_ = static_cast<int64_t>(tokenizer_.join({}, {}).ids.size());
    const auto n_query = static_cast<int64_t>(query_->size());
    if (n_query + n_around_pair_ < limit_) return;
    throw Error(
        Code::invalid_argument,
        fmt::format("the query has {} tokens and {} stand around a pair: of the {} that are "
                    "read none is left for a document",
                    n_query, n_around_pair_, limit_),
        "shorten the query");
  }

  inference::EmbeddingInput pair(const EmbeddingText& text) {
    std::vector<TokenId> document = within_most(tokenizer_.encode_text(text.text));
    cut(document, limit_ - n_around_pair_ - static_cast<int64_t>(query_->size()));
    models::JoinedIds joined = tokenizer_.join(*query_, document);
    const auto begin = std::ranges::find(joined.segments, uint8_t{1});
    const auto second_begin =
        begin == joined.segments.end() ? 0 : static_cast<int32_t>(begin - joined.segments.begin());
    return {std::move(joined.ids), second_begin};
  }

  inference::EmbeddingInput single(const EmbeddingText& text) {
    if (!text.ids.empty()) return of_ids(text.ids);
    const std::string whole = front_ + text.text;
    std::vector<TokenId> ids =
        within_most(tokenizer_.encode_text(lower_case_ ? models::lower_case(whole) : whole));
    cut(ids, limit_ - n_around_);
    return {tokenizer_.with_bos_eos(std::move(ids))};
  }

  inference::EmbeddingInput of_ids(const std::vector<TokenId>& ids) {
    if (!front_.empty() && request_.prompt_name) {
      throw Error(
          Code::invalid_argument,
          fmt::format("a prompt '{}' can't be put in front of token ids", *request_.prompt_name),
          "send text, or ids that begin with it");
    }
    check_ids(ids);
    inference::EmbeddingInput given{ids};
    cut(given.ids, limit_);
    return given;
  }

  std::vector<TokenId> within_most(std::vector<TokenId> ids) {
    if (request_.most_tokens) shorten(ids, *request_.most_tokens);
    return ids;
  }
  void cut(std::vector<TokenId>& ids, int64_t limit) {
    if (request_.truncate) shorten(ids, std::max<int64_t>(0, limit));
  }
  void shorten(std::vector<TokenId>& ids, int64_t limit) {
    if (static_cast<int64_t>(ids.size()) <= limit) return;
    ids.resize(static_cast<size_t>(limit));
    cut_ = true;
  }

  // Of all that is given, also of what is cut.
  void check_ids(const std::vector<TokenId>& ids) const {
    const auto outside =
        std::ranges::find_if(ids, [&](TokenId id) { return id < 0 || id >= n_vocab_; });
    if (outside == ids.end()) return;
    throw FieldError("input",
                     fmt::format("token {} is not in the vocabulary of {}", *outside, n_vocab_),
                     request_.ids_hint);
  }

  const models::Tokenizer& tokenizer_;
  const int64_t n_vocab_;
  const EmbeddingRequest& request_;
  const int64_t limit_;
  const bool lower_case_;    // texts before they are cut
  const std::string front_;  // of each text that is no part of a pair
  std::optional<std::vector<TokenId>> query_;
  int64_t n_around_ = 0;  // a text that is no part of a pair
  int64_t n_around_pair_ = 0;
  bool cut_ = false;  // of the input at hand
  int64_t n_cut_ = 0;
};

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
  // What a folder says of its vectors' texts is not said of those with masks.
  const int64_t most = request_.masks ? 0 : models::text_reading(*loaded.model->file).most_tokens;
  if (most > 0) limit = std::min(limit, most);
  if (request_.most_read) limit = std::min<int64_t>(limit, *request_.most_read);
  std::vector<inference::EmbeddingInput> inputs;
  if (request_.masks) {
    encode_masks(loaded, inputs);
  } else {
    encode(loaded, limit, inputs);
  }
  inference::check_embedding_inputs(loaded.model->spec, inputs, static_cast<int32_t>(limit));
  answer_.load_ns = load_ns;
  if (loaded.model->spec.scores) answer_.labels = models::score_labels(*loaded.model->file);
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

void LocalEmbedding::encode(const LoadedModel& loaded, int64_t limit,
                            std::vector<inference::EmbeddingInput>& inputs) {
  InputEncoder encoder(*loaded.model, request_, limit);
  for (const EmbeddingText& text : request_.inputs) add(encoder.encode(text), inputs);
  answer_.n_cut = encoder.n_cut();
}

void LocalEmbedding::encode_masks(const LoadedModel& loaded,
                                  std::vector<inference::EmbeddingInput>& inputs) {
  MaskEncoder encoder(*loaded.model, *request_.masks);
  const auto masked = std::make_shared<MaskedTexts>(loaded.model->tokenizer);
  for (const EmbeddingText& text : request_.inputs) {
    add(encoder.encode(text.text), inputs);
    masked->add({inputs.back().ids, inputs.back().masks});
  }
  answer_.masked = masked;
  answer_.notice = encoder.notice();
}

void LocalEmbedding::add(inference::EmbeddingInput input,
                         std::vector<inference::EmbeddingInput>& inputs) {
  if (cancelled()) throw Error(Code::cancelled, "the request was cancelled");
  answer_.n_tokens += static_cast<int64_t>(input.ids.size());
  inputs.push_back(std::move(input));
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
