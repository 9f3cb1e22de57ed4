// A backend: something that answers a ChatRequest. Bricks: local (our engine), scripted (no
// weights), remote (another strata). One file each.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/request.h"

namespace strata::api {

// A running answer; destroying it stops the work.
class Answer {
 public:
  virtual ~Answer() = default;
};

using ChatSink = std::function<void(ChatEvent&&)>;

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  // Whether this backend answers for the model; cheap.
  virtual bool serves(std::string_view model) const = 0;
  // Starts an answer and returns at once (loading the model happens behind it). The sink is called
  // from the backend's threads, one call at a time, must not block, and gets one `finished` event
  // for each of the n choices. Errors found at once are thrown, later ones are in `finished`.
  virtual std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) = 0;
};

}  // namespace strata::api
