// How close the fast executor comes to the float32 one on real models, on the first chunks of a
// licence that every Debian system has. tests/long/quality measures the same over more than 30,000
// tokens, for which the float32 executor needs minutes.
// Uses every core.
#include <cstring>

#include <gtest/gtest.h>

#include "core/os.h"
#include "core/testing/test_data.h"
#include "inference/perplexity.h"
#include "models/family/family.h"
#include "models/format/gguf_builder.h"
#include "models/model.h"
#include "tensor/dequant.h"
#include "tensor/half.h"

namespace strata::inference {
namespace {

using models::GgufBuilder;
using ModelPtr = std::shared_ptr<const models::Model>;

// Mean KL divergence and share of equal most likely tokens (the product's bounds, also in
// tests/long/quality).
constexpr double kMaxKlInt8 = 4e-3;
constexpr double kMinTopInt8 = 0.955;
constexpr double kMaxKlBf16 = 3e-4;
constexpr double kMinTopBf16 = 0.988;

ModelPtr load(const std::string& name) {
  return models::load_model(strata::testing::test_data("models/" + name + ".gguf"), name);
}

std::vector<int32_t> tokens_of(const models::Model& model) {
  const std::string text = read_file("/usr/share/common-licenses/GPL-3");
  return model.tokenizer->with_bos_eos(model.tokenizer->encode_text(text));
}

PerplexityOptions options_for(const models::Model& model, int32_t max_chunks) {
  PerplexityOptions options{.max_chunks = max_chunks, .n_threads = 2};
  if (model.tokenizer->add_bos()) options.bos = model.tokenizer->bos();
  return options;
}

ExecutorFactory fast(const ModelPtr& model) {
  return [model] { return make_fast_executor(model, {.n_positions_limit = 512}); };
}
ExecutorFactory plain(const ModelPtr& model) {
  return [model] { return make_float32_executor(model, {.n_positions_limit = 512}); };
}

class Quality : public ::testing::TestWithParam<const char*> {};

TEST_P(Quality, DistributionsStayNearThoseOfFloat32) {
  const ModelPtr model = load(GetParam());
  const auto found =
      measure_divergence(plain(model), fast(model), tokens_of(*model), options_for(*model, 3));
  EXPECT_LE(found.mean_kl, kMaxKlInt8);
  EXPECT_GE(found.top1_agreement, kMinTopInt8);
  // The whole error of three chunks; a wrong scale or a lost term moves it by far more.
  EXPECT_NEAR(found.judged.value / found.reference.value, 1.0, 0.02);
}

INSTANTIATE_TEST_SUITE_P(RealModels, Quality, ::testing::Values("smollm2-135m", "gemma3-270m"),
                         [](const auto& test) {
                           const std::string name = test.param;
                           return name.substr(0, name.find('-'));
                         });

// The same model with every matrix in bf16.
GgufBuilder in_bf16(const models::GgufFile& file) {
  GgufBuilder builder;
  for (const auto& value : file.values()) {
    GgufBuilder::Value copy{std::string(value.key), static_cast<uint32_t>(value.type), {}, {}};
    copy.bytes.assign(value.bytes.begin(), value.bytes.end());
    if (!value.key.starts_with("tokenizer.") && value.type != models::GgufType::array &&
        value.type != models::GgufType::string) {
      builder.values.push_back(std::move(copy));
    }
  }
  builder.set_text("general.architecture", *file.text("general.architecture"));
  for (const auto& tensor : file.tensors()) {
    const std::vector<uint64_t> shape(tensor.shape.begin(), tensor.shape.begin() + tensor.n_dims);
    const auto n = static_cast<size_t>(tensor.n_weights());
    std::vector<float> weights(n);
    tensor::dequantize_row(tensor.type, tensor.data.data(), weights.data(),
                           static_cast<int64_t>(n));
    if (tensor.n_dims == 1) {
      builder.add_f32(tensor.name, shape, weights);
      continue;
    }
    std::vector<std::byte> bytes(2 * n);
    for (size_t i = 0; i < n; ++i) {
      const uint16_t half = tensor::f32_to_bf16(weights[i]);
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
    builder.add_tensor(tensor.name, tensor::DType::bf16, shape, std::move(bytes));
  }
  return builder;
}

TEST(QualityInBf16, DistributionsStayVeryNearThoseOfFloat32) {
  const ModelPtr original = load("smollm2-135m");
  const auto bytes = in_bf16(*original->file).build();
  auto model = std::make_shared<models::Model>(*original);
  model->file = models::GgufFile::parse(bytes);
  model->spec = models::describe_model(*model->file);

  const auto found =
      measure_divergence(plain(model), fast(model), tokens_of(*model), options_for(*model, 2));
  EXPECT_LE(found.mean_kl, kMaxKlBf16);
  EXPECT_GE(found.top1_agreement, kMinTopBf16);
}

}  // namespace
}  // namespace strata::inference
