// The models of a store over Ollama's interface, with the engine itself on a tiny model.
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "api/dialect/ollama/ollama.h"
#include "api/dialect/ollama/testing/lines.h"
#include "api/gateway/local.h"
#include "api/library.h"
#include "api/server.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/os.h"
#include "core/recent_log.h"
#include "core/testing/temp_folder.h"
#include "core/version.h"
#include "models/hub/testing_registry.h"
#include "models/testing/formula_model.h"

namespace strata::api {
namespace {

using testing::fetch;
using testing::lines_of;
using testing::Reply;

class OllamaModels : public ::testing::Test {
 protected:
  explicit OllamaModels(NetPolicy policy = {.offline = true,
                                            .allow_private = false,
                                            .private_hosts = {}})
      : library_(folder_.path(), std::move(policy)) {
    put("tiny", "{{ messages[0].content }}");
    put("base", "");
    gateway_.add(make_local_backend({.store = folder_.path(), .n_threads = 1, .float32 = true}));
    server_ = std::make_unique<Server>(Services{.gateway = &gateway_,
                                                .library = &library_,
                                                .metrics = &metrics_,
                                                .now_ms = [] { return testing::kNowMs; }},
                                       nullptr);
    ServerOptions options;
    options.port = 0;
    server_->start(options);
  }

  void put(const std::string& name, const std::string& chat_template) {
    auto builder = models::tiny_llama();
    if (!chat_template.empty()) builder.set_text("tokenizer.chat_template", chat_template);
    put(name, builder);
  }

  void put(const std::string& name, const models::GgufBuilder& builder) {
    const auto bytes = builder.build();
    const auto held = library_.store().hold();
    models::Manifest manifest;
    manifest.name = models::parse_model_name(name).full();
    manifest.model = {
        library_.store().put_blob({reinterpret_cast<const char*>(bytes.data()), bytes.size()})};
    library_.store().put_manifest(manifest);
  }

  Reply call(std::string_view method, std::string_view path, const std::string& body = {}) {
    return fetch(server_->port(), method, path, body);
  }
  json::object ask(std::string_view method, std::string_view path, const std::string& body = {}) {
    const Reply reply = call(method, path, body);
    EXPECT_EQ(reply.status, 200) << path << " " << body << " " << reply.body;
    return parse_json(reply.body).as_object();
  }
  // What was answered may still hold its model for a moment.
  void wait_until_none_is_loaded() {
    while (!names("/api/ps").empty()) std::this_thread::yield();
  }
  std::vector<std::string> names(std::string_view path) {
    std::vector<std::string> out;
    const json::object body = ask("GET", path);
    for (const auto& row : body.at("models").as_array()) {
      out.emplace_back(row.at("name").as_string());
    }
    return out;
  }

  strata::testing::TempFolder folder_;
  ModelLibrary library_;
  Metrics metrics_;
  Gateway gateway_;
  std::unique_ptr<Server> server_;
};

class OllamaPushes : public OllamaModels {
 protected:
  OllamaPushes() : OllamaModels({.offline = false, .allow_private = true, .private_hosts = {}}) {}
};

TEST_F(OllamaModels, SaysWhoItIs) {
  const auto said = ask("GET", "/api/version");
  EXPECT_EQ(said.at("strata"), json::string(version()));
  EXPECT_TRUE(said.contains("version"));
  EXPECT_EQ(call("GET", "/").body, "Strata is running");
  EXPECT_EQ(call("HEAD", "/").status, 200);
}

TEST_F(OllamaModels, TagsTellWhatTheFilesSay) {
  EXPECT_EQ(names("/api/tags"), (std::vector<std::string>{"base:latest", "tiny:latest"}));
  const auto row = ask("GET", "/api/tags").at("models").at(1);
  EXPECT_EQ(row.at("model"), "tiny:latest");
  EXPECT_EQ(row.at("details").at("family"), "llama");
  EXPECT_EQ(row.at("details").at("quantization_level"), "F32");
  EXPECT_EQ(row.at("digest").as_string().size(), 64u);
  EXPECT_GT(row.at("size").as_int64(), 1000);
  EXPECT_EQ(row.at("strata").at("kind"), "chat");  // it has a template
  EXPECT_EQ(ask("GET", "/api/tags").at("models").at(0).at("strata").at("kind"), "");
}

TEST_F(OllamaModels, ShowTellsEverythingWhenAsked) {
  const auto shown = ask("POST", "/api/show", R"({"model":"tiny"})");
  EXPECT_EQ(shown.at("template"), "{{ messages[0].content }}");
  EXPECT_EQ(shown.at("model_info").at("llama.block_count"), 2);
  EXPECT_GT(shown.at("model_info").at("general.parameter_count").as_int64(), 0);
  EXPECT_TRUE(shown.at("modelfile").as_string().starts_with("FROM "));
  EXPECT_FALSE(shown.contains("tensors"));
  const auto verbose = ask("POST", "/api/show", R"({"name":"tiny:latest","verbose":true})");
  EXPECT_EQ(verbose.at("tensors").at(0).at("type"), "F32");
  EXPECT_EQ(verbose.at("model_info").at("tokenizer.ggml.tokens").as_array().size(), 48u);
  const Reply none = call("POST", "/api/show", R"({"model":"tinny"})");
  EXPECT_EQ(none.status, 404);
  EXPECT_NE(none.body.find("tiny"), std::string::npos) << none.body;
}

TEST_F(OllamaModels, ShowTellsWhatAModelCanBeAskedFor) {
  const auto capabilities = [&](const std::string& name) {
    return ask("POST", "/api/show", fmt::format(R"({{"model":"{}"}})", name)).at("capabilities");
  };
  EXPECT_EQ(capabilities("base"), json::array{"completion"});
  EXPECT_EQ(capabilities("tiny"), (json::array{"completion", "tools"})) << "told of them in words";
  put("calls", "{{ tools }}<tool_call>\n{\"name\": <function-name>}\n</tool_call>");
  EXPECT_EQ(capabilities("calls"), (json::array{"completion", "tools"}));
  put("own-way", "{{ tools }} in a way that nobody knows");
  EXPECT_EQ(capabilities("own-way"), json::array{"completion"}) << "its calls would stay text";
  put("thinks", "{{ messages[0].content }}<think></think>");
  EXPECT_EQ(capabilities("thinks"), (json::array{"completion", "tools", "thinking"}));
  put("channels", "{{ tools }}<|channel|>analysis<|message|>");
  EXPECT_EQ(capabilities("channels"), (json::array{"completion", "tools", "thinking"}));
  auto builder = models::tiny_llama();
  builder.set_u32("tokenizer.ggml.prefix_token_id", 40);
  builder.set_u32("tokenizer.ggml.suffix_token_id", 41);
  put("half", builder);
  EXPECT_EQ(capabilities("half"), json::array{"completion"});
  builder.set_u32("tokenizer.ggml.middle_token_id", 42);
  put("fills", builder);
  EXPECT_EQ(capabilities("fills"), (json::array{"completion", "insert"}));
}

TEST_F(OllamaModels, ShowTellsAThinkingThatOnlyTheVocabularyKnows) {
  auto builder = models::tiny_llama();
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>", "<think>", "</think>"};
  while (tokens.size() < 48) tokens.push_back(fmt::format("t{}", tokens.size()));
  builder.set_texts("tokenizer.ggml.tokens", tokens);
  builder.set_text("tokenizer.chat_template", "{{ messages[0].content }}");
  put("thinks", builder);
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(ask("POST", "/api/show", R"({"model":"thinks"})").at("capabilities"),
              (json::array{"completion", "tools", "thinking"}));
  }
}

TEST_F(OllamaModels, AFileThatCannotBeOpenedIsOpenedAndToldOfOnce) {
  auto builder = models::tiny_llama();
  builder.set_text("tokenizer.ggml.model", "no such kind");
  put("strange", builder);
  const auto manifest = library_.store().find("strange");
  ollama::Vocabularies vocabularies;
  keep_recent_log(LogLevel::warn);
  for (int times = 0; times < 3; ++times) {
    const auto facts = vocabularies.of(library_.store(), manifest);
    EXPECT_FALSE(facts.thinks || facts.fills_in);
  }
  const auto lines = recent_log(kRecentLogLines);
  keep_recent_log(LogLevel::off);
  EXPECT_EQ(std::ranges::count_if(
                lines, [](const auto& line) { return line.text.starts_with("strange:latest: "); }),
            1);
}

TEST_F(OllamaModels, ShowTellsSettingsAndLicenceThatOnlyTheFileSays) {
  auto builder = models::tiny_llama();
  builder.set_f32("general.sampling.temp", 0.25f);
  builder.set_u32("general.sampling.top_k", 7);
  builder.set_text("general.license", "MIT");
  put("own", builder);
  const auto shown = ask("POST", "/api/show", R"({"model":"own"})");
  EXPECT_EQ(shown.at("license"), "MIT");
  EXPECT_EQ(shown.at("parameters"),
            "temperature                    0.25\ntop_k                          7");
  ask("POST", "/api/create",
      R"({"model":"set","from":"own","license":"BSD","parameters":{"top_k":3},"stream":false})");
  const auto over = ask("POST", "/api/show", R"({"model":"set"})");
  EXPECT_EQ(over.at("license"), "BSD");
  EXPECT_EQ(over.at("parameters"),
            "temperature                    0.25\ntop_k                          3");
}

TEST_F(OllamaModels, LoadsShowsAndUnloads) {
  EXPECT_TRUE(names("/api/ps").empty());
  const auto loaded =
      ask("POST", "/api/generate", R"({"model":"tiny","stream":false,"keep_alive":-1})");
  EXPECT_EQ(loaded.at("done_reason"), "load");
  EXPECT_GT(loaded.at("load_duration").as_int64(), 0);
  const auto row = ask("GET", "/api/ps").at("models").at(0);
  EXPECT_EQ(row.at("name"), "tiny:latest");
  EXPECT_EQ(row.at("context_length"), 128);
  EXPECT_EQ(row.at("size_vram"), 0);
  EXPECT_EQ(row.at("details").at("family"), "llama");
  EXPECT_TRUE(row.at("strata").at("idle_until_ms").is_null());
  EXPECT_TRUE(row.at("expires_at").as_string().starts_with("2123-")) << row.at("expires_at");
  ask("POST", "/api/generate", R"({"model":"tiny","keep_alive":0})");
  wait_until_none_is_loaded();
}

TEST_F(OllamaModels, AnswersAndKeepsToATemplateOfTheRequest) {
  const std::string head = R"({"model":"tiny","prompt":"abc","stream":false,)"
                           R"("options":{"temperature":0,"num_predict":4})";
  const auto own = ask("POST", "/api/generate", head + "}");
  EXPECT_EQ(own.at("eval_count"), 4);
  EXPECT_EQ(own.at("done_reason"), "length");
  const auto other =
      ask("POST", "/api/generate", head + R"(,"template":"{{ messages[0].content * 3 }}"})");
  EXPECT_GT(other.at("prompt_eval_count").as_int64(), own.at("prompt_eval_count").as_int64());
}

TEST_F(OllamaModels, ABaseModelContinuesAPromptButRefusesAConversation) {
  const auto continued = ask("POST", "/api/generate",
                             R"({"model":"base","prompt":"abc","stream":false,)"
                             R"("options":{"num_predict":2,"temperature":0}})");
  EXPECT_EQ(continued.at("eval_count"), 2);
  EXPECT_EQ(
      call("POST", "/api/chat", R"({"model":"base","messages":[{"role":"user","content":"abc"}]})")
          .status,
      400);
  EXPECT_EQ(call("POST", "/api/generate", R"({"model":"base","prompt":"abc","system":"s"})").status,
            400);
}

TEST_F(OllamaModels, ABaseModelsOwnSystemNeedsATemplateAndSaysSo) {
  const Reply made = call("POST", "/api/create",
                          R"({"model":"told","from":"base","system":"Be brief.","stream":false})");
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string head = R"({"model":"told","prompt":"abc","options":{"num_predict":2},)";
  const Reply refused = call("POST", "/api/generate", head + R"("stream":false})");
  EXPECT_EQ(refused.status, 400) << refused.body;
  EXPECT_NE(refused.body.find("TEMPLATE"), std::string::npos) << refused.body;
  EXPECT_EQ(call("POST", "/api/generate", head + R"("raw":true})").status, 200);
  EXPECT_EQ(
      call("POST", "/api/generate", head + R"("template":"{{ messages[0].content }}"})").status,
      200);
}

TEST_F(OllamaModels, AShortNameOfTheCatalogueIsShownAsItIsAsked) {
  put("smollm2:135m", "{{ messages[0].content }}");
  for (const char* name : {"smollm2", "smollm2:latest", "smollm2:135m"}) {
    const auto shown = ask("POST", "/api/show", fmt::format(R"({{"model":"{}"}})", name));
    EXPECT_EQ(shown.at("details").at("family"), "llama") << name;
    EXPECT_EQ(ask("GET", fmt::format("/v1/models/{}", name)).at("id"), "smollm2:135m") << name;
    ask("POST", "/api/generate",
        fmt::format(
            R"({{"model":"{}","prompt":"abc","options":{{"num_predict":1}},"stream":false}})",
            name));
  }
  put("smollm2", "{{ messages[0].content }}");
  EXPECT_EQ(ask("GET", "/v1/models/smollm2").at("id"), "smollm2:latest") << "one of that name";
}

TEST_F(OllamaModels, CopiesAndDeletes) {
  EXPECT_EQ(call("POST", "/api/copy", R"({"source":"tiny","destination":"mine:v1"})").status, 200);
  EXPECT_EQ(names("/api/tags").size(), 3u);
  EXPECT_EQ(call("DELETE", "/api/delete", R"({"model":"mine:v1"})").status, 200);
  EXPECT_EQ(names("/api/tags").size(), 2u);
  EXPECT_EQ(call("DELETE", "/api/delete", R"({"model":"mine:v1"})").status, 404);
  EXPECT_EQ(call("POST", "/api/copy", R"({"source":"gone","destination":"x"})").status, 404);
}

TEST_F(OllamaModels, CaseDoesNotCountInNames) {
  put("Mine:Q4", "{{ messages[0].content }}");
  EXPECT_EQ(ask("POST", "/api/show", R"({"model":"mine:q4"})").at("strata").at("name"), "Mine:Q4");
  EXPECT_EQ(ask("POST", "/api/show", R"({"model":"TINY"})").at("strata").at("name"), "tiny:latest");
  const auto answered = ask("POST", "/api/generate",
                            R"({"model":"TINY","prompt":"abc","stream":false,)"
                            R"("options":{"num_predict":1}})");
  EXPECT_EQ(answered.at("model"), "TINY") << "as it was asked";
  ask("POST", "/api/generate", R"({"model":"Tiny","keep_alive":0})");
  wait_until_none_is_loaded();
  const std::vector<std::string> before = names("/api/tags");
  ask("POST", "/api/create", R"({"model":"MINE:q4","from":"Tiny","system":"s","stream":false})");
  EXPECT_EQ(call("POST", "/api/copy", R"({"source":"Tiny","destination":"BASE"})").status, 200);
  ask("POST", "/api/pull", R"({"model":"TINY","stream":false})");
  EXPECT_EQ(names("/api/tags"), before);
  EXPECT_EQ(ask("POST", "/api/show", R"({"model":"Mine:Q4"})").at("system"), "s");
  EXPECT_EQ(call("DELETE", "/api/delete", R"({"model":"mine:q4"})").status, 200);
  EXPECT_EQ(names("/api/tags"), (std::vector<std::string>{"base:latest", "tiny:latest"}));
}

TEST_F(OllamaModels, ACopyThatWaitsForTheStoreHoldsUpNobodyElse) {
  const models::Store& store = library_.store();
  auto lock = FileLock::attempt(store.lock_path("store"), FileLock::Kind::exclusive);
  ASSERT_TRUE(lock);
  std::vector<std::unique_ptr<testing::Client>> copies;
  for (const char* name : {"one", "two"}) {  // as many as threads that wait
    copies.push_back(std::make_unique<testing::Client>(server_->port()));
    copies.back()->send(testing::request_text(
        "POST", "/api/copy", fmt::format(R"({{"source":"tiny","destination":"{}"}})", name)));
  }
  for (int times = 0; times < 3; ++times) {
    EXPECT_EQ(call("GET", "/health").status, 200);
    EXPECT_EQ(call("GET", "/metrics").status, 200);
    EXPECT_EQ(call("POST", "/api/generate",
                   R"({"model":"tiny","prompt":"abc","options":{"num_predict":1}})")
                  .status,
              200);
  }
  EXPECT_FALSE(store.try_find("one"));
  lock.reset();
  for (const auto& client : copies) EXPECT_EQ(client->read_reply().status, 200);
  EXPECT_TRUE(store.try_find("two"));
}

TEST_F(OllamaModels, ShowOfASpoiltFileAnswersAsChatDoes) {
  const auto blob = library_.store().model_path(library_.store().find("tiny"));
  std::filesystem::permissions(blob, std::filesystem::perms::owner_all);
  const auto size = std::filesystem::file_size(blob);
  std::ofstream(blob, std::ios::trunc) << std::string(size, 'x');
  for (const auto& [path, body] :
       {std::pair("/api/show", R"({"model":"tiny"})"),
        std::pair("/api/generate", R"({"model":"tiny","prompt":"x"})")}) {
    const Reply reply = call("POST", path, body);
    EXPECT_EQ(reply.status, 500) << reply.body;
    EXPECT_NE(reply.body.find("tiny:latest cannot be opened"), std::string::npos) << reply.body;
    EXPECT_EQ(reply.body.find(folder_.path().string()), std::string::npos) << reply.body;
  }
}

TEST_F(OllamaModels, CreatesFromWhatIsThere) {
  const Reply reply =
      call("POST", "/api/create",
           R"({"model":"brief","from":"tiny","system":"Be brief.","license":["MIT"],)"
           R"("parameters":{"temperature":0.5,"stop":["a","b"]},)"
           R"("messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("content-type"), "application/x-ndjson");
  EXPECT_EQ(lines_of(reply.body).back().at("status"), "success") << reply.body;
  const auto shown = ask("POST", "/api/show", R"({"model":"brief"})");
  EXPECT_EQ(shown.at("system"), "Be brief.");
  EXPECT_EQ(shown.at("license"), "MIT");
  EXPECT_EQ(shown.at("messages").at(1).at("content"), "y");
  EXPECT_EQ(shown.at("details").at("parent_model"), "tiny:latest");
  const std::string parameters(shown.at("parameters").as_string());
  EXPECT_NE(parameters.find("temperature                    0.5"), std::string::npos) << parameters;
  EXPECT_NE(parameters.find("stop                           \"a\"\n"), std::string::npos);
}

TEST_F(OllamaModels, CreateQuantisesByOllamasNamesAndReplacesOnlyByWhatIsWhole) {
  const Reply made = call("POST", "/api/create",
                          R"({"model":"small","from":"tiny","system":"Be brief.",)"
                          R"("parameters":{"top_k":3},"quantize":"q8_0"})");
  ASSERT_EQ(made.status, 200) << made.body;
  std::vector<std::string> seen;
  for (const auto& line : lines_of(made.body)) {
    const std::string status(line.at("status").as_string());
    if (seen.empty() || seen.back() != status) seen.push_back(status);
    if (status.starts_with("quantizing")) {
      EXPECT_GT(line.at("total").to_number<int64_t>(), 0) << made.body;
    }
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"quantizing model to Q8_0", "verifying sha256 digest",
                                            "writing manifest", "success"}));
  const auto shown = ask("POST", "/api/show", R"({"model":"small"})");
  EXPECT_EQ(shown.at("details").at("quantization_level"), "Q8_0");
  EXPECT_EQ(shown.at("details").at("parent_model"), "tiny:latest");
  EXPECT_EQ(shown.at("system"), "Be brief.");
  EXPECT_EQ(shown.at("parameters"), "top_k                          3");
  EXPECT_EQ(ask("POST", "/api/generate",
                R"({"model":"small","prompt":"abc","stream":false,"options":{"num_predict":2}})")
                .at("eval_count"),
            2);
  const std::string head = R"({"model":"small","stream":false,"quantize":)";
  const Reply twice = call("POST", "/api/create", head + R"("Q4_k_m","from":"small"})");
  EXPECT_EQ(twice.status, 400) << twice.body;
  EXPECT_NE(twice.body.find("quantised already"), std::string::npos) << twice.body;
  EXPECT_EQ(ask("POST", "/api/show", R"({"model":"small"})").at("details"), shown.at("details"));
  ask("POST", "/api/create", head + R"("Q4_k_m","from":"tiny"})");
  const auto replaced = ask("POST", "/api/show", R"({"model":"small"})");
  EXPECT_EQ(replaced.at("details").at("quantization_level"), "Q4_K_M");
  EXPECT_EQ(names("/api/tags"),
            (std::vector<std::string>{"base:latest", "small:latest", "tiny:latest"}));
  ask("POST", "/api/create",
      R"({"model":"older","from":"tiny","stream":false,"quantization":"Q4_K_M"})");
  EXPECT_EQ(ask("POST", "/api/show", R"({"model":"older"})").at("details").at("quantization_level"),
            "Q4_K_M");
  ask("POST", "/api/create", R"({"model":"as-it-is","from":"tiny","stream":false,"quantize":""})");
  EXPECT_EQ(
      ask("POST", "/api/show", R"({"model":"as-it-is"})").at("details").at("quantization_level"),
      "F32");
}

TEST_F(OllamaModels, ARefusedTypeNamesTheFieldAndWhatThereIs) {
  const Reply reply =
      call("POST", "/api/create", R"({"model":"x","from":"tiny","quantize":"q4_k_n"})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body.find(R"({"error":"quantize)"), 0u) << reply.body;
  EXPECT_NE(reply.body.find("Q4_K_M"), std::string::npos) << reply.body;
  EXPECT_EQ(names("/api/tags").size(), 2u);
}

TEST_F(OllamaModels, ACreateNamesTheParametersThatHaveNoEffect) {
  for (const char* stream : {"true", "false"}) {
    const Reply reply = call("POST", "/api/create",
                             fmt::format(R"({{"model":"set","from":"tiny","stream":{},)"
                                         R"("parameters":{{"num_gpu":1,"top_k":3}}}})",
                                         stream));
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.headers.at("x-strata-ignored"), "num_gpu");
  }
}

TEST_F(OllamaModels, RefusesRecipesThatItCannotFollow) {
  const std::string head = R"({"model":"x","from":"tiny","stream":false,)";
  for (const char* field :
       {R"("files":{"m.gguf":"sha256:0"})", R"("adapters":{"a":"sha256:0"})",
        R"("quantize":"q4_9")", R"("quantize":8)", R"("template":"{{ .Prompt }}")",
        R"("modelfile":"FROM tiny")", R"("parameters":{"no_such":1})",
        R"("parameters":{"stop":{}})", R"("renderer":"r")",
        R"("messages":[{"role":"assistant","content":"x","thinking":"t"}])",
        R"("messages":[{"role":"tool","content":"x","tool_name":"f"}])",
        R"("messages":[{"role":"tool","content":"x","tool_call_id":"1"}])",
        R"("messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}])"}) {
    EXPECT_EQ(call("POST", "/api/create", head + field + "}").status, 400) << field;
  }
  EXPECT_EQ(call("POST", "/api/create", R"({"model":"x"})").status, 400);
  EXPECT_EQ(call("POST", "/api/create", R"({"model":"x","from":"/etc/passwd.gguf"})").status, 403);
}

// As Ollama's client in Go writes them: what is not given is there, empty.
TEST_F(OllamaModels, EmptyFieldsAreNotGiven) {
  const std::pair<std::string, std::string> bodies[]{
      {"/api/show", R"({"model":"tiny","system":"","template":"","verbose":false,"options":null,)"
                    R"("name":""})"},
      {"/api/show", R"({"model":"","system":"","template":"","options":{},"name":"tiny"})"},
      {"/api/pull", R"({"model":"tiny","username":"","password":"","stream":false,"name":""})"},
      {"/api/create", R"({"model":"made","stream":false,"from":"tiny","name":""})"},
      {"/api/create", R"({"name":"made","path":"","modelfile":"","quantize":null,"model":"",)"
                      R"("quantization":"","from":"tiny","stream":false,"files":null})"},
      {"/api/generate", R"({"model":"tiny","prompt":"","suffix":"","system":"","template":"",)"
                        R"("options":null,"stream":false,"name":""})"},
      {"/api/embed", R"({"model":"tiny","input":null,"options":null,"name":""})"},
      {"/api/chat", R"({"model":"tiny","messages":[],"prompt":"","system":"","template":"",)"
                    R"("suffix":"","context":[],"images":[],"raw":false,"keep_alive":"",)"
                    R"("stream":false})"},
      {"/api/pull", R"({"model":"tiny","username":0,"password":0,"stream":false})"},
      {"/api/create", R"({"model":"made","modelfile":false,"from":"tiny","stream":false})"},
  };
  for (const auto& [path, body] : bodies) {
    const Reply reply = call("POST", path, body);
    EXPECT_EQ(reply.status, 200) << path << " " << body << " " << reply.body;
  }
  EXPECT_EQ(call("DELETE", "/api/delete", R"({"model":"made","name":""})").status, 200);
  EXPECT_EQ(call("POST", "/api/copy", R"({"source":"tiny","destination":""})").status, 400);
}

TEST_F(OllamaModels, WhatIsNotEmptyAndNotSupportedIsRefused) {
  const std::pair<std::string, std::string> fields[]{
      {"/api/show", R"("system":"s")"},
      {"/api/show", R"("template":"t")"},
      {"/api/show", R"("template":1)"},
      {"/api/chat", R"("messages":[],"template":"t")"},
      {"/api/chat", R"("messages":[],"raw":true)"},
      {"/api/show", R"("options":{"a":1})"},
      {"/api/show", R"("name":"base")"},
      {"/api/pull", R"("username":"me")"},
      {"/api/pull", R"("password":"x")"},
      {"/api/push", R"("username":"me")"},
      {"/api/push", R"("password":"x")"},
      {"/api/create", R"("from":"tiny","path":"/x")"},
      {"/api/create", R"("from":"tiny","quantize":"q8_0","quantization":"q4_0")"},
  };
  for (const auto& [path, field] : fields) {
    const Reply reply = call("POST", path, R"({"model":"tiny",)" + field + "}");
    EXPECT_EQ(reply.status, 400) << path << " " << field << " " << reply.body;
  }
  EXPECT_EQ(call("POST", "/api/show", R"({"model":"","name":""})").status, 400);
}

TEST_F(OllamaModels, PullsWhatIsThereAndSaysWhatIsNot) {
  const auto lines = lines_of(call("POST", "/api/pull", R"({"model":"tiny"})").body);
  EXPECT_EQ(lines.back().at("status"), "success");
  EXPECT_EQ(ask("POST", "/api/pull", R"({"model":"tiny","stream":false})").at("status"), "success");
  const Reply none = call("POST", "/api/pull", R"({"model":"no-such","stream":false})");
  EXPECT_EQ(none.status, 404) << none.body;
  EXPECT_EQ(call("POST", "/api/pull", R"({"model":"tiny","insecure":true})").status, 400);
}

TEST_F(OllamaPushes, GoToTheRegistryThatIsNamedAndToNoOther) {
  models::testing::Registry registry;
  const strata::testing::ScopedEnvironment nobody("DOCKER_CONFIG", folder_.path().c_str());
  library_.copy("tiny", "me/tiny:v1");
  const auto body = [&](const std::string& model, const std::string& more) {
    return fmt::format(R"({{"model":"{}"{}}})", model, more);
  };
  const std::string place = registry.host() + "/me/tiny:v1";
  EXPECT_EQ(call("POST", "/api/push", body("me/tiny:v1", "")).status, 400) << "no registry";
  EXPECT_EQ(call("POST", "/api/push", body("http://" + place, R"(,"stream":false)")).status, 400)
      << "plain http has to be asked for";
  EXPECT_TRUE(registry.requests().empty());
  const auto lines = lines_of(call("POST", "/api/push", body(place, R"(,"insecure":true)")).body);
  const std::string digest = library_.store().find("me/tiny:v1").model[0].sha256;
  EXPECT_EQ(lines.front().at("status"), "retrieving manifest");
  EXPECT_EQ(lines.at(1).at("status"), json::value("pushing " + digest.substr(0, 12)));
  EXPECT_EQ(lines.at(1).at("digest"), json::value("sha256:" + digest));
  EXPECT_GT(lines.at(1).at("total").as_int64(), 1000);
  EXPECT_EQ(lines.at(lines.size() - 2).at("status"), "pushing manifest");
  EXPECT_EQ(lines.back().at("status"), "success");
  EXPECT_TRUE(registry.blobs.contains("sha256:" + digest));
  ASSERT_TRUE(registry.manifests.contains("v1"));
  const std::string whole = R"(,"insecure":true,"stream":false)";
  EXPECT_EQ(ask("POST", "/api/push", body(place, whole)).at("status"), "success");
  EXPECT_EQ(call("POST", "/api/push", body(registry.host() + "/me/none:v1", whole)).status, 404);
  registry.user = "me:open sesame";
  EXPECT_EQ(call("POST", "/api/push", body(place, whole)).status, 401);
}

TEST_F(OllamaModels, PushesNothingWhileTheyAreOffline) {
  library_.copy("tiny", "me/tiny:v1");
  const std::string body = R"({"model":"registry.invalid/me/tiny:v1","stream":false})";
  const Reply reply = call("POST", "/api/push", body);
  EXPECT_EQ(reply.status, 400) << reply.body;
  EXPECT_NE(reply.body.find("offline"), std::string::npos) << reply.body;
}

TEST_F(OllamaModels, WhatIsNotBuiltSaysSo) {
  const Reply reply = call("POST", "/api/blobs/sha256:00", "{}");
  EXPECT_EQ(reply.status, 501);
  EXPECT_TRUE(parse_json(reply.body).at("error").is_string());
  EXPECT_EQ(call("HEAD", "/api/blobs/sha256:00").status, 501);
  EXPECT_TRUE(parse_json(call("GET", "/api/nonsense").body).at("error").is_string());
}

}  // namespace
}  // namespace strata::api
