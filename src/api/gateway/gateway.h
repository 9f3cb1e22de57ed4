// The gateway: which backend answers for which model. Knows no HTTP; the command line's `run` uses
// it in its own process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "api/gateway/backend.h"
#include "api/gateway/callers.h"

namespace strata::api {

class Gateway {
 public:
  // Backends are asked in the order in which they were added; all before the first request.
  void add(std::unique_ptr<Backend> backend);

  // What callers use is told from now on; before the first request, too. It must outlive them all.
  void tell(Callers* callers) { callers_ = callers; }

  // As Backend::start. Error{not_found} with "did you mean" when no backend serves the model.
  std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) const;
  // As Backend::embed, the same.
  std::unique_ptr<Answer> embed(EmbeddingRequest request, EmbeddingAnswerSink sink) const;
  // As Backend::tokenize, the same.
  std::unique_ptr<Answer> tokenize(ChatRequest request, TokensSink sink) const;
  bool serves(std::string_view model) const;
  // As Backend::whole_name; of a model that nobody serves the name itself.
  std::string whole_name(std::string_view model) const;
  // Whether the caller's key may ask the model of this whole name.
  bool may_ask(const std::string& caller, const std::string& model) const;
  // Requests that a model was asked, answered or not.
  uint64_t asked() const { return asked_; }

  std::vector<ModelCard> models() const;  // sorted by name
  std::vector<RunningModel> running() const;
  bool unload(std::string_view model) const;
  std::optional<ModelTraits> traits(std::string_view model) const;

 private:
  Callers* callers_ = nullptr;
  mutable std::atomic<uint64_t> asked_ = 0;
  std::vector<std::unique_ptr<Backend>> backends_;
};

}  // namespace strata::api
