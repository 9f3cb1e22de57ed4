#include "api/gateway/local.h"

#include <atomic>
#include <optional>

#include "api/gateway/local_answer.h"
#include "api/gateway/local_embedding.h"
#include "api/gateway/local_prompt.h"
#include "api/gateway/model_manager.h"
#include "api/gateway/model_traits.h"
#include "api/store_errors.h"

namespace strata::api {
namespace {

class LocalAnswer : public Answer {
 public:
  explicit LocalAnswer(std::shared_ptr<AnswerState> state) : state_(std::move(state)) {}
  ~LocalAnswer() override { state_->cancel(); }

 private:
  std::shared_ptr<AnswerState> state_;
};

class LocalVectors : public Answer {
 public:
  explicit LocalVectors(std::shared_ptr<LocalEmbedding> state) : state_(std::move(state)) {}
  ~LocalVectors() override { state_->cancel(); }

 private:
  std::shared_ptr<LocalEmbedding> state_;
};

// A prompt whose tokens are wanted, and no answer.
class LocalTokens {
 public:
  LocalTokens(ChatRequest request, TokensSink sink)
      : request_(std::move(request)), sink_(std::move(sink)) {}

  void begin(const std::shared_ptr<ModelManager::Use>& use, int64_t) {
    sink_(make_prompt(request_, use->model()), nullptr);
  }
  void fail(const Error& error) { sink_({}, &error); }
  void cancel() { cancelled_ = true; }
  bool cancelled() const { return cancelled_; }

 private:
  const ChatRequest request_;
  const TokensSink sink_;
  std::atomic<bool> cancelled_ = false;
};

class LocalCount : public Answer {
 public:
  explicit LocalCount(std::shared_ptr<LocalTokens> state) : state_(std::move(state)) {}
  ~LocalCount() override { state_->cancel(); }

 private:
  std::shared_ptr<LocalTokens> state_;
};

class LocalBackend : public Backend {
 public:
  explicit LocalBackend(LocalOptions options)
      : max_parallel_(options.max_parallel), manager_(options) {
    contexts_.policy = options.context_policy;
  }
  // What waits behind a summary holds its model.
  ~LocalBackend() override { contexts_.side.stop(); }

  std::string_view name() const override { return "local"; }

  bool serves(std::string_view model) const override {
    try {
      return manager_.store().try_find(model).has_value();
    } catch (const Error& error) {
      // A name that cannot be one is served by nobody; a damaged manifest is reported by start().
      return error.code() == Code::data_loss;
    }
  }

  std::string whole_name(std::string_view model) const override {
    return manager_.store().resolve(model).full();
  }

  std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) override {
    ModelManager::Wish wish = wish_for(request);
    auto state = std::make_shared<AnswerState>(std::move(request), std::move(sink), contexts_);
    auto answer = std::make_unique<LocalAnswer>(state);
    with_model(std::move(wish), std::move(state));
    return answer;
  }

  std::unique_ptr<Answer> embed(EmbeddingRequest request, EmbeddingAnswerSink sink) override {
    ModelManager::Wish wish = wish_for(request);
    auto state = std::make_shared<LocalEmbedding>(std::move(request), std::move(sink));
    auto answer = std::make_unique<LocalVectors>(state);
    with_model(std::move(wish), std::move(state));
    return answer;
  }

  std::unique_ptr<Answer> tokenize(ChatRequest request, TokensSink sink) override {
    ModelManager::Wish wish = wish_for(request);
    auto state = std::make_shared<LocalTokens>(std::move(request), std::move(sink));
    auto answer = std::make_unique<LocalCount>(state);
    with_model(std::move(wish), std::move(state));
    return answer;
  }

  std::vector<ModelCard> models() const override {
    std::vector<ModelCard> cards;
    for (const auto& manifest : manager_.store().list()) cards.push_back(card_of(manifest));
    return cards;
  }

  std::vector<RunningModel> running() const override { return manager_.running(); }

  bool unload(std::string_view model) override {
    return manager_.unload(manager_.store().resolve(model).full());
  }

  std::optional<ModelTraits> traits(std::string_view model) const override {
    const auto manifest = manager_.store().try_find(model);
    if (!manifest) return std::nullopt;
    ModelTraits traits = telling_no_paths(manager_.store().root(),
                                          [&] { return known_.of(manager_.store(), *manifest); });
    traits.own_context = manager_.own_context(*manifest, traits.context);
    traits.max_running = max_parallel_;
    return traits;
  }

  std::string fetch(std::string_view what, const models::PullOptions& options) override {
    return models::pull(manager_.store(), what, options).manifest.name;
  }

 private:
  template <class Request>
  ModelManager::Wish wish_for(const Request& request) const {
    const models::Store& store = manager_.store();
    return {.manifest = telling_no_paths(store.root(), [&] { return store.find(request.model); }),
            .context = request.context.value_or(0),
            .keep_alive_ms = request.keep_alive_ms};
  }

  // Begins when the model is there. Errors of one that is there are thrown at once.
  template <class State>
  void with_model(ModelManager::Wish wish, std::shared_ptr<State> state) {
    if (std::shared_ptr<ModelManager::Use> use = manager_.use_if_loaded(wish)) {
      state->begin(std::move(use), 0);
      return;
    }
    wish.still_wanted = [state] { return !state->cancelled(); };
    manager_.load(std::move(wish), [state](std::unique_ptr<ModelManager::Use> use, int64_t load_ns,
                                           const Error* error) {
      if (error != nullptr) {
        state->fail(*error);
        return;
      }
      try {
        state->begin(std::move(use), load_ns);
      } catch (const Error& refused) {
        state->fail(refused);
      }
    });
  }

  static ModelCard card_of(const models::Manifest& manifest) {
    ModelCard card;
    card.name = manifest.name;
    card.digest = manifest.digest();
    card.size_bytes = static_cast<int64_t>(manifest.size_bytes());
    card.modified = manifest.created;
    card.format = "gguf";
    card.kind = manifest.kind;
    return card;
  }

  const int32_t max_parallel_;
  Contexts contexts_;  // behind the manager's end: its answers use it
  ModelManager manager_;
  mutable KnownTraits known_;
};

}  // namespace

std::unique_ptr<Backend> make_local_backend(LocalOptions options) {
  return std::make_unique<LocalBackend>(std::move(options));
}

}  // namespace strata::api
