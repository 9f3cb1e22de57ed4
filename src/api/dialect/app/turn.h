// An answer of a conversation while it is being made: it runs without any window, tells those that
// listen, and is kept in steps, so that a crash loses half a second of it at most.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "api/dialect/answer_metrics.h"
#include "api/dialect/app/app.h"
#include "api/gateway/backend.h"
#include "api/http/side_work.h"
#include "api/soon.h"

namespace strata::api::app {

constexpr size_t kMaxTurns = 1024;  // at once; a backend's queue is shorter

class Turns;

class Turn : public std::enable_shared_from_this<Turn> {
 public:
  Turn(Turns& turns, const Services& services, std::string owner, std::string thread,
       ThreadMessage message);

  // Asks `backend`. Throws what Backend::start throws; then the turn is over.
  void start(ChatRequest request);
  // Ends it as it is; without effect when it has ended.
  void cut();
  // As it is now, with how many pieces were told: "sequence".
  json::object snapshot();
  const std::string& owner() const { return owner_; }
  const std::string& thread() const { return thread_; }

 private:
  friend class Turns;
  void on_event(ChatEvent&& event);
  void take(const ChatEvent& event);
  void tell();  // what came since the last time, as one piece
  void finish(const ChatEvent& event);
  void end(std::string_view status);
  void schedule_step();
  void write(bool last);

  Turns& turns_;
  const Services& services_;
  const std::string owner_, thread_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();

  std::mutex mutex_;
  std::unique_ptr<Answer> answer_;
  ThreadMessage message_;
  std::vector<models::ToolCall> calls_;
  AnswerMetrics metrics_;
  int64_t sequence_ = 0;
  size_t told_text_, told_reasoning_;  // bytes of the message's
  std::chrono::steady_clock::time_point told_{};
  bool over_ = false, step_scheduled_ = false, spoke_ = false;
  std::chrono::steady_clock::time_point last_step_ = begun_;
};

// All turns of a server.
class Turns {
 public:
  explicit Turns(const Services& services);
  ~Turns();  // cuts what is under way, and keeps it

  // `message` is stored already. An empty model's name is the greeter's: a script that answers
  // where there is no model yet.
  void start(const std::string& owner, const std::string& thread, ThreadMessage message,
             ChatRequest request);
  // nullptr: none of this owner is under way with this message.
  std::shared_ptr<Turn> find(const std::string& owner, const std::string& message) const;
  void cut_thread(const std::string& owner, const std::string& thread);

 private:
  friend class Turn;
  void remove(const std::string& message);
  void tell_all();

  const Services& services_;
  std::unique_ptr<Backend> greeter_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Turn>> turns_;  // by message
  SideWork writer_;  // one thread: rows are written in the order of what happened
  Soon teller_;
};

}  // namespace strata::api::app
