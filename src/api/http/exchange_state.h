// The server's side of an Exchange: what the handler has said and the client has not yet been sent.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "api/http/byte_budget.h"
#include "api/http/http.h"

namespace strata::api {

class ExchangeState final : public Exchange {
 public:
  struct Settings {
    bool close_after = false;  // the connection does not stay open
    size_t max_backlog_bytes = 0;
    ByteBudget::Hold request_hold{};  // of its body, for as long as that is there
    std::function<void()> wake;       // asks the connection to take(); from any thread
  };
  ExchangeState(Request request, Settings settings);

  const Request& request() const override { return request_; }
  void add_header(std::string name, std::string value) override;
  void respond(Response response) override;
  void begin(int status, std::string content_type) override;
  bool write(std::string_view bytes) override;
  void end() override;
  bool begun() const override;
  bool gone() const override;
  void keep(std::shared_ptr<void> work) override;
  void on_silence(std::function<void()> beat, int64_t every_ms) override;

  // --- for the connection, on its thread ---
  struct Output {
    std::string bytes;
    bool last = false;  // nothing comes behind them
  };
  bool overflowed() const;  // the client is too slow: cut it off, whatever is being sent
  Output take();            // bytes handed out count as backlog until the next take()
  void beat();
  int64_t silence_ms() const;  // before a beat(); 0: as the server has it
  void release(bool cut_off);  // over: destroys the work, no more wake()
  bool close_after() const;
  int status() const;

 private:
  void put_head(const Response& response, bool length_known);

  const Request request_;
  const bool head_only_;
  mutable std::mutex mutex_;
  Settings settings_;
  Headers extra_headers_;
  std::string pending_;
  size_t in_flight_ = 0;
  int status_ = 0;  // 0: not begun
  bool chunked_ = false, ended_ = false, released_ = false, overflow_ = false;
  bool awake_ = false;  // a wake() is on its way, or what is being sent has to end first
  std::shared_ptr<void> work_;
  std::function<void()> beat_;
  int64_t beat_every_ms_ = 0;
  void wake_locked();
};

}  // namespace strata::api
