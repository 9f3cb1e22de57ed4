// Models that are folders: pulled from this machine and from the Hub, kept as blobs, shown as a
// folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/folder_files.h"
#include "models/hub/pull.h"
#include "models/hub/source.h"
#include "models/hub/testing.h"
#include "models/testing/hf_model.h"
#include "models/tokenizer/testing/tiny_json.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::HttpServer;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;
using strata::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string no_index(const std::string& path) {
  ADD_FAILURE() << path;
  return "";
}

TEST(FolderFiles, TakeWhatIsTheModelAndNothingElse) {
  const std::vector<std::string> paths{"pytorch_model.bin",
                                       "model-00001-of-00002.safetensors",
                                       "config.json",
                                       "model.safetensors",
                                       "model-00002-of-00002.safetensors",
                                       "model.safetensors.index.json",
                                       "tokenizer.json",
                                       "1_Pooling/config.json",
                                       "onnx/model.onnx",
                                       "consolidated.safetensors",
                                       "vocab.txt",
                                       "added_tokens.json",
                                       "qwen.tiktoken",
                                       "tiktoken.model",
                                       "tokenizer.tiktoken",
                                       "../config.json",
                                       "a/b/config.json",
                                       "train.py"};
  const auto index = [](const std::string& path) {
    EXPECT_EQ(path, "model.safetensors.index.json");
    return R"({"weight_map": {"a": "model-00002-of-00002.safetensors",
               "b": "model-00001-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}})";
  };
  EXPECT_THAT(folder_files(paths, index),
              ElementsAre("config.json", "1_Pooling/config.json", "added_tokens.json",
                          "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                          "model.safetensors.index.json", "tiktoken.model", "tokenizer.json",
                          "tokenizer.tiktoken", "vocab.txt"));
  const auto files = [](std::vector<std::string> all) { return folder_files(all, no_index); };
  EXPECT_THAT(files({"config.json", "a.bin"}), IsEmpty());
  EXPECT_THAT(files({"a.safetensors"}), IsEmpty());
  EXPECT_THAT(files({"config.json", "model.safetensors"}),
              ElementsAre("config.json", "model.safetensors"));
}

TEST(FolderFiles, DenseLayersBehindThePoolingAreTaken) {
  const auto files = [](std::vector<std::string> all) { return folder_files(all, no_index); };
  EXPECT_THAT(
      files({"config.json", "model.safetensors", "2_Dense/config.json", "2_Dense/model.safetensors",
             "3_Dense/pytorch_model.bin", "2_Dense/more.bin", "onnx/model.safetensors"}),
      ElementsAre("config.json", "2_Dense/config.json", "2_Dense/model.safetensors",
                  "3_Dense/pytorch_model.bin", "model.safetensors"));
  EXPECT_THAT(files({"config.json", "2_Dense/model.safetensors"}), IsEmpty());
}

TEST(FolderFiles, AnIndexThatLiesIsRefused) {
  const std::vector<std::string> paths{"config.json", "model.safetensors",
                                       "model.safetensors.index.json"};
  const auto refusal = [&](std::string_view index) {
    return error_of(
               [&] { folder_files(paths, [&](const std::string&) { return std::string(index); }); })
        .message();
  };
  EXPECT_THAT(refusal("{"), HasSubstr("JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("no object 'weight_map'"));
  EXPECT_THAT(refusal(R"({"weight_map": {"a": "../b.safetensors"}})"), HasSubstr("'a' is no file"));
  EXPECT_THAT(refusal(R"({"weight_map": {"a": 7}})"), HasSubstr("'a' is no file"));
  EXPECT_THAT(refusal(R"({"weight_map": {"a": "b.safetensors"}})"),
              HasSubstr("names b.safetensors, which is not there"));
}

TEST(FolderFiles, OtherWeightsAreTakenWhereThereAreNoSafetensors) {
  const auto files = [](std::vector<std::string> paths) { return folder_files(paths, no_index); };
  EXPECT_THAT(files({"pytorch_model.bin", "config.json", "optimizer.pt", "tf_model.h5"}),
              ElementsAre("config.json", "pytorch_model.bin"));
  EXPECT_THAT(files({"config.json", "pytorch_model.bin.index.json",
                     "pytorch_model-00001-of-00001.bin", "training_args.bin"}),
              ElementsAre("config.json", "pytorch_model-00001-of-00001.bin",
                          "pytorch_model.bin.index.json"));
  EXPECT_THAT(files({"config.json", "a.ckpt.data-00000-of-00001", "a.ckpt.index"}),
              ElementsAre("config.json", "a.ckpt.data-00000-of-00001", "a.ckpt.index"));
  EXPECT_THAT(files({"pytorch_model.bin"}), IsEmpty());
}

TEST(FolderFiles, PathsStayInTheFolder) {
  for (const char* path : {"config.json", "1_Pooling/config.json"}) {
    EXPECT_TRUE(is_folder_path(path)) << path;
  }
  for (const char* path : {"", ".", "..", "/a", "a/", "../a", "a/..", "a/b/c", "a\\b"}) {
    EXPECT_FALSE(is_folder_path(path)) << path;
  }
}

TEST(FolderFiles, PathsAreReferences) {
  const ScopedEnvironment home("HOME", "/home/me");
  EXPECT_EQ(as_reference("/a/../b/model"), "file:/b/model");
  EXPECT_EQ(as_reference("~/model"), "file:/home/me/model");
  EXPECT_EQ(as_reference("./model"), "file:" + (fs::current_path() / "model").string());
  for (const char* name : {"smollm2:135m", "hf:own/model", "file:model", "me/model"}) {
    EXPECT_EQ(as_reference(name), name);
  }
}

class FolderTest : public ::testing::Test {
 protected:
  FolderTest() {
    const json::object config{{"architectures", json::array{"LlamaForCausalLM"}},
                              {"hidden_size", 8},
                              {"intermediate_size", 12},
                              {"max_position_embeddings", 64},
                              {"num_attention_heads", 2},
                              {"num_hidden_layers", 1},
                              {"rms_norm_eps", 1e-5}};
    const std::string layer = "model.layers.0.";
    const json::array square{8, 8};
    const json::array wide{12, 8};
    write_hf_folder(model, config,
                    {{"model.embed_tokens.weight", json::array{20, 8}},
                     {"model.norm.weight", json::array{8}},
                     {layer + "input_layernorm.weight", json::array{8}},
                     {layer + "post_attention_layernorm.weight", json::array{8}},
                     {layer + "self_attn.q_proj.weight", square},
                     {layer + "self_attn.k_proj.weight", square},
                     {layer + "self_attn.v_proj.weight", square},
                     {layer + "self_attn.o_proj.weight", square},
                     {layer + "mlp.gate_proj.weight", wide},
                     {layer + "mlp.up_proj.weight", wide},
                     {layer + "mlp.down_proj.weight", json::array{8, 12}}},
                    2);
    write_file_atomic(model / "tokenizer.json", to_json(testing::tiny_json_word_piece()));
    write_file_atomic(model / "1_Pooling" / "config.json", "{}");
    write_file_atomic(model / "notes.txt", "not the model's");
    write_file_atomic(model / "consolidated.safetensors", "the weights a second time");
  }

  std::map<std::string, std::string> content() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(model)) {
      if (!entry.is_regular_file()) continue;
      files[entry.path().lexically_relative(model).string()] = read_file(entry.path());
    }
    return files;
  }

  // The view holds exactly these files, byte for byte.
  void expect_stored(const std::string& name) {
    const fs::path view = store.model_path(store.find(name));
    auto expected = content();
    expected.erase("notes.txt");
    expected.erase("consolidated.safetensors");
    size_t n = 0;
    for (const auto& entry : fs::recursive_directory_iterator(view)) {
      n += entry.is_regular_file() ? 1 : 0;
    }
    EXPECT_EQ(n, expected.size());
    for (const auto& [path, bytes] : expected) EXPECT_EQ(read_file(view / path), bytes) << path;
  }

  TempFolder folder;
  fs::path model = folder.path() / "Tiny-Model";
  Store store{folder.path() / "store"};
};

TEST_F(FolderTest, AFolderOfThisMachineIsStoredAsBlobs) {
  const PullResult result = pull(store, "file:" + model.string() + "/", {});
  EXPECT_EQ(result.manifest.name, "Tiny-Model:latest");
  EXPECT_EQ(result.manifest.model[0].file, "config.json");
  expect_stored("Tiny-Model");
  EXPECT_EQ(parse_manifest(to_text(result.manifest)).model, result.manifest.model);
  store.collect();
  expect_stored("Tiny-Model");
  store.remove("Tiny-Model");
  EXPECT_TRUE(fs::is_empty(store.root() / "blobs"));
  EXPECT_THAT(store.list(), IsEmpty());
}

// What is pulled by its path is what lies there now, or nothing.
TEST_F(FolderTest, AnotherFolderOfTheSameNameIsAnotherModel) {
  const std::string first = "file:" + model.string();
  pull(store, first, {});
  EXPECT_TRUE(pull(store, first, {}).already_there);
  const fs::path other = model.parent_path() / "other" / model.filename();
  EXPECT_EQ(error_of([&] { pull(store, "file:" + other.string(), {}); }).code(), Code::not_found);
  make_directories(other.parent_path());
  fs::copy(model, other, fs::copy_options::recursive);
  const Error error = error_of([&] { pull(store, "file:" + other.string(), {}); });
  EXPECT_EQ(error.code(), Code::already_exists);
  EXPECT_THAT(error.message(), HasSubstr("made of " + first));
  PullOptions options;
  options.as = "other";
  EXPECT_FALSE(pull(store, "file:" + other.string(), options).already_there);
  EXPECT_EQ(error_of([&] { pull(store, first, options); }).code(), Code::already_exists);
  options.as.clear();
  options.refresh = true;
  pull(store, "file:" + other.string(), options);
  EXPECT_EQ(store.find("Tiny-Model").source, "file:" + other.string());
}

TEST_F(FolderTest, AFolderThatWasWrittenAgainIsStoredAgain) {
  const std::string reference = "file:" + model.string();
  pull(store, reference, {});
  const std::string config = read_file(model / "config.json");
  write_file_atomic(model / "config.json", config + "\n");
  EXPECT_FALSE(pull(store, reference, {}).already_there);
  EXPECT_TRUE(pull(store, reference, {}).already_there);
  fs::last_write_time(model / "config.json",
                      fs::last_write_time(model / "config.json") + std::chrono::hours(1));
  EXPECT_FALSE(pull(store, reference, {}).already_there) << "of the same size";
}

TEST_F(FolderTest, ARepositoryWithoutAGgufIsAFolder) {
  auto files = content();
  HttpServer server([&](const ServedRequest& request) {
    return testing::answer_as_hub(request, "own/Tiny", files);
  });
  const ScopedEnvironment endpoint("HF_ENDPOINT", server.url("/").c_str());
  pull(store, "hf:own/Tiny", {});
  expect_stored("hf:own/Tiny");
  files["Tiny-Q8_0.gguf"] = testing::named_model("quantised");
  PullOptions again;
  again.refresh = true;
  EXPECT_EQ(pull(store, "hf:own/Tiny", again).manifest.model.size(), 1u);
  pull(store, "hf:own/Tiny:safetensors", {});
  expect_stored("hf:own/Tiny:safetensors");
}

TEST_F(FolderTest, WeightsOfPyTorchKerasAndTensorFlowAreStoredToo) {
  for (const char* name :
       {"llama/f32_zip", "llama/f32_sharded", "bert/f32_keras", "bert/f32_bundle_of_two"}) {
    fs::remove_all(model);
    fs::copy(fs::path(STRATA_SOURCE_DIR "/src/models/format/testdata/published") / name, model);
    write_file_atomic(model / "tokenizer.json", to_json(testing::tiny_json_word_piece()));
    PullOptions again;
    again.refresh = true;
    pull(store, "file:" + model.string(), again);
    expect_stored("Tiny-Model");
  }
}

TEST_F(FolderTest, WhatIsNoModelIsNotStored) {
  fs::remove(model / "config.json");
  EXPECT_THAT(error_of([&] { pull(store, "file:" + model.string(), {}); }).message(),
              HasSubstr("holds no model"));
  write_file_atomic(model / "config.json", R"({"architectures": ["NoSuchModel"]})");
  EXPECT_THAT(error_of([&] { pull(store, "file:" + model.string(), {}); }).message(),
              HasSubstr("NoSuchModel"));
  EXPECT_THAT(store.list(), IsEmpty());
  EXPECT_TRUE(fs::is_empty(store.root() / "blobs"));
}

// Of a folder that can't be run the weights are not fetched.
TEST_F(FolderTest, WhatConfigJsonTellsIsToldBeforeWeightsAreFetched) {
  std::vector<std::string> fetched;
  PullOptions options;
  options.progress = [&](const PullProgress& progress) { fetched.push_back(progress.file); };
  const auto refusal = [&](const char* config) {
    write_file_atomic(model / "config.json", config);
    fetched.clear();
    return error_of([&] { pull(store, "file:" + model.string(), options); }).message();
  };
  const auto has_weights = [&] {
    return std::ranges::any_of(fetched, [](const auto& file) { return file.ends_with("tensors"); });
  };
  EXPECT_THAT(refusal(R"({"architectures": ["NoSuchModel"]})"), HasSubstr("NoSuchModel"));
  EXPECT_FALSE(has_weights());
  EXPECT_THAT(refusal(R"({"architectures": ["LlamaForCausalLM"],
                          "quantization_config": {"quant_method": "bitsandbytes"}})"),
              HasSubstr("'bitsandbytes'"));
  EXPECT_FALSE(has_weights());
  fs::remove(model / "tokenizer.json");
  EXPECT_THAT(refusal("{}"), HasSubstr("no tokenizer that can be read"));
  EXPECT_FALSE(has_weights());
  EXPECT_TRUE(fs::is_empty(store.root() / "blobs"));
}

// Not the store's view of the folder, which nobody has heard of.
TEST_F(FolderTest, WhatCannotBeReadIsNamedAsItWasAskedFor) {
  fs::remove(model / "tokenizer.json");
  const Error error = error_of([&] { pull(store, "file:" + model.string(), {}); });
  EXPECT_THAT(error.message(), HasSubstr("file:" + model.string()));
  EXPECT_EQ(error.message().find(store.root().string()), std::string::npos) << error.message();
}

TEST_F(FolderTest, WithoutAVocabularyThatCanBeReadNothingIsStored) {
  const auto refusal = [&] {
    const Error error = error_of([&] { pull(store, "file:" + model.string(), {}); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_THAT(store.list(), IsEmpty());
    EXPECT_TRUE(fs::is_empty(store.root() / "blobs"));
    return error.message();
  };
  write_file_atomic(model / "tokenizer.json", "{}");
  EXPECT_THAT(refusal(), HasSubstr("tokenizer.json has no \"model\""));
  fs::remove(model / "tokenizer.json");
  EXPECT_THAT(refusal(), HasSubstr("no tokenizer that can be read; one of these is needed"));
  write_file_atomic(model / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n");
  EXPECT_EQ(pull(store, "file:" + model.string(), {}).manifest.model[0].file, "config.json");
}

// As another user, since root may list everything.
TEST_F(FolderTest, AFolderThatCannotBeListedIsNamed) {
  fs::create_symlink("round", model / "round");  // leads to itself
  EXPECT_EQ(pull(store, "file:" + model.string(), {}).manifest.model[0].file, "config.json");
  const fs::path closed = model / "closed";
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms::none);
  fs::permissions(folder.path(), fs::perms(0755));
  const bool root = ::geteuid() == 0;
  ASSERT_TRUE(!root || ::seteuid(65534) == 0);
  const std::string reference = "file:" + model.string();
  const Error error = error_of([&] { source_for(reference).resolve(reference, {}); });
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
  EXPECT_EQ(error.code(), Code::permission_denied);
  EXPECT_THAT(error.message(), HasSubstr(closed.string() + " cannot be listed"));
  fs::permissions(closed, fs::perms::owner_all);
}

TEST_F(FolderTest, ManifestsThatLeadOutAreDamaged) {
  const Manifest manifest = pull(store, "file:" + model.string(), {}).manifest;
  for (const char* path : {"../x", "/etc/passwd", "a/b/c", ".."}) {
    Manifest broken = manifest;
    broken.model[1].file = path;
    EXPECT_EQ(error_of([&] { parse_manifest(to_text(broken)); }).code(), Code::data_loss) << path;
  }
  Manifest mixed = manifest;
  mixed.model[1].file = "";
  EXPECT_EQ(error_of([&] { parse_manifest(to_text(mixed)); }).code(), Code::data_loss);
}

}  // namespace
}  // namespace strata::models
