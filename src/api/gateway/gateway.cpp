#include "api/gateway/gateway.h"

#include <algorithm>

#include "models/hub/known_names.h"

namespace strata::api {
namespace {

// The sink, in front of which is counted what its caller uses. The prompt counts once.
ChatSink counting(Callers* callers, const std::string& caller, ChatSink sink) {
  if (callers == nullptr || caller.empty()) return sink;
  callers->used(caller, {.requests = 1});
  return [callers, caller, sink = std::move(sink)](ChatEvent&& event) {
    if (event.event.kind == inference::Event::Kind::finished) {
      const inference::Usage& usage = event.event.usage;
      callers->used(caller, {.prompt_tokens = event.choice == 0 ? usage.prompt_tokens : 0,
                             .completion_tokens = usage.completion_tokens});
    }
    sink(std::move(event));
  };
}

// Whether a text is only cut into ids, or ids are told as text: no model answers, so that nothing
// else which a key carries has a place.
bool asks_nothing(const ChatRequest& request, const ChatSink* sink) {
  return request.raw && (sink == nullptr || request.prompt_only);
}

// What the caller's key says, before anything else does.
void prepare(Callers* callers, ChatRequest& request, const ChatSink* sink) {
  if (callers == nullptr || request.caller.empty()) return;
  if (asks_nothing(request, sink)) return callers->check_model(request.caller, request.model);
  for (std::string& notice : callers->prepare(request)) {
    if (sink == nullptr) continue;
    ChatEvent event;
    event.event.kind = inference::Event::Kind::progress;
    event.notice = std::move(notice);
    (*sink)(std::move(event));
  }
}

EmbeddingAnswerSink counting(Callers* callers, const std::string& caller,
                             EmbeddingAnswerSink sink) {
  if (callers == nullptr || caller.empty()) return sink;
  callers->used(caller, {.requests = 1});
  return [callers, caller, sink = std::move(sink)](EmbeddingAnswer&& answer, const Error* error) {
    if (error == nullptr) callers->used(caller, {.prompt_tokens = answer.n_tokens});
    sink(std::move(answer), error);
  };
}

}  // namespace

models::ModelNotFound model_not_found(std::string_view model, const std::vector<ModelCard>& known) {
  std::vector<std::string> names;
  for (const ModelCard& card : known) names.push_back(card.name);
  return models::model_not_found(model, names);
}

std::unique_ptr<Answer> Backend::embed(EmbeddingRequest request, EmbeddingAnswerSink) {
  throw Error(Code::failed_precondition,
              fmt::format("{} is served by '{}', which makes no vectors", request.model, name()),
              "choose a model of this machine: strata list");
}

std::unique_ptr<Answer> Backend::tokenize(ChatRequest request, TokensSink) {
  throw Error(
      Code::unimplemented,
      fmt::format("{} is served by '{}', which does not tell its tokens", request.model, name()),
      "choose a model of this machine: strata list");
}

void Gateway::add(std::unique_ptr<Backend> backend) {
  backends_.push_back(std::move(backend));
}

bool Gateway::serves(std::string_view model) const {
  return std::ranges::any_of(backends_, [&](const auto& each) { return each->serves(model); });
}

std::string Gateway::whole_name(std::string_view model) const {
  for (const auto& backend : backends_) {
    if (backend->serves(model)) return backend->whole_name(model);
  }
  return std::string(model);
}

bool Gateway::may_ask(const std::string& caller, const std::string& model) const {
  return callers_ == nullptr || caller.empty() || callers_->may_ask(caller, model);
}

std::unique_ptr<Answer> Gateway::start(ChatRequest request, ChatSink sink) const {
  for (const auto& backend : backends_) {
    if (!backend->serves(request.model)) continue;
    request.model = backend->whole_name(request.model);
    prepare(callers_, request, &sink);
    ++asked_;
    sink = counting(callers_, request.caller, std::move(sink));
    return backend->start(std::move(request), std::move(sink));
  }
  throw model_not_found(request.model, models());
}

std::unique_ptr<Answer> Gateway::embed(EmbeddingRequest request, EmbeddingAnswerSink sink) const {
  for (const auto& backend : backends_) {
    if (!backend->serves(request.model)) continue;
    request.model = backend->whole_name(request.model);
    if (callers_ && !request.caller.empty()) callers_->check_model(request.caller, request.model);
    ++asked_;
    sink = counting(callers_, request.caller, std::move(sink));
    return backend->embed(std::move(request), std::move(sink));
  }
  throw model_not_found(request.model, models());
}

std::unique_ptr<Answer> Gateway::tokenize(ChatRequest request, TokensSink sink) const {
  for (const auto& backend : backends_) {
    if (!backend->serves(request.model)) continue;
    request.model = backend->whole_name(request.model);
    prepare(callers_, request, nullptr);
    return backend->tokenize(std::move(request), std::move(sink));
  }
  throw model_not_found(request.model, models());
}

std::vector<ModelCard> Gateway::models() const {
  std::vector<ModelCard> all;
  for (const auto& backend : backends_) {
    for (ModelCard& card : backend->models()) {
      const bool known =
          std::ranges::any_of(all, [&](const auto& other) { return other.name == card.name; });
      if (!known) all.push_back(std::move(card));
    }
  }
  std::ranges::sort(all, {}, &ModelCard::name);
  return all;
}

std::vector<RunningModel> Gateway::running() const {
  std::vector<RunningModel> all;
  for (const auto& backend : backends_) {
    for (RunningModel& model : backend->running()) all.push_back(std::move(model));
  }
  return all;
}

bool Gateway::unload(std::string_view model) const {
  for (const auto& backend : backends_) {
    if (backend->serves(model)) return backend->unload(model);
  }
  return false;
}

std::optional<ModelTraits> Gateway::traits(std::string_view model) const {
  for (const auto& backend : backends_) {
    if (backend->serves(model)) return backend->traits(model);
  }
  return std::nullopt;
}

}  // namespace strata::api
