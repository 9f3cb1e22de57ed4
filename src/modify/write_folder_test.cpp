// A GGUF file written as a folder and read again, for every class of src/inference/testdata/hf_*:
// the folder has the tensors that transformers gave the class, and the same answers.
#include "modify/write_folder.h"

#include <algorithm>
#include <array>

#include <gmock/gmock.h>

#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "inference/testing/reference.h"
#include "models/family/hf_model.h"
#include "models/format/gguf.h"
#include "models/format/gguf_builder.h"
#include "models/testing/hf_model.h"
#include "models/tokenizer/gguf_keys.h"
#include "modify/quantize.h"
#include "modify/testing/characters.h"
#include "tensor/dequant.h"

namespace strata::modify {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;

// A class without a model_type is read, but not written.
bool is_written(std::string_view hf_class) {
  for (const auto& family : Registry<models::Family>::all()) {
    for (const models::HfClass& one : family->hf_classes()) {
      if (one.name == hf_class) return !one.model_type.empty();
    }
  }
  return false;
}

// What a GGUF file can't tell from another class, or is a case of one that more programs have.
const std::map<std::string, std::string, std::less<>> kOtherClasses{
    {"hf_granitehybrid_dense", "GraniteForCausalLM"},
    {"hf_llama4_both", "Llama4ForCausalLM"},
    {"hf_gemma3_both", "Gemma3ForCausalLM"},
    {"hf_qwen3_bare", "Qwen3ForCausalLM"},  // with names as under a head
    {"hf_minicpm", "GraniteForCausalLM"},
    {"hf_mt5", "T5ForConditionalGeneration"}};

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(STRATA_SOURCE_DIR "/src/inference/testdata")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("hf_") && entry.path().extension() == ".json") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string class_of(const json::value& fixture) {
  return std::string(fixture.at("config").at("architectures").at(0).as_string());
}

class WriteFolder : public ::testing::Test {
 protected:
  // The fixture's folder as a GGUF file.
  void make_gguf(const json::value& fixture, std::string_view type = "BF16",
                 const MixOptions& options = {.pure = true}) {
    models::write_hf_folder(folder_.path(), fixture.at("config").as_object(),
                            fixture.at("tensors").as_object());
    const auto source = models::translate(std::make_shared<models::HfFolder>(folder_.path()));
    const models::ModelSpec spec = models::describe_model(*source);
    set_characters(*source, spec.n_vocab);
    source->set_text("general.name", "Tiny");
    source->set_text("general.license", "apache-2.0");
    source->set_text("general.url", "https://example.org");
    source->set_text("tokenizer.chat_template", "{{ messages }}");
    source->set_integers(models::kEndIdsKey, std::array{5});
    source->set_number("general.sampling.temp", 0.5);
    const Mix& mix = find_mix(type);
    quantize(*source, plan_quantization(*source, spec, mix, options), mix, gguf(), {});
  }

  WrittenFolder write(const FolderOptions& options = {}) {
    const auto file = models::open_gguf(gguf());
    return write_folder(file, models::describe_model(*file), out(), options);
  }

  std::shared_ptr<models::ModelFile> read() {
    return models::translate(std::make_shared<models::HfFolder>(out()));
  }

  fs::path gguf() const { return folder_.path() / "model.gguf"; }
  fs::path out() const { return folder_.path() / "out"; }

  TempFolder folder_;
};

class WriteFolderOf : public WriteFolder, public ::testing::WithParamInterface<std::string> {
 protected:
  void expect_tensors(const json::value& fixture) const {
    const models::HfFolder written(out());
    size_t n_tensors = 0;
    for (const auto& [name, shape] : fixture.at("tensors").as_object()) {
      if (name.starts_with("model.layers.3.") && GetParam() == "hf_deepseek3")
        continue;  // left out
      const models::SafeTensor* tensor = written.find(name);
      ASSERT_NE(tensor, nullptr) << name;
      EXPECT_EQ(tensor->shape, json::value_to<std::vector<uint64_t>>(shape)) << name;
      ++n_tensors;
    }
    EXPECT_EQ(written.tensors().size(), n_tensors);
    EXPECT_EQ(written.config().at("model_type"), fixture.at("config").at("model_type"));
  }
};

TEST_P(WriteFolderOf, ItsTensorsAndAnswersAreTheSame) {
  const json::value fixture = inference::read_fixture(GetParam());
  make_gguf(fixture);
  const auto other = kOtherClasses.find(GetParam());
  if (other != kOtherClasses.end()) {
    EXPECT_EQ(write().hf_class, other->second);
  } else if (is_written(class_of(fixture))) {
    EXPECT_EQ(write().hf_class, class_of(fixture));
    expect_tensors(fixture);
  } else {
    EXPECT_EQ(error_of([&] { write(); }).code(), Code::unimplemented);
    EXPECT_FALSE(fs::exists(out()));
    return;
  }
  const auto& first = fixture.at("sequences").at(0).at("answers").at(0).as_object();
  inference::Reference reference(fixture, [&] { return read(); }, first.contains("experts"));
  EXPECT_LT(inference::prefill(reference), inference::kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Models, WriteFolderOf, ::testing::ValuesIn(fixtures()),
                         [](const auto& entry) { return entry.param.substr(3); });

// Before anything is asked of it but its architecture.
TEST_F(WriteFolder, AnArchitectureWithoutAFolderIsRefusedByName) {
  auto builder = models::GgufBuilder();
  builder.set_text("general.architecture", "nomic-bert");
  const std::vector<std::byte> bytes = builder.build();
  models::ModelSpec spec;
  spec.scores.emplace();  // of which the family has no class
  const Error error = error_of([&] { write_folder(models::parse_gguf(bytes), spec, out(), {}); });
  EXPECT_EQ(error.code(), Code::unimplemented);
  EXPECT_THAT(error.message(), ::testing::HasSubstr("architecture 'nomic-bert'"));
  EXPECT_FALSE(fs::exists(out()));
}

// transformers' class has no queries that do not grow.
TEST_F(WriteFolder, WhereQueriesDoNotGrowTheClassIsOneWithoutGrowth) {
  json::value fixture = inference::read_fixture("hf_ministral3");
  json::object& config = fixture.as_object()["config"].as_object();
  config["rope_parameters"] = json::object{{"rope_theta", 5000.0}, {"rope_type", "default"}};
  make_gguf(fixture);
  EXPECT_EQ(write().hf_class, "MistralForCausalLM");
  const models::HfFolder folder(out());
  EXPECT_TRUE(folder.config().at("sliding_window").is_null()) << "the class has one otherwise";
}

// Of which GGUF keeps no more than what each frequency is divided by.
TEST_F(WriteFolder, PositionsThatAreStretchedAtOneStepAreTheSame) {
  const json::value fixture = inference::read_fixture("hf_llama3");
  json::object config = fixture.at("config").as_object();
  config["rope_parameters"].as_object()["high_freq_factor"] = 1.0;  // as the low one
  json::value stepped = fixture;
  stepped.as_object()["config"] = config;
  make_gguf(stepped);
  write();
  const auto divisors = [](const models::ModelFile& file) {
    const auto held = file.bytes(*file.find_tensor("rope_freqs.weight"));
    return std::vector(held.view.begin(), held.view.end());
  };
  EXPECT_EQ(divisors(*models::open_gguf(gguf())), divisors(*read()));
}

// Their scales are powers of two, far beyond what F16 holds.
TEST_F(WriteFolder, Mxfp4IsExactInBf16) {
  make_gguf(inference::read_fixture("quantized_mxfp4"), "MXFP4", {.as_stored = true});
  write();
  const models::HfFolder folder(out());
  const auto file = models::open_gguf(gguf());
  const auto again = read();
  bool any = false;
  for (const auto& tensor : file->tensors()) {
    if (tensor.type != tensor::DType::mxfp4) continue;
    any = true;
    const auto* twin = again->find_tensor(tensor.name);
    EXPECT_EQ(twin->type, tensor::DType::bf16);
    std::vector<float> a(tensor.n_weights()), b(a.size());
    const auto n = static_cast<int64_t>(a.size());
    tensor::dequantize_row(tensor.type, file->bytes(tensor).view.data(), a.data(), n);
    tensor::dequantize_row(twin->type, again->bytes(*twin).view.data(), b.data(), n);
    EXPECT_EQ(a, b) << tensor.name;
  }
  EXPECT_TRUE(any);
}

// What no class says is found before a weight is written, and told with the class that failed.
TEST_F(WriteFolder, AModelThatNoClassSaysIsRefused) {
  make_gguf(inference::read_fixture("hf_llama"));
  auto builder = models::GgufBuilder();
  const auto file = models::open_gguf(gguf());
  for (const auto& value : file->values()) builder.set_value(value);
  builder.set_f32("llama.logit_scale", 0.5f);
  for (const auto& tensor : file->tensors()) {
    const auto weights = file->bytes(tensor).view;
    builder.add_tensor(tensor.name, tensor.type,
                       {tensor.shape.begin(), tensor.shape.begin() + tensor.n_dims},
                       {weights.begin(), weights.end()});
  }
  const std::vector<std::byte> bytes = builder.build();
  const auto changed = models::parse_gguf(bytes);
  const Error error =
      error_of([&] { write_folder(changed, models::describe_model(*changed), out(), {}); });
  EXPECT_EQ(error.code(), Code::unimplemented);
  EXPECT_THAT(error.message(), ::testing::HasSubstr("LlamaForCausalLM: "));
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(WriteFolder, WhatTheFileSaysIsInSomeFile) {
  make_gguf(inference::read_fixture("hf_llama3"));
  const WrittenFolder written = write();
  EXPECT_THAT(
      written.unplaced,
      ::testing::ElementsAre("general.name", "tokenizer.ggml.unknown_token_id", "general.url"))
      << "what generation_config.json has is not said to be there alone";
  const models::HfFolder folder(out());
  EXPECT_EQ(folder.object("strata.json")->at("gguf").at("general.url").at("value"),
            "https://example.org");
  EXPECT_EQ(folder.text("chat_template.jinja"), "{{ messages }}");
  EXPECT_THAT(*folder.text("README.md"), ::testing::HasSubstr("license: \"apache-2.0\""));
  EXPECT_EQ(read()->text("general.license"), "apache-2.0");
  EXPECT_EQ(read()->text("general.url"), "https://example.org") << "strata.json is read back";
  EXPECT_EQ(read()->text("general.name"), "Tiny");
  EXPECT_EQ(folder.config().at("rope_scaling").at("rope_type"), "llama3");
  EXPECT_EQ(folder.config().at("rope_scaling").at("original_max_position_embeddings"), 32);
  EXPECT_EQ(folder.config().at("rope_scaling").at("high_freq_factor"), 4.0);
  const auto generation = folder.object("generation_config.json");
  EXPECT_EQ(generation->at("eos_token_id"), (json::array{2, 5}));
  EXPECT_EQ(generation->at("temperature"), 0.5);
}

// Also a tokenizer that GGUF has no kind for.
TEST_F(WriteFolder, AFolderKeepsItsOwnFiles) {
  const json::value fixture = inference::read_fixture("hf_llama3");
  json::object config = fixture.at("config").as_object();
  config["initializer_range"] = 0.125;
  models::write_hf_folder(folder_.path(), config, fixture.at("tensors").as_object(), 2);
  for (const char* name : {"tokenizer.json", "LICENSE", "chat_template.jinja"}) {
    write_file_atomic(folder_.path() / name, name);
  }
  write_file_atomic(folder_.path() / "generation_config.json", R"({"temperature": 0.25})");
  const auto source = models::translate(std::make_shared<models::HfFolder>(folder_.path()));
  EXPECT_EQ(source->number("general.sampling.temp"), 0.25);
  FolderOptions options;
  options.source_folder = folder_.path();
  EXPECT_TRUE(
      write_folder(source, models::describe_model(*source), out(), options).unplaced.empty());
  const models::HfFolder written(out());
  EXPECT_EQ(written.text("generation_config.json"), R"({"temperature": 0.25})");
  for (const char* name : {"tokenizer.json", "LICENSE", "chat_template.jinja"}) {
    EXPECT_EQ(written.text(name), name);
  }
  EXPECT_EQ(written.config().at("initializer_range"), 0.125);
  EXPECT_FALSE(fs::exists(out() / "model.safetensors.index.json")) << "one file needs none";
  EXPECT_FALSE(fs::exists(out() / "strata.json"));
}

// transformers would divide logits by a 0.
TEST_F(WriteFolder, WhatIsOffIsNull) {
  make_gguf(inference::read_fixture("hf_gemma3"));
  ASSERT_EQ(models::open_gguf(gguf())->number("gemma3.final_logit_softcapping"), 0.0);
  write();
  const models::HfFolder folder(out());
  EXPECT_TRUE(folder.config().at("final_logit_softcapping").is_null());
  EXPECT_TRUE(folder.config().at("attn_logit_softcapping").is_null());
}

TEST_F(WriteFolder, ShardsHoldTheSame) {
  make_gguf(inference::read_fixture("hf_mixtral"));
  FolderOptions options;
  options.shard_bytes = 20000;
  options.n_threads = 3;
  EXPECT_GT(write(options).n_shards, 3u);
  EXPECT_TRUE(fs::exists(out() / "model.safetensors.index.json"));
  const auto again = read();
  const auto file = models::open_gguf(gguf());
  for (const auto& tensor : file->tensors()) {
    const auto* twin = again->find_tensor(tensor.name);
    ASSERT_NE(twin, nullptr);
    ASSERT_EQ(twin->type, tensor.type) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(file->bytes(tensor).view, again->bytes(*twin).view))
        << tensor.name;
  }
}

TEST_F(WriteFolder, TypesAreAsAskedFor) {
  make_gguf(inference::read_fixture("hf_qwen2"));
  FolderOptions options;
  options.type = tensor::DType::f32;
  write(options);
  const models::HfFolder folder(out());
  EXPECT_EQ(folder.config().at("torch_dtype"), "float32");
  for (const auto& tensor : folder.tensors()) EXPECT_EQ(tensor.type, models::SafeType::f32);
}

TEST_F(WriteFolder, NothingStaysOfWorkThatDidNotEnd) {
  make_gguf(inference::read_fixture("hf_llama"));
  FolderOptions options;
  options.progress = [](uint64_t, uint64_t) { return false; };
  EXPECT_EQ(error_of([&] { write(options); }).code(), Code::cancelled);
  EXPECT_FALSE(fs::exists(out()));
  EXPECT_FALSE(fs::exists(folder_.path() / ".tmp-out"));
  // What a crash left is taken over; what is there is never replaced.
  write_file_atomic(folder_.path() / ".tmp-out" / "model.safetensors", "half");
  write();
  EXPECT_EQ(error_of([&] { write(); }).code(), Code::already_exists);
  EXPECT_TRUE(fs::exists(out() / "config.json"));
}

TEST_F(WriteFolder, WhatIsOnlyShownIsAsItWouldBeAndNothingIsWritten) {
  make_gguf(inference::read_fixture("hf_gpt_oss"));
  FolderOptions options;
  options.only_shown = true;
  const WrittenFolder shown = write(options);
  EXPECT_FALSE(fs::exists(out()));
  const WrittenFolder written = write();
  EXPECT_EQ(shown.hf_class, written.hf_class);
  EXPECT_EQ(shown.data_bytes, written.data_bytes);
  EXPECT_EQ(shown.n_tensors, written.n_tensors);
  EXPECT_EQ(shown.n_shards, written.n_shards);
  EXPECT_EQ(shown.unplaced, written.unplaced);
}

// What a broken strata.json says of the file is no value of it.
TEST_F(WriteFolder, ABrokenStrataJsonIsRefusedWithItsKey) {
  make_gguf(inference::read_fixture("hf_llama"));
  write();
  for (const char* text :
       {R"({"gguf": 3})", R"({"gguf": {"general.url": {"type": "u8", "value": 256}}})"}) {
    write_file_atomic(out() / "strata.json", text);
    EXPECT_EQ(error_of([&] { read(); }).code(), Code::invalid_argument) << text;
  }
  // Of the tensors and the vocabulary it has nothing to say.
  write_file_atomic(out() / "strata.json", R"({"gguf": {
      "general.architecture": {"type": "string", "value": "qwen2"},
      "llama.block_count": {"type": "u32", "value": 1}}})");
  EXPECT_EQ(read()->text("general.architecture"), "llama");
  EXPECT_EQ(read()->integer("llama.block_count"), 2);
}

}  // namespace
}  // namespace strata::modify
