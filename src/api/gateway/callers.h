// Who asks, as the gateway sees it: what his key puts into his requests, and what he uses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/request.h"

namespace strata::api {

struct CallerUse {
  int64_t requests = 0;  // for which a model was asked, each prompt of a list by itself
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;

  CallerUse& operator+=(const CallerUse& more) {
    requests += more.requests;
    prompt_tokens += more.prompt_tokens;
    completion_tokens += more.completion_tokens;
    return *this;
  }
};

// Any thread may call.
class Callers {
 public:
  virtual ~Callers() = default;
  // Puts what the caller's key carries into his request; answers what is done otherwise than that
  // asks. Error{permission_denied}: what the key may not ask.
  virtual std::vector<std::string> prepare(ChatRequest& request) = 0;
  // The same of a request that is no conversation. `model`: its whole name.
  virtual void check_model(const std::string& caller, const std::string& model) = 0;
  virtual bool may_ask(const std::string& caller, const std::string& model) = 0;
  // From an engine's thread, too: waits for nothing.
  virtual void used(const std::string& caller, const CallerUse& use) = 0;
};

}  // namespace strata::api
