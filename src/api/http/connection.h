// One client's connection: reads requests, one answered at a time, and notices when it goes away.
// Everything runs on the server's one thread. Internal to this folder.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <unordered_set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "api/http/exchange_state.h"
#include "api/http/request_reader.h"
#include "api/http/server.h"

namespace strata::api {

class Connection;

// What the connections of a server share.
struct HttpCore {
  HttpOptions options;
  HttpHooks hooks;
  std::shared_ptr<boost::asio::io_context> io;
  std::unordered_set<Connection*> connections;
  std::shared_ptr<ByteBudget> requests, answers;  // bytes that are held of all connections
  uint64_t n_taken = 0;                           // pieces of answers that clients have taken
  bool stopping = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<HttpCore> core, boost::asio::ip::tcp::socket socket);
  ~Connection();
  void start();
  void refuse(int status, const std::string& message);  // instead of start()
  void drain();                                         // ends after the running exchange
  void close();                                         // now

 private:
  enum class Phase { idle, head, body, answering, lingering };

  void read();
  void on_read(const boost::system::error_code& error, size_t n);
  void advance();
  void on_head();
  bool hold_body(size_t bytes);
  void refuse_body();
  void dispatch(const Handler& handler, bool close_after);
  void refuse_head(const Handler& handler);
  void flush();
  void send(std::string bytes);
  void send_piece();
  void make_room();
  void on_sent(const boost::system::error_code& error, size_t n);
  void finish_exchange();
  void linger();
  void arm(int64_t timeout_ms);
  void arm_for_body();
  void arm_for_silence();
  void on_timeout();

  std::shared_ptr<HttpCore> core_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  int64_t body_deadline_ms_ = 0;  // of the request being read, on the options' clock
  std::string peer_;
  Phase phase_ = Phase::idle;
  RequestReader reader_;
  Admission admission_;
  std::string buffer_;   // received, not yet consumed by the reader
  std::string scratch_;  // where the pending read writes
  std::string outgoing_, sending_;
  size_t sent_ = 0;  // bytes of sending_
  ByteBudget::Hold body_hold_, answer_hold_;
  uint64_t last_taken_ = 0;  // core_->n_taken when it took its last piece
  std::shared_ptr<ExchangeState> exchange_;
  size_t discarded_bytes_ = 0;
  bool reading_ = false, writing_ = false, closed_ = false, draining_ = false, ending_ = false;
};

}  // namespace strata::api
