// Stacks of experts in MXFP4 that hold gate and up in turn: each gets its rows, bit by bit.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/temp_folder.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/quantized/weight_storage.h"
#include "models/testing/hf_model.h"

namespace strata::models {
namespace {

constexpr uint64_t kExperts = 7, kEmbedding = 64, kHidden = 32, kBlock = 32;

// The fixture's model in widths of whole blocks.
json::value widened(const json::value& value) {
  if (value.is_array()) {
    json::array all;
    for (const json::value& entry : value.get_array()) all.push_back(widened(entry));
    return all;
  }
  if (!value.is_int64()) return value;
  switch (value.get_int64()) {
    case 30:
      return kEmbedding;
    case 22:
      return kHidden;
    case 44:
      return 2 * kHidden;
    default:
      return value;
  }
}

void put_stack(json::object& tensors, const std::string& name, uint64_t rows, uint64_t cols) {
  tensors.erase(name);
  tensors[name + "_blocks"] = {
      {"dtype", "U8"}, {"shape", {kExperts, rows, cols / kBlock, kBlock / 2}}, {"fill", "bytes"}};
  tensors[name + "_scales"] = {{"dtype", "U8"},
                               {"shape", {kExperts, rows, cols / kBlock}},
                               {"fill", "exponents"},
                               {"about", 120}};
}

void write_model(const std::filesystem::path& folder) {
  std::ifstream file(STRATA_SOURCE_DIR "/src/inference/testdata/hf_gpt_oss.json");
  std::stringstream text;
  text << file.rdbuf();
  const json::value fixture = parse_json(text.str());
  json::object config = fixture.at("config").as_object();
  for (auto& [field, value] : config) value = widened(value);
  config["quantization_config"] = {{"quant_method", "mxfp4"}};
  json::object tensors;
  for (const auto& [name, shape] : fixture.at("tensors").as_object()) {
    tensors[name] = widened(shape);
  }
  for (int layer = 0; layer < 3; ++layer) {
    const std::string experts = fmt::format("model.layers.{}.mlp.experts.", layer);
    put_stack(tensors, experts + "gate_up_proj", 2 * kHidden, kEmbedding);
    put_stack(tensors, experts + "down_proj", kEmbedding, kHidden);
  }
  write_hf_folder(folder, config, tensors);
}

// Rows first, first + step, … of each matrix of a stored stack.
std::vector<std::byte> expected(const HfFolder& folder, const std::string& name, uint64_t n,
                                uint64_t first, uint64_t step, uint64_t cols) {
  const HfWeight weight = *open_storage(folder)->find(name);
  std::vector<uint64_t> rows;
  for (uint64_t i = 0; i < n; ++i) rows.push_back(first + i * step);
  const uint64_t size = tensor::bytes_of(tensor::DType::mxfp4, n * cols);
  std::vector<std::byte> all(kExperts * size);
  for (uint64_t matrix = 0; matrix < kExperts; ++matrix) {
    weight.maker->make(tensor::DType::mxfp4, matrix, rows, all.data() + matrix * size);
  }
  return all;
}

TEST(QuantizedExperts, GateAndUpTakeTheirRowsInTurn) {
  const strata::testing::TempFolder folder;
  write_model(folder.path());
  const auto held = std::make_shared<HfFolder>(folder.path());
  const std::shared_ptr<const ModelFile> file = translate(held);
  EXPECT_EQ(describe_model(*file).layers.size(), 3u);
  const auto expect_rows = [&](const std::string& ours, const std::string& theirs, uint64_t n,
                               uint64_t first, uint64_t step, uint64_t cols) {
    const TensorInfo* tensor = file->find_tensor(ours);
    ASSERT_NE(tensor, nullptr) << ours;
    EXPECT_EQ(tensor->type, tensor::DType::mxfp4);
    const TensorBytes bytes = file->bytes(*tensor);
    EXPECT_EQ(std::vector(bytes.view.begin(), bytes.view.end()),
              expected(*held, theirs, n, first, step, cols))
        << ours;
  };
  const std::string both = "model.layers.1.mlp.experts.gate_up_proj";
  expect_rows("blk.1.ffn_gate_exps.weight", both, kHidden, 0, 2, kEmbedding);
  expect_rows("blk.1.ffn_up_exps.weight", both, kHidden, 1, 2, kEmbedding);
  expect_rows("blk.1.ffn_down_exps.weight", "model.layers.1.mlp.experts.down_proj", kEmbedding, 0,
              1, kHidden);
}

}  // namespace
}  // namespace strata::models
