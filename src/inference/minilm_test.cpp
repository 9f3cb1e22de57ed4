// A real encoder, all-MiniLM-L6-v2 from its folder: ids and vectors as transformers gives them
// (tests/oracle/minilm.py), by both executors.
#include <cmath>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/testing/test_data.h"
#include "inference/embedder.h"
#include "inference/executor.h"

namespace strata::inference {
namespace {

constexpr double kTolerance = 1e-5;  // of numbers of a vector of length 1

class MiniLm : public ::testing::Test {
 protected:
  MiniLm() {
    std::ifstream file(STRATA_SOURCE_DIR "/src/inference/testdata/minilm.json");
    std::stringstream text;
    text << file.rdbuf();
    expected_ = parse_json(text.str());
    model_ = models::load_model(strata::testing::test_data("minilm"), "minilm");
  }

  const json::array& vectors() const { return expected_.at("vectors").as_array(); }

  std::vector<Embedding> embed(Executor& executor) const {
    Embedder embedder(model_, executor, 512);
    std::vector<EmbeddingInput> inputs;
    for (const json::value& entry : vectors()) {
      inputs.push_back({json::value_to<std::vector<int32_t>>(entry.at("ids")), 0});
    }
    std::vector<Embedding> results;
    embedder.add(1, inputs, [&](std::vector<Embedding>&& embeddings, const Error* error) {
      EXPECT_EQ(error, nullptr);
      results = std::move(embeddings);
    });
    while (!embedder.idle()) embedder.step();
    return results;
  }

  void expect_vectors(Executor& executor) const {
    std::vector<Embedding> results = embed(executor);
    ASSERT_EQ(results.size(), vectors().size());
    for (size_t i = 0; i < results.size(); ++i) {
      normalize(results[i].vector);
      const auto values = json::value_to<std::vector<double>>(vectors()[i].at("values"));
      for (size_t k = 0; k < values.size(); ++k) {
        EXPECT_NEAR(results[i].vector[k], values[k], kTolerance)
            << "text " << i << ", number " << k;
      }
    }
  }

  json::value expected_;
  std::shared_ptr<const models::Model> model_;
};

TEST_F(MiniLm, IdsAreThoseOfItsTokenizer) {
  const models::Tokenizer& tokenizer = *model_->tokenizer;
  for (const json::value& entry : vectors()) {
    const std::string text(entry.at("text").as_string());
    EXPECT_EQ(tokenizer.with_bos_eos(tokenizer.encode_text(text)),
              json::value_to<std::vector<int32_t>>(entry.at("ids")))
        << text;
  }
}

TEST_F(MiniLm, VectorsOfTheFloat32Executor) {
  expect_vectors(*make_float32_executor(model_, {}));
}

TEST_F(MiniLm, VectorsOfTheFastExecutor) {
  expect_vectors(*make_fast_executor(model_, {}));
}

TEST_F(MiniLm, PoolsTheMeanAsItsModulesSay) {
  EXPECT_EQ(model_->spec.pooling, models::Pooling::mean);
  EXPECT_EQ(model_->file->integer("bert.pooling_type"), 1);
}

}  // namespace
}  // namespace strata::inference
