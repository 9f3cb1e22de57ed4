// Folders of encoders: modules.json, prompts, labels, positions behind the padding, heads for
// masks, and what is refused.
#include <gmock/gmock.h>

#include "core/error.h"
#include "models/testing/fixture_folder.h"
#include "models/text_prompts.h"

namespace strata::models {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EncoderFolder : public FixtureFolder {
 public:
  explicit EncoderFolder(const std::string& name) : FixtureFolder("encoder_" + name) {}

  void add_pooling(const std::string& settings) {
    add("modules.json", R"([{"type":"sentence_transformers.models.Transformer","path":""},
        {"type":"sentence_transformers.models.Pooling","path":"1_Pooling"},
        {"type":"sentence_transformers.models.Normalize","path":"2_Normalize"}])");
    add("1_Pooling/config.json", settings);
  }
};

TEST(EncoderFolders, ModulesSayHowStatesBecomeOneVector) {
  EncoderFolder folder("roberta");
  EXPECT_FALSE(folder.open()->integer("bert.pooling_type"));
  folder.add_pooling(R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})");
  EXPECT_EQ(folder.open()->integer("bert.pooling_type"), 2);
  folder.add_pooling(R"({"pooling_mode_max_tokens":true})");
  EXPECT_THAT(folder.refusal(), HasSubstr("pooling_mode_max_tokens"));
}

// As Sentence Transformers 6 writes it.
TEST(EncoderFolders, ThePoolingMayBeNamed) {
  EncoderFolder folder("roberta");
  folder.add_pooling(R"({"embedding_dimension":36,"pooling_mode":"cls","include_prompt":true})");
  EXPECT_EQ(folder.open()->integer("bert.pooling_type"), 2);
  folder.add_pooling(R"({"pooling_mode":["lasttoken"]})");
  EXPECT_EQ(folder.open()->integer("bert.pooling_type"), 3);
  folder.add_pooling(R"({"pooling_mode":["cls","mean"]})");
  EXPECT_THAT(folder.refusal(), HasSubstr("beside another"));
  folder.add_pooling(R"({"pooling_mode":"max"})");
  EXPECT_THAT(folder.refusal(), HasSubstr("pooling_mode_max_tokens"));
  folder.add_pooling(R"({"pooling_mode":"median"})");
  EXPECT_THAT(folder.refusal(), HasSubstr("median"));
}

TEST(EncoderFolders, AModelInAFolderOfItsOwnIsRefused) {
  EncoderFolder folder("roberta");
  folder.add("modules.json", R"([{"type":"a.Transformer","path":"0_Transformer"}])");
  EXPECT_THAT(folder.refusal(), HasSubstr("0_Transformer"));
}

TEST(EncoderFolders, AModuleThatIsNotDoneIsRefused) {
  EncoderFolder folder("roberta");
  folder.add("modules.json", R"([{"type":"sentence_transformers.models.Dense","path":"2_Dense"}])");
  EXPECT_THAT(folder.refusal(), HasSubstr("sentence_transformers.models.Dense"));
  folder.add("modules.json", R"([{"type":"x.Pooling","path":"../etc"}])");
  EXPECT_THAT(folder.refusal(), HasSubstr("is no folder's name"));
  folder.add("modules.json", R"([3])");
  EXPECT_THAT(folder.refusal(), HasSubstr("modules.json"));
}

std::string modules(const std::string& behind) {
  return R"([{"type":"a.Transformer","path":""},{"type":"a.Pooling","path":"1_Pooling"},)" +
         behind + "]";
}

TEST(EncoderFolders, DenseLayersStandBehindThePooling) {
  EncoderFolder folder("roberta");
  const std::string dense = R"({"type":"a.Dense","path":"2_Dense"})";
  folder.add("1_Pooling/config.json", R"({"pooling_mode_mean_tokens":true})");
  folder.add("modules.json", modules(R"({"type":"a.Normalize","path":""},)" + dense));
  EXPECT_THAT(folder.refusal(), HasSubstr("a.Dense")) << "of what has length 1 already";
  folder.add("modules.json", modules(dense));
  EXPECT_THAT(folder.refusal(), HasSubstr("2_Dense"));
  const auto with = [&](const std::string& function, const SafeEntry& entry) {
    folder.add("2_Dense/config.json",
               to_json(json::object{{"activation_function", "torch." + function}}));
    const auto bytes = safetensors_bytes({entry});
    folder.add("2_Dense/model.safetensors",
               std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    return folder.refusal();
  };
  EXPECT_EQ(with("Tanh", formula_entry("linear.weight", {5, 36})), "");
  folder.add("2_Dense/config.json",
             R"({"activation_function":"torch.nn.Tanh","use_residual":true})");
  EXPECT_THAT(folder.refusal(), HasSubstr("use_residual"));
  with("Tanh", formula_entry("linear.weight", {5, 36}));
  EXPECT_EQ(vector_width(describe_model(*folder.open())), 5);
  EXPECT_THAT(with("GELU", formula_entry("linear.weight", {5, 36})), HasSubstr("torch.GELU"));
  EXPECT_THAT(with("Tanh", formula_entry("linear.bias", {5})), HasSubstr("linear.weight"));
  EXPECT_THAT(with("Tanh", formula_entry("linear.other", {5, 36})), HasSubstr("linear.other"));
}

TEST(EncoderFolders, PromptsAreThoseOfTheFolder) {
  EncoderFolder folder("roberta");
  EXPECT_TRUE(text_prompts(*folder.open()).named.empty());
  folder.add("config_sentence_transformers.json",
             R"({"prompts":{"query":"query: ","passage":""},"default_prompt_name":"passage"})");
  const TextPrompts prompts = text_prompts(*folder.open());
  ASSERT_EQ(prompts.named.size(), 2u);
  EXPECT_EQ(prompt_text(prompts, "query"), "query: ");
  EXPECT_EQ(prompt_text(prompts, "search_query"), "query: ");
  EXPECT_EQ(prompt_text(prompts, "document"), "");
  EXPECT_EQ(prompt_text(prompts, std::nullopt), "");
  EXPECT_THROW(prompt_text(prompts, "clustering"), Error);
  folder.add_pooling(R"({"pooling_mode_mean_tokens":true,"include_prompt":false})");
  EXPECT_THAT(folder.refusal(), HasSubstr("include_prompt"));
}

TEST(EncoderFolders, BrokenPromptsAreRefused) {
  EncoderFolder folder("roberta");
  folder.add("config_sentence_transformers.json", R"({"prompts":{"query":3}})");
  EXPECT_THAT(folder.refusal(), HasSubstr("the prompt 'query' is no text"));
  folder.add("config_sentence_transformers.json",
             R"({"prompts":{"query":"q"},"default_prompt_name":"other"})");
  EXPECT_THROW(text_prompts(*folder.open()), Error);
}

TEST(EncoderFolders, LabelsAreNamed) {
  EncoderFolder folder("roberta_rank");
  EXPECT_THAT(*folder.open()->texts("bert.classifier.output_labels"),
              ElementsAre("calm", "angry", "other"));
  folder.config["id2label"] = {{"0", "LABEL_0"}, {"1", "LABEL_1"}, {"2", "LABEL_2"}};
  EXPECT_FALSE(folder.open()->texts("bert.classifier.output_labels")) << "made up";
  folder.config["id2label"] = {{"0", "calm"}, {"2", "angry"}};
  EXPECT_THAT(folder.refusal(), HasSubstr("none for 1"));
}

TEST(EncoderFolders, PositionsBeginBehindThePadding) {
  EncoderFolder folder("roberta");
  const auto file = folder.open();
  EXPECT_EQ(file->integer("bert.context_length"), 64);
  EXPECT_EQ(file->find_tensor("position_embd.weight")->rows(), 64u);
  folder.config["pad_token_id"] = 65;
  EXPECT_THAT(folder.refusal(), HasSubstr("pad_token_id"));
  folder.config["pad_token_id"] = -2;
  EXPECT_THAT(folder.refusal(), HasSubstr("pad_token_id"));
}

TEST(EncoderFolders, OtherFormulasAreRefused) {
  EncoderFolder nomic("nomic_folder");
  for (const char* field : {"prenorm", "parallel_block", "rotary_emb_interleaved"}) {
    EncoderFolder changed("nomic_folder");
    changed.config[field] = true;
    EXPECT_THAT(changed.refusal(), HasSubstr(field));
  }
  nomic.config["activation_function"] = "gelu";
  EXPECT_THAT(nomic.refusal(), HasSubstr("gelu"));
  EncoderFolder modern("modern_folder");
  modern.config["layer_types"] = {"sliding_attention", "full_attention", "full_attention",
                                  "full_attention", "full_attention"};
  EXPECT_THAT(modern.refusal(), HasSubstr("layer_types"));
  EncoderFolder roberta("roberta");
  roberta.config["position_embedding_type"] = "relative_key";
  EXPECT_THAT(roberta.refusal(), HasSubstr("position_embedding_type"));
  const std::pair<const char*, json::value> others[] = {
      {"conv_kernel_size", 3},       {"embedding_size", 12},  {"pooler_hidden_size", 12},
      {"relative_attention", false}, {"pos_att_type", "p2p"}, {"norm_rel_ebd", "rms"},
      {"position_buckets", 2},       {"hidden_act", "relu"},  {"pooler_hidden_act", "relu"},
      {"max_relative_positions", 5}, {"position_buckets", 9}, {"share_att_key", false}};
  for (const auto& [field, value] : others) {
    EncoderFolder changed("deberta_rank");
    changed.config[field] = value;
    EXPECT_NE(changed.refusal(), "") << field;
  }
  EncoderFolder own("deberta_own");
  own.config["share_att_key"] = true;
  EXPECT_THAT(own.refusal(), HasSubstr("pos_key_proj"));
  EncoderFolder gemma("gemma_folder");
  gemma.config["use_bidirectional_attention"] = false;
  EXPECT_THAT(gemma.refusal(), HasSubstr("use_bidirectional_attention"));
}

TEST(EncoderFolders, AHeadForMasksIsReadWhereItIsWhole) {
  FixtureFolder folder("masked_roberta");
  ModelSpec spec = describe_model(*folder.open());
  ASSERT_TRUE(spec.masks);
  EXPECT_EQ(spec.head.weight, spec.token_embedding);
  EXPECT_FALSE(generates(spec));
  folder.tensors["lm_head.decoder.weight"] = json::array{95, 36};
  folder.tensors["lm_head.decoder.bias"] = json::array{95};
  spec = describe_model(*folder.open());
  EXPECT_EQ(spec.head.weight, spec.token_embedding) << "a tied weight that is stored again";
  EXPECT_NE(spec.head.bias, kNoTensor);
  folder.config["tie_word_embeddings"] = false;
  spec = describe_model(*folder.open());
  EXPECT_NE(spec.head.weight, spec.token_embedding);
  folder.tensors.erase("lm_head.layer_norm.weight");
  EXPECT_FALSE(describe_model(*folder.open()).masks) << "vectors need none";
}

TEST(EncoderFolders, AHeadOfOtherSizesIsLeftOutAndTold) {
  for (const char* part : {"lm_head.bias", "lm_head.dense.weight", "lm_head.layer_norm.bias"}) {
    FixtureFolder folder("masked_roberta");
    folder.tensors[part] = json::array{7};
    ::testing::internal::CaptureStderr();
    EXPECT_FALSE(describe_model(*folder.open()).masks);
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr(part));
  }
}

TEST(EncoderFolders, AHeadWithAnotherActivationIsLeftOutAndTold) {
  FixtureFolder folder("masked_modern");
  EXPECT_TRUE(describe_model(*folder.open()).masks);
  folder.config["classifier_activation"] = "silu";
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(describe_model(*folder.open()).masks);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("classifier_activation"));
}

TEST(EncoderFolders, OfWhatIsWrittenTheHeadForMasksIsLeftOutAndTold) {
  const FixtureFolder folder("masked_bert");
  ::testing::internal::CaptureStderr();
  const auto file = folder.open(MaskHeads::left_out);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("the head that fills in masks is left out: what is written of a model has "
                        "no place for it"));
  EXPECT_FALSE(describe_model(*file).masks);
  EXPECT_EQ(file->find_tensor("masks.dense.weight"), nullptr);
  EXPECT_EQ(file->find_tensor("output.bias"), nullptr);
}

}  // namespace
}  // namespace strata::models
