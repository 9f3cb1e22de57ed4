// strata pull --quant: a folder is fetched from the Hub, here a server that answers as it does,
// quantised, and what was fetched for it alone is removed again.
#include <atomic>

#include <gmock/gmock.h>

#include "app/cli/pull_progress.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/testing.h"
#include "models/model.h"
#include "models/testing/hf_model.h"
#include "models/tokenizer/testing/tiny_json.h"

namespace strata::app {
namespace {

using strata::testing::error_of;
using strata::testing::HttpServer;
using strata::testing::Reply;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;
using strata::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class PullQuantized : public ::testing::Test {
 protected:
  PullQuantized() {
    const json::object config{{"architectures", json::array{"LlamaForCausalLM"}},
                              {"hidden_size", 32},
                              {"intermediate_size", 64},
                              {"max_position_embeddings", 64},
                              {"num_attention_heads", 2},
                              {"num_hidden_layers", 1},
                              {"rms_norm_eps", 1e-5}};
    const fs::path model = folder_.path() / "made";
    const std::string layer = "model.layers.0.";
    const json::array square{32, 32}, wide{64, 32}, norm{32};
    models::write_hf_folder(model, config,
                            {{"model.embed_tokens.weight", json::array{20, 32}},
                             {"model.norm.weight", norm},
                             {layer + "input_layernorm.weight", norm},
                             {layer + "post_attention_layernorm.weight", norm},
                             {layer + "self_attn.q_proj.weight", square},
                             {layer + "self_attn.k_proj.weight", square},
                             {layer + "self_attn.v_proj.weight", square},
                             {layer + "self_attn.o_proj.weight", square},
                             {layer + "mlp.gate_proj.weight", wide},
                             {layer + "mlp.up_proj.weight", wide},
                             {layer + "mlp.down_proj.weight", json::array{32, 64}}},
                            2);
    for (const auto& entry : fs::directory_iterator(model)) {
      files_[entry.path().filename().string()] = read_file(entry.path());
    }
    files_["tokenizer.json"] = to_json(models::testing::tiny_json_word_piece());
    files_["README.md"] = "---\nlicense: apache-2.0\n---\n";
  }

  models::Manifest pull(const std::string& type) {
    return pull_quantized(store_, "hf:own/Tiny", type, {}, 2, true).manifest;
  }

  std::vector<std::string> stored() const {
    std::vector<std::string> names;
    for (const models::Manifest& manifest : store_.list()) names.push_back(manifest.name);
    return names;
  }

  TempFolder folder_;
  models::Store store_{folder_.path() / "store"};
  std::map<std::string, std::string> files_;
  std::atomic<int> n_requests_{0};
  HttpServer server_{[this](const ServedRequest& request) {
    ++n_requests_;
    return models::testing::answer_as_hub(request, "own/Tiny", files_);
  }};
  ScopedEnvironment endpoint_{"HF_ENDPOINT", server_.url("/").c_str()};
  ScopedEnvironment token_{"HF_TOKEN", nullptr};
};

TEST_F(PullQuantized, OfTheNetworksModelOnlyTheQuantisedOneStays) {
  const models::Manifest made = pull("q8_0");
  EXPECT_EQ(made.name, "hf:own/Tiny:Q8_0");
  EXPECT_THAT(stored(), ElementsAre("hf:own/Tiny:Q8_0"));
  const auto model = models::open_model(store_.model_path(made));
  const auto* tensor = model->file->find_tensor("blk.0.ffn_up.weight");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->type, tensor::DType::q8_0);
  EXPECT_EQ(model->file->text("general.license"), "apache-2.0");
  EXPECT_EQ(model->tokenizer->n_vocab(), 20);
}

TEST_F(PullQuantized, ASecondTimeNothingIsFetched) {
  pull("q8_0");
  const int before = n_requests_;
  EXPECT_EQ(pull("q8_0").name, "hf:own/Tiny:Q8_0");
  EXPECT_EQ(n_requests_, before);
}

TEST_F(PullQuantized, WhatWasThereBeforeIsKept) {
  const std::string before = models::pull(store_, "hf:own/Tiny", {}).manifest.name;
  pull("q4_0");
  EXPECT_THAT(stored(), UnorderedElementsAre(before, "hf:own/Tiny:Q4_0"));
}

TEST_F(PullQuantized, OfAModelThatDoesNotComeNothingStays) {
  files_["model-00002-of-00002.safetensors"].resize(100);
  error_of([&] { pull("q8_0"); });
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_EQ(error_of([&] { pull("q9_9"); }).code(), Code::invalid_argument);
}

TEST_F(PullQuantized, AFileThatIsQuantisedAlreadyIsRefusedBeforeItIsCopied) {
  const fs::path file = folder_.path() / "small.gguf";
  fs::copy(store_.model_path(pull("q8_0")), file);
  const fs::path partial = store_.root() / "partial";
  fs::remove_all(partial);
  const Error error =
      error_of([&] { pull_quantized(store_, "file:" + file.string(), "q4_0", {}, 2, true); });
  EXPECT_EQ(error.code(), Code::failed_precondition);
  EXPECT_THAT(error.message(), ::testing::HasSubstr("small.gguf is quantised already"));
  EXPECT_THAT(stored(), ElementsAre("hf:own/Tiny:Q8_0"));
  EXPECT_FALSE(fs::exists(partial)) << "nothing was begun";
}

}  // namespace
}  // namespace strata::app
