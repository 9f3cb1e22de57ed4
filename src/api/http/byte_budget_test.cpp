// What all connections hold together, with clients that send much and clients that do not read.
#include "api/http/byte_budget.h"

#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "api/http/server.h"
#include "api/testing/client.h"

namespace strata::api {
namespace {

using testing::Client;
using testing::request_text;

TEST(ByteBudget, GivesBackWhatGoesAndRefusesWhatIsTooMuch) {
  const auto budget = std::make_shared<ByteBudget>(10);
  ByteBudget::Hold first(budget), second(budget);
  EXPECT_TRUE(first.grow_to(6));
  EXPECT_TRUE(first.grow_to(4)) << "it has as many";
  EXPECT_FALSE(second.grow_to(5));
  EXPECT_EQ(budget->used(), 6u);
  EXPECT_TRUE(second.grow_to(4));
  ByteBudget::Hold moved = std::move(first);
  EXPECT_EQ(budget->used(), 10u);
  moved = ByteBudget::Hold(budget);
  EXPECT_EQ(budget->used(), 4u);
  second.set(20);
  EXPECT_EQ(budget->used(), 20u);
  second.set(1);
  EXPECT_EQ(budget->used(), 1u);
}

constexpr size_t kLarge = 200u << 10;

std::string upload(size_t bytes) {
  return request_text("POST", "/hold", std::string(bytes, 'x'));
}

// Holds what comes to /hold until it is told; answers /large with many bytes.
class Held : public ::testing::Test {
 protected:
  Held() {
    HttpOptions options;
    options.max_request_bytes = 300u << 10;
    options.max_answer_bytes = 20u << 20;
    HttpHooks hooks;
    hooks.admit = [this](Request& head) {
      Admission admission;
      admission.body_limit = 1u << 20;
      const bool holds = head.path == "/hold" && head.headers.find("x-now") == std::nullopt;
      admission.handler = [this, holds](const std::shared_ptr<Exchange>& exchange) {
        if (holds && exchange->request().body.size() > (100u << 10)) {
          return waiting_.set_value(exchange);
        }
        if (exchange->request().path == "/stream") {
          exchange->begin(200, "text/plain");
          return waiting_.set_value(exchange);
        }
        Response response;
        if (exchange->request().path == "/large") response.body.assign(16u << 20, 'y');
        exchange->respond(response);
      };
      return admission;
    };
    hooks.malformed = [](int status, const std::string& message, const Request&) {
      Response response;
      response.status = status;
      response.body = message;
      return response;
    };
    hooks.done = [this](const Request&, int, bool cut_off) {
      if (cut_off) n_cut_.fetch_add(1);
    };
    server_ = HttpServer::start(options, std::move(hooks));
  }

  std::promise<std::shared_ptr<Exchange>> waiting_;
  std::atomic<int> n_cut_ = 0;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Held, BodiesBeyondTheBudgetAre503UntilOthersGo) {
  Client first(server_->port());
  first.send(upload(kLarge));
  auto exchange = waiting_.get_future().get();
  const auto refused = testing::fetch(server_->port(), "POST", "/hold", std::string(kLarge, 'x'));
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("204800 bytes of other requests, and 307200"), std::string::npos)
      << refused.body;
  Client chunked(server_->port());
  std::string pieces =
      "POST /hold HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) pieces += "2800\r\n" + std::string(0x2800, 'x') + "\r\n";
  chunked.send(pieces);
  EXPECT_EQ(chunked.read_reply().status, 503);
  EXPECT_EQ(testing::fetch(server_->port(), "POST", "/hold", "small").status, 200);
  exchange->respond(Response{});
  exchange.reset();
  EXPECT_EQ(first.read_reply().status, 200);
  first.send(request_text("POST", "/hold", std::string(kLarge, 'x'), "x-now: 1\r\n"));
  EXPECT_EQ(first.read_reply().status, 200) << "there is room again";
}

TEST_F(Held, WhoReadsNothingIsCutOffForThoseThatRead) {
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 4; ++i) {  // 64 MiB, of which 20 may be held
    slow.push_back(std::make_unique<Client>(server_->port()));
    slow.back()->small_window();
    slow.back()->send(request_text("GET", "/large"));
    EXPECT_FALSE(slow.back()->receive(1).empty()) << "it has begun";
  }
  EXPECT_GE(n_cut_, 2);
  const auto whole = testing::fetch(server_->port(), "GET", "/large");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body.size(), size_t{16} << 20);
}

// Also where the system's own buffers are full, so that what is being sent never ends.
TEST_F(Held, WhoReadsNoStreamIsCutOffWhenItsBacklogIsFullAndNotSomeTimeAfterwards) {
  ::testing::internal::CaptureStderr();
  Client slow(server_->port());
  slow.small_window();
  slow.send(request_text("GET", "/stream"));
  const auto exchange = waiting_.get_future().get();
  while (exchange->write(std::string(1000, 'x'))) std::this_thread::yield();
  while (n_cut_ == 0) std::this_thread::yield();
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("reads too slowly"), std::string::npos);
}

}  // namespace
}  // namespace strata::api
