// Vectors and scores of texts, and what their masks hide, by a model in memory: from texts to ids,
// to the engine, to an answer.
#pragma once

#include <memory>
#include <mutex>

#include "api/embedding_request.h"
#include "api/gateway/backend.h"
#include "api/gateway/model_manager.h"

namespace strata::api {

// What a request and the threads that work for it share.
class LocalEmbedding : public std::enable_shared_from_this<LocalEmbedding> {
 public:
  LocalEmbedding(EmbeddingRequest request, EmbeddingAnswerSink sink)
      : request_(std::move(request)), sink_(std::move(sink)) {}

  // Called once, from the thread that got the model. Throws what the request is refused for.
  void begin(std::shared_ptr<ModelManager::Use> use, int64_t load_ns);
  void fail(const Error& error) { sink_({}, &error); }
  void cancel();
  bool cancelled() const;

 private:
  void encode(const LoadedModel& loaded, int64_t limit,
              std::vector<inference::EmbeddingInput>& inputs);
  void encode_masks(const LoadedModel& loaded, std::vector<inference::EmbeddingInput>& inputs);
  void add(inference::EmbeddingInput input, std::vector<inference::EmbeddingInput>& inputs);
  void finish(std::vector<inference::Embedding>&& embeddings, const Error* error);

  const EmbeddingRequest request_;
  const EmbeddingAnswerSink sink_;
  std::shared_ptr<ModelManager::Use> use_;
  EmbeddingAnswer answer_;
  mutable std::mutex mutex_;
  bool cancelled_ = false;
  std::unique_ptr<inference::Engine::Handle> handle_;
};

}  // namespace strata::api
