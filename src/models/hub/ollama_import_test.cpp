#include "models/hub/ollama_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/testing.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;

class OllamaImport : public ::testing::Test {
 protected:
  json::object layer(const std::string& kind, const std::string& content) {
    const std::string hash = sha256_hex(content);
    write_file_atomic(ollama / "blobs" / ("sha256-" + hash), content);
    return {{"mediaType", "application/vnd.ollama.image." + kind},
            {"digest", "sha256:" + hash},
            {"size", content.size()}};
  }
  void manifest(const std::string& path, json::array layers) {
    write_file_atomic(ollama / "manifests" / path,
                      to_json(json::object{{"schemaVersion", 2}, {"layers", std::move(layers)}}));
  }
  TempFolder folder;
  fs::path ollama = folder.path() / "ollama";
  Store store{folder.path() / "store"};
};

TEST_F(OllamaImport, a_model_comes_with_its_settings_and_shares_its_file) {
  const std::string tiny = testing::named_model("tiny");
  manifest(
      "registry.ollama.ai/library/tiny/1b",
      {layer("model", tiny), layer("template", "{{ .Prompt }}"),
       layer("params",
             R"({"stop":["<a>","<b>"],"temperature":0.5,"num_gpu":3,"top_p":7,"top_k":[1,2]})"),
       layer("system", "Be kind."), layer("license", "MIT"),
       layer("messages", R"([{"role":"user","content":"hi"}])")});
  const auto listed = list_ollama(ollama);
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].name, "tiny:1b");
  EXPECT_EQ(listed[0].unusable, "");
  const auto [taken, left_out] = import_ollama(store, ollama, "tiny:1b");
  EXPECT_THAT(left_out, ::testing::ElementsAre(::testing::HasSubstr("Go's language"),
                                               ::testing::HasSubstr("num_gpu 3"),
                                               ::testing::HasSubstr("top_p 7"),
                                               ::testing::HasSubstr("top_k 2")));
  EXPECT_EQ(taken.name, "tiny:1b");
  EXPECT_FALSE(taken.overrides.chat_template);
  EXPECT_EQ(taken.overrides.parameters,
            (std::multimap<std::string, std::string>{
                {"stop", "<a>"}, {"stop", "<b>"}, {"temperature", "0.5"}, {"top_k", "1"}}));
  EXPECT_EQ(taken.overrides.system, "Be kind.");
  EXPECT_EQ(taken.licence, "MIT");
  EXPECT_EQ(taken.overrides.messages.at(0).content, "hi");
  const fs::path theirs = ollama / "blobs" / ("sha256-" + taken.model[0].sha256);
  EXPECT_EQ(fs::hard_link_count(theirs), 2u);
  store.remove("tiny:1b");
  EXPECT_EQ(read_file(theirs), tiny) << "theirs stays";
}

TEST_F(OllamaImport, names_are_shown_as_ollama_shows_them) {
  manifest("registry.ollama.ai/me/x/v1", {layer("model", testing::named_model("1"))});
  manifest("registry.ollama.ai/library/y/latest", {layer("model", testing::named_model("2"))});
  const auto listed = list_ollama(ollama);
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].name, "me/x:v1");
  EXPECT_EQ(import_ollama(store, ollama, "y", "z:new").manifest.name, "z:new");
  EXPECT_EQ(error_of([&] { import_ollama(store, ollama, "absent"); }).code(), Code::not_found);
}

TEST_F(OllamaImport, what_cannot_be_read_gets_no_name_and_stays_nowhere) {
  const std::string whole = testing::named_model("whole");
  manifest("registry.ollama.ai/library/page/x", {layer("model", "<html>no model</html>")});
  manifest("registry.ollama.ai/library/cut/x",
           {layer("model", whole.substr(0, whole.size() / 2)), layer("system", "Be kind.")});
  for (const std::string name : {"page:x", "cut:x"}) {
    const Error error = error_of([&] { import_ollama(store, ollama, name); });
    EXPECT_EQ(error.code(), Code::invalid_argument) << name;
    EXPECT_THAT(error.message(), ::testing::StartsWith(fmt::format("'{}' is no model", name)));
    EXPECT_FALSE(store.try_find(name));
  }
  EXPECT_EQ(store.collect().blobs, 0u) << "nothing is left to be collected";
}

TEST_F(OllamaImport, hostile_and_damaged_models_are_named_not_taken) {
  manifest("registry.ollama.ai/library/traversal/x",
           {json::object{{"mediaType", "application/vnd.ollama.image.model"},
                         {"digest", "sha256:../../../etc/passwd"},
                         {"size", 1}}});
  manifest("registry.ollama.ai/library/adapter/x",
           {layer("model", "GGUF a"), layer("adapter", "b")});
  manifest("registry.ollama.ai/library/none/x", {layer("system", "a")});
  json::object wrong = layer("model", "GGUF changed later");
  write_file_atomic(ollama / "blobs" / ("sha256-" + sha256_hex("GGUF changed later")),
                    "GGUF changed LATER");
  manifest("registry.ollama.ai/library/wrong/x", {wrong});
  write_file_atomic(ollama / "manifests/registry.ollama.ai/library/text/x", "not json");
  for (const auto& model : list_ollama(ollama)) {
    if (model.name != "wrong:x") {
      EXPECT_NE(model.unusable, "") << model.name;
    }
    error_of([&] { import_ollama(store, ollama, model.name); });
  }
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(list_ollama(folder.path() / "absent").size(), 0u);
}

}  // namespace
}  // namespace strata::models
