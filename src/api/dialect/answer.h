// From a request to its answer on the wire, for every dialect: starts the work, streams or collects
// its events, reports errors with the right status, stops when the client goes away.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/dialect/dialect.h"

namespace strata::api {

// One choice, complete.
struct WholeChoice {
  int32_t index = 0;
  std::string text, reasoning;
  std::vector<models::ToolCall> calls;
  std::vector<inference::GeneratedToken> tokens, prompt_tokens;
  inference::FinishReason reason = inference::FinishReason::stop;
  std::string stop_string;  // that ended it
  inference::Usage usage;
  int32_t reasoning_tokens = 0;
  int64_t load_ns = 0;
};

// All choices together. The prompt counts once for each request, whatever its n.
struct Totals {
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
  int64_t reasoning_tokens = 0;  // of the completion's
  int64_t accepted_prediction_tokens = 0, rejected_prediction_tokens = 0;
  int64_t prompt_ns = 0, completion_ns = 0, queue_ns = 0, load_ns = 0;
  int64_t total_ns = 0;  // from start to end, as the usage adds up
  std::shared_ptr<const ContextChange> context_change = {};  // null: nothing was left out
};

// How a dialect writes one answer. Called by one thread at a time. Appends to `out`.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  virtual std::string_view stream_type() const = 0;
  virtual void open(std::string& out) { (void)out; }
  // Before the first text: what the answer begins with, prompt tokens worked. Of a whole answer,
  // too; what it appends is sent only in a stream.
  virtual void progress(const ChatEvent& event, std::string& out) { (void)event, (void)out; }
  virtual void event(const ChatEvent& event, std::string& out) = 0;  // text or finished
  virtual void close(const Totals& totals, std::string& out) = 0;    // after the last choice
  virtual void error(const Error& error, std::string& out) = 0;      // instead of close()
  virtual void ping(std::string& out) { (void)out; }  // where the format has room for one
  virtual int64_t ping_ms() const { return 0; }       // silence before one; 0: kPingIntervalMs
  virtual Response whole(const std::vector<WholeChoice>& choices, const Totals& totals) = 0;
  // Whether the whole answer, streamed or not, is put somewhere before its end is written. keep()
  // may take the disk: it is not called on the engine's thread. What it throws ends the answer.
  virtual bool keeps() const { return false; }
  virtual void keep(const std::vector<WholeChoice>& choices, const Totals& totals) {
    (void)choices, (void)totals;
  }
};

// Starts all requests (more than one: a completion of several prompts; their choices are numbered
// through) and answers the exchange. Throws what Gateway::start throws.
void answer(const std::shared_ptr<Exchange>& exchange, const Services& services,
            const Dialect& dialect, std::vector<ChatRequest> requests, bool stream,
            std::shared_ptr<AnswerWriter> writer);

// One line with the request's id and the end user's name, where there is one.
void log_end_user(const Exchange& exchange, const std::string& name);
// Puts the piece to the call that it belongs to.
void add_call_piece(std::vector<models::ToolCall>& calls, const models::ToolCallPiece& piece);

// What was left out of the conversation, as the member "strata" of an answer; nothing where none
// was.
void put_context_change(const ContextChange* change, json::object& answer);

// What x-strata-notice said, likewise, where an answer is kept.
void put_notices(const std::vector<std::string>& notices, json::object& answer);

// Names the ignored fields in x-strata-ignored.
void tell_ignored(Exchange& exchange, const std::vector<std::string>& ignored);

}  // namespace strata::api
