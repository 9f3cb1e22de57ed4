// Folders in Hugging Face's layout: what is read, and broken ones, each refused with file and
// field.
#include "models/format/hf_folder.h"

#include <cstring>
#include <functional>

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/os.h"
#include "core/testing/temp_folder.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/hf_tokenizer.h"
#include "models/testing/hf_model.h"
#include "models/tokenizer/testing/tiny_json.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

uint64_t header_length(std::string_view bytes) {
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return length;
}

// Of parse_safetensors; "" when it ends well.
std::string message(std::string_view bytes) {
  // An exact copy on the heap, so that the address sanitizer sees a read beyond the end.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  try {
    parse_safetensors(std::as_bytes(std::span(exact)), "file");
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

json::object tiny_config() {
  return {{"architectures", json::array{"LlamaForCausalLM"}},
          {"hidden_act", "silu"},
          {"hidden_size", 8},
          {"intermediate_size", 12},
          {"max_position_embeddings", 64},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"num_hidden_layers", 1},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"vocab_size", 20}};
}

json::object tiny_tensors() {
  return {{"model.embed_tokens.weight", json::array{20, 8}},
          {"model.norm.weight", json::array{8}},
          {"model.layers.0.input_layernorm.weight", json::array{8}},
          {"model.layers.0.post_attention_layernorm.weight", json::array{8}},
          {"model.layers.0.self_attn.q_proj.weight", json::array{8, 8}},
          {"model.layers.0.self_attn.k_proj.weight", json::array{4, 8}},
          {"model.layers.0.self_attn.v_proj.weight", json::array{4, 8}},
          {"model.layers.0.self_attn.o_proj.weight", json::array{8, 8}},
          {"model.layers.0.mlp.gate_proj.weight", json::array{12, 8}},
          {"model.layers.0.mlp.up_proj.weight", json::array{12, 8}},
          {"model.layers.0.mlp.down_proj.weight", json::array{8, 12}}};
}

// config.json and tensors of a model of transformers' (tests/oracle/hf_models.py).
json::object oracle_model(std::string_view name) {
  return parse_json(read_file(fmt::format("{}/src/inference/testdata/hf_{}.json", STRATA_SOURCE_DIR,
                                          name)))
      .as_object();
}

class HfFolderTest : public ::testing::Test {
 protected:
  void write(const json::object& config, const json::object& tensors, size_t shards = 1) {
    write_hf_folder(folder_.path(), config, tensors, shards);
  }
  void write_file(const std::string& name, std::string_view content) {
    write_file_atomic(folder_.path() / name, content);
  }
  // "" when the folder can be described.
  std::string error() {
    try {
      describe_model(*translate(std::make_shared<HfFolder>(folder_.path())));
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }

  strata::testing::TempFolder folder_;
};

TEST_F(HfFolderTest, ATinyModelIsDescribed) {
  for (const size_t shards : {1, 4}) {
    strata::testing::TempFolder folder;
    write_hf_folder(folder.path(), tiny_config(), tiny_tensors(), shards);
    write_file_atomic(folder.path() / "README.md", "---\nlanguage: en\nlicense: mit\n---\nText");
    write_file_atomic(folder.path() / "tokenizer_config.json", R"({"chat_template": "{{ 1 }}"})");
    const auto file = translate(std::make_shared<HfFolder>(folder.path()));
    EXPECT_EQ(describe_model(*file).layers.size(), 1u);
    EXPECT_EQ(file->text("general.license"), "mit");
    EXPECT_EQ(file->text("tokenizer.chat_template"), "{{ 1 }}");
    EXPECT_EQ(file->stored_name("blk.0.attn_q.weight"), "model.layers.0.self_attn.q_proj.weight");
  }
}

// As transformers, which names the others.
TEST_F(HfFolderTest, OfNamedTemplatesTheDefaultIsTaken) {
  write_hf_folder(folder_.path(), tiny_config(), tiny_tensors(), 1);
  const auto with = [&](std::string_view list) {
    write_file_atomic(folder_.path() / "tokenizer_config.json",
                      fmt::format(R"({{"chat_template": [{}]}})", list));
    ::testing::internal::CaptureStderr();
    const auto file = translate(std::make_shared<HfFolder>(folder_.path()));
    return std::pair(std::string(file->text("tokenizer.chat_template").value_or("")),
                     ::testing::internal::GetCapturedStderr());
  };
  const std::string tools = R"({"name": "tool_use", "template": "t"})";
  EXPECT_EQ(with(tools + R"(, {"name": "default", "template": "d"})"),
            std::pair(std::string("d"), std::string()));
  const auto [text, told] = with(tools + R"(, {"name": "rag", "template": "r"})");
  EXPECT_EQ(text, "");
  EXPECT_THAT(told, ::testing::HasSubstr(R"("tool_use", "rag")"));
  EXPECT_THAT(with("").second, ::testing::HasSubstr("none at all"));
}

TEST_F(HfFolderTest, TheTextPartOfAModelWithSeveralIsRead) {
  json::object config{{"architectures", json::array{"LlamaForCausalLM"}},
                      {"text_config", tiny_config()}};
  write(config, tiny_tensors());
  EXPECT_EQ(error(), "");
}

TEST_F(HfFolderTest, TheActivationThatTheConfigurationNamesIsComputed) {
  json::object model = oracle_model("gptneox");
  for (const auto& [name, activation] :
       {std::pair{"gelu", Activation::gelu_erf}, std::pair{"gelu_new", Activation::gelu_tanh},
        std::pair{"gelu_fast", Activation::gelu_tanh}}) {
    model["config"].as_object()["hidden_act"] = name;
    write(model["config"].as_object(), model["tensors"].as_object());
    const ModelSpec spec = describe_model(*translate(std::make_shared<HfFolder>(folder_.path())));
    EXPECT_EQ(std::get<Mlp>(spec.layers[0].blocks[1].op).activation, activation) << name;
  }
}

TEST_F(HfFolderTest, AModelIsCalledAsItsFolderOrAsItIsTold) {
  const auto path = folder_.path() / "Tiny-Model";
  write_hf_folder(path, tiny_config(), tiny_tensors());
  const auto name = [&](const std::filesystem::path& written, std::string_view told = {}) {
    const auto file = translate(std::make_shared<HfFolder>(written), told);
    return std::string(file->text("general.name").value_or(""));
  };
  EXPECT_EQ(name(path), "Tiny-Model");
  EXPECT_EQ(name(path / ""), "Tiny-Model");
  EXPECT_EQ(name(path / "." / ".." / "Tiny-Model" / "."), "Tiny-Model");
  EXPECT_EQ(name(path, "tiny:latest"), "tiny:latest");
}

// As Python's json writes them; in a text they are text.
TEST_F(HfFolderTest, BareNumbersOfPythonAreRead) {
  write(tiny_config(), tiny_tensors());
  write_file("config.json", R"({"a": [0.0, Infinity], "b": -Infinity, "c": NaN,
                                "d": "\"Infinity\\", "e": "NaN"})");
  const json::object expected = parse_json(R"({
      "a": [0.0, {"__float__": "Infinity"}], "b": {"__float__": "-Infinity"},
      "c": {"__float__": "NaN"}, "d": "\"Infinity\\", "e": "NaN"})")
                                    .as_object();
  EXPECT_EQ(HfFolder(folder_.path()).config(), expected);
  write_file("tokenizer.json", to_json(models::testing::tiny_json_bpe()));
  EXPECT_NE(tokenizer_of(HfFolder(folder_.path()), 264), nullptr) << "reads config.json, too";
  write_file("config.json", R"({"a": Infinity7})");
  EXPECT_THROW(HfFolder(folder_.path()), Error);
}

TEST_F(HfFolderTest, ACardThatIsTooLongIsLeftOut) {
  write(tiny_config(), tiny_tensors());
  write_file("README.md", "---\nlicense: mit\n---\n");
  std::filesystem::resize_file(folder_.path() / "README.md", kMaxHfConfig + 1);
  const auto file = translate(std::make_shared<HfFolder>(folder_.path()));
  EXPECT_EQ(file->text("general.license"), std::nullopt);
}

using Change = std::function<void(json::object& config, json::object& tensors)>;
struct Broken {
  std::string name;
  Change change;
  std::string message;
};

TEST_F(HfFolderTest, ConfigurationsThatAreWrong) {
  const std::vector<Broken> all{
      {"no class", [](auto& c, auto&) { c.erase("architectures"); }, "'architectures'"},
      {"a class that is no text", [](auto& c, auto&) { c["architectures"] = json::array{7}; },
       "'architectures'"},
      {"an unknown class", [](auto& c, auto&) { c["architectures"] = json::array{"NoSuch"}; },
       "'NoSuch'"},
      {"no layers", [](auto& c, auto&) { c.erase("num_hidden_layers"); }, "'num_hidden_layers'"},
      {"layers below 1", [](auto& c, auto&) { c["num_hidden_layers"] = -1; }, "-1"},
      {"a million layers", [](auto& c, auto&) { c["num_hidden_layers"] = 1'000'000; }, "1000000"},
      {"a width that is text", [](auto& c, auto&) { c["hidden_size"] = "8"; }, "'hidden_size'"},
      {"a width and a half", [](auto& c, auto&) { c["hidden_size"] = 8.5; }, "'hidden_size'"},
      {"no heads", [](auto& c, auto&) { c["num_attention_heads"] = 0; }, "'num_attention_heads'"},
      {"heads of no width", [](auto& c, auto&) { c["num_attention_heads"] = 16; }, "'head_dim'"},
      {"an epsilon that is infinite", [](auto& c, auto&) { c["rms_norm_eps"] = 1e300; },
       "'rms_norm_eps'"},
      {"another activation", [](auto& c, auto&) { c["hidden_act"] = "swish_7"; }, "'swish_7'"},
      {"stretching of a kind unknown",
       [](auto& c, auto&) { c["rope_scaling"] = json::object{{"type", "spiral"}}; }, "'spiral'"},
      {"stretching by nothing",
       [](auto& c, auto&) { c["rope_scaling"] = json::object{{"type", "linear"}}; }, "'factor'"},
      {"a formula that this class does not have",
       [](auto& c, auto&) { c["final_logit_softcapping"] = 30.0; }, "'final_logit_softcapping'"},
      {"layers' types of another number",
       [](auto& c, auto&) {
         c["architectures"] = json::array{"Olmo3ForCausalLM"};
         c["sliding_window"] = 4;
         c["layer_types"] = json::array{"full_attention", "full_attention"};
       },
       "'layer_types' has 2"},
      {"a layer's type unknown",
       [](auto& c, auto&) {
         c["architectures"] = json::array{"Olmo3ForCausalLM"};
         c["sliding_window"] = 4;
         c["layer_types"] = json::array{"linear_attention"};
       },
       "'linear_attention'"},
      {"another width than the tensors'", [](auto& c, auto&) { c["intermediate_size"] = 13; },
       "'model.layers.0.mlp.gate_proj.weight' has shape"},
      {"another vocabulary than the tensors'", [](auto& c, auto&) { c["vocab_size"] = 21; }, "21"},
      {"a missing tensor",
       [](auto&, auto& t) { t.erase("model.layers.0.self_attn.v_proj.weight"); },
       "'model.layers.0.self_attn.v_proj.weight' is missing"},
      {"a tensor too many", [](auto&, auto& t) { t["model.layers.0.extra.weight"] = {3}; },
       "'model.layers.0.extra.weight'"},
      {"a layer too many", [](auto&, auto& t) { t["model.layers.1.input_layernorm.weight"] = {8}; },
       "'model.layers.1.input_layernorm.weight'"},
      {"rows that are no heads",
       [](auto&, auto& t) { t["model.layers.0.self_attn.q_proj.weight"] = {7, 8}; },
       "'model.layers.0.self_attn.q_proj.weight' has 7 rows"},
      {"an empty tensor", [](auto&, auto& t) { t["model.layers.0.mlp.up_proj.weight"] = {0, 8}; },
       "'model.layers.0.mlp.up_proj.weight' is empty"},
      {"too many dimensions",
       [](auto&, auto& t) { t["model.layers.0.mlp.up_proj.weight"] = {1, 1, 12, 8}; },
       "'model.layers.0.mlp.up_proj.weight' has 4 dimensions"},
      {"more matrices than any model has",
       [](auto&, auto& t) { t["model.embed_tokens.weight"] = {150'000, 1, 1}; },
       "'model.embed_tokens.weight' is a stack of 150000 matrices"},
      {"more matrices together than any model has",
       [](auto&, auto& t) {
         t["model.layers.0.mlp.gate_proj.weight"] = {70'000, 1, 1};
         t["model.layers.0.mlp.up_proj.weight"] = {70'000, 1, 1};
       },
       "'model.layers.0.mlp.up_proj.weight' is a stack of 70000 matrices"},
  };
  for (const Broken& broken : all) {
    json::object config = tiny_config();
    json::object tensors = tiny_tensors();
    broken.change(config, tensors);
    write(config, tensors);
    EXPECT_THAT(error(), HasSubstr(broken.message)) << broken.name;
  }
}

TEST_F(HfFolderTest, FilesThatAreMissingOrLie) {
  EXPECT_THAT(error(), HasSubstr("config.json"));
  write_file("config.json", "{\"architectures\": [");
  EXPECT_THAT(error(), HasSubstr("config.json"));
  write_file("config.json", "[]");
  EXPECT_THAT(error(), HasSubstr("config.json is no JSON object"));
  write_file("config.json", to_json(tiny_config()));
  EXPECT_THAT(error(), HasSubstr("neither model.safetensors nor"));

  write(tiny_config(), tiny_tensors(), 3);
  const std::string index = read_file(folder_.path() / "model.safetensors.index.json");
  std::filesystem::remove(folder_.path() / "model-00002-of-00003.safetensors");
  EXPECT_THAT(error(), HasSubstr("names model-00002-of-00003.safetensors, which is not"));
  write(tiny_config(), tiny_tensors(), 3);
  write_file("model.safetensors.index.json", "{}");
  EXPECT_THAT(error(), HasSubstr("'weight_map'"));
  write_file("model.safetensors.index.json", R"({"weight_map": {"a": "../secret.safetensors"}})");
  EXPECT_THAT(error(), HasSubstr("'a' is no file's name"));
  write_file("model.safetensors.index.json", R"({"weight_map": {"a": 3}})");
  EXPECT_THAT(error(), HasSubstr("'a' is no file's name"));
  std::string lying = index;
  lying.replace(lying.find("model-00001"), 11, "model-00003");
  write_file("model.safetensors.index.json", lying);
  EXPECT_THAT(error(), HasSubstr("is not in model-00003-of-00003.safetensors"));
  std::filesystem::copy_file(folder_.path() / "model-00001-of-00003.safetensors",
                             folder_.path() / "model-00002-of-00003.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  write_file("model.safetensors.index.json", index);
  EXPECT_THAT(error(), HasSubstr("stands in two files"));
}

// A clone without Git LFS, and parts that were fetched without what names them.
TEST_F(HfFolderTest, PointersAndPartsAreCalledWhatTheyAre) {
  constexpr std::string_view kPointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
  write(tiny_config(), tiny_tensors());
  write_file("model.safetensors", kPointer);
  EXPECT_THAT(error(), HasSubstr("model.safetensors is a Git LFS pointer"));
  write(tiny_config(), tiny_tensors());
  write_file("tokenizer.json", kPointer);
  const HfFolder folder(folder_.path());
  try {
    folder.text("tokenizer.json");
    ADD_FAILURE() << "was read";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("tokenizer.json is a Git LFS pointer"));
  }
  std::filesystem::remove(folder_.path() / "model.safetensors");
  write(tiny_config(), tiny_tensors(), 3);
  std::filesystem::remove(folder_.path() / "model.safetensors.index.json");
  EXPECT_THAT(error(), HasSubstr("a part of the weights, and no index"));
}

// Each changes a right header: `from` becomes `to`.
TEST_F(HfFolderTest, HeadersThatLie) {
  const SafeEntry entry = formula_entry("w.weight", {2, 3});
  const auto refused = [&](std::string_view from, std::string_view to) {
    std::string bytes = safetensors_bytes({entry});
    const size_t at = bytes.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    const size_t end = 8 + header_length(bytes);
    std::string header = bytes.substr(8, end - 8);
    header.replace(at - 8, from.size(), to);
    const uint64_t length = header.size();
    bytes = std::string(reinterpret_cast<const char*>(&length), 8) + header + bytes.substr(end);
    return message(bytes);
  };
  EXPECT_EQ(message(safetensors_bytes({entry})), "");
  EXPECT_THAT(refused("[0,12]", "[0,13]"), HasSubstr("'w.weight' lies at bytes 0 to 13 of 12"));
  EXPECT_THAT(refused("[0,12]", "[12,0]"), HasSubstr("12 to 0"));
  EXPECT_THAT(refused("[0,12]", "[0,11]"), HasSubstr("needs 12 bytes for its shape and has 11"));
  EXPECT_THAT(refused("[0,12]", "[-1,12]"), HasSubstr("data_offsets"));
  EXPECT_THAT(refused("[0,12]", "[0]"), HasSubstr("1 data_offsets"));
  EXPECT_THAT(refused("[0,12]", "7"), HasSubstr("no list 'data_offsets'"));
  EXPECT_THAT(refused("[2,3]", "[2,2]"), HasSubstr("needs 8 bytes"));
  EXPECT_THAT(refused("[2,3]", "[4294967296,4294967296,4294967296]"), HasSubstr("overflows"));
  EXPECT_THAT(refused("[2,3]", "[1,1,1,1,1,1,1,1,6]"), HasSubstr("9 dimensions"));
  EXPECT_THAT(refused("[2,3]", "[2,\"3\"]"), HasSubstr("shape"));
  EXPECT_THAT(refused("BF16", "Q4"), HasSubstr("dtype 'Q4'"));
  EXPECT_THAT(refused("\"BF16\"", "16"), HasSubstr("no dtype"));
  EXPECT_THAT(refused("{\"__metadata__\"", "[\"__metadata__\""), HasSubstr("no JSON"));
  const SafeEntry second = formula_entry("v.weight", {2, 3});
  std::string two = safetensors_bytes({entry, second});
  two.replace(two.find("[12,24]"), 7, "[ 0,12]");
  EXPECT_THAT(message(two), HasSubstr("overlaps"));
  EXPECT_THAT(message(safetensors_bytes({entry}) + "xx"), HasSubstr("belong to none"));
  EXPECT_THAT(message("\x10"), HasSubstr("1 bytes are no safetensors file"));
  EXPECT_THAT(message(std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10)),
              HasSubstr("the header is 9223372036854775807 bytes long"));
  const std::string deep(2000, '[');
  const uint64_t length = deep.size();
  EXPECT_THAT(message(std::string(reinterpret_cast<const char*>(&length), 8) + deep),
              HasSubstr("no JSON"));
}

}  // namespace
}  // namespace strata::models
