// A folder's model written as one GGUF file: every class that is known, from the fixtures of
// src/inference/testdata/hf_*.json, gives transformers' logits from the file as it did from the
// folder; and its vocabulary the same ids.
#include <algorithm>

#include <gmock/gmock.h>

#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "core/testing/test_data.h"
#include "core/utf8.h"
#include "inference/testing/reference.h"
#include "models/family/hf_model.h"
#include "models/format/gguf.h"
#include "models/hf_tokenizer.h"
#include "models/testing/hf_model.h"
#include "models/tokenizer/testing/strings.h"
#include "modify/quantize.h"
#include "modify/testing/byte_level.h"

namespace strata::modify {
namespace {

using models::HfFolder;
using strata::testing::error_of;
using strata::testing::TempFolder;

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(STRATA_SOURCE_DIR "/src/inference/testdata")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("hf_")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

void convert(const models::ModelFile& file, std::string_view type, const fs::path& path) {
  const Mix& mix = find_mix(type);
  const models::ModelSpec spec = models::describe_model(file);
  quantize(file, plan_quantization(file, spec, mix, {.pure = true}), mix, path, {});
}

class Convert : public ::testing::TestWithParam<std::string> {};

TEST_P(Convert, TheFileAnswersAsTheFolder) {
  const json::value fixture = inference::read_fixture(GetParam());
  const TempFolder folder;
  models::write_hf_folder(folder.path(), fixture.at("config").as_object(),
                          fixture.at("tensors").as_object(), 2);
  const fs::path path = folder.path() / "written.gguf";
  const auto source = models::translate(std::make_shared<HfFolder>(folder.path()));
  convert(*source, "BF16", path);
  const auto written = models::open_gguf(path);
  for (const auto& value : source->values()) EXPECT_NE(written->find(value.key), nullptr);
  for (const auto& tensor : written->tensors()) {
    EXPECT_TRUE(tensor.n_dims > 1 || tensor.type == tensor::DType::f32) << tensor.name;
  }
  const auto& first = fixture.at("sequences").at(0).at("answers").at(0).as_object();
  inference::Reference reference(
      fixture, [&] { return models::open_gguf(path); }, first.contains("experts"));
  EXPECT_LT(inference::prefill(reference), inference::kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Models, Convert, ::testing::ValuesIn(fixtures()),
                         [](const auto& entry) { return entry.param.substr(3); });

// Quantised weights keep the type that they have become, and answer the same.
class ConvertQuantized : public ::testing::TestWithParam<std::string> {};

TEST_P(ConvertQuantized, TheFileAnswersAsTheFolder) {
  const json::value fixture = inference::read_fixture(GetParam());
  const TempFolder folder;
  models::write_hf_folder(folder.path(), fixture.at("config").as_object(),
                          fixture.at("tensors").as_object());
  const fs::path path = folder.path() / "written.gguf";
  const auto source = models::translate(std::make_shared<HfFolder>(folder.path()));
  const std::string type(fixture.at("type").as_string());
  const Mix& mix = find_mix(type);
  const models::ModelSpec spec = models::describe_model(*source);
  quantize(*source, plan_quantization(*source, spec, mix, {.as_stored = true}), mix, path, {});
  const auto written = models::open_gguf(path);
  for (const auto& tensor : source->tensors()) {
    const bool is_router = tensor.name.find("ffn_gate_inp") != std::string_view::npos;
    const tensor::DType wanted = is_router ? tensor::DType::f32 : tensor.type;
    if (tensor.n_dims > 1) {
      EXPECT_EQ(written->find_tensor(tensor.name)->type, wanted) << tensor.name;
    }
  }
  EXPECT_EQ(tensor::dtype_info(written->find_tensor("blk.0.attn_output.weight")->type).name, type);
  const auto& first = fixture.at("sequences").at(0).at("answers").at(0).as_object();
  inference::Reference reference(
      fixture, [&] { return models::open_gguf(path); }, first.contains("experts"));
  EXPECT_LT(inference::prefill(reference), inference::kTolerance);
}

TEST_P(ConvertQuantized, AsASourceOfOtherTypes) {
  const json::value fixture = inference::read_fixture(GetParam());
  const TempFolder folder;
  models::write_hf_folder(folder.path(), fixture.at("config").as_object(),
                          fixture.at("tensors").as_object());
  const auto source = models::translate(std::make_shared<HfFolder>(folder.path()));
  convert(*source, "Q8_0", folder.path() / "written.gguf");
  const auto written = models::open_gguf(folder.path() / "written.gguf");
  EXPECT_EQ(written->find_tensor("blk.0.attn_output.weight")->type, tensor::DType::q8_0);
}

INSTANTIATE_TEST_SUITE_P(Methods, ConvertQuantized,
                         ::testing::Values("quantized_gptq", "quantized_gptq_experts",
                                           "quantized_awq", "quantized_ct_int8", "quantized_fp8"),
                         [](const auto& entry) { return entry.param.substr(10); });

class ConvertVocabulary : public ::testing::Test {
 protected:
  // The ids that the file's own vocabulary gives.
  std::shared_ptr<const models::Tokenizer> written_with(const std::string& tokenizer_json) {
    const auto written = written_as("tokenizer.json", tokenizer_json);
    EXPECT_EQ(file_->text("tokenizer.huggingface.json"), tokenizer_json);
    return written;
  }

  std::shared_ptr<const models::Tokenizer> written_as(const std::string& name,
                                                      const std::string& content) {
    write_file_atomic(folder_.path() / "config.json", R"({"architectures": ["LlamaForCausalLM"]})");
    write_file_atomic(folder_.path() / "model.safetensors", models::safetensors_bytes({}));
    write_file_atomic(folder_.path() / name, content);
    const auto held = std::make_shared<HfFolder>(folder_.path());
    folder_tokenizer_ = models::tokenizer_of(*held, 0);
    file_ = std::make_shared<models::MadeFile>("test", 0, nullptr, [](auto) {});
    models::set_vocabulary(*file_, *held, folder_tokenizer_->n_vocab());
    model_ = std::string(file_->text("tokenizer.ggml.model").value_or(""));
    pre_ = std::string(file_->text("tokenizer.ggml.pre").value_or(""));
    return models::Tokenizer::from_gguf(file_);
  }

  TempFolder folder_;
  std::shared_ptr<models::MadeFile> file_;
  std::shared_ptr<const models::Tokenizer> folder_tokenizer_;
  std::string model_, pre_;
};

TEST_F(ConvertVocabulary, ThePreTokenizerIsFoundByWhatItDoes) {
  const std::string qwen =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
      R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const auto written = written_with(to_json(byte_level(qwen)));
  EXPECT_EQ(model_, "gpt2");
  for (const char* text : {"the other 123123 123", "I'LL 12\n\n the\t<end> 你好 123", "a\xFF z"}) {
    EXPECT_EQ(written->encode_trusted(text), folder_tokenizer_->encode_trusted(text)) << text;
  }
  const std::string digits = pre_;
  std::string three = qwen;
  three.replace(three.find(R"(|\p{N}|)"), 7, R"(|\p{N}{1,3}|)");
  written_with(to_json(byte_level(three)));
  EXPECT_NE(pre_, digits) << "digits one by one, or three together";
}

TEST_F(ConvertVocabulary, EveryIdThatEndsAnAnswerIsKept) {
  write_file_atomic(folder_.path() / "generation_config.json", R"({"eos_token_id": [5, 7, 9]})");
  const auto written = written_with(to_json(byte_level(R"(\p{L}+)")));
  for (const models::TokenId id : {5, 7, 9}) {
    EXPECT_TRUE(folder_tokenizer_->ends_generation(id)) << id;
    EXPECT_TRUE(written->ends_generation(id)) << id;
  }
  EXPECT_FALSE(written->ends_generation(6));
}

// Where no token holds two digits, only the spaces before them tell who cuts them one by one.
TEST_F(ConvertVocabulary, DigitsThatNothingJoinsAreCutAsTheFolderDoes) {
  json::object document = byte_level("unused");
  document["pre_tokenizer"] =
      json::object{{"type", "Sequence"},
                   {"pretokenizers",
                    json::array{json::object{{"type", "Digits"}, {"individual_digits", true}},
                                json::object{{"type", "ByteLevel"}, {"add_prefix_space", false}}}}};
  json::object& model = document["model"].as_object();
  model["vocab"].as_object()["ĠĠ"] = kByteLevelTokens;
  model["merges"] = json::array{"t h", "th e", "Ġ Ġ"};
  const auto written = written_with(to_json(document));
  for (const char* text : {"x  12", "the  3   4", "a 5"}) {
    EXPECT_EQ(written->encode_trusted(text), folder_tokenizer_->encode_trusted(text)) << text;
  }
}

// Every form of vocabulary that a folder may have, from the test-data folder or our own: the file's
// gives the folder's ids on 2,000 texts and is of the kind that llama.cpp's converter writes.
struct Form {
  const char* name;
  const char* file;  // in the test-data folder, or below src/models/tokenizer/testdata
  const char* as;    // its name in the folder
  const char* model;
  const char* pre = "";
};

class ConvertForm : public ConvertVocabulary, public ::testing::WithParamInterface<Form> {};

TEST_P(ConvertForm, GivesTheSameIds) {
  const Form& form = GetParam();
  std::optional path = fs::path(STRATA_SOURCE_DIR "/src/models/tokenizer/testdata") / form.file;
  if (!fs::exists(*path)) path = strata::testing::find_test_data(form.file);
  ASSERT_TRUE(path && fs::exists(*path)) << form.file << " was not fetched (tests/oracle/fetch)";
  const auto written = written_as(form.as, read_file(*path));
  EXPECT_EQ(model_, form.model);
  EXPECT_EQ(pre_, form.pre);
  for (uint32_t i = 0; i < 2000; ++i) {
    const std::string text = repair_utf8(models::testing::varied_text(i));
    ASSERT_EQ(written->encode_text(text), folder_tokenizer_->encode_text(text)) << i << text;
    const auto ids = folder_tokenizer_->encode_trusted(text);
    ASSERT_EQ(written->encode_trusted(text), ids) << i << text;
    ASSERT_EQ(written->with_bos_eos(ids), folder_tokenizer_->with_bos_eos(ids)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ConvertForm,
    ::testing::Values(
        Form{"WordPiece", "minilm/tokenizer.json", "tokenizer.json", "bert"},
        Form{"SentencePieceMerges", "mistral-common/tokenizer.model.v1", "tokenizer.model",
             "llama"},
        Form{"ComposedText", "lenml/qwen2_5/models/tokenizer.json", "tokenizer.json", "gpt2",
             "qwen2"},
        Form{"Tiktoken", "native/tiktoken.model", "tokenizer.model", "gpt2", "llama3"},
        Form{"Tekken", "mistral-common/tekken_240911.json", "tekken.json", "gpt2", "tekken"}),
    [](const auto& entry) { return std::string(entry.param.name); });

TEST_F(ConvertVocabulary, WhatNoKindDoesIsRefused) {
  const Error error = error_of([&] { written_with(to_json(byte_level("[aeiou]"))); });
  EXPECT_EQ(error.code(), Code::unimplemented);
}

}  // namespace
}  // namespace strata::modify
