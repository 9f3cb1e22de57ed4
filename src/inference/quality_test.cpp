// How close the fast executor comes to the float32 one on real models, and that one to llama.cpp.
// The text is testdata/licences.txt; distributions are compared on its first chunks, perplexity
// over all of it, more than 30,000 tokens, for which the float32 executor needs minutes and
// therefore answered once, as llama.cpp did (tests/oracle/perplexity.py). tests/long/quality
// compares distributions, and float32 with llama.cpp, over all chunks. Uses every core.
#include <cmath>
#include <cstring>
#include <numeric>

#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/json.h"
#include "core/os.h"
#include "core/testing/test_data.h"
#include "inference/perplexity.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
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

std::string testdata(const std::string& name) {
  return read_file(STRATA_SOURCE_DIR "/src/inference/testdata/" + name);
}

std::vector<int32_t> tokens_of(const models::Model& model) {
  return model.tokenizer->with_bos_eos(model.tokenizer->encode_text(testdata("licences.txt")));
}

PerplexityOptions options_for(const models::Model& model, int32_t max_chunks) {
  PerplexityOptions options{.max_chunks = max_chunks, .n_threads = 2};
  if (model.tokenizer->add_bos()) options.bos = model.tokenizer->bos();
  return options;
}

ExecutorFactory fast(const ModelPtr& model, tensor::KvFormat kv = tensor::KvFormat::bf16) {
  return [model, kv] { return make_fast_executor(model, {.n_positions_limit = 512, .kv = kv}); };
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

TEST_P(Quality, Int8KeysAndValuesStayNearFloat32Too) {
  const ModelPtr model = load(GetParam());
  const auto found = measure_divergence(plain(model), fast(model, tensor::KvFormat::int8),
                                        tokens_of(*model), options_for(*model, 1));
  EXPECT_LE(found.mean_kl, kMaxKlInt8);
  EXPECT_GE(found.top1_agreement, kMinTopInt8);
}

INSTANTIATE_TEST_SUITE_P(RealModels, Quality, ::testing::Values("smollm2-135m", "gemma3-270m"),
                         [](const auto& test) {
                           const std::string name = test.param;
                           return name.substr(0, name.find('-'));
                         });

// --- A long text, whose whole tests/long/quality reads (more than 30,000 tokens)

constexpr int32_t kChunks = 16;
constexpr double kMaxPerplexityRise = 0.008;
constexpr double kMaxFloat32Difference = 0.001;  // rounding, nothing else

// What was measured of a model over the text.
json::object recorded(const std::string& model) {
  const auto record = parse_json(testdata("perplexity.json")).as_object();
  EXPECT_EQ(sha256_hex(testdata("licences.txt")), record.at("text_sha256").as_string());
  return record.at("models").at(model).as_object();
}

std::vector<double> numbers(const json::value& array) {
  std::vector<double> all;
  for (const auto& each : array.as_array()) all.push_back(each.to_number<double>());
  return all;
}

// llama.cpp prints the perplexity of all chunks so far behind each chunk.
double perplexity_of_first(const std::vector<double>& chunk_nll, size_t n) {
  const double sum =
      std::accumulate(chunk_nll.begin(), chunk_nll.begin() + static_cast<ptrdiff_t>(n), 0.0);
  return std::exp(sum / static_cast<double>(n));
}

TEST_P(Quality, PerplexityOverALongTextIsNearThatOfFloat32) {
  const ModelPtr model = load(GetParam());
  const auto record = recorded(GetParam());
  const auto found =
      measure_perplexity(fast(model), tokens_of(*model), options_for(*model, kChunks));
  ASSERT_EQ(found.n_chunks, kChunks);
  const double float32 = perplexity_of_first(numbers(record.at("chunk_nll")), kChunks);
  EXPECT_LE(found.value / float32 - 1.0, kMaxPerplexityRise);
}

TEST_P(Quality, Float32PerplexityIsThatOfLlamaCpp) {
  const ModelPtr model = load(GetParam());
  const auto record = recorded(GetParam());
  const auto theirs = numbers(record.at("llama_cpp_so_far"));
  const auto then = numbers(record.at("chunk_nll"));
  const int32_t n_measured = 2;
  const auto found =
      measure_perplexity(plain(model), tokens_of(*model), options_for(*model, n_measured));
  for (size_t n = 1; n <= n_measured; ++n) {
    EXPECT_NEAR(perplexity_of_first(found.chunk_nll, n) / theirs.at(n - 1), 1.0,
                kMaxFloat32Difference)
        << "the first " << n << " chunks";
    EXPECT_NEAR(found.chunk_nll[n - 1], then.at(n - 1), 1e-4)
        << "the record is of another executor";
  }
}

// What the record says of all chunks agrees with itself, and so does each beginning with llama.cpp.
TEST_P(Quality, RecordOfFloat32IsItsOwnAndNearLlamaCpp) {
  const auto record = recorded(GetParam());
  const auto nll = numbers(record.at("chunk_nll"));
  const double whole = record.at("float32").as_double();
  EXPECT_NEAR(perplexity_of_first(nll, nll.size()) / whole, 1.0, 1e-6);
  EXPECT_NEAR(whole / record.at("llama_cpp").as_double(), 1.0, kMaxFloat32Difference);
  const auto theirs = numbers(record.at("llama_cpp_so_far"));
  for (size_t n = 1; n <= theirs.size(); ++n) {
    EXPECT_NEAR(perplexity_of_first(nll, n) / theirs[n - 1], 1.0, kMaxFloat32Difference)
        << "the first " << n << " chunks";
  }
}

// The same model with every matrix in bf16.
GgufBuilder in_bf16(const models::ModelFile& file) {
  GgufBuilder builder;
  for (const auto& value : file.values()) {
    GgufBuilder::Value copy{std::string(value.key), static_cast<uint32_t>(value.type), {}, {}};
    copy.bytes.assign(value.bytes.begin(), value.bytes.end());
    if (!value.key.starts_with("tokenizer.") && value.type != models::MetaType::array &&
        value.type != models::MetaType::string) {
      builder.values.push_back(std::move(copy));
    }
  }
  builder.set_text("general.architecture", *file.text("general.architecture"));
  for (const auto& tensor : file.tensors()) {
    const std::vector<uint64_t> shape(tensor.shape.begin(), tensor.shape.begin() + tensor.n_dims);
    const auto n = static_cast<size_t>(tensor.n_weights());
    std::vector<float> weights(n);
    tensor::dequantize_row(tensor.type, file.bytes(tensor).view.data(), weights.data(),
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
  model->file = models::parse_gguf(bytes);
  model->spec = models::describe_model(*model->file);

  const auto found =
      measure_divergence(plain(model), fast(model), tokens_of(*model), options_for(*model, 2));
  EXPECT_LE(found.mean_kl, kMaxKlBf16);
  EXPECT_GE(found.top1_agreement, kMinTopBf16);
}

}  // namespace
}  // namespace strata::inference
