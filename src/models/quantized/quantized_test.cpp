// Quantised folders that are wrong, each refused with file, tensor and field; MXFP4's order of
// bits. Right ones: src/inference/quantized_reference_test.cpp.
#include <array>
#include <cmath>
#include <functional>

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/os.h"
#include "core/testing/temp_folder.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/quantized/weight_storage.h"
#include "models/testing/hf_model.h"
#include "tensor/dequant.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

const std::string kProj = "model.layers.0.self_attn.k_proj.";

struct Broken {
  std::string name;
  std::function<void(json::object& settings, json::object& tensors)> change;
  std::string message;
};

class QuantizedHostile : public ::testing::Test {
 protected:
  // "" when the changed folder can be described and read.
  static std::string error(const std::string& fixture, const Broken& broken) {
    json::value read = parse_json(
        read_file(STRATA_SOURCE_DIR "/src/inference/testdata/quantized_" + fixture + ".json"));
    auto& config = read.at("config").as_object();
    auto& tensors = read.at("tensors").as_object();
    broken.change(config["quantization_config"].as_object(), tensors);
    strata::testing::TempFolder folder;
    write_hf_folder(folder.path(), config, tensors);
    try {
      const std::shared_ptr<const ModelFile> file =
          translate(std::make_shared<HfFolder>(folder.path()));
      describe_model(*file);
      for (const TensorInfo& tensor : file->tensors()) file->bytes(tensor);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }

  static void expect_refused(const std::string& fixture, const std::vector<Broken>& all) {
    EXPECT_EQ(error(fixture, {"as it is", [](auto&, auto&) {}, ""}), "");
    for (const Broken& broken : all) {
      EXPECT_THAT(error(fixture, broken), HasSubstr(broken.message)) << fixture << broken.name;
    }
  }
};

json::object& entry(json::object& tensors, const std::string& name) {
  return tensors.at(kProj + name).as_object();
}

// Numbers of a tensor as the bits that they are.
void set_bits(json::object& how, int64_t bits) {
  how["fill"] = "word";
  how["word"] = bits;
}

TEST_F(QuantizedHostile, Methods) {
  expect_refused(
      "gptq", {
                  {"unknown", [](auto& s, auto&) { s["quant_method"] = "bitsandbytes"; },
                   "quantization_config.quant_method is 'bitsandbytes'"},
                  {"none", [](auto& s, auto&) { s.erase("quant_method"); }, "quant_method is ''"},
                  {"a number", [](auto& s, auto&) { s["quant_method"] = 4; }, "'quant_method'"},
              });
}

TEST_F(QuantizedHostile, Gptq) {
  expect_refused(
      "gptq_act_order",
      {
          {"bits", [](auto& s, auto&) { s["bits"] = 5; }, "'bits' is 5"},
          {"no bits", [](auto& s, auto&) { s["bits"] = 0; }, "'bits' is 0"},
          {"bits in words", [](auto& s, auto&) { s["bits"] = "4"; }, "'bits' is no whole number"},
          {"other bits", [](auto& s, auto&) { s["bits"] = 8; }, "expected 1 x "},
          {"no group", [](auto& s, auto&) { s["group_size"] = 0; }, "'group_size'"},
          {"group", [](auto& s, auto&) { s["group_size"] = 48; }, "groups of 48"},
          {"a larger group", [](auto& s, auto&) { s["group_size"] = 64; }, "expected 1 x "},
          {"format", [](auto& s, auto&) { s["checkpoint_format"] = "gptq_v3"; }, "\"gptq_v3\""},
          {"words", [](auto& s, auto&) { s["pack_dtype"] = "int16"; }, "'pack_dtype'"},
          {"overrides",
           [](auto& s, auto&) { s["dynamic"] = json::object{{"+:.*", json::object{}}}; },
           "'dynamic'"},
          {"no zeros", [](auto&, auto& t) { t.erase(kProj + "qzeros"); },
           "model.safetensors: tensor '" + kProj + "qweight' is there without '" + kProj +
               "qzeros'"},
          {"no scales", [](auto&, auto& t) { t.erase(kProj + "scales"); }, "scales'"},
          {"no codes", [](auto&, auto& t) { t.erase(kProj + "qweight"); }, kProj},
          {"no groups", [](auto&, auto& t) { t.erase(kProj + "g_idx"); }, "g_idx'"},
          {"scales' rows", [](auto&, auto& t) { entry(t, "scales")["shape"] = json::array{3, 64}; },
           "tensor '" + kProj + "scales' has shape 3 x 64, expected 2 x 64"},
          {"scales' type", [](auto&, auto& t) { entry(t, "scales")["dtype"] = "I32"; },
           "scales' has dtype I32, expected F16"},
          {"zeros' columns",
           [](auto&, auto& t) { entry(t, "qzeros")["shape"] = json::array{2, 9}; },
           "qzeros' has shape 2 x 9, expected 2 x 8"},
          {"codes' shape",
           [](auto&, auto& t) { entry(t, "qweight")["shape"] = json::array{7, 64}; },
           "qweight' is no matrix"},
          {"empty codes", [](auto&, auto& t) { entry(t, "qweight")["shape"] = json::array{0, 64}; },
           "qweight' is no matrix"},
          {"a group too many",
           [](auto&, auto& t) { entry(t, "g_idx")["values"].as_array()[7] = 2; },
           "g_idx' names group 2 at 7, there are 2"},
          {"a negative group",
           [](auto&, auto& t) { entry(t, "g_idx")["values"].as_array()[7] = -1; },
           "names group -1 at 7"},
          {"NaN", [](auto&, auto& t) { set_bits(entry(t, "scales"), 0x7E00); },
           "scales' holds a number that is NaN or infinite: row 0, group 0"},
          {"twice", [](auto&, auto& t) { t[kProj + "weight"] = json::array{64, 64}; },
           kProj + "weight"},
      });
}

TEST_F(QuantizedHostile, Awq) {
  expect_refused(
      "awq",
      {
          {"version", [](auto& s, auto&) { s["version"] = "gemv"; }, "\"gemv\""},
          {"bits", [](auto& s, auto&) { s["bits"] = 8; }, "'bits' is 8"},
          {"no zeros", [](auto& s, auto&) { s["zero_point"] = false; }, "'zero_point'"},
          {"group", [](auto& s, auto&) { s["group_size"] = 24; }, "groups of 24"},
          {"zeros", [](auto&, auto& t) { t.erase(kProj + "qzeros"); }, "qzeros'"},
          {"scales", [](auto&, auto& t) { entry(t, "scales")["shape"] = json::array{2, 63}; },
           "scales' has shape 2 x 63"},
          {"infinity", [](auto&, auto& t) { set_bits(entry(t, "scales"), 0x7C00); },
           "scales' holds a number"},
      });
}

TEST_F(QuantizedHostile, CompressedTensors) {
  const auto weights = [](json::object& s) -> json::object& {
    return s["config_groups"].as_object()["group_0"].as_object()["weights"].as_object();
  };
  expect_refused(
      "ct_int4",
      {
          {"format", [](auto& s, auto&) { s["format"] = "nvfp4-pack-quantized"; }, "'format'"},
          {"status", [](auto& s, auto&) { s["quantization_status"] = "frozen"; }, "\"frozen\""},
          {"sparsity",
           [](auto& s, auto&) { s["sparsity_config"] = json::object{{"format", "marlin-24"}}; },
           "sparsity_config"},
          {"rotations",
           [](auto& s, auto&) {
             s["transform_config"] = {{"config_groups", {{"r1", json::object{}}}}};
           },
           "'transform_config'"},
          {"no groups", [](auto& s, auto&) { s.erase("config_groups"); }, "'config_groups'"},
          {"bits", [=](auto& s, auto&) { weights(s)["num_bits"] = 3; }, "'num_bits' is 3"},
          {"other bits", [=](auto& s, auto&) { weights(s)["num_bits"] = 8; },
           "weight_packed' has shape 128 x 8, expected 128 x 16"},
          {"strategy", [=](auto& s, auto&) { weights(s)["strategy"] = "tensor_group"; },
           "'strategy'"},
          {"group", [=](auto& s, auto&) { weights(s)["group_size"] = 48; }, "groups of 48"},
          {"no group", [=](auto& s, auto&) { weights(s)["group_size"] = 0; }, "'group_size'"},
          {"no shape", [](auto&, auto& t) { t.erase(kProj + "weight_shape"); }, "weight_shape'"},
          {"a larger shape",
           [](auto&, auto& t) { entry(t, "weight_shape")["values"] = json::array{64, 72}; },
           "weight_packed' has shape 64 x 8, expected 64 x 9"},
          {"a negative shape",
           [](auto&, auto& t) { entry(t, "weight_shape")["values"] = json::array{64, -64}; },
           "weight_shape' holds -64"},
          {"other rows",
           [](auto&, auto& t) { entry(t, "weight_shape")["values"] = json::array{65, 64}; },
           "has not the 65 rows"},
          {"no zeros", [](auto&, auto& t) { t.erase(kProj + "weight_zero_point"); },
           "weight_zero_point'"},
          {"zeros",
           [](auto&, auto& t) { entry(t, "weight_zero_point")["shape"] = json::array{9, 2}; },
           "weight_zero_point' has shape 9 x 2, expected 8 x 2"},
          {"scales", [](auto&, auto& t) { entry(t, "weight_scale")["shape"] = json::array{64, 3}; },
           "weight_scale' has shape 64 x 3, expected 64 x 2"},
          {"NaN", [](auto&, auto& t) { set_bits(entry(t, "weight_scale"), 0x7FC0); },
           "weight_scale' holds a number"},
      });
  expect_refused("ct_int4_order",
                 {{"a group too many",
                   [](auto&, auto& t) { entry(t, "weight_g_idx")["values"].as_array()[5] = 9; },
                   "weight_g_idx' names group 9 at 5"}});
  expect_refused("ct_fp8", {{"integers only", [=](auto& s, auto&) { weights(s)["type"] = "int"; },
                             "has no FP8"}});
}

TEST_F(QuantizedHostile, Fp8) {
  expect_refused(
      "fp8_cut_blocks",
      {
          {"format", [](auto& s, auto&) { s["fmt"] = "e5m2"; }, "'fmt'"},
          {"a block", [](auto& s, auto&) { s["weight_block_size"] = {128}; },
           "'weight_block_size'"},
          {"no block", [](auto& s, auto&) { s["weight_block_size"] = {0, 128}; },
           "'weight_block_size'"},
          {"other blocks", [](auto& s, auto&) { s["weight_block_size"] = {64, 32}; },
           "weight_scale_inv' has shape"},
          {"no scales", [](auto&, auto& t) { t.erase(kProj + "weight_scale_inv"); },
           "weight' is there without '" + kProj + "weight_scale_inv'"},
          {"scales' type", [](auto&, auto& t) { entry(t, "weight_scale_inv")["dtype"] = "I8"; },
           "weight_scale_inv' has dtype I8"},
          {"NaN scales", [](auto&, auto& t) { set_bits(entry(t, "weight_scale_inv"), 0x7FC0); },
           "weight_scale_inv' holds a number that is NaN"},
          {"NaN", [](auto&, auto& t) { set_bits(entry(t, "weight"), 0xFF); },
           "k_proj.weight' holds a number that is NaN or infinite: matrix 0, row 0, column 0"},
          {"a vector", [](auto&, auto& t) { entry(t, "weight")["shape"] = json::array{64 * 64}; },
           "k_proj.weight' has 1 dimensions"},
      });
}

// Of a stack "x" of two matrices with three rows of 64, as gpt-oss has them.
class Mxfp4Folder : public ::testing::Test {
 protected:
  HfWeight find(const json::object& tensors) {
    write_hf_folder(folder_.path(), {{"quantization_config", {{"quant_method", "mxfp4"}}}},
                    tensors);
    held_ = std::make_unique<HfFolder>(folder_.path());
    storage_ = open_storage(*held_);
    return *storage_->find("x");
  }
  std::string error(const json::object& tensors) {
    try {
      const HfWeight weight = find(tensors);
      std::vector<std::byte> out(tensor::bytes_of(weight.type, 64));
      const std::array<uint64_t, 1> rows{0};
      weight.maker->make(weight.type, 0, rows, out.data());
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }
  static json::object tensors() {
    return {{"x_blocks", {{"dtype", "U8"}, {"shape", {2, 3, 2, 16}}, {"fill", "bytes"}}},
            {"x_scales",
             {{"dtype", "U8"}, {"shape", {2, 3, 2}}, {"fill", "exponents"}, {"about", 120}}}};
  }

  strata::testing::TempFolder folder_;
  std::unique_ptr<HfFolder> held_;
  std::unique_ptr<WeightStorage> storage_;
};

TEST_F(Mxfp4Folder, BlocksBecomeGgufsWithTheSameNumbers) {
  constexpr float kNumbers[16] = {0, 0.5f,  1,  1.5f,  2,  3,  4,  6,
                                  0, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  const HfWeight weight = find(tensors());
  EXPECT_EQ(weight.type, tensor::DType::mxfp4);
  EXPECT_EQ(weight.shape, (std::vector<uint64_t>{2, 64, 3})) << "as the model multiplies it";
  const auto& blocks = held_->find("x_blocks")->bytes;
  const auto& scales = held_->find("x_scales")->bytes;
  for (uint64_t matrix = 0; matrix < 2; ++matrix) {
    const std::array<uint64_t, 3> rows{2, 0, 1};
    std::vector<std::byte> out(3 * tensor::bytes_of(weight.type, 64));
    weight.maker->make(weight.type, matrix, rows, out.data());
    std::vector<float> floats(3 * 64);
    tensor::dequantize_row(weight.type, out.data(), floats.data(), 3 * 64);
    for (size_t i = 0; i < floats.size(); ++i) {
      const size_t at = (matrix * 3 + rows[i / 64]) * 64 + i % 64;
      const auto pair = static_cast<unsigned>(blocks[at / 2]);
      const auto exponent = static_cast<int>(scales[at / 32]);
      EXPECT_EQ(floats[i],
                std::ldexp(kNumbers[at % 2 == 0 ? pair & 15 : pair >> 4], exponent - 127))
          << i;
    }
  }
}

TEST_F(Mxfp4Folder, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(error(tensors()), "");
  const auto changed = [&](std::string_view name, std::string_view field, json::value value) {
    json::object all = tensors();
    all[name].as_object()[field] = std::move(value);
    return error(all);
  };
  EXPECT_THAT(changed("x_scales", "shape", {2, 3, 3}), HasSubstr("x_scales' has shape 2 x 3 x 3"));
  EXPECT_THAT(changed("x_scales", "shape", {2, 6}), HasSubstr("x_scales' has shape 2 x 6"));
  EXPECT_THAT(changed("x_blocks", "shape", {2, 3, 4, 8}), HasSubstr("x_blocks' is no stack"));
  EXPECT_THAT(changed("x_blocks", "shape", {6, 2, 16}), HasSubstr("x_blocks' is no stack"));
  EXPECT_THAT(changed("x_blocks", "dtype", "F8_E4M3"), HasSubstr("x_blocks' has dtype F8_E4M3"));
  json::object no_numbers = tensors();
  set_bits(no_numbers["x_scales"].as_object(), 0xFF);
  EXPECT_THAT(error(no_numbers), HasSubstr("x_scales' holds a scale that is NaN"));
  json::object alone = tensors();
  alone.erase("x_scales");
  EXPECT_THAT(error(alone), HasSubstr("x_blocks' is there without 'x_scales'"));
}

}  // namespace
}  // namespace strata::models
