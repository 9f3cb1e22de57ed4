#include "api/gateway/local.h"

#include <atomic>
#include <mutex>
#include <optional>

#include "api/gateway/local_embedding.h"
#include "api/gateway/local_prompt.h"
#include "api/gateway/model_manager.h"
#include "api/gateway/model_traits.h"
#include "api/store_errors.h"

namespace strata::api {
namespace {

// What an answer and the threads that work for it share.
class AnswerState : public std::enable_shared_from_this<AnswerState> {
 public:
  AnswerState(ChatRequest request, ChatSink sink)
      : request_(std::move(request)), sink_(std::move(sink)) {}

  // Submits every choice to the model's engine. Called once, from the thread that got the model.
  // Throws what the first choice is refused for; a later choice that is refused takes the others
  // with it, and `finished` says so.
  void begin(std::shared_ptr<ModelManager::Use> use, int64_t load_ns) {
    LoadedModel& model = use->model();
    tell_context(model);
    if (request_.load_only) {
      load_ns_ = load_ns;
      for (int32_t choice = 0; choice < request_.n; ++choice) send_finished(choice, {});
      return;
    }
    std::vector<std::string> notices;
    const auto generate = make_generate_request(request_, model, notices);
    for (std::string& notice : notices) tell(std::move(notice));
    use_ = std::move(use);
    load_ns_ = load_ns;
    if (request_.tell_start || request_.prompt_only) tell_start(generate, model);
    if (request_.prompt_only) {
      inference::Event counted;
      counted.usage.prompt_tokens = static_cast<int32_t>(generate.prompt.size());
      for (int32_t choice = 0; choice < request_.n; ++choice) send_finished(choice, counted);
      use_.reset();
      return;
    }
    for (int32_t choice = 0; choice < request_.n; ++choice) {
      if (!submit(model, generate, choice)) return;
    }
  }

  // For all choices, before any was submitted.
  void fail(const Error& error) { fail_from(0, error); }

  void cancel() {
    std::vector<std::unique_ptr<inference::Engine::Handle>> handles;
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    handles.swap(handles_);
  }

  bool cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

 private:
  // A context beyond what the model was trained on is not given, and that is said, whoever asked
  // for it: the request, the manifest or the server's settings.
  void tell_context(const LoadedModel& model) const {
    const int32_t trained = model.model->spec.n_context;
    const int32_t asked = request_.context.value_or(model.settings_context);
    if (asked <= trained) return;
    tell(fmt::format("a context of {} was asked for, the model was trained on {}", asked, trained));
  }

  void tell(std::string notice) const {
    ChatEvent event;
    event.event.kind = inference::Event::Kind::progress;
    event.notice = std::move(notice);
    sink_(std::move(event));
  }

  void tell_start(const inference::GenerateRequest& generate, const LoadedModel& model) const {
    auto start = std::make_shared<AnswerStart>();
    start->prompt_ids = generate.prompt;
    start->prompt = prompt_text(request_, *model.model, generate.prompt);
    start->sampler = generate.sampler;
    start->max_tokens = generate.max_tokens;
    start->stop = generate.stop;
    start->context = generate.context_limit;
    ChatEvent event;
    event.event.kind = inference::Event::Kind::progress;
    event.start = std::move(start);
    sink_(std::move(event));
  }

  bool submit(LoadedModel& model, inference::GenerateRequest one, int32_t choice) {
    one.choice = choice;
    {
      const std::lock_guard lock(mutex_);
      ++open_choices_;
    }
    try {
      auto handle = model.engine->submit(
          std::move(one), [self = shared_from_this(), choice](inference::Event&& event) {
            self->deliver(choice, std::move(event));
          });
      const std::lock_guard lock(mutex_);
      if (!cancelled_) handles_.push_back(std::move(handle));
      // Otherwise the handle goes here, and the work with it.
      return true;
    } catch (const Error& error) {
      refuse(choice, error);
      return false;
    }
  }

  void refuse(int32_t choice, const Error& error) {
    std::vector<std::unique_ptr<inference::Engine::Handle>> handles;
    bool alone = false;
    {
      const std::lock_guard lock(mutex_);
      alone = --open_choices_ == 0;
      handles.swap(handles_);
      if (!alone) refused_.emplace(choice, error);
    }
    if (choice == 0) {
      use_.reset();
      throw error;
    }
    // The sink hears from one thread at a time: the engine's, while a choice is still open there.
    if (alone) end_with(choice, error);
  }

  void deliver(int32_t choice, inference::Event&& event) {
    if (event.kind != inference::Event::Kind::finished) {
      ChatEvent told{.choice = choice,
                     .reasoning = std::move(event.reasoning),
                     .calls = std::move(event.calls)};
      told.event = std::move(event);
      sink_(std::move(told));
      return;
    }
    send_finished(choice, std::move(event));
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      ++ended_;
      last = --open_choices_ == 0;
    }
    if (!last) return;
    if (refused_) {
      end_with(refused_->first, refused_->second);
    } else if (ended_ == request_.n) {
      use_.reset();
    }
  }

  void end_with(int32_t first_choice, const Error& error) {
    fail_from(first_choice, error);
    use_.reset();
  }

  void fail_from(int32_t first_choice, const Error& error) {
    for (int32_t choice = first_choice; choice < request_.n; ++choice) {
      inference::Event event;
      event.reason = inference::FinishReason::error;
      event.error = error;
      send_finished(choice, std::move(event));
    }
  }

  void send_finished(int32_t choice, inference::Event event) {
    event.kind = inference::Event::Kind::finished;
    const int32_t reasoning_tokens = event.usage.reasoning_tokens;
    sink_({.choice = choice,
           .event = std::move(event),
           .load_ns = load_ns_,
           .reasoning_tokens = reasoning_tokens});
  }

  const ChatRequest request_;
  const ChatSink sink_;
  std::shared_ptr<ModelManager::Use> use_;
  int64_t load_ns_ = 0;
  mutable std::mutex mutex_;
  bool cancelled_ = false;
  int32_t open_choices_ = 0;  // submitted, not yet finished
  int32_t ended_ = 0;
  std::optional<std::pair<int32_t, Error>> refused_;  // first choice that was not taken, and why
  std::vector<std::unique_ptr<inference::Engine::Handle>> handles_;
};

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
  explicit LocalBackend(LocalOptions options) : manager_(std::move(options)) {}

  std::string_view name() const override { return "local"; }

  bool serves(std::string_view model) const override {
    try {
      return manager_.store().try_find(model).has_value();
    } catch (const Error& error) {
      // A name that cannot be one is served by nobody; a damaged manifest is reported by start().
      return error.code() == Code::data_loss;
    }
  }

  std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) override {
    ModelManager::Wish wish = wish_for(request);
    auto state = std::make_shared<AnswerState>(std::move(request), std::move(sink));
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
    return telling_no_paths(manager_.store().root(),
                            [&] { return traits_of(manager_.store(), *manifest); });
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

  ModelManager manager_;
};

}  // namespace

std::unique_ptr<Backend> make_local_backend(LocalOptions options) {
  return std::make_unique<LocalBackend>(std::move(options));
}

}  // namespace strata::api
