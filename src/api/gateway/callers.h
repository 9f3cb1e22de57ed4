// Who asks, as the gateway sees it: what is counted of the callers' requests, and by whom.
#pragma once

#include <cstdint>
#include <string>

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

// Any thread may call, an engine's too: nothing may wait.
class Callers {
 public:
  virtual ~Callers() = default;
  virtual void used(const std::string& caller, const CallerUse& use) = 0;
};

}  // namespace strata::api
