// Processes that die, or meet, in the middle of a pull or a create. A job runs in a new process of
// this test program: the environment of the tests looks for one before any test begins.
#include <cstdlib>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/error.h"
#include "core/testing/http_server.h"
#include "core/testing/temp_folder.h"
#include "models/hub/modelfile.h"
#include "models/hub/pull.h"
#include "models/hub/testing.h"

namespace strata::models {
namespace {

using strata::testing::HttpServer;
using strata::testing::Reply;
using strata::testing::ServedRequest;
using strata::testing::TempFolder;
using testing::model_bytes;
using testing::start_job;
using testing::wait_for;

constexpr size_t kBytes = 3'000'000;
constexpr int kMoments = 20;

// What a job does after its n-th report of progress, if it is to die there.
std::function<void(const PullProgress&)> dies_at(int report) {
  return [report, seen = 0](const PullProgress&) mutable {
    if (report > 0 && ++seen == report) ::raise(SIGKILL);
  };
}

// arguments: store, reference, report at which to die (0: never), file size limit (0: none)
int pull_job(const std::vector<std::string>& arguments) {
  const uint64_t limit = std::stoull(arguments[3]);
  if (limit > 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{limit, limit};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  PullOptions options;
  options.policy = testing::kLocalPolicy;
  options.as = "tiny";
  options.progress = dies_at(std::stoi(arguments[2]));
  pull(Store(arguments[0]), arguments[1], options);
  return 0;
}

// arguments: store, reference, report at which to die (0: never)
int create_job(const std::vector<std::string>& arguments) {
  PullOptions options;
  options.policy = testing::kLocalPolicy;
  options.progress = dies_at(std::stoi(arguments[2]));
  const Modelfile modelfile = parse_modelfile("FROM " + arguments[1] + "\nSYSTEM kind\n");
  create_model(Store(arguments[0]), "made", modelfile, "/", options);
  return 0;
}

class Jobs : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* line = std::getenv("STRATA_TEST_JOB");
    if (line == nullptr) return;
    std::vector<std::string> words{""};
    for (const char* at = line; *at != '\0'; ++at) {
      if (*at == '\n') {
        words.emplace_back();
      } else {
        words.back() += *at;
      }
    }
    const std::string job = words.front();
    words.erase(words.begin());
    try {
      std::_Exit(job == "pull" ? pull_job(words) : create_job(words));
    } catch (const Error& error) {
      std::_Exit(exit_code(error.code()));
    }
  }
};

const auto* const kJobs = ::testing::AddGlobalTestEnvironment(new Jobs);

class CrashTest : public ::testing::Test {
 protected:
  std::string reference(const HttpServer& server) const {
    return server.url("/m.gguf") + "#sha256=" + sha256_hex(content);
  }
  // Whatever happened: each name that is there is whole.
  void expect_whole(const Store& store) {
    std::vector<std::string> damaged;
    store.list(&damaged);
    EXPECT_TRUE(damaged.empty()) << damaged.front();
    for (const auto& damage : store.verify()) ADD_FAILURE() << damage.name << ": " << damage.what;
  }
  TempFolder folder;
  std::string content = model_bytes(kBytes);
};

// A server that kills its client once so many bytes have left.
class KillingServer {
 public:
  KillingServer(const std::string& content, uint64_t after)
      : server_([this, &content, after](const ServedRequest&) {
          return Reply{.body = content,
                       .etag = "v1",
                       .piece_bytes = 20'000,
                       .after_piece = [this, after](uint64_t sent) {
                         if (after > 0 && sent >= after) ::kill(victim_.get(), SIGKILL);
                       }};
        }) {}
  void set_victim(pid_t pid) { promise_.set_value(pid); }
  const HttpServer& server() const { return server_; }

 private:
  std::promise<pid_t> promise_;
  std::shared_future<pid_t> victim_{promise_.get_future()};
  HttpServer server_;
};

TEST_F(CrashTest, a_pull_killed_at_any_byte_leaves_the_store_whole_and_is_resumed) {
  const Store store(folder.path() / "store");
  int died = 0;
  for (int moment = 0; moment < kMoments; ++moment) {
    const uint64_t after = kBytes / kMoments * static_cast<uint64_t>(moment) + 1;
    KillingServer killer(content, after);
    const pid_t child = start_job("pull", {store.root(), reference(killer.server()), "0", "0"});
    killer.set_victim(child);
    // The last bytes may have been enough: then the child is done before the signal comes.
    const int code = wait_for(child);
    EXPECT_TRUE(code == 137 || code == 0) << code;
    died += code == 137 ? 1 : 0;
    expect_whole(store);
    if (code == 0) store.remove("tiny");
  }
  EXPECT_GE(died, kMoments / 2) << "hardly anybody was killed: this was no test";
  HttpServer server([&](const ServedRequest&) { return Reply{.body = content, .etag = "v1"}; });
  EXPECT_EQ(wait_for(start_job("pull", {store.root(), reference(server), "0", "0"})), 0);
  EXPECT_EQ(read_file(store.model_path(store.find("tiny"))), content);
}

TEST_F(CrashTest, a_pull_killed_at_any_step_leaves_the_store_whole) {
  HttpServer server([&](const ServedRequest&) { return Reply{.body = content, .etag = "v1"}; });
  bool finished = false;
  int died = 0;
  // Report 1 is "resolving", the last one "writing manifest"; a resumed pull has fewer.
  for (int report = 1; !finished && report < 10'000; report += report < 4 ? 1 : 7) {
    const Store store(folder.path() / fmt::format("store{}", report));
    const int code =
        wait_for(start_job("pull", {store.root(), reference(server), std::to_string(report), "0"}));
    expect_whole(store);
    finished = code == 0;
    died += code == 137 ? 1 : 0;
    EXPECT_EQ(wait_for(start_job("pull", {store.root(), reference(server), "0", "0"})), 0);
    expect_whole(store);
    EXPECT_EQ(store.find("tiny").model.at(0).sha256, sha256_hex(content));
    std::error_code ignored;
    fs::remove_all(store.root(), ignored);
  }
  EXPECT_TRUE(finished);
  EXPECT_GE(died, kMoments);
}

TEST_F(CrashTest, a_create_killed_at_any_step_leaves_the_store_whole) {
  write_file_atomic(folder.path() / "m.gguf", content);
  // Six reports: resolving, three of a megabyte each, verifying and writing, then the manifest of
  // the model itself. Each is met by a name that is new and by one that is replaced.
  int died = 0;
  for (int moment = 0; moment < kMoments; ++moment) {
    const Store store(folder.path() / fmt::format("store{}", moment));
    const std::string from = (folder.path() / "m.gguf").string();
    const bool replaces = moment >= kMoments / 2;
    if (replaces) {
      ASSERT_EQ(wait_for(start_job("create", {store.root(), from, "0"})), 0);
    }
    const std::string report = std::to_string(moment % (kMoments / 2) + 1);
    const int code = wait_for(start_job("create", {store.root(), from, report}));
    EXPECT_TRUE(code == 137 || code == 0) << code;
    died += code == 137 ? 1 : 0;
    expect_whole(store);
    const auto found = store.try_find("made");
    EXPECT_FALSE(replaces && !found) << "the old one or the new one";
    if (found) {
      EXPECT_EQ(found->overrides.system, "kind") << "never half of it";
    }
    ASSERT_EQ(wait_for(start_job("create", {store.root(), from, "0"})), 0);
    EXPECT_EQ(store.find("made").overrides.system, "kind");
    store.collect();
    expect_whole(store);
  }
  EXPECT_GE(died, 10);
}

TEST_F(CrashTest, a_create_from_a_source_killed_at_any_byte_leaves_the_store_whole) {
  const Store store(folder.path() / "store");
  int died = 0;
  for (int moment = 0; moment < kMoments; ++moment) {
    KillingServer killer(content, kBytes / kMoments * static_cast<uint64_t>(moment) + 1);
    const pid_t child = start_job("create", {store.root(), reference(killer.server()), "0"});
    killer.set_victim(child);
    const int code = wait_for(child);
    EXPECT_TRUE(code == 137 || code == 0) << code;
    died += code == 137 ? 1 : 0;
    expect_whole(store);
  }
  EXPECT_GE(died, kMoments / 2) << "hardly anybody was killed: this was no test";
}

TEST_F(CrashTest, a_disk_that_fills_up_is_said_and_leaves_the_store_whole) {
  const Store store(folder.path() / "store");
  HttpServer server([&](const ServedRequest&) { return Reply{.body = content, .etag = "v1"}; });
  const int code = wait_for(start_job("pull", {store.root(), reference(server), "0", "1000000"}));
  EXPECT_EQ(code, exit_code(Code::resource_exhausted));
  EXPECT_TRUE(store.list().empty());
  expect_whole(store);
  EXPECT_EQ(wait_for(start_job("pull", {store.root(), reference(server), "0", "0"})), 0);
  EXPECT_EQ(server.requests().back().headers.at("range"), "bytes=1000000-");
}

TEST_F(CrashTest, two_processes_at_the_same_file_fetch_it_once) {
  const Store store(folder.path() / "store");
  std::promise<void> second_waits;
  auto released = second_waits.get_future().share();
  HttpServer server([&](const ServedRequest&) {
    return Reply{.body = content, .etag = "v1", .after_piece = [released](uint64_t sent) {
                   if (sent == 65'536) released.wait();
                 }};
  });
  const pid_t first = start_job("pull", {store.root(), reference(server), "0", "0"});
  PullOptions options;
  options.policy = testing::kLocalPolicy;
  options.as = "tiny";
  bool waited = false;
  options.progress = [&](const PullProgress& p) {
    if (p.stage != "waiting for another pull" || waited) return;
    waited = true;
    second_waits.set_value();
  };
  while (server.requests().empty()) ::usleep(1000);  // until the first one has the file's lock
  pull(store, reference(server), options);
  EXPECT_EQ(wait_for(first), 0);
  EXPECT_TRUE(waited);
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(read_file(store.model_path(store.find("tiny"))), content);
}

}  // namespace
}  // namespace strata::models
