// Makes a request's conversation fit the context of its model, as its policy says. The same for
// every backend that can count tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/prompt/summary.h"
#include "api/request.h"

namespace strata::api {

struct ContextFacts {
  int64_t positions = 0;  // of the context
  int64_t answer = -1;    // tokens that the answer may have; -1: until the context is full
  int64_t longest_token_bytes = 1;  // no text has fewer tokens than its bytes divided by this
  std::string model;                // summaries of one model are no other's
  // Tokens of the request's whole prompt; nullopt: so many that they are not counted.
  std::function<std::optional<int64_t>(const ChatRequest&)> count;
};

// One request's way through: made, then, where a summary is to be written, given it.
class ContextFit {
 public:
  // A prompt that is no conversation is left as it is, whatever the policy. Turns are left out
  // where the prompt and the answer together have no room, of the answer a quarter of the context
  // at most, and up to a quarter of the context more, so that the requests that follow have the
  // same beginning; what is still too long then is for the caller to refuse.
  ContextFit(ChatRequest request, ContextPolicy policy, ContextFacts facts, SummaryCache& cache);

  // What has to be answered first; null: nothing, the request is ready.
  const ChatRequest* wanted_summary() const;
  void take_summary(std::string text, const inference::Usage& usage);

  const ChatRequest& request() const { return request_; }
  // Null: the conversation is as it came.
  std::shared_ptr<const ContextChange> change() const;

 private:
  bool is_ready() const;
  ChatRequest with(size_t n_dropped, std::string_view summary) const;
  bool fits(size_t n_dropped, std::string_view summary, int64_t room) const;
  size_t least_to_drop(size_t from, std::string_view summary, int64_t room) const;
  size_t lasting(size_t least) const;
  void drop(size_t n_dropped, const Summary* summary);
  int64_t bytes_in(size_t first, size_t end) const;
  int64_t messages_in(size_t first, size_t end) const;
  bool find_summary();
  void want_summary();

  ChatRequest request_;
  const ContextFacts facts_;
  SummaryCache& cache_;
  ContextChange change_;
  std::optional<int64_t> n_tokens_;  // of the whole prompt
  std::vector<models::Message> messages_;
  std::vector<Turn> turns_;
  std::vector<std::string> keys_;
  size_t n_summarised_ = 0;  // turns that the wanted summary stands for
  int64_t unsummarised_ = 0;
  std::optional<ChatRequest> wanted_;
};

}  // namespace strata::api
