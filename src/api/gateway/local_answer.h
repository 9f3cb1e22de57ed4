// An answer of our own engine on its way: from a model that is there to the last choice's end,
// behind a summary where the conversation needs one.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/gateway/context_fit.h"
#include "api/gateway/model_manager.h"
#include "api/http/side_work.h"
#include "api/request.h"

namespace strata::api {

constexpr size_t kMaxWaitingSummaries = 1024;  // written, their requests not begun yet

// What conversations that do not fit need; the backend's.
struct Contexts {
  ContextPolicy policy = ContextPolicy::error;
  SummaryCache summaries;
  // Where a request goes on behind its summary: not on the engine's thread.
  SideWork side{"summaries", 1, kMaxWaitingSummaries};
};

// What an answer and the threads that work for it share.
class AnswerState : public std::enable_shared_from_this<AnswerState> {
 public:
  AnswerState(ChatRequest request, ChatSink sink, Contexts& contexts)
      : request_(std::move(request)), sink_(std::move(sink)), contexts_(contexts) {}

  // Submits every choice to the model's engine. Called once, from the thread that got the model.
  // Throws what the first choice is refused for; a later choice that is refused takes the others
  // with it, and `finished` says so.
  void begin(std::shared_ptr<ModelManager::Use> use, int64_t load_ns);

  // For all choices, before any was submitted.
  void fail(const Error& error) { fail_from(0, error); }

  void cancel();

  bool cancelled() const;

 private:
  // Who says it first: the request, its model, the server.
  ContextPolicy policy(const LoadedModel& model) const;
  void fit();  // then, behind a summary or at once, generate()
  void on_summary(inference::Event&& event);
  void go_on();
  void generate();
  // A context beyond what the model was trained on is not given, and that is said, whoever asked
  // for it: the request, the manifest or the server's settings.
  void tell_context(const LoadedModel& model) const;
  void tell(std::string notice) const;
  void tell_change(std::shared_ptr<const ContextChange> change) const;
  // Of a request for that alone with each id's text, where it asks for ids.
  void tell_start(const inference::GenerateRequest& generate, const LoadedModel& model) const;
  bool submit(LoadedModel& model, inference::GenerateRequest one, int32_t choice);
  void refuse(int32_t choice, const Error& error);
  void deliver(int32_t choice, inference::Event&& event);
  void end_with(int32_t first_choice, const Error& error);
  void fail_from(int32_t first_choice, const Error& error);
  void send_finished(int32_t choice, inference::Event event,
                     std::shared_ptr<const ContextOverflow> overflow = nullptr);
  // The summary was read and written for this request, once.
  void add_summary(int32_t choice, inference::Usage& usage) const;

  ChatRequest request_;
  const ChatSink sink_;
  Contexts& contexts_;
  std::optional<ContextFit> fit_;  // until the prompt is settled
  std::string summary_;
  inference::Usage summary_usage_;
  std::shared_ptr<ModelManager::Use> use_;
  int64_t load_ns_ = 0;
  mutable std::mutex mutex_;
  bool cancelled_ = false;
  int32_t open_choices_ = 0;  // submitted, not yet finished
  int32_t ended_ = 0;
  std::optional<std::pair<int32_t, Error>> refused_;  // first choice that was not taken, and why
  std::vector<std::unique_ptr<inference::Engine::Handle>> handles_;
};

}  // namespace strata::api
