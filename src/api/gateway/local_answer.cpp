#include "api/gateway/local_answer.h"

#include <array>

#include "api/gateway/local_prompt.h"
#include "api/gateway/prompt_budget.h"

namespace strata::api {
namespace {

// Each id by itself. A vocabulary may take a space off a text's first word: the second is whole.
std::vector<inference::GeneratedToken> pieces(const models::Tokenizer& tokenizer,
                                              const std::vector<int32_t>& ids) {
  std::vector<inference::GeneratedToken> out;
  for (const int32_t id : ids) {
    const std::string both = tokenizer.decode(std::array{id, id}, true);
    out.emplace_back().id = id;
    out.back().bytes = both.substr(both.size() / 2);
  }
  return out;
}

}  // namespace

void AnswerState::begin(std::shared_ptr<ModelManager::Use> use, int64_t load_ns) {
  LoadedModel& model = use->model();
  tell_context(model);
  if (request_.load_only) {
    load_ns_ = load_ns;
    for (int32_t choice = 0; choice < request_.n; ++choice) send_finished(choice, {});
    return;
  }
  use_ = std::move(use);
  load_ns_ = load_ns;
  try {
    fit();
  } catch (const Error&) {
    use_.reset();
    throw;
  }
}

void AnswerState::cancel() {
  std::vector<std::unique_ptr<inference::Engine::Handle>> handles;
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  handles.swap(handles_);
}

bool AnswerState::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

ContextPolicy AnswerState::policy(const LoadedModel& model) const {
  if (request_.context_policy) return *request_.context_policy;
  const std::string& own = model.defaults.context_policy;
  return own.empty() ? contexts_.policy : parse_context_policy(own);
}

void AnswerState::fit() {
  LoadedModel& model = use_->model();
  ContextFacts facts{
      .positions = positions_for(request_, model),
      .answer = request_.sampling.max_tokens.value_or(model.defaults.max_tokens),
      .longest_token_bytes = model.longest_token_bytes,
      .model = model.manifest.digest(),
      .count = [&model](const ChatRequest& each) { return count_conversation(each, model); }};
  fit_.emplace(request_, policy(model), std::move(facts), contexts_.summaries);
  const ChatRequest* wanted = fit_->wanted_summary();
  if (wanted == nullptr) return generate();
  std::vector<std::string> notices;  // of the summary: they are nobody's who asks
  auto handle = model.engine->submit(make_generate_request(*wanted, model, notices),
                                     [self = shared_from_this()](inference::Event&& event) {
                                       self->on_summary(std::move(event));
                                     });
  const std::lock_guard lock(mutex_);
  if (!cancelled_) handles_.push_back(std::move(handle));
}

void AnswerState::on_summary(inference::Event&& event) {
  summary_ += event.text;
  if (event.kind != inference::Event::Kind::finished) return;
  summary_usage_ = event.usage;
  if (event.reason == inference::FinishReason::cancelled) {
    event.usage = {};
    for (int32_t choice = 0; choice < request_.n; ++choice) send_finished(choice, event);
  } else if (event.reason == inference::FinishReason::error) {
    fail(event.error.value_or(Error(Code::internal, "the summary failed")));
  } else {
    return go_on();
  }
  use_.reset();
}

void AnswerState::go_on() {
  try {
    contexts_.side.run([self = shared_from_this()] {
      try {
        self->fit_->take_summary(std::move(self->summary_), self->summary_usage_);
        self->generate();
      } catch (const Error& error) {
        self->fail(error);
        self->use_.reset();
      }
    });
  } catch (const Error& busy) {
    fail(busy);
    use_.reset();
  }
}

void AnswerState::generate() {
  LoadedModel& model = use_->model();
  const auto change = fit_->change();
  request_ = fit_->request();
  fit_.reset();
  std::vector<std::string> notices;
  const auto generate = make_generate_request(request_, model, notices);
  for (std::string& notice : notices) tell(std::move(notice));
  if (change) tell_change(change);
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

void AnswerState::tell_context(const LoadedModel& model) const {
  const int32_t trained = model.model->spec.n_context;
  const int32_t asked = request_.context.value_or(model.settings_context);
  if (asked <= trained) return;
  tell(fmt::format("a context of {} was asked for, the model was trained on {}", asked, trained));
}

void AnswerState::tell(std::string notice) const {
  ChatEvent event;
  event.event.kind = inference::Event::Kind::progress;
  event.notice = std::move(notice);
  sink_(std::move(event));
}

void AnswerState::tell_change(std::shared_ptr<const ContextChange> change) const {
  ChatEvent event;
  event.event.kind = inference::Event::Kind::progress;
  event.notice = notice_of(*change);
  event.context_change = std::move(change);
  sink_(std::move(event));
}

void AnswerState::tell_start(const inference::GenerateRequest& generate,
                             const LoadedModel& model) const {
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
  if (request_.prompt_only && request_.token_ids) {
    event.event.prompt_tokens = pieces(*model.model->tokenizer, generate.prompt);
  }
  sink_(std::move(event));
}

bool AnswerState::submit(LoadedModel& model, inference::GenerateRequest one, int32_t choice) {
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

void AnswerState::refuse(int32_t choice, const Error& error) {
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

void AnswerState::deliver(int32_t choice, inference::Event&& event) {
  if (event.kind != inference::Event::Kind::finished) {
    ChatEvent told{
        .choice = choice, .reasoning = std::move(event.reasoning), .calls = std::move(event.calls)};
    told.event = std::move(event);
    add_summary(choice, told.event.usage);
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

void AnswerState::end_with(int32_t first_choice, const Error& error) {
  fail_from(first_choice, error);
  use_.reset();
}

void AnswerState::fail_from(int32_t first_choice, const Error& error) {
  const auto* overflow = dynamic_cast<const ContextOverflow*>(&error);
  for (int32_t choice = first_choice; choice < request_.n; ++choice) {
    inference::Event event;
    event.reason = inference::FinishReason::error;
    event.error = error;
    send_finished(choice, std::move(event),
                  overflow == nullptr ? nullptr : std::make_shared<ContextOverflow>(*overflow));
  }
}

void AnswerState::send_finished(int32_t choice, inference::Event event,
                                std::shared_ptr<const ContextOverflow> overflow) {
  event.kind = inference::Event::Kind::finished;
  const int32_t reasoning_tokens = event.usage.reasoning_tokens;
  add_summary(choice, event.usage);
  sink_({.choice = choice,
         .event = std::move(event),
         .load_ns = load_ns_,
         .reasoning_tokens = reasoning_tokens,
         .overflow = std::move(overflow)});
}

void AnswerState::add_summary(int32_t choice, inference::Usage& usage) const {
  if (choice != 0) return;
  usage.prompt_tokens += summary_usage_.prompt_tokens;
  usage.cached_tokens += summary_usage_.cached_tokens;
  usage.completion_tokens += summary_usage_.completion_tokens;
  usage.prompt_ns += summary_usage_.prompt_ns;
  usage.completion_ns += summary_usage_.completion_ns;
}

}  // namespace strata::api
