// A backend: something that answers a ChatRequest. Bricks: local (our engine), scripted (no
// weights), remote (another strata). One file each.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/embedding_request.h"
#include "api/request.h"
#include "core/error.h"
#include "models/hub/known_names.h"
#include "models/hub/pull.h"

namespace strata::api {

// A running answer; destroying it stops the work. Never blocks for the work to have stopped, so the
// sink may still be called a few times: it has to own what it touches.
class Answer {
 public:
  virtual ~Answer() = default;
};

using ChatSink = std::function<void(ChatEvent&&)>;
// Called once, with the ids or with why there are none.
using TokensSink = std::function<void(std::vector<int32_t>&& ids, const Error* error)>;

// A model that a backend could answer for.
struct ModelCard {
  std::string name;
  int64_t size_bytes = 0;
  std::string digest;    // SHA-256 of the weights, hex; empty: none
  int64_t modified = 0;  // seconds since 1970
  std::string format;    // "gguf"
  std::string family;
  std::string parameter_size;  // "135M"
  std::string quantization;    // "Q4_K_M"
  std::string kind;            // "chat", "base" or "" (not known before it is opened)
};

// Error{not_found} for a name that none of them has (models/hub/known_names.h).
models::ModelNotFound model_not_found(std::string_view model, const std::vector<ModelCard>& known);

// A model that is in memory.
struct RunningModel {
  ModelCard card;
  int64_t memory_bytes = 0;  // weights and KV cache
  int32_t context = 0;
  int32_t running = 0, queued = 0;       // requests
  int32_t max_running = 0;               // so many at once
  std::optional<int64_t> idle_until_ms;  // since 1970; nullopt: for ever, or while it works
  bool loading = false;
  inference::EngineStats stats;
};

// What a chat has to know of a model before it asks.
struct ModelTraits {
  std::string name;           // whole: "smollm2:135m"
  bool has_template = false;  // false: a base model, prompts are completed as they are
  int32_t context = 0;        // positions it was trained for; 0: not known
  int32_t max_tokens = -1;    // length limit of an answer that it brings; -1: none
  bool generates = true;      // false: it makes vectors or scores of text only
  bool scores = false;        // it has a head for scores
  bool fills_masks = false;   // it has a head for masks, and no pooling of vectors was published
  // Once it is in memory and nobody asked for more; 0: not known, as of another machine's.
  int32_t own_context = 0;  // positions
  int32_t max_running = 0;  // requests at once
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  // Whether this backend answers for the model; cheap.
  virtual bool serves(std::string_view model) const = 0;
  // The whole name of the model that a caller's name stands for: what keys are asked about.
  virtual std::string whole_name(std::string_view model) const { return std::string(model); }
  // Starts an answer and returns at once (loading the model happens behind it). The sink is called
  // from the backend's threads, one call at a time, must not block, and gets one `finished` event
  // for each of the n choices. Errors found at once are thrown, later ones are in `finished`.
  virtual std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) = 0;

  // Vectors or scores of texts; as start(), but the sink is called once.
  // Error{failed_precondition} of a backend that makes none.
  virtual std::unique_ptr<Answer> embed(EmbeddingRequest request, EmbeddingAnswerSink sink);

  // The ids of the request's prompt, as start() would give it to the model, of which it may have
  // more than the model takes; as start(), but the sink is called once.
  // Error{unimplemented} of a backend that does not know them.
  virtual std::unique_ptr<Answer> tokenize(ChatRequest request, TokensSink sink);

  virtual std::vector<ModelCard> models() const = 0;
  virtual std::vector<RunningModel> running() const = 0;
  // Unloads once its running requests have ended. False when it was not loaded.
  virtual bool unload(std::string_view model) = 0;

  // nullopt: there is no such model. Errors: data_loss, of a file that cannot be read.
  virtual std::optional<ModelTraits> traits(std::string_view model) const = 0;
  // Brings a model to where this backend finds it; returns its whole name. Errors: those of
  // models::pull; not_found also where the backend takes none.
  virtual std::string fetch(std::string_view what, const models::PullOptions& options) = 0;
};

}  // namespace strata::api
