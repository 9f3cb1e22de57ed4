#include "modify/importance.h"

#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/format/gguf_builder.h"

namespace strata::modify {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;

models::TensorInfo tensor_of(std::string_view name, uint64_t cols, uint64_t rows,
                             uint64_t matrices) {
  models::TensorInfo tensor;
  tensor.name = name;
  tensor.shape = {cols, rows, matrices, 1};
  tensor.n_dims = matrices > 1 ? 3 : 2;
  return tensor;
}

Importance example() {
  Importance importance;
  importance.entries["blk.0.attn_q.weight"] = {{2, 4, 6, 0}, {2}};
  importance.entries["blk.0.ffn_up_exps.weight"] = {{1, 3, 0, 0, 5, 5}, {4, 0, 1}};
  importance.texts = {"texts.txt"};
  importance.n_chunks = 3;
  importance.chunk_tokens = 512;
  return importance;
}

TEST(Importance, ComesBackFromItsFile) {
  const TempFolder folder;
  write_importance(folder.path() / "i.gguf", example());
  const Importance read = read_importance(folder.path() / "i.gguf");
  ASSERT_EQ(read.entries.size(), 2u);
  for (const auto& [name, entry] : example().entries) {
    EXPECT_EQ(read.entries.at(name).sums, entry.sums);
    EXPECT_EQ(read.entries.at(name).counts, entry.counts);
  }
  EXPECT_EQ(read.texts, example().texts);
  EXPECT_EQ(read.n_chunks, 3u);
  EXPECT_EQ(read.chunk_tokens, 512u);
}

TEST(Importance, IsOfMeanOneAndLosesNoColumn) {
  const auto plain = column_importance(example(), tensor_of("blk.0.attn_q.weight", 4, 8, 1));
  ASSERT_EQ(plain.size(), 4u);
  EXPECT_FLOAT_EQ(plain[0], 2.0f / 3.0f);
  EXPECT_FLOAT_EQ(plain[2], 2.0f);
  EXPECT_FLOAT_EQ(plain[3], 1e-2f);
  const auto experts = column_importance(example(), tensor_of("blk.0.ffn_up_exps.weight", 2, 8, 3));
  EXPECT_EQ(experts, (std::vector<float>{0.5f, 1.5f, 1, 1, 1, 1}));
  EXPECT_TRUE(column_importance(example(), tensor_of("output.weight", 4, 8, 1)).empty());
  EXPECT_EQ(error_of([] {
              column_importance(example(), tensor_of("blk.0.attn_q.weight", 5, 8, 1));
            }).code(),
            Code::invalid_argument);
}

template <typename T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string old_file() {
  std::string bytes;
  append<int32_t>(bytes, 1);
  const std::string name = "blk.0.attn_q.weight";
  append(bytes, static_cast<int32_t>(name.size()));
  bytes += name;
  append<int32_t>(bytes, 2);  // calls
  append<int32_t>(bytes, 3);  // values
  for (const float value : {1.0f, 2.0f, 3.0f}) append(bytes, value);
  return bytes;
}

TEST(Importance, ReadsTheOlderFormatAndNoPartOfIt) {
  const TempFolder folder;
  const fs::path path = folder.path() / "i.dat";
  const std::string whole = old_file();
  std::ofstream(path) << whole;
  const Importance read = read_importance(path);
  EXPECT_EQ(read.entries.at("blk.0.attn_q.weight").sums, (std::vector<float>{1, 2, 3}));
  for (size_t size = 1; size < whole.size(); ++size) {
    std::ofstream(path) << whole.substr(0, size);
    EXPECT_EQ(error_of([&] { read_importance(path); }).code(), Code::invalid_argument) << size;
  }
}

TEST(Importance, RefusesNumbersThatAreNoSums) {
  const TempFolder folder;
  const fs::path path = folder.path() / "i.gguf";
  const auto refused = [&](const models::GgufBuilder& builder) {
    const auto bytes = builder.build();
    std::ofstream(path).write(reinterpret_cast<const char*>(bytes.data()),
                              static_cast<std::streamsize>(bytes.size()));
    return error_of([&] { read_importance(path); }).code() == Code::invalid_argument;
  };
  for (const float bad :
       {-1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    models::GgufBuilder builder;
    builder.add_f32("a.in_sum2", {2, 1}, {1.0f, bad});
    builder.add_f32("a.counts", {1, 1}, {1.0f});
    EXPECT_TRUE(refused(builder));
  }
  models::GgufBuilder no_counts;
  no_counts.add_f32("a.in_sum2", {2, 1}, {1, 1});
  EXPECT_TRUE(refused(no_counts));
  models::GgufBuilder uneven;
  uneven.add_f32("a.in_sum2", {3, 1}, {1, 1, 1});
  uneven.add_f32("a.counts", {1, 2}, {1, 1});
  EXPECT_TRUE(refused(uneven));
  models::GgufBuilder halves;
  halves.add_tensor("a.in_sum2", tensor::DType::f16, {2, 1}, std::vector<std::byte>(4));
  halves.add_f32("a.counts", {1, 1}, {1});
  EXPECT_TRUE(refused(halves));
  EXPECT_TRUE(refused(models::GgufBuilder()));
}

}  // namespace
}  // namespace strata::modify
