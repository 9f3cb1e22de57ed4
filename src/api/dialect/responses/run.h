// A response while it is being answered: takes the backend's events, tells them to whoever listens,
// and keeps in the history what is to be kept. It lives on without its client where it was asked
// to be made in the background.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/dialect/answer_metrics.h"
#include "api/dialect/responses/output_events.h"
#include "api/dialect/responses/responses.h"
#include "api/http/side_work.h"

namespace strata::api::responses {

constexpr size_t kMaxRuns = 4096;  // at once; a backend's queue is shorter

class Runs;

class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(Runs& runs, const Services& services, const Dialect& dialect, Ask ask, std::string owner);

  const std::string& id() const { return id_; }
  const std::string& owner() const { return owner_; }
  const Ask& ask() const { return ask_; }

  // Before the answer is started. The exchange gets all events of it, or the whole response at its
  // end; in the background and not streamed, it is answered at once.
  void attach(const std::shared_ptr<Exchange>& exchange);
  // Asks the backend. Throws what Gateway::start throws; then nothing was told to anybody.
  void start();
  // Events after this sequence number to one more listener. Only of a run that keeps its events.
  void follow(const std::shared_ptr<Exchange>& exchange, int64_t after);
  // Ends it as cancelled; without effect when it has ended.
  void cancel();
  // Ends it as failed, since the server stops; likewise.
  void stop();
  // The response as it is now.
  json::object snapshot() const;

 private:
  friend class Runs;
  enum class State { waiting, working, ending, over };

  void drop();  // nobody is told anything more
  void on_event(ChatEvent&& event);
  void take(const ChatEvent& event);
  void finish(const ChatEvent& event);
  void begin(std::vector<json::object>& events);
  void end(std::string_view status, std::optional<Error> error);
  void tell(const std::vector<json::object>& events);
  void ping();
  void schedule_step();
  void write_step();
  void write_end();
  void keep_end();
  void fail_end(const Error& error);
  void announce_end();
  json::object response_json(bool with_output) const;
  void respond_whole();

  Runs& runs_;
  const Services& services_;
  const Dialect& dialect_;
  const Ask ask_;
  const std::string owner_, id_;
  const int64_t created_s_;
  const bool keeps_events_;

  mutable std::mutex mutex_;
  std::unique_ptr<Answer> answer_;
  OutputEvents output_;
  AnswerMetrics metrics_;
  std::vector<std::shared_ptr<Exchange>> listeners_;  // of the stream
  std::shared_ptr<Exchange> waiting_;                 // for the whole response
  std::vector<ResponseEvent> events_;                 // where they are kept
  size_t events_written_ = 0;
  State state_ = State::waiting;
  bool begun_ = false;  // response.created was told
  bool step_scheduled_ = false;
  std::chrono::steady_clock::time_point last_step_;
  std::string status_;
  std::optional<Error> error_;
  std::string incomplete_reason_;
  int64_t completed_s_ = 0;
  std::optional<json::object> usage_;
  std::shared_ptr<const ContextChange> context_change_;
  std::vector<std::string> notices_;
  std::optional<json::object> last_;  // the last event, once it is made
};

// All runs of a server.
class Runs {
 public:
  Runs(const Services& services, const Dialect& dialect);
  ~Runs();  // ends what is under way as failed, and writes that

  // Makes a run with its first row in the history, starts it and attaches the exchange.
  void start(Ask ask, const std::shared_ptr<Exchange>& exchange);
  // nullptr: none of this owner is under way with this id.
  std::shared_ptr<Run> find(const std::string& owner, const std::string& id) const;

 private:
  friend class Run;
  void remove(const std::string& id);

  const Services& services_;
  const Dialect& dialect_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Run>> runs_;
  SideWork writer_;  // one thread: rows are written in the order of what happened
};

}  // namespace strata::api::responses
