// Encoders, embedders and rerankers written as folders and read again: every model of
// src/inference/testdata/encoder_* has transformers' vectors and scores, from a GGUF file and from
// a folder, and the tensors that transformers gave its class.
#include <algorithm>

#include <gmock/gmock.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "core/testing/test_data.h"
#include "inference/testing/encoder_reference.h"
#include "models/family/hf_model.h"
#include "models/model.h"
#include "models/text_prompts.h"
#include "modify/quantize.h"
#include "modify/testing/characters.h"
#include "modify/write_folder.h"

namespace strata::modify {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// What a GGUF file is written as: BERT's kin, which it does not tell apart, by the vocabulary.
const std::map<std::string, std::string, std::less<>> kClasses{
    {"bert", "BertModel"},
    {"bert_first", "BertModel"},
    {"bert_pairs", "BertForSequenceClassification"},
    {"deberta_own", "DebertaV2Model"},
    {"deberta_rank", "DebertaV2ForSequenceClassification"},
    {"dense", "BertModel"},
    {"gemma_folder", "Gemma3TextModel"},
    {"modern", "ModernBertModel"},
    {"modern_folder", "ModernBertModel"},
    {"modern_folder_rank", "ModernBertForSequenceClassification"},
    {"modern_rank", "ModernBertForSequenceClassification"},
    {"nomic", "NomicBertModel"},
    {"nomic_folder", "NomicBertModel"},
    {"roberta", "XLMRobertaModel"},
    {"roberta_rank", "XLMRobertaForSequenceClassification"},
    {"t5", "T5EncoderModel"},
    {"xlmr_folder", "XLMRobertaForSequenceClassification"},
    {"xlmr_rank", "XLMRobertaForSequenceClassification"}};

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(STRATA_SOURCE_DIR "/src/inference/testdata")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("encoder_")) names.push_back(name.substr(std::string("encoder_").size()));
  }
  std::ranges::sort(names);
  return names;
}

std::shared_ptr<models::MadeFile> translate(const fs::path& folder) {
  return models::translate(std::make_shared<models::HfFolder>(folder));
}

void write_gguf(const models::ModelFile& file, const fs::path& path) {
  const Mix& mix = find_mix("F32");
  const models::ModelSpec spec = models::describe_model(file);
  quantize(file, plan_quantization(file, spec, mix, {.pure = true}), mix, path, {});
}

class WriteEncoder : public ::testing::Test {
 protected:
  fs::path source() const { return folder_.path() / "source"; }
  fs::path gguf() const { return folder_.path() / "model.gguf"; }
  fs::path out() const { return folder_.path() / "out"; }

  // The fixture as a folder, of which a GGUF file is made; or that file.
  void make_gguf(const json::value& fixture, std::string_view vocabulary = "bert") {
    if (!inference::encoders::is_folder(fixture)) {
      return write_file_atomic(gguf(),
                               bytes_of(models::formula_model(fixture.as_object()), vocabulary));
    }
    inference::encoders::write_folder(fixture, source());
    const auto file = translate(source());
    set_characters(*file, models::describe_model(*file).n_vocab, vocabulary);
    write_gguf(*file, gguf());
  }

  static std::string bytes_of(models::GgufBuilder builder, std::string_view vocabulary) {
    const std::vector<std::byte> plain = builder.build();
    const int32_t n_vocab = models::describe_model(*models::parse_gguf(plain)).n_vocab;
    models::MadeFile characters("test", 0, nullptr, [](auto) {});
    set_characters(characters, n_vocab, vocabulary);
    for (const auto& value : characters.values()) builder.set_value(value);
    const std::vector<std::byte> bytes = builder.build();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  WrittenFolder write(const FolderOptions& options = {}) const {
    const auto file =
        options.source_folder.empty()
            ? models::open_gguf(gguf())
            : models::open_model_file(options.source_folder, models::MaskHeads::left_out);
    return write_folder(file, models::describe_model(*file), out(), options);
  }

  WrittenFolder write_again() const {
    FolderOptions options;
    options.source_folder = source();
    return write(options);
  }

  TempFolder folder_;
};

class WriteEncoderOf : public WriteEncoder, public ::testing::WithParamInterface<std::string> {
 protected:
  WriteEncoderOf() : fixture_(inference::encoders::fixture_of(GetParam())) {}

  // The vocabularies that the classes were published with.
  std::string_view vocabulary() const {
    const bool is_other = GetParam().starts_with("roberta") || GetParam().starts_with("xlmr");
    return is_other ? "llama" : "bert";
  }

  void expect_answers() const {
    const inference::encoders::Reference reference(fixture_, translate(out()));
    EXPECT_LT(vectors_off(reference, inference::make_float32_executor),
              inference::encoders::kTolerance);
    EXPECT_LT(states_off(reference, inference::make_float32_executor),
              inference::encoders::kTolerance);
  }

  void expect_tensors() const {
    const models::HfFolder written(out());
    json::object tensors = fixture_.at("hf_tensors").as_object();
    const bool scores = fixture_.at("sequences").at(0).as_object().contains("scores");
    for (const char* pooler : {"pooler.dense.weight", "pooler.dense.bias"}) {
      if (!scores) tensors.erase(pooler);  // of which vectors need none
    }
    EXPECT_EQ(written.tensors().size(), tensors.size());
    for (const auto& [name, shape] : tensors) {
      const models::SafeTensor* tensor = written.find(name);
      ASSERT_NE(tensor, nullptr) << name;
      EXPECT_EQ(tensor->shape, json::value_to<std::vector<uint64_t>>(shape)) << name;
    }
  }

  json::value fixture_;
};

TEST_P(WriteEncoderOf, OfAFileItsAnswersAreTheSame) {
  make_gguf(fixture_, vocabulary());
  EXPECT_EQ(write().hf_class, kClasses.at(GetParam()));
  expect_answers();
  if (inference::encoders::is_folder(fixture_)) expect_tensors();
  const auto before = models::score_labels(*models::open_gguf(gguf()));
  EXPECT_EQ(models::score_labels(*translate(out())), before);
}

TEST_P(WriteEncoderOf, OfAFolderItStaysTheSame) {
  if (!inference::encoders::is_folder(fixture_)) GTEST_SKIP() << "a GGUF file";
  inference::encoders::write_folder(fixture_, source());
  EXPECT_EQ(write_again().hf_class,
            std::string(fixture_.at("config").at("architectures").at(0).as_string()));
  expect_answers();
  expect_tensors();
  const json::object config = models::HfFolder(out()).config();
  EXPECT_EQ(config.at("model_type"), fixture_.at("config").at("model_type"));
  if (const json::value* labels = fixture_.at("config").as_object().if_contains("id2label")) {
    EXPECT_EQ(config.at("id2label"), *labels);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, WriteEncoderOf, ::testing::ValuesIn(fixtures()),
                         [](const auto& entry) { return entry.param; });

TEST_F(WriteEncoder, SentenceTransformersFilesAreMade) {
  make_gguf(inference::encoders::fixture_of("dense"));
  auto file = models::open_gguf(gguf());
  const WrittenFolder written = write();
  EXPECT_EQ(written.n_shards, 3u) << "the model's and two dense layers'";
  const models::HfFolder folder(out());
  const json::value modules = parse_json(*folder.text("modules.json"));
  std::vector<std::string> kinds;
  for (const json::value& module : modules.as_array()) {
    const std::string type(module.at("type").as_string());
    kinds.push_back(type.substr(type.rfind('.') + 1));
  }
  EXPECT_EQ(kinds,
            (std::vector<std::string>{"Transformer", "Pooling", "Dense", "Dense", "Normalize"}));
  EXPECT_EQ(folder.object("1_Pooling/config.json")->at("pooling_mode_mean_tokens"), true);
  const json::object dense = *folder.object("2_Dense/config.json");
  EXPECT_EQ(dense.at("in_features"), 36);
  EXPECT_EQ(dense.at("out_features"), 20);
  EXPECT_EQ(dense.at("bias"), true);
  EXPECT_EQ(folder.object("sentence_bert_config.json")->at("max_seq_length"), 64);
  EXPECT_EQ(folder.object("tokenizer_config.json")->at("cls_token"), "<s>");
  EXPECT_EQ(folder.object("tokenizer_config.json")->at("sep_token"), "</s>");
}

TEST_F(WriteEncoder, HowTextsAreReadIsKept) {
  make_gguf(inference::encoders::fixture_of("dense"));
  write();
  const char* name = "sentence_bert_config.json";
  write_file_atomic(out() / name, R"({"max_seq_length": 9, "do_lower_case": true})");
  const auto read = models::translate(std::make_shared<models::HfFolder>(out()));
  const models::TextReading reading = models::text_reading(*read);
  EXPECT_EQ(reading.most_tokens, 9);
  EXPECT_TRUE(reading.lower_case);
  EXPECT_EQ(models::lower_case("ÄB 1"), "äb 1");
  write_file_atomic(out() / name, R"({"max_seq_length": 0.5})");
  EXPECT_THAT(
      error_of([&] { models::translate(std::make_shared<models::HfFolder>(out())); }).message(),
      ::testing::HasSubstr("'max_seq_length' is 0.5"));
}

TEST_F(WriteEncoder, ADenseLayerHasTheTypeThatIsAskedFor) {
  make_gguf(inference::encoders::fixture_of("dense"));
  FolderOptions options;
  options.type = tensor::DType::bf16;
  write(options);
  const models::HfFolder folder(out() / "2_Dense");
  EXPECT_EQ(folder.find("linear.weight")->type, models::SafeType::bf16);
}

TEST_F(WriteEncoder, PromptsComeAlong) {
  inference::encoders::write_folder(inference::encoders::fixture_of("roberta"), source());
  write_file_atomic(
      source() / "config_sentence_transformers.json",
      R"({"prompts":{"query":"query: ","passage":""},"default_prompt_name":"query"})");
  const auto file = translate(source());
  set_characters(*file, 95, "bert");
  write_gguf(*file, gguf());
  EXPECT_THAT(write().unplaced, Not(Contains(HasSubstr("prompt"))));
  const models::TextPrompts prompts = models::text_prompts(*translate(out()));
  ASSERT_EQ(prompts.named.size(), 2u);
  EXPECT_EQ(prompts.named[0].name, "query");
  EXPECT_EQ(prompts.named[0].text, "query: ");
  EXPECT_EQ(prompts.default_name, "query");
}

// Token types only of classes that know them: others refuse to be given any.
TEST_F(WriteEncoder, TheTokenizerSaysWhatTheClassTakes) {
  make_gguf(inference::encoders::fixture_of("bert"));
  write();
  const auto names = [&] {
    return models::HfFolder(out()).object("tokenizer_config.json")->at("model_input_names");
  };
  EXPECT_THAT(json::value_to<std::vector<std::string>>(names()), Contains("token_type_ids"));
  EXPECT_TRUE(models::HfFolder(out()).config().at("pad_token_id").is_null());
  fs::remove_all(out());
  make_gguf(inference::encoders::fixture_of("modern"));
  write();
  EXPECT_THAT(json::value_to<std::vector<std::string>>(names()), Not(Contains("token_type_ids")));
  EXPECT_FALSE(fs::exists(out() / "generation_config.json"));
}

TEST_F(WriteEncoder, OfAFolderOnlyTheModulesFoldersComeAlong) {
  inference::encoders::write_folder(inference::encoders::fixture_of("dense"), source());
  write_file_atomic(source() / "onnx" / "config.json", "{}");
  write_file_atomic(source() / "2_Dense" / "notes.txt", "mine");
  write_file_atomic(source() / "2_Dense" / "pytorch_model.bin", "old");
  write_again();
  EXPECT_TRUE(fs::exists(out() / "2_Dense" / "notes.txt"));
  EXPECT_FALSE(fs::exists(out() / "2_Dense" / "pytorch_model.bin"));
  EXPECT_FALSE(fs::exists(out() / "onnx"));
  const auto modules = models::HfFolder(out()).text("modules.json");
  EXPECT_EQ(modules, models::HfFolder(source()).text("modules.json"));
}

TEST_F(WriteEncoder, AModulesFolderThatIsALinkIsNotFollowed) {
  inference::encoders::write_folder(inference::encoders::fixture_of("dense"), source());
  fs::rename(source() / "1_Pooling", folder_.path() / "elsewhere");
  fs::create_directory_symlink(folder_.path() / "elsewhere", source() / "1_Pooling");
  const Error error = error_of([&] { write_again(); });
  EXPECT_THAT(error.message(), HasSubstr("1_Pooling/config.json, which is missing"));
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(WriteEncoder, AFolderWithModulesIsReplaced) {
  make_gguf(inference::encoders::fixture_of("dense"));
  write();
  write_file_atomic(out() / "2_Dense" / "old", "old");
  FolderOptions options;
  options.replace = true;
  write(options);
  EXPECT_FALSE(fs::exists(out() / "2_Dense" / "old"));
  EXPECT_TRUE(fs::exists(out() / "2_Dense" / "model.safetensors"));
}

// The padding is where RoBERTa's positions begin, wherever that is.
TEST_F(WriteEncoder, PositionsBeginBehindThePaddingOfTheFolder) {
  json::value fixture = inference::encoders::fixture_of("roberta");
  fixture.as_object()["config"].as_object()["pad_token_id"] = 5;
  inference::encoders::write_folder(fixture, source());
  EXPECT_EQ(write_again().hf_class, "RobertaModel");
  const models::HfFolder written(out());
  EXPECT_EQ(written.config().at("pad_token_id"), 5);
  EXPECT_EQ(written.config().at("max_position_embeddings"), 66);
  EXPECT_EQ(written.find("embeddings.position_embeddings.weight")->shape[0], 66u);
  const auto bytes = written.find("embeddings.position_embeddings.weight")->bytes;
  EXPECT_TRUE(std::ranges::all_of(bytes.first(6 * 36 * 4), [](std::byte b) {
    return b == std::byte{0};
  })) << "rows that no position has";
}

// A folder with a head of pre-training becomes the model alone, of the same model_type.
TEST_F(WriteEncoder, OfAHeadOfPreTrainingTheModelStays) {
  const json::value fixture =
      parse_json(read_file(STRATA_SOURCE_DIR "/src/inference/testdata/masked_roberta.json"));
  ASSERT_EQ(fixture.at("config").at("architectures").at(0), "RobertaForMaskedLM");
  inference::encoders::write_folder(fixture, source());
  EXPECT_EQ(write_again().hf_class, "RobertaModel");
  EXPECT_EQ(models::HfFolder(out()).find("lm_head.dense.weight"), nullptr);
}

std::string refusal_of(const WriteEncoder&, const std::function<void()>& write) {
  const Error error = error_of(write);
  EXPECT_EQ(error.code(), Code::unimplemented);
  return error.message();
}

TEST_F(WriteEncoder, WhatNoClassSaysIsRefusedWithTheReason) {
  const auto refusal = [&](models::GgufBuilder builder) {
    write_file_atomic(gguf(), bytes_of(std::move(builder), "bert"));
    const std::string message = refusal_of(*this, [&] { write(); });
    EXPECT_FALSE(fs::exists(out()));
    return message;
  };
  const auto model = [](const char* name) {
    return models::formula_model(inference::encoders::fixture_of(name).as_object());
  };
  models::GgufBuilder builder = model("nomic");
  builder.add_f32("blk.0.attn_output.bias", {40}, std::vector<float>(40));
  EXPECT_THAT(refusal(builder), HasSubstr("no bias for 'blk.0.attn_output.bias'"));
  builder = model("bert");
  std::erase_if(builder.tensors, [](const auto& t) { return t.name == "token_types.weight"; });
  EXPECT_THAT(refusal(builder), HasSubstr("BertModel: the class has types of tokens"));
  builder = model("bert_pairs");
  std::erase_if(builder.tensors, [](const auto& t) { return t.name.starts_with("cls."); });
  builder.add_f32("cls.weight", {36, 2}, std::vector<float>(72));
  EXPECT_THAT(refusal(builder), HasSubstr("a dense layer before its scores"));
  builder = model("modern");
  builder.set_u32("modern-bert.pooling_type", 3);
  EXPECT_EQ((write_file_atomic(gguf(), bytes_of(builder, "bert")), write().hf_class),
            "ModernBertModel")
      << "the last state is one that modules.json can name";
}

// all-MiniLM-L6-v2: from its folder to a GGUF file and to a folder, of which the vocabulary is
// made anew.
TEST_F(WriteEncoder, MiniLmThereAndBack) {
  const fs::path minilm = strata::testing::test_data("minilm");
  {
    const auto file = models::open_whole_model_file(minilm);
    write_gguf(*file, gguf());
  }
  EXPECT_EQ(write().hf_class, "BertModel");
  const auto before = models::load_model(minilm, "before");
  const auto after = models::load_model(out(), "after");
  EXPECT_EQ(after->spec.pooling, models::Pooling::mean);
  const std::string text = "The quick brown fox: ünïcödé, 人工知能!";
  const auto ids = before->tokenizer->with_bos_eos(before->tokenizer->encode_text(text));
  EXPECT_EQ(after->tokenizer->with_bos_eos(after->tokenizer->encode_text(text)), ids);
  const auto vector_of = [&](const std::shared_ptr<const models::Model>& model) {
    const auto executor = inference::make_fast_executor(model, {});
    inference::Embedder embedder(model, *executor, 512);
    std::vector<inference::Embedding> results;
    embedder.add(1, std::vector<inference::EmbeddingInput>{{ids, 0}},
                 [&](std::vector<inference::Embedding>&& embeddings, const Error* error) {
                   EXPECT_EQ(error, nullptr);
                   results = std::move(embeddings);
                 });
    while (!embedder.idle()) embedder.step();
    return results.at(0).vector;
  };
  EXPECT_EQ(vector_of(after), vector_of(before)) << "all weights are float32";
  const json::object settings = *models::HfFolder(out()).object("tokenizer_config.json");
  EXPECT_EQ(settings.at("pad_token"), "[PAD]");
}

}  // namespace
}  // namespace strata::modify
