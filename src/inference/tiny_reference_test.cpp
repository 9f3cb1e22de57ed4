// The float32 executor against transformers: tiny models of every family, whose weights are a
// formula (models/testing/formula_model.h) and whose logits tests/oracle/tiny_models.py wrote.
#include <cmath>
#include <fstream>
#include <functional>
#include <numeric>
#include <sstream>

#include <gtest/gtest.h>

#include "core/json.h"
#include "inference/executor.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"

namespace strata::inference {
namespace {

constexpr double kTolerance = 1e-4;  // relative to the root mean square of the row

using models::Attention;
using models::Mlp;
using models::ModelSpec;
using models::Moe;
using Change = std::function<void(ModelSpec&)>;

struct Answer {
  int32_t position = 0;
  double norm = 0;
  std::vector<std::pair<size_t, double>> logits;
  std::vector<std::vector<int32_t>> experts;  // [mixtures of experts][used], ascending
};

struct Sequence {
  std::vector<int32_t> ids;
  std::vector<Answer> answers;
};

// A fixture: the model built in memory and the oracle's answers.
class Reference {
 public:
  explicit Reference(const std::string& name) {
    std::ifstream file(STRATA_SOURCE_DIR "/src/inference/testdata/tiny_" + name + ".json");
    std::stringstream text;
    text << file.rdbuf();
    const json::value parsed = parse_json(text.str());
    for (const auto& [key, value] : parsed.at("metadata").as_object()) {
      if (key.ends_with(".expert_count")) has_experts_ = value.to_number<int64_t>() > 0;
    }
    bytes_ = models::formula_model(parsed.as_object()).build();
    for (const auto& entry : parsed.at("sequences").as_array()) read_sequence(entry);
  }

  const std::vector<Sequence>& sequences() const { return sequences_; }
  size_t n_vocab() const { return n_vocab_; }

  std::unique_ptr<Executor> executor(const Change& change = {}) {
    auto model = std::make_shared<models::Model>();
    model->file = models::parse_gguf(bytes_);
    model->spec = models::describe_model(*model->file);
    n_vocab_ = static_cast<size_t>(model->spec.n_vocab);
    if (change) change(model->spec);
    return make_float32_executor(model, {});
  }

 private:
  void read_sequence(const json::value& entry) {
    Sequence sequence;
    for (const auto& id : entry.at("ids").as_array()) {
      sequence.ids.push_back(id.to_number<int32_t>());
    }
    for (const auto& item : entry.at("answers").as_array()) {
      Answer answer;
      answer.position = item.at("position").to_number<int32_t>();
      answer.norm = item.at("norm").to_number<double>();
      for (const auto& [index, logit] : item.at("logits").as_object()) {
        answer.logits.emplace_back(std::stoul(std::string(index)), logit.to_number<double>());
      }
      if (const auto* experts = item.as_object().if_contains("experts")) {
        answer.experts = json::value_to<std::vector<std::vector<int32_t>>>(*experts);
      }
      EXPECT_EQ(!answer.experts.empty(), has_experts_) << "which experts the oracle chose";
      sequence.answers.push_back(std::move(answer));
    }
    sequences_.push_back(std::move(sequence));
  }

  std::vector<std::byte> bytes_;
  std::vector<Sequence> sequences_;
  size_t n_vocab_ = 0;
  bool has_experts_ = false;
};

// Largest distance from the oracle over the answers at one position, in units of the row's root
// mean square; 0 where the fixture keeps none.
double distance(const Sequence& sequence, int32_t position, std::span<const float> logits) {
  double worst = 0;
  for (const Answer& answer : sequence.answers) {
    if (answer.position != position) continue;
    const double unit = answer.norm / std::sqrt(static_cast<double>(logits.size()));
    double squares = 0;
    for (const float logit : logits) squares += double{logit} * double{logit};
    worst = std::max(worst, std::abs(std::sqrt(squares) / answer.norm - 1));
    for (const auto& [index, expected] : answer.logits) {
      const double off = std::abs(double{logits[index]} - expected) / unit;
      worst = std::isfinite(off) ? std::max(worst, off) : 1e9;
    }
  }
  return worst;
}

// The experts of this row of a step must be the oracle's; none of a model without.
void expect_experts(const Sequence& sequence, int32_t position, size_t row,
                    const std::vector<std::vector<int32_t>>& chosen) {
  for (const Answer& answer : sequence.answers) {
    if (answer.position != position) continue;
    ASSERT_EQ(chosen.size(), answer.experts.size());
    for (size_t i = 0; i < chosen.size(); ++i) {
      const size_t n_used = answer.experts[i].size();
      ASSERT_GE(chosen[i].size(), (row + 1) * n_used);
      const auto begin = chosen[i].begin() + static_cast<std::ptrdiff_t>(row * n_used);
      EXPECT_EQ(std::vector<int32_t>(begin, begin + static_cast<std::ptrdiff_t>(n_used)),
                answer.experts[i])
          << "mixture " << i << ", position " << position;
    }
  }
}

// One step's rows and what to compare them with.
struct Step {
  std::vector<Row> rows;
  std::vector<const Sequence*> of;

  void add(const Sequence& sequence, SequenceId id, int32_t begin, int32_t end) {
    for (int32_t position = begin; position < end; ++position) {
      rows.push_back({sequence.ids[static_cast<size_t>(position)], position, id, true});
      of.push_back(&sequence);
    }
  }

  // The worst distance. Of a changed model other experts than the oracle's may be right.
  double run(Executor& executor, size_t n_vocab, bool changed = false) const {
    const std::span<const float> logits = executor.step(rows);
    EXPECT_EQ(logits.size(), rows.size() * n_vocab);
    double worst = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      worst =
          std::max(worst, distance(*of[i], rows[i].position, logits.subspan(i * n_vocab, n_vocab)));
      if (!changed) expect_experts(*of[i], rows[i].position, i, executor.chosen_experts());
    }
    return worst;
  }
};

int32_t size_of(const Sequence& sequence) {
  return static_cast<int32_t>(sequence.ids.size());
}

// Each sequence whole, in one step of its own.
double prefill(Reference& reference, const Change& change = {}) {
  const auto executor = reference.executor(change);
  double worst = 0;
  for (const Sequence& sequence : reference.sequences()) {
    Step step;
    step.add(sequence, executor->create_sequence(), 0, size_of(sequence));
    worst = std::max(worst, step.run(*executor, reference.n_vocab(), change != nullptr));
  }
  return worst;
}

// One token a step.
double decode(Reference& reference) {
  const auto executor = reference.executor();
  double worst = 0;
  for (const Sequence& sequence : reference.sequences()) {
    const SequenceId id = executor->create_sequence();
    for (int32_t at = 0; at < size_of(sequence); ++at) {
      Step step;
      step.add(sequence, id, at, at + 1);
      worst = std::max(worst, step.run(*executor, reference.n_vocab()));
    }
  }
  return worst;
}

// All sequences at once, each in chunks of its own size, so that prefill and decode rows of
// different lengths share steps.
double uneven_batches(Reference& reference) {
  const auto executor = reference.executor();
  const auto& sequences = reference.sequences();
  std::vector<SequenceId> ids;
  for (size_t i = 0; i < sequences.size(); ++i) ids.push_back(executor->create_sequence());
  std::vector<int32_t> done(sequences.size(), 0);
  double worst = 0;
  while (true) {
    Step step;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const int32_t chunk = i == 0 ? 1 : i == 1 ? 4 : 7;
      const int32_t end = std::min(size_of(sequences[i]), done[i] + chunk);
      step.add(sequences[i], ids[i], done[i], end);
      done[i] = end;
    }
    if (step.rows.empty()) return worst;
    worst = std::max(worst, step.run(*executor, reference.n_vocab()));
  }
}

void for_each_attention(ModelSpec& spec, const std::function<void(Attention&)>& change) {
  for (auto& layer : spec.layers) {
    for (auto& block : layer.blocks) {
      if (auto* op = std::get_if<Attention>(&block.op)) change(*op);
    }
  }
}

void for_each_mlp(ModelSpec& spec, const std::function<void(Mlp&)>& change) {
  for (auto& layer : spec.layers) {
    for (auto& block : layer.blocks) {
      if (auto* op = std::get_if<Mlp>(&block.op)) change(*op);
    }
  }
}

void for_each_moe(ModelSpec& spec, const std::function<void(Moe&)>& change) {
  for (auto& layer : spec.layers) {
    for (auto& block : layer.blocks) {
      if (auto* op = std::get_if<Moe>(&block.op)) change(*op);
    }
  }
}

// A special feature switched off or changed must be seen, else the test above proves nothing.
void expect_seen(const std::string& name, const std::string& what, const Change& change) {
  Reference reference(name);
  EXPECT_GT(prefill(reference, change), 20 * kTolerance) << name << " without " << what;
}

void expect_attention_seen(const std::string& name, const std::string& what,
                           const std::function<void(Attention&)>& change) {
  expect_seen(name, what, [&](ModelSpec& spec) { for_each_attention(spec, change); });
}

void expect_moe_seen(const std::string& name, const std::string& what,
                     const std::function<void(Moe&)>& change) {
  expect_seen(name, what, [&](ModelSpec& spec) { for_each_moe(spec, change); });
}

class TinyReference : public testing::TestWithParam<const char*> {};

TEST_P(TinyReference, Prefill) {
  Reference reference(GetParam());
  ASSERT_EQ(reference.sequences().size(), 3u);
  EXPECT_LT(prefill(reference), kTolerance);
}

TEST_P(TinyReference, Decode) {
  Reference reference(GetParam());
  EXPECT_LT(decode(reference), kTolerance);
}

TEST_P(TinyReference, UnevenBatches) {
  Reference reference(GetParam());
  EXPECT_LT(uneven_batches(reference), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Models, TinyReference,
                         testing::Values("llama", "llama_tied_biased", "llama_linear_rope",
                                         "llama_rope_freqs", "llama_yarn", "mistral_window",
                                         "mixtral", "mixtral_split", "gemma3", "qwen2",
                                         "qwen2_untied", "qwen2moe", "qwen3", "qwen3moe", "olmo2",
                                         "olmo3", "olmo3_magnitude", "olmoe", "granite",
                                         "granitemoe", "gptneox", "gptneox_sequential"),
                         [](const auto& entry) { return std::string(entry.param); });

TEST(TinyReferenceNegative, Llama) {
  expect_attention_seen("llama", "adjacent pairs",
                        [](auto& op) { op.rope.kind = models::RopeKind::halves; });
  expect_attention_seen("llama", "its rope base", [](auto& op) { op.rope.base = 10000.0f; });
  expect_attention_seen("llama", "its scale", [](auto& op) { op.scale *= 1.1f; });
  expect_attention_seen("llama_linear_rope", "scaled positions",
                        [](auto& op) { op.rope.position_scale = 1.0f; });
  expect_attention_seen("llama_yarn", "YaRN", [](auto& op) { op.rope.yarn = {}; });
  expect_attention_seen("llama_yarn", "its magnitude",
                        [](auto& op) { op.rope.yarn.magnitude = 1; });
  expect_attention_seen("llama_yarn", "the pairs that keep their frequency",
                        [](auto& op) { op.rope.yarn.beta_fast = 2; });
  expect_attention_seen("llama_yarn", "the pairs that are scaled in full",
                        [](auto& op) { op.rope.yarn.beta_slow = 0.1f; });
  expect_attention_seen("llama_rope_freqs", "frequency divisors",
                        [](auto& op) { op.rope.frequency_divisors = models::kNoTensor; });
  expect_attention_seen("mistral_window", "the window", [](auto& op) { op.window = 0; });
  expect_attention_seen("mistral_window", "the window's exact width",
                        [](auto& op) { op.window += 1; });
  expect_seen("llama_tied_biased", "the biases of the MLP", [](ModelSpec& spec) {
    for_each_mlp(spec, [](Mlp& op) { op.up.bias = models::kNoTensor; });
  });
  expect_attention_seen("llama_tied_biased", "the bias of O",
                        [](auto& op) { op.o.bias = models::kNoTensor; });
  expect_seen("llama", "its own head",
              [](ModelSpec& spec) { spec.head.weight = spec.token_embedding; });
}

TEST(TinyReferenceNegative, Mixtral) {
  expect_moe_seen("mixtral", "weights that add up to one",
                  [](Moe& op) { op.renormalized = false; });
  expect_moe_seen("mixtral", "its second expert", [](Moe& op) { op.n_used = 1; });
  expect_moe_seen("mixtral", "the order of its experts",
                  [](Moe& op) { std::swap(op.experts[0], op.experts[4]); });
  expect_moe_seen("mixtral_split", "the scale of the weights", [](Moe& op) { op.scale = 1; });
}

TEST(TinyReferenceNegative, Gemma3) {
  expect_seen("gemma3", "embedding scale", [](ModelSpec& spec) { spec.embedding_scale = 1; });
  expect_attention_seen("gemma3", "the window", [](auto& op) { op.window = 0; });
  expect_attention_seen("gemma3", "the window's own rope base", [](auto& op) {
    if (op.window > 0) op.rope.base = 1000000.0f;
  });
  expect_attention_seen("gemma3", "the global layers' scaled positions",
                        [](auto& op) { op.rope.position_scale = 1.0f; });
  expect_attention_seen("gemma3", "the norm of Q", [](auto& op) { op.q_norm = {}; });
  expect_attention_seen("gemma3", "the norm of K", [](auto& op) { op.k_norm = {}; });
  expect_seen("gemma3", "post norms", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) layer.blocks[0].post_norm = {};
  });
  expect_seen("gemma3", "gelu", [](ModelSpec& spec) {
    for_each_mlp(spec, [](Mlp& op) { op.activation = models::Activation::silu; });
  });
}

TEST(TinyReferenceNegative, Qwen2) {
  for (const char* name : {"qwen2", "qwen2_untied"}) {
    expect_attention_seen(name, "the bias of Q", [](auto& op) { op.q.bias = models::kNoTensor; });
    expect_attention_seen(name, "the bias of V", [](auto& op) { op.v.bias = models::kNoTensor; });
    expect_attention_seen(name, "rope on halves",
                          [](auto& op) { op.rope.kind = models::RopeKind::adjacent; });
  }
}

TEST(TinyReferenceNegative, QwenWithExperts) {
  expect_moe_seen("qwen2moe", "the shared expert", [](Moe& op) { op.shared.reset(); });
  expect_moe_seen("qwen2moe", "the shared expert's gate",
                  [](Moe& op) { op.shared_gate = models::kNoTensor; });
  expect_moe_seen("qwen2moe", "weights that are shares of all",
                  [](Moe& op) { op.renormalized = true; });
  expect_moe_seen("qwen3moe", "weights that add up to one",
                  [](Moe& op) { op.renormalized = false; });
  expect_moe_seen("qwen3moe", "its third expert", [](Moe& op) { op.n_used = 2; });
}

TEST(TinyReferenceNegative, Qwen3) {
  for (const char* name : {"qwen3", "qwen3moe"}) {
    expect_attention_seen(name, "the norm of Q", [](auto& op) { op.q_norm = {}; });
    expect_attention_seen(name, "the norm of K", [](auto& op) { op.k_norm = {}; });
    expect_attention_seen(name, "rope on halves",
                          [](auto& op) { op.rope.kind = models::RopeKind::adjacent; });
  }
}

// The first head's weights for each head.
void norm_heads_alone(ModelSpec& spec) {
  for_each_attention(spec, [&](Attention& op) {
    op.norms_all_heads = false;
    for (models::Norm* norm : {&op.q_norm, &op.k_norm}) {
      models::TensorSlot slot = spec.tensors[static_cast<size_t>(norm->weight)];
      slot.stored_cols = slot.cols;
      slot.cols = static_cast<uint64_t>(op.head_dim);
      norm->weight = static_cast<models::TensorId>(spec.tensors.size());
      spec.tensors.push_back(slot);
    }
  });
}

TEST(TinyReferenceNegative, Olmo) {
  for (const char* name : {"olmo2", "olmo3", "olmoe"}) {
    expect_attention_seen(name, "the norm of Q", [](auto& op) { op.q_norm = {}; });
    expect_attention_seen(name, "the norm of K", [](auto& op) { op.k_norm = {}; });
    expect_seen(name, "norms over all heads together", norm_heads_alone);
  }
  for (const size_t block : {0, 1}) {
    expect_seen("olmo2", "post norms", [block](ModelSpec& spec) {
      for (auto& layer : spec.layers) layer.blocks[block].post_norm = {};
    });
    expect_seen("olmo2", "an input that is not normed", [block](ModelSpec& spec) {
      for (auto& layer : spec.layers) {
        layer.blocks[block].pre_norm = {models::NormKind::rms, 1e-6f, models::kNoTensor,
                                        models::kNoTensor};
      }
    });
  }
  expect_attention_seen("olmo3", "the window", [](auto& op) { op.window = 0; });
  expect_attention_seen("olmo3", "positions that are scaled without a window only", [](auto& op) {
    if (op.window > 0) op.rope.position_scale = 0.25f;
  });
  expect_attention_seen("olmo3", "YaRN", [](auto& op) { op.rope.yarn = {}; });
  expect_attention_seen("olmo3_magnitude", "YaRN's factor on keys and queries", [](auto& op) {
    if (op.window == 0) op.rope.yarn.magnitude = 1 + 0.1f * std::log(4.0f);
  });
  expect_moe_seen("olmoe", "weights that are shares of all",
                  [](Moe& op) { op.renormalized = true; });
}

TEST(TinyReferenceNegative, Granite) {
  for (const char* name : {"granite", "granitemoe"}) {
    expect_seen(name, "its embedding scale", [](ModelSpec& spec) { spec.embedding_scale = 1; });
    expect_seen(name, "its logit scale", [](ModelSpec& spec) { spec.logit_scale = 1; });
    expect_seen(name, "its residual scale", [](ModelSpec& spec) {
      for (auto& layer : spec.layers) layer.blocks[1].scale = 1;
    });
    expect_attention_seen(name, "its attention scale",
                          [](auto& op) { op.scale = 1 / std::sqrt(10.0f); });
  }
  expect_moe_seen("granitemoe", "the shared expert", [](Moe& op) { op.shared.reset(); });
}

TEST(TinyReferenceNegative, GptNeox) {
  expect_seen("gptneox", "the parallel residual", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) layer.blocks[1].parallel_to_previous = false;
  });
  expect_seen("gptneox_sequential", "one block after the other", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) layer.blocks[1].parallel_to_previous = true;
  });
  expect_attention_seen("gptneox", "partial rope", [](auto& op) { op.rope.n_dims = 12; });
  expect_attention_seen("gptneox", "the bias of Q",
                        [](auto& op) { op.q.bias = models::kNoTensor; });
  expect_seen("gptneox", "the layer norm's mean", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) layer.blocks[0].pre_norm.kind = models::NormKind::rms;
  });
  expect_seen("gptneox", "the final norm's bias",
              [](ModelSpec& spec) { spec.final_norm.bias = models::kNoTensor; });
}

}  // namespace
}  // namespace strata::inference
