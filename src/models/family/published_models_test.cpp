// Models that are not published as safetensors are the same models: the same keys, the same
// tensors, bit by bit.
#include <gmock/gmock.h>

#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/testing/published.h"

namespace strata::models {
namespace {

std::shared_ptr<const ModelFile> open(const std::string& name) {
  return translate(std::make_shared<HfFolder>(kPublished / name));
}

void expect_same(const std::string& name, const std::string& twin_name) {
  const auto file = open(name);
  const auto twin = open(twin_name);
  EXPECT_EQ(describe_model(*file).layers.size(), describe_model(*twin).layers.size());
  ASSERT_EQ(file->tensors().size(), twin->tensors().size()) << name;
  for (const TensorInfo& theirs : twin->tensors()) {
    const TensorInfo* ours = file->find_tensor(theirs.name);
    ASSERT_NE(ours, nullptr) << name << ": " << theirs.name;
    EXPECT_EQ(ours->type, theirs.type) << name << ": " << theirs.name;
    EXPECT_EQ(ours->shape, theirs.shape) << name << ": " << theirs.name;
    EXPECT_TRUE(std::ranges::equal(file->bytes(*ours).view, twin->bytes(theirs).view))
        << name << ": " << theirs.name;
  }
}

TEST(PublishedModels, AreThoseOfSafetensors) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kPublished)) {
    if (!entry.is_directory() || entry.path().parent_path() == kPublished) continue;
    const std::string name = entry.path().lexically_relative(kPublished).string();
    const std::string twin = name.substr(0, name.find('_', name.find('/')));
    if (twin != name) expect_same(name, twin);
  }
  EXPECT_EQ(open("bert/f32_keras")->format(), "Keras HDF5");
}

// The query's rows of a Llama change places; where the matrix lies by columns, after it was turned.
TEST(PublishedModels, WhatIsTurnedIsReordered) {
  const auto file = open("llama/f32_transposed");
  const TensorInfo* query = file->find_tensor("blk.0.attn_q.weight");
  ASSERT_NE(query, nullptr);
  EXPECT_TRUE(query->mapped.empty());
  const HfFolder stored(kPublished / "llama/f32_transposed");
  const auto* matrix = stored.find("model.layers.0.self_attn.q_proj.weight");
  EXPECT_TRUE(matrix->by_columns);
  EXPECT_FALSE(std::ranges::equal(file->bytes(*query).view, matrix->bytes));
}

}  // namespace
}  // namespace strata::models
