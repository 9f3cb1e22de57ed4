#include "models/format/gguf.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "core/error.h"
#include "models/format/gguf_builder.h"

namespace strata::models {
namespace {

using testing::ElementsAre;

GgufBuilder sample() {
  GgufBuilder builder;
  builder.set_text("general.architecture", "llama");
  builder.set_u32("a.u32", 7);
  builder.set_i32("a.i32", -7);
  builder.set_u64("a.u64", 1ull << 40);
  builder.set_f32("a.f32", 0.5f);
  builder.set_bool("a.bool", true);
  builder.set_texts("a.texts", {"one", "", "thr\xff"});
  builder.set_i32s("a.i32s", {1, -2, 3});
  builder.set_f32s("a.f32s", {1.5f, -2.5f});
  builder.add_f32("vector", {3}, {1, 2, 3});
  builder.add_tensor("matrix", tensor::DType::q8_0, {64, 2}, std::vector<std::byte>(4 * 34));
  return builder;
}

TEST(Gguf, ReadsEveryKindOfValue) {
  for (const uint32_t version : {2u, 3u}) {
    GgufBuilder builder = sample();
    builder.version = version;
    const auto bytes = builder.build();
    const auto file = parse_gguf(bytes);
    EXPECT_EQ(file->format(), fmt::format("GGUF {}", version));
    EXPECT_EQ(file->file_bytes(), bytes.size());
    EXPECT_EQ(file->text("general.architecture"), "llama");
    EXPECT_EQ(file->integer("a.u32"), 7);
    EXPECT_EQ(file->integer("a.i32"), -7);
    EXPECT_EQ(file->integer("a.u64"), int64_t{1} << 40);
    EXPECT_EQ(file->number("a.f32"), 0.5);
    EXPECT_EQ(file->boolean("a.bool"), true);
    EXPECT_THAT(*file->texts("a.texts"), ElementsAre("one", "", "thr\xff"));
    EXPECT_THAT(*file->integers("a.i32s"), ElementsAre(1, -2, 3));
    EXPECT_THAT(*file->numbers("a.f32s"), ElementsAre(1.5f, -2.5f));
    EXPECT_EQ(file->integer("absent"), std::nullopt);
    EXPECT_EQ(file->find("absent"), nullptr);
  }
}

TEST(Gguf, PlacesTensors) {
  const auto bytes = sample().build();
  const auto file = parse_gguf(bytes);
  ASSERT_EQ(file->tensors().size(), 2u);
  const TensorInfo* vector = file->find_tensor("vector");
  ASSERT_NE(vector, nullptr);
  EXPECT_EQ(vector->cols(), 3u);
  EXPECT_EQ(vector->rows(), 1u);
  const float* weights = reinterpret_cast<const float*>(vector->mapped.data());
  EXPECT_THAT(std::vector<float>(weights, weights + 3), ElementsAre(1, 2, 3));
  const TensorInfo* matrix = file->find_tensor("matrix");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->n_weights(), 128u);
  EXPECT_EQ(matrix->mapped.size(), 4u * 34u);
  EXPECT_EQ((matrix->mapped.data() - vector->mapped.data()) % 32, 0);
  EXPECT_EQ(file->find_tensor("absent"), nullptr);
}

TEST(Gguf, HonoursAlignment) {
  GgufBuilder builder = sample();
  builder.alignment = 4096;
  builder.set_u32("general.alignment", 4096);
  const auto bytes = builder.build();
  const auto file = parse_gguf(bytes);
  EXPECT_EQ((file->find_tensor("matrix")->mapped.data() - bytes.data()) % 4096, 0);
}

TEST(Gguf, TypedLookUpRefusesOtherTypes) {
  const auto bytes = sample().build();
  const auto file = parse_gguf(bytes);
  EXPECT_THROW(file->integer("a.f32"), Error);
  EXPECT_THROW(file->number("a.u32"), Error);
  EXPECT_THROW(file->boolean("a.u32"), Error);
  EXPECT_THROW(file->text("a.u32"), Error);
  EXPECT_THROW(file->integers("a.f32s"), Error);
  EXPECT_THROW(file->numbers("a.i32s"), Error);
  EXPECT_THROW(file->texts("a.i32s"), Error);
  EXPECT_THROW(file->integer("a.i32s"), Error);
}

TEST(Gguf, RefusesIntegersBeyondInt64) {
  GgufBuilder builder;
  builder.set_u64("big", ~0ull);
  const auto bytes = builder.build();
  EXPECT_THROW(parse_gguf(bytes)->integer("big"), Error);
}

}  // namespace
}  // namespace strata::models
