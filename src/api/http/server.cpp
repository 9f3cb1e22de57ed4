#include "api/http/server.h"

#include <atomic>
#include <future>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "api/http/connection.h"
#include "api/limits.h"
#include "core/error.h"
#include "core/log.h"
#include "core/os.h"

namespace strata::api {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

asio::ip::address address_of(const std::string& host) {
  if (host == "localhost") return asio::ip::address_v4::loopback();
  error_code error;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const auto address =
      asio::ip::make_address(bracketed ? host.substr(1, host.size() - 2) : host, error);
  if (error) {
    throw Error(Code::invalid_argument, fmt::format("'{}' is no address to listen on", host),
                "use 127.0.0.1, ::1, 0.0.0.0 or an address of this machine");
  }
  return address;
}

class Server final : public HttpServer {
 public:
  Server(const HttpOptions& options, HttpHooks hooks)
      : core_(std::make_shared<HttpCore>()),
        io_(std::make_shared<asio::io_context>(1)),
        work_(asio::make_work_guard(*io_)),
        acceptor_(*io_),
        retry_(*io_),
        drained_(*io_) {
    core_->options = options;
    if (core_->options.max_connections == 0) core_->options.max_connections = kMaxConnections;
    if (core_->options.max_backlog_bytes == 0) {
      core_->options.max_backlog_bytes = kMaxStreamBacklogBytes;
    }
    const auto budget = [](size_t bytes, size_t usual) {
      return std::make_shared<ByteBudget>(bytes == 0 ? usual : bytes);
    };
    core_->requests = budget(options.max_request_bytes, kMaxHeldRequestBytes);
    core_->answers = budget(options.max_answer_bytes, kMaxHeldAnswerBytes);
    const auto set_default = [](int64_t& value, int64_t usual) {
      if (value == 0) value = usual;
    };
    set_default(core_->options.ping_interval_ms, kPingIntervalMs);
    set_default(core_->options.header_timeout_ms, kHeaderTimeoutMs);
    set_default(core_->options.body_pause_ms, kBodyPauseTimeoutMs);
    set_default(core_->options.body_timeout_ms, kBodyTimeoutMs);
    if (!core_->options.now_ms) {
      core_->options.now_ms = [] { return static_cast<int64_t>(monotonic_ns() / 1'000'000); };
    }
    core_->hooks = std::move(hooks);
    core_->io = io_;
    listen();
    accept();
    thread_ = std::thread([this] { run(); });
  }

  ~Server() override { stop(0); }

  std::string host() const override { return host_; }
  uint16_t port() const override { return port_; }
  size_t connections() const override { return n_connections_; }

  void stop(int64_t drain_ms) override {
    if (!thread_.joinable()) return;
    asio::post(*io_, [this, drain_ms] { begin_stop(drain_ms); });
    thread_.join();
  }

 private:
  void listen() {
    const tcp::endpoint wanted(address_of(core_->options.host), core_->options.port);
    error_code error;
    acceptor_.open(wanted.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(wanted, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use) {
      throw Error(Code::failed_precondition,
                  fmt::format("port {} on {} is in use by another program", wanted.port(),
                              wanted.address().to_string()),
                  "stop that program, choose another port, or use --port 0 for any free one");
    }
    if (error) {
      throw Error(
          error == asio::error::access_denied ? Code::permission_denied : Code::invalid_argument,
          fmt::format("cannot listen on {} port {}: {}", wanted.address().to_string(),
                      wanted.port(), error.message()),
          "ports below 1024 belong to root; the address must be one of this machine");
    }
    const auto bound = acceptor_.local_endpoint();
    host_ = bound.address().to_string();
    port_ = bound.port();
  }

  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (core_->stopping) return;
      if (error) return accept_later(error);
      const auto connection = std::make_shared<Connection>(core_, std::move(socket));
      n_connections_ = core_->connections.size();
      if (core_->connections.size() > core_->options.max_connections) {
        connection->refuse(
            503, fmt::format("the server has its {} connections", core_->options.max_connections));
      } else {
        connection->start();
      }
      accept();
    });
  }

  // Out of file descriptors, most likely: some will come free.
  void accept_later(const error_code& error) {
    log_warn("cannot accept a connection: {}", error.message());
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([this](const error_code& cancelled) {
      if (!cancelled && !core_->stopping) accept();
    });
  }

  void begin_stop(int64_t drain_ms) {
    core_->stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
    for (const auto& connection : alive()) connection->drain();
    deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(drain_ms);
    wait_drained();
  }

  void wait_drained() {
    if (core_->connections.empty() || std::chrono::steady_clock::now() >= deadline_) {
      for (const auto& connection : alive()) connection->close();
      work_.reset();
      io_->stop();
      return;
    }
    drained_.expires_after(std::chrono::milliseconds(5));
    drained_.async_wait([this](const error_code&) { wait_drained(); });
  }

  std::vector<std::shared_ptr<Connection>> alive() {
    std::vector<std::shared_ptr<Connection>> list;
    for (Connection* connection : core_->connections) {
      if (auto alive = connection->weak_from_this().lock()) list.push_back(std::move(alive));
    }
    return list;
  }

  void run() {
    while (true) {
      try {
        io_->run();
        break;
      } catch (const std::exception& error) {
        log_error("HTTP: {}", error.what());  // of one handler; the others go on
      }
    }
    io_->restart();
    io_->poll();  // handlers of what was closed give up their connections
  }

  std::shared_ptr<HttpCore> core_;
  std::shared_ptr<asio::io_context> io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_, drained_;
  std::chrono::steady_clock::time_point deadline_;
  std::string host_;
  uint16_t port_ = 0;
  std::atomic<size_t> n_connections_ = 0;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<HttpServer> HttpServer::start(const HttpOptions& options, HttpHooks hooks) {
  return std::make_unique<Server>(options, std::move(hooks));
}

}  // namespace strata::api
