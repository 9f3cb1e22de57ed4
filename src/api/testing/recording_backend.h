// For tests: a backend that notes what it is asked, and answers as the scripted one, or with
// vectors of the same three numbers.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "api/gateway/scripted.h"

namespace strata::api::testing {

// Everything that a request says but its model, as text.
std::string noted(const ChatRequest& request);
std::string noted(const EmbeddingRequest& request);

class RecordingBackend final : public Backend {
 public:
  explicit RecordingBackend(ScriptedOptions script)
      : inner_(make_scripted_backend(std::move(script))) {}

  // What was asked since the last time.
  std::string take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(notes_, {});
  }

  std::string_view name() const override { return "recording"; }
  bool serves(std::string_view model) const override { return inner_->serves(model); }
  std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) override {
    note(noted(request));
    return inner_->start(std::move(request), std::move(sink));
  }
  std::unique_ptr<Answer> embed(EmbeddingRequest request, EmbeddingAnswerSink sink) override {
    note(noted(request));
    EmbeddingAnswer answer;
    for (size_t i = 0; i < request.inputs.size(); ++i) {
      answer.embeddings.emplace_back().vector = {0.5f, 0.25f, 0.125f};
      if (request.query) answer.embeddings.back().scores = {0.5f};
    }
    sink(std::move(answer), nullptr);
    return std::make_unique<Answer>();
  }
  std::unique_ptr<Answer> tokenize(ChatRequest request, TokensSink sink) override {
    note(noted(request));
    return inner_->tokenize(std::move(request), std::move(sink));
  }
  std::vector<ModelCard> models() const override { return inner_->models(); }
  std::vector<RunningModel> running() const override { return inner_->running(); }
  bool unload(std::string_view model) override { return inner_->unload(model); }
  std::optional<ModelTraits> traits(std::string_view model) const override {
    return inner_->traits(model);
  }
  std::string fetch(std::string_view what, const models::PullOptions& options) override {
    return inner_->fetch(what, options);
  }

 private:
  void note(const std::string& text) {
    const std::lock_guard lock(mutex_);
    notes_ += text;
  }

  std::unique_ptr<Backend> inner_;
  std::mutex mutex_;
  std::string notes_;
};

}  // namespace strata::api::testing
