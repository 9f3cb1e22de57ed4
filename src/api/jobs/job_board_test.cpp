// Pulls that are paused, resumed and given up, and quantisations, against a hub that holds its
// answer back until the test lets it go on.
#include "api/jobs/job_board.h"

#include <condition_variable>

#include <gtest/gtest.h>

#include "api/testing/tiny_store.h"
#include "core/testing/expect_error.h"
#include "models/hub/testing.h"

namespace strata::api {
namespace {

using strata::testing::error_of;
using strata::testing::HttpServer;
using strata::testing::Reply;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;

constexpr size_t kHalf = 4096;
const std::string kModel = "hf:own/Tiny-GGUF:Tiny.gguf";

// Lets the first half of a file through, and the rest once it is open.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass(uint64_t sent) {
    if (sent < kHalf) return;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

class Jobs : public ::testing::Test {
 protected:
  ~Jobs() override { gate_.open(); }

  Reply answer(const ServedRequest& request) {
    Reply reply = models::testing::answer_as_hub(request, "own/Tiny-GGUF", files_);
    if (!reply.etag.empty()) {
      reply.piece_bytes = kHalf / 4;
      reply.after_piece = [this](uint64_t sent) { gate_.pass(sent); };
    }
    return reply;
  }

  JobInfo job(const std::string& id) const {
    for (const auto& each : board_->list()) {
      if (each.id == id) return each;
    }
    return {};
  }
  JobInfo wait(const std::string& id, const std::function<bool(const JobInfo&)>& until) const {
    for (;;) {
      const JobInfo now = job(id);
      if (until(now)) return now;
      std::this_thread::yield();
    }
  }
  JobInfo ended(const std::string& id) const {
    return wait(id, [](const JobInfo& now) { return now.state != JobInfo::State::running; });
  }
  size_t n_partial() const {
    size_t n = 0;
    std::error_code none;
    for (const auto& each : std::filesystem::directory_iterator(store_.path() / "partial", none)) {
      n += each.path().extension() == ".part";
    }
    return n;
  }
  std::vector<std::string> ranges() const {
    std::vector<std::string> out;
    for (const auto& request : server_.requests()) {
      const auto range = request.headers.find("range");
      if (range != request.headers.end()) out.push_back(range->second);
    }
    return out;
  }

  std::map<std::string, std::string> files_{{"README.md", "# text"},
                                            {"Tiny.gguf", testing::TinyStore::model_bytes()}};
  Gate gate_;
  testing::TinyStore store_;
  HttpServer server_{[this](const ServedRequest& request) { return answer(request); }};
  ScopedEnvironment endpoint_{"HF_ENDPOINT", server_.url("/").c_str()};
  ScopedEnvironment token_{"HF_TOKEN", nullptr};
  ModelLibrary library_{store_.path()};
  std::optional<JobBoard> board_{std::in_place, library_};
};

TEST_F(Jobs, APausedPullGoesOnWhereItWas) {
  ASSERT_GT(files_.at("Tiny.gguf").size(), 2 * kHalf);
  const std::string id = board_->pull(kModel).id;
  const JobInfo half = wait(id, [](const JobInfo& now) { return now.done >= kHalf; });
  EXPECT_EQ(half.stage, "downloading");
  EXPECT_EQ(half.total, files_.at("Tiny.gguf").size());
  EXPECT_EQ(board_->pull(kModel).id, id);  // the same one
  EXPECT_EQ(board_->pause(id).state, JobInfo::State::paused);
  EXPECT_EQ(error_of([&] { board_->pause(id); }).code(), Code::failed_precondition);
  EXPECT_EQ(n_partial(), 1u);
  gate_.open();
  EXPECT_EQ(board_->resume(id).state, JobInfo::State::running);
  const JobInfo done = ended(id);
  EXPECT_EQ(done.state, JobInfo::State::done) << done.error;
  EXPECT_EQ(done.done, half.total);
  const auto there = store_.store().find(done.name);
  EXPECT_EQ(there.source, kModel);
  EXPECT_EQ(read_file(store_.store().model_path(there)), files_.at("Tiny.gguf"));
  const auto asked = ranges();  // of the file, and of where the hub sends for it
  ASSERT_EQ(asked.size(), 2u);
  // What was under way when the pull was told to stop may have come, too.
  for (const auto& range : asked) {
    ASSERT_TRUE(range.starts_with("bytes=")) << range;
    EXPECT_GE(std::stoull(range.substr(6)), kHalf);
  }
  EXPECT_EQ(n_partial(), 0u);
}

TEST_F(Jobs, APullThatIsGivenUpLeavesNothing) {
  for (const bool paused_first : {false, true}) {
    const std::string id = board_->pull(kModel).id;
    wait(id, [](const JobInfo& now) { return now.done >= kHalf; });
    if (paused_first) board_->pause(id);
    board_->remove(id);
    EXPECT_TRUE(board_->list().empty());
    while (n_partial() > 0) std::this_thread::yield();  // once its thread has ended
  }
  EXPECT_TRUE(library_.list().empty());
  EXPECT_EQ(error_of([&] { board_->remove("job_0"); }).code(), Code::not_found);
}

TEST_F(Jobs, OneThatFailedSaysWhyAndCanBeTriedAgain) {
  gate_.open();
  files_.at("Tiny.gguf") = "no model at all";
  const std::string id = board_->pull(kModel).id;
  const JobInfo failed = ended(id);
  EXPECT_EQ(failed.state, JobInfo::State::failed);
  EXPECT_FALSE(failed.error.empty());
  files_.at("Tiny.gguf") = testing::TinyStore::model_bytes();
  board_->resume(id);
  EXPECT_EQ(ended(id).state, JobInfo::State::done);
  EXPECT_EQ(error_of([&] { board_->resume(id); }).code(), Code::failed_precondition);
}

TEST_F(Jobs, AQuantisationMakesAModel) {
  store_.add("tiny:f32");
  const std::string id = board_->quantize("tiny:f32", "Q8_0", "tiny:q8").id;
  EXPECT_EQ(error_of([&] { board_->pause(id); }).code(), Code::failed_precondition);
  const JobInfo done = ended(id);
  EXPECT_EQ(done.state, JobInfo::State::done) << done.error;
  EXPECT_EQ(store_.store().find("tiny:q8").parent, "tiny:f32");
  const auto code = [&](const char* model, const char* type, const char* name) {
    return error_of([&] { board_->quantize(model, type, name); }).code();
  };
  EXPECT_EQ(code("tiny:f32", "Q8_0", "tiny:q8"), Code::already_exists);
  EXPECT_EQ(code("nobody", "Q8_0", "x"), Code::not_found);
  EXPECT_EQ(code("tiny:f32", "Q77", "x"), Code::invalid_argument);
  EXPECT_EQ(code("tiny:f32", "Q8_0", "../x"), Code::invalid_argument);
  EXPECT_EQ(board_->list().size(), 1u);  // what was refused is no job
}

TEST_F(Jobs, NamesFilesOfTheMachineAreRefusedAndTheBoardIsBounded) {
  EXPECT_EQ(error_of([&] { board_->pull("file:/etc/passwd"); }).code(), Code::permission_denied);
  EXPECT_EQ(error_of([&] { board_->pull("a b"); }).code(), Code::invalid_argument);
  EXPECT_TRUE(board_->list().empty());
  for (size_t i = 0; i < kMaxJobs + 3; ++i) {
    ended(board_->pull("nobody:" + std::to_string(i)).id);  // fails: nobody knows it
  }
  EXPECT_EQ(board_->list().size(), kMaxJobs);
  EXPECT_EQ(board_->list().front().model, "nobody:" + std::to_string(kMaxJobs + 2));
}

TEST_F(Jobs, ABoardThatGoesEndsItsPullsAndKeepsWhatCame) {
  const std::string id = board_->pull(kModel).id;
  wait(id, [](const JobInfo& now) { return now.done >= kHalf; });
  board_.reset();
  EXPECT_EQ(n_partial(), 1u);
}

}  // namespace
}  // namespace strata::api
