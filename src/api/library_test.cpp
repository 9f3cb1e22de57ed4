#include "api/library.h"

#include <fstream>
#include <future>

#include <gtest/gtest.h>

#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/testing/formula_model.h"

namespace strata::api {
namespace {

struct Outcome {
  std::optional<models::Manifest> manifest;
  std::optional<Error> error;
};

class LibraryTest : public ::testing::Test {
 protected:
  LibraryTest() {
    auto builder = models::tiny_llama();
    builder.set_text("tokenizer.chat_template", "{{ messages[0].content }}");
    const auto bytes = builder.build();
    const auto held = library_.store().hold();
    models::Manifest manifest;
    manifest.name = "tiny:latest";
    manifest.model = {
        library_.store().put_blob({reinterpret_cast<const char*>(bytes.data()), bytes.size()})};
    library_.store().put_manifest(manifest);
  }

  Outcome create(const std::string& name, const models::Modelfile& modelfile) {
    std::promise<Outcome> promise;
    const auto job = library_.create(
        name, modelfile, nullptr, [](const models::PullProgress&) {},
        [&](const models::Manifest* manifest, const Error* error) {
          Outcome outcome;
          if (manifest != nullptr) outcome.manifest = *manifest;
          if (error != nullptr) outcome.error = *error;
          promise.set_value(std::move(outcome));
        });
    return promise.get_future().get();
  }

  Code refusal_of_pull(const std::string& name) {
    try {
      library_.pull(name, false, {}, [](const models::Manifest*, const Error*) {});
    } catch (const Error& error) {
      return error.code();
    }
    return Code::internal;
  }

  static std::string read_all(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void overwrite(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  strata::testing::TempFolder folder_;
  ModelLibrary library_{folder_.path(),
                        {.offline = true, .allow_private = false, .private_hosts = {}}};
};

TEST_F(LibraryTest, ShowsWhatTheFileSays) {
  const auto details = library_.show("tiny");
  EXPECT_EQ(details.card.family, "llama");
  EXPECT_EQ(details.card.quantization, "F32");
  EXPECT_EQ(details.info.at("llama.context_length").to_number<int64_t>(), 128);
  EXPECT_EQ(details.info.at("llama.embedding_length").to_number<int64_t>(), 32);
  EXPECT_TRUE(details.info.contains("tokenizer.ggml.tokens"));
  EXPECT_EQ(library_.list().at(0).name, "tiny:latest");
}

TEST_F(LibraryTest, CreatesCopiesAndRemoves) {
  models::Modelfile modelfile;
  modelfile.from = "tiny";
  modelfile.overrides.system = "Be brief.";
  modelfile.overrides.parameters.emplace("temperature", "0.5");
  const auto outcome = create("brief", modelfile);
  ASSERT_TRUE(outcome.manifest) << outcome.error->message();
  EXPECT_EQ(library_.show("brief").manifest.overrides.system, "Be brief.");
  library_.copy("brief", "again");
  library_.remove("brief");
  EXPECT_EQ(library_.list().size(), 2u);
  EXPECT_THROW(library_.show("brief"), Error);
  EXPECT_THROW(library_.remove("brief"), Error);
}

TEST_F(LibraryTest, NoRequestNamesAFileOfThisMachine) {
  models::Modelfile modelfile;
  for (const auto* name : {"file:/etc/passwd", "file:x", "file:///m.gguf", "model.gguf",
                           "./tiny.gguf", "/tmp/m.gguf", "/tmp/m", "../../etc/passwd", "~/m"}) {
    EXPECT_EQ(refusal_of_pull(name), Code::permission_denied) << name;
    modelfile.from = name;
    EXPECT_EQ(strata::testing::error_of([&] { create("x", modelfile); }).code(),
              Code::permission_denied)
        << name;
  }
  EXPECT_EQ(refusal_of_pull(""), Code::invalid_argument);
}

TEST_F(LibraryTest, AnAddressIsNeverReadAsAPath) {
  const auto file = folder_.path() / "x.gguf";
  overwrite(file, "GGUF of somebody else");
  models::Modelfile modelfile;
  const std::string climbing = "/../../../../../../../../../.." + file.string();
  for (const std::string& from :
       {"https:" + climbing, "https:" + file.string(), "hf:" + climbing, "pypi:a==1#" + climbing,
        std::string("https://h.example/x.gguf")}) {
    modelfile.from = from;
    const auto outcome = create("x", modelfile);
    ASSERT_TRUE(outcome.error) << from;
    EXPECT_EQ(outcome.error->message().find("there is no file"), std::string::npos)
        << outcome.error->message();
  }
  EXPECT_EQ(library_.list().size(), 1u);
}

TEST_F(LibraryTest, BadRecipesAreRefusedAtOnce) {
  models::Modelfile modelfile;
  modelfile.from = "tiny";
  modelfile.overrides.parameters.emplace("no_such_thing", "1");
  EXPECT_THROW(create("x", modelfile), Error);
  modelfile.overrides.parameters.clear();
  modelfile.overrides.chat_template = "{{ .Prompt }}";
  EXPECT_THROW(create("x", modelfile), Error);
  modelfile.overrides.chat_template = "{% if %}";
  EXPECT_THROW(create("x", modelfile), Error);
}

TEST_F(LibraryTest, WhatCannotBeFetchedIsToldToTheEnd) {
  models::Modelfile modelfile;
  modelfile.from = "no-such-model";
  const auto outcome = create("x", modelfile);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), Code::not_found);
}

TEST_F(LibraryTest, AStopEndsEveryWaitForTheStoresLock) {
  const auto held =
      FileLock::attempt(library_.store().lock_path("store"), FileLock::Kind::exclusive);
  ASSERT_TRUE(held);
  models::Modelfile modelfile;
  modelfile.from = "tiny";
  std::promise<Code> created;
  const auto job =
      library_.create("x", modelfile, nullptr, {}, [&](const auto*, const Error* error) {
        created.set_value(error == nullptr ? Code::internal : error->code());
      });
  auto copied = std::async(std::launch::async, [&] {
    return strata::testing::error_of([&] { library_.copy("tiny", "again"); }).code();
  });
  library_.stop();
  EXPECT_EQ(created.get_future().get(), Code::unavailable);
  EXPECT_EQ(copied.get(), Code::unavailable);
  EXPECT_EQ(refusal_of_pull("tiny"), Code::unavailable);
}

TEST_F(LibraryTest, AJobThatNobodyWantsAnyMoreStopsWaitingForTheStoresLock) {
  const auto held =
      FileLock::attempt(library_.store().lock_path("store"), FileLock::Kind::exclusive);
  ASSERT_TRUE(held);
  models::Modelfile modelfile;
  modelfile.from = "tiny";
  std::promise<Code> created;
  library_
      .create("x", modelfile, nullptr, {},
              [&](const auto*, const Error* error) {
                created.set_value(error == nullptr ? Code::internal : error->code());
              })
      .reset();
  EXPECT_EQ(created.get_future().get(), Code::cancelled);
}

TEST_F(LibraryTest, AServerStopsWhileARequestWaitsForTheStoresLock) {
  testing::Running running(default_script(), {}, nullptr, &library_);
  const auto held =
      FileLock::attempt(library_.store().lock_path("store"), FileLock::Kind::exclusive);
  ASSERT_TRUE(held);
  testing::Client client(running.port());
  client.send(
      testing::request_text("POST", "/api/copy", R"({"source":"tiny","destination":"again"})"));
  EXPECT_EQ(testing::fetch(running.port(), "GET", "/health").status, 200);
  running.server->stop();
  EXPECT_FALSE(library_.store().try_find("again"));
}

TEST_F(LibraryTest, ADamagedModelHidesNoOther) {
  const auto held = library_.store().hold();
  models::Manifest manifest;
  manifest.name = "broken:latest";
  manifest.model = {library_.store().put_blob("no model at all, but a text of some length")};
  library_.store().put_manifest(manifest);
  const auto cards = library_.list();
  ASSERT_EQ(cards.size(), 2u);
  EXPECT_EQ(cards[0].family, "");
  EXPECT_EQ(cards[1].family, "llama");
  try {
    library_.show("broken");
    ADD_FAILURE() << "a damaged file was shown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::data_loss);
    EXPECT_EQ(error.message().find(folder_.path().string()), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("broken:latest cannot be opened"), std::string::npos);
  }
}

TEST_F(LibraryTest, ADamagedFileIsReadAgainOnlyWhenItWasWrittenAgain) {
  const auto blob = library_.store().model_path(library_.store().find("tiny"));
  const auto written = std::filesystem::last_write_time(blob);
  std::filesystem::permissions(blob, std::filesystem::perms::owner_all);
  const std::string whole = read_all(blob);
  overwrite(blob, std::string(whole.size(), 'x'));
  std::filesystem::last_write_time(blob, written);
  EXPECT_EQ(library_.list().at(0).family, "");
  overwrite(blob, whole);
  std::filesystem::last_write_time(blob, written);
  EXPECT_EQ(library_.list().at(0).family, "") << "it was opened again for every list";
  std::filesystem::last_write_time(blob, written + std::chrono::seconds(1));
  EXPECT_EQ(library_.list().at(0).family, "llama");
}

}  // namespace
}  // namespace strata::api
