// The runner over a handler that answers when the test says so.
#include "api/files/batch_runner.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <thread>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

constexpr int64_t kNow = 1'000'000;  // seconds

class BatchRunnerTest : public ::testing::Test {
 protected:
  BatchRunnerTest()
      : files_(folder_.path() / "strata.db", folder_.path() / "files"),
        runner_(folder_.path() / "strata.db", files_, [] { return kNow * 1000; },
                {.retry_pause_ms = 1, .max_tries = 3, .max_answer_bytes = 1000}) {}

  void TearDown() override { runner_.stop(); }

  // A batch of `n` requests.
  std::string begin(const std::string& owner, size_t n = 1) {
    std::string lines;
    for (size_t i = 0; i < n; ++i) {
      lines += fmt::format(R"({{"custom_id": "{}", "method": "POST", "url": "/v1/embeddings", )"
                           R"("body": {{}}}})"
                           "\n",
                           i);
    }
    const StoredFile file =
        files_.add({.owner = owner, .name = "in", .purpose = "batch", .created = kNow}, lines);
    return std::string(runner_.create(owner, "/v1/embeddings", file.id, {}).at("id").as_string());
  }

  json::object ended(const std::string& owner, const std::string& id) const {
    while (true) {
      const json::object seen = runner_.store().wire(runner_.store().get(owner, id));
      if (!seen.at("completed_at").is_null() || !seen.at("cancelled_at").is_null()) return seen;
      std::this_thread::yield();
    }
  }

  std::string content(const std::string& owner, const json::value& file) const {
    return files_.read(files_.get(owner, std::string(file.as_string()), kNow));
  }

  // Keeps what is asked until the test takes it.
  Handler held() {
    return [this](const std::shared_ptr<Exchange>& exchange) {
      const std::lock_guard lock(mutex_);
      asked_.push_back(exchange);
      changed_.notify_all();
    };
  }

  std::shared_ptr<Exchange> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !asked_.empty(); });
    const auto exchange = asked_.front();
    asked_.pop_front();
    return exchange;
  }

  static void answer(Exchange& exchange, int status, std::string body) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    exchange.respond(std::move(response));
  }

  strata::testing::TempFolder folder_;
  FileStore files_;
  BatchRunner runner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Exchange>> asked_;
};

// An engine may end an answer long after nobody waits for it any more.
TEST_F(BatchRunnerTest, AnAnswerThatComesLateIsNobodysElse) {
  runner_.start(held());
  const std::string first = begin("eve");
  const auto late = next();
  EXPECT_EQ(runner_.cancel("eve", first).at("cancelling_at"), kNow);
  EXPECT_EQ(ended("eve", first).at("status"), "cancelled");
  const std::string second = begin("bob");
  const auto waited_for = next();
  EXPECT_TRUE(late->gone());
  answer(*late, 200, R"("eve's")");
  answer(*waited_for, 200, R"("bob's")");
  const std::string text = content("bob", ended("bob", second).at("output_file_id"));
  EXPECT_NE(text.find("bob's"), std::string::npos) << text;
  EXPECT_EQ(text.find("eve's"), std::string::npos) << text;
}

TEST_F(BatchRunnerTest, ABatchOfARevokedKeyStops) {
  std::atomic<bool> live = true;
  runner_.start(held(), [&](const std::string& owner) { return owner != "eve" || live; });
  const std::string id = begin("eve", 20);
  answer(*next(), 200, R"("in time")");
  live = false;
  const auto stopped = ended("eve", id);
  EXPECT_EQ(stopped.at("status"), "cancelled");
  EXPECT_EQ(stopped.at("errors").at("data").at(0).at("code"), "key_revoked");
  EXPECT_LE(stopped.at("request_counts").at("completed").to_number<int>(), 1);
  const std::string second = begin("bob");
  std::shared_ptr<Exchange> exchange;
  do {  // eve's are there, too
    exchange = next();
    answer(*exchange, 200, R"("an answer")");
  } while (exchange->request().owner != "bob");
  EXPECT_EQ(ended("bob", second).at("status"), "completed") << "others go on";
}

// Such a line would keep every other batch waiting for a day.
TEST_F(BatchRunnerTest, ALineThatAlwaysNeedsTooMuchFails) {
  std::atomic<int> n_asked = 0;
  runner_.start([&](const std::shared_ptr<Exchange>& exchange) {
    ++n_asked;
    answer(*exchange, 429, R"("too much")");
  });
  const auto done = ended("eve", begin("eve"));
  EXPECT_EQ(n_asked, 3);
  EXPECT_EQ(done.at("request_counts").at("failed"), 1);
  const std::string text = content("eve", done.at("error_file_id"));
  EXPECT_NE(text.find("too much"), std::string::npos) << text;
}

TEST_F(BatchRunnerTest, ALineThatFindsNoRoomIsAskedUntilThereIsSome) {
  std::atomic<int> n_asked = 0;
  runner_.start([&](const std::shared_ptr<Exchange>& exchange) {
    answer(*exchange, ++n_asked < 20 ? 503 : 200, R"("done")");
  });
  EXPECT_EQ(ended("eve", begin("eve")).at("request_counts").at("completed"), 1);
}

TEST_F(BatchRunnerTest, AnswersBeyondTheLimitAreNotMade) {
  std::atomic<int> n_asked = 0;
  runner_.start([&](const std::shared_ptr<Exchange>& exchange) {
    ++n_asked;
    answer(*exchange, 200, '"' + std::string(400, 'x') + '"');
  });
  const auto done = ended("eve", begin("eve", 50));
  EXPECT_EQ(done.at("status"), "completed");
  EXPECT_LT(n_asked, 10);
  EXPECT_EQ(done.at("request_counts").at("total"), 50);
  EXPECT_EQ(done.at("request_counts").at("completed").to_number<int>() +
                done.at("request_counts").at("failed").to_number<int>(),
            50);
  EXPECT_NE(content("eve", done.at("error_file_id")).find("output_too_large"), std::string::npos);
}

TEST(BatchLines, AFieldThatIsThereTwiceIsNotPickedFrom) {
  const auto input = read_batch_input(
      R"({"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"x": 1, "x": 2}})",
      "/v1/embeddings");
  ASSERT_EQ(input.errors.size(), 1u);
  EXPECT_EQ(input.errors[0].at("line"), 1);
}

}  // namespace
}  // namespace strata::api
