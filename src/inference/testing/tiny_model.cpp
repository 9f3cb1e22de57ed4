#include "inference/testing/tiny_model.h"

#include <cstring>
#include <random>
#include <string>

#include "core/check.h"
#include "models/format/gguf.h"
#include "models/format/gguf_builder.h"
#include "tensor/half.h"

namespace strata::inference {
namespace {

using models::kNoTensor;
using models::Linear;
using models::Mlp;
using models::Norm;
using models::NormKind;
using models::TensorId;
using tensor::DType;

// Where the fp16 fields of a block stand.
std::vector<size_t> half_fields(DType type) {
  switch (type) {
    case DType::q4_0:
    case DType::q5_0:
    case DType::q8_0:
    case DType::iq4_nl:
      return {0};
    case DType::q4_1:
    case DType::q5_1:
    case DType::q4_k:
    case DType::q5_k:
      return {0, 2};
    case DType::q6_k:
      return {208};
    case DType::q2_k:
      return {80, 82};
    case DType::q3_k:
      return {108};
    case DType::mxfp4:  // an exponent instead
      return {};
    default:
      CHECK(false && "a type the tiny models do not have");
      return {};
  }
}

// What a random block's integers, times their sub-scales, come to at most.
float largest_quant(DType type) {
  switch (type) {
    case DType::q8_0:
    case DType::iq4_nl:
      return 128.0f;
    case DType::q4_k:
    case DType::q5_k:
      return 1024.0f;
    case DType::q6_k:
      return 4096.0f;
    default:
      return 16.0f;
  }
}

class Builder {
 public:
  explicit Builder(const TinyOptions& options) : options_(options), random_(options.seed) {}

  std::shared_ptr<const models::Model> build() {
    auto& spec = model_->spec;
    spec.family = "tiny";
    spec.n_vocab = options_.n_vocab;
    spec.n_embd = options_.n_embd;
    spec.n_context = 4096;
    spec.short_context = options_.short_context;
    spec.growing_from = options_.growing_from;
    spec.embedding_scale = options_.embedding_scale;
    spec.logit_scale = options_.logit_scale;
    spec.logit_soft_cap = options_.logit_soft_cap;
    spec.token_embedding = matrix(options_.n_vocab, options_.n_embd, options_.embedding_type);
    if (options_.n_streams > 0) spec.streams = streams();
    for (const int32_t window : options_.windows) spec.layers.push_back(layer(window));
    spec.final_norm = norm(options_.n_embd, options_.norm);
    spec.head = options_.tied_head ? Linear{spec.token_embedding, kNoTensor}
                                   : linear(options_.n_vocab, options_.n_embd);
    auto bytes = std::make_shared<std::vector<std::byte>>(file_.build());
    auto file = models::parse_gguf(*bytes);
    // The bytes go when the last user of the file goes.
    model_->file = std::shared_ptr<const models::ModelFile>(
        file.get(), [bytes, file](const models::ModelFile*) mutable { file.reset(); });
    return model_;
  }

 private:
  float uniform(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_);
  }

  int32_t n_layers() const { return static_cast<int32_t>(options_.windows.size()); }

  models::Streams streams() {
    models::Streams s;
    s.n = options_.n_streams;
    for (int32_t i = 1; i < s.n; ++i) {
      s.open.push_back(matrix(options_.n_embd, options_.n_embd, options_.type));
      s.close.push_back(matrix(options_.n_embd, options_.n_embd, options_.type));
    }
    s.n_side = options_.n_side;
    s.n_table = options_.n_vocab - 5;
    s.table = matrix(s.n_table, n_layers() * s.n_side, options_.embedding_type);
    s.table_scale = 3.0f;
    s.side = {matrix(n_layers() * s.n_side, options_.n_embd, options_.type), kNoTensor};
    s.norm = norm(s.n_side, NormKind::rms);
    return s;
  }

  models::StreamMix mix() {
    const int32_t n = options_.n_streams;
    models::StreamMix mix;
    mix.router_norm = norm(options_.n_embd, NormKind::rms);
    mix.router = {matrix(n, options_.n_embd, DType::f32), kNoTensor};
    mix.predict = matrix(n * n, n, DType::f32);
    mix.correct = matrix(n, n, DType::f32);
    mix.scale = vector(options_.n_embd, 0.5f, 1.5f);
    mix.gate = {matrix(options_.n_side, options_.n_embd, options_.type), kNoTensor};
    mix.project = {matrix(options_.n_embd, options_.n_side, options_.type), kNoTensor};
    mix.norm = norm(options_.n_embd, NormKind::rms);
    return mix;
  }

  // Beside attention, of what it reads.
  models::Block low_rank(const Norm& of_attention) {
    constexpr int32_t kRank = 32;
    models::LowRank op{kRank,
                       {matrix(kRank, options_.n_embd, options_.type), kNoTensor},
                       {matrix(options_.n_embd, kRank, options_.type), kNoTensor},
                       norm(options_.n_embd, NormKind::rms)};
    models::Block block{of_attention, op, {}, true};
    block.sum_scale = 0.7f;
    return block;
  }

  // The attention of the layer that is half of all before.
  void share_keys(models::Attention& a) {
    a.v_norm = {NormKind::rms, 1e-5f, kNoTensor, kNoTensor};
    const auto own = n_layers() / 2;
    const auto layer = static_cast<int32_t>(model_->spec.layers.size());
    if (layer < own) return;
    a.kv_of = layer - own;
    a.k = a.v = {};
    a.k_norm = a.v_norm = {};
  }

  void divide_frequencies(models::Rope& rope) {
    if (options_.short_context == 0) return;
    rope.frequency_divisors = vector(rope.n_dims / 2, 1.0f, 2.0f);
    rope.long_divisors = vector(rope.n_dims / 2, 1.0f, 8.0f);
  }

  models::LatentAttention latent_attention() {
    models::LatentAttention a;
    a.n_heads = options_.n_heads;
    a.n_latent = options_.n_latent;
    a.plain_dim = options_.plain_dim;
    a.value_dim = options_.value_dim;
    a.rope.kind = options_.rope;
    a.rope.n_dims = options_.rope_dims;
    divide_frequencies(a.rope);
    a.scale = 0.2f;
    int32_t q_inputs = options_.n_embd;
    if (options_.q_rank > 0) {
      q_inputs = options_.q_rank;
      a.q_a = linear(q_inputs, options_.n_embd);
      a.q_a_norm = norm(q_inputs, NormKind::rms);
    }
    a.q = linear(a.n_heads * (a.plain_dim + a.rope.n_dims), q_inputs);
    a.kv_a = linear(a.n_latent + a.rope.n_dims, options_.n_embd);
    a.kv_norm = norm(a.n_latent, NormKind::rms);
    a.k_b_transposed = options_.k_b_transposed;
    const TensorId k_b = a.k_b_transposed ? stack(a.n_heads, a.n_latent, a.plain_dim)
                                          : stack(a.n_heads, a.plain_dim, a.n_latent);
    const TensorId v_b = stack(a.n_heads, a.value_dim, a.n_latent);
    for (int32_t head = 0; head < a.n_heads; ++head) {
      a.k_b.push_back(k_b + head);
      a.v_b.push_back(v_b + head);
    }
    a.o = linear(options_.n_embd, a.n_heads * a.value_dim);
    return a;
  }

  models::StateSpace state_space() {
    models::StateSpace s;
    s.n_heads = options_.n_state_heads;
    s.head_dim = options_.state_head_dim;
    s.n_state = options_.n_state;
    s.n_groups = options_.n_state_groups;
    s.n_taps = 4;
    const auto inner = static_cast<int32_t>(s.inner());
    const auto channels = static_cast<int32_t>(s.channels());
    s.in = linear(static_cast<int32_t>(s.projected()), options_.n_embd);
    s.taps = matrix(channels, s.n_taps, DType::f32);
    s.tap_bias = vector(channels, -0.2f, 0.2f);
    s.a = column(s.n_heads, -2.0f, -0.01f);
    s.d = column(s.n_heads, 0.5f, 1.5f);
    s.step_bias = vector(s.n_heads, -3.0f, 0.0f);
    s.norm = norm(inner, NormKind::rms);
    reshape(s.norm.weight, s.n_groups, inner / s.n_groups);
    s.out = linear(options_.n_embd, inner);
    return s;
  }

  models::Attention attention(int32_t window) {
    models::Attention a;
    a.n_heads = options_.n_heads;
    a.n_kv_heads = options_.n_kv_heads;
    a.head_dim = options_.head_dim;
    a.q = linear(a.n_heads * a.head_dim, options_.n_embd);
    a.k = linear(a.n_kv_heads * a.head_dim, options_.n_embd);
    a.v = linear(a.n_kv_heads * a.head_dim, options_.n_embd);
    a.o = linear(options_.n_embd, a.n_heads * a.head_dim);
    if (options_.qk_norm) {
      a.head_norms = options_.head_norms;
      a.q_norm = head_norm(a, a.n_heads);
      a.k_norm = head_norm(a, a.n_kv_heads);
    }
    a.clip = options_.clip;
    a.rope.kind = options_.rope;
    a.rope.n_dims = options_.rope_dims;
    divide_frequencies(a.rope);
    if (options_.growing_from > 0) {
      a.rope.growth = {2.0f, options_.growing_from};
    } else {
      a.rope.position_scale = 0.5f;
    }
    a.scale = 0.2f;
    a.soft_cap = options_.attention_soft_cap;
    a.distance_bias.alibi = options_.alibi;
    if (options_.sinks) a.sinks = vector(a.n_heads, -1.0f, 2.0f);
    if (!options_.sections) {
      a.window = window;
    } else if (window > 0) {
      a.section = window;
    } else {
      a.growth = {0.3f, 50};
      a.rope = {};
    }
    if (options_.n_buckets > 0) {
      a.distance_bias = {distances(a.n_heads), options_.n_buckets, 100};
    }
    if (options_.n_streams > 0) share_keys(a);
    return a;
  }

  // Large enough to show.
  TensorId distances(int32_t n_heads) {
    const TensorId id = vector(options_.n_buckets * n_heads, -2.0f, 2.0f);
    reshape(id, options_.n_buckets, n_heads);
    return id;
  }

  models::Layer layer(int32_t window) {
    const auto post = [&] {
      return options_.post_norms ? norm(options_.n_embd, options_.norm) : Norm{};
    };
    models::Layer result;
    models::Block first{norm(options_.n_embd, options_.norm), {}, post(), false};
    if (options_.n_state > 0 && model_->spec.layers.size() % 2 == 0) {
      first.op = state_space();
    } else if (options_.projections && model_->spec.layers.size() % 2 == 1) {
      first.op = models::Projection{linear(options_.n_embd, options_.n_embd)};
    } else if (options_.n_latent > 0) {
      first.op = latent_attention();
    } else {
      first.op = attention(window);
    }
    const Norm of_attention = first.pre_norm;
    result.blocks.push_back(std::move(first));
    if (options_.n_streams > 0) {
      result.blocks.push_back(low_rank(of_attention));
      result.mix = mix();
    }
    models::Block forward{norm(options_.n_embd, options_.norm), {}, post(), options_.parallel};
    if (options_.n_experts > 0) {
      forward.op = moe();
    } else {
      forward.op = mlp();
    }
    result.blocks.push_back(std::move(forward));
    for (auto& block : result.blocks) block.scale = options_.residual_scale;
    return result;
  }

  Mlp mlp() {
    Mlp m;
    m.n_hidden = options_.n_hidden;
    m.activation = options_.activation;
    m.limit = options_.limit;
    m.up_offset = options_.up_offset;
    if (options_.n_streams > 0) m.sparsity = 0.4f;
    if (options_.gated) m.gate = linear(options_.n_hidden, options_.n_embd);
    m.up = linear(options_.n_hidden, options_.n_embd);
    m.down = linear(options_.n_embd, options_.n_hidden);
    return m;
  }

  models::Moe moe() {
    const int32_t n = options_.n_experts;
    models::Moe m;
    m.n_used = options_.n_used;
    m.renormalized = options_.renormalized;
    m.weighs_inputs = options_.weighs_inputs;
    m.router = {matrix(n, options_.n_embd, DType::f32),
                options_.biases ? vector(n, -0.2f, 0.2f) : kNoTensor};
    if (options_.n_groups > 1) {
      m.gating = models::Gating::sigmoid;
      m.choice_bias = vector(n, -0.2f, 0.2f);
      m.n_groups = options_.n_groups;
      m.n_groups_used = options_.n_groups / 2;
      m.group_best = 2;
    }
    Mlp expert;
    expert.n_hidden = options_.n_hidden;
    expert.activation = options_.activation;
    expert.limit = options_.limit;
    expert.up_offset = options_.up_offset;
    const TensorId up = stack(n, options_.n_hidden, options_.n_embd);
    const TensorId down = stack(n, options_.n_embd, options_.n_hidden);
    const TensorId gate = options_.gated ? stack(n, options_.n_hidden, options_.n_embd) : kNoTensor;
    for (int32_t i = 0; i < n; ++i) {
      expert.up.weight = up + i;
      expert.down.weight = down + i;
      if (options_.gated) expert.gate.weight = gate + i;
      m.experts.push_back(expert);
      if (!options_.biases) continue;
      Mlp& biased = m.experts.back();
      biased.up.bias = vector(options_.n_hidden, -0.2f, 0.2f);
      biased.down.bias = vector(options_.n_embd, -0.2f, 0.2f);
      if (options_.gated) biased.gate.bias = vector(options_.n_hidden, -0.2f, 0.2f);
    }
    if (!options_.shared_expert) return m;
    m.shared = expert;
    m.shared->up.weight = matrix(options_.n_hidden, options_.n_embd, options_.type);
    m.shared->down.weight = matrix(options_.n_embd, options_.n_hidden, options_.type);
    if (options_.gated) {
      m.shared->gate.weight = matrix(options_.n_hidden, options_.n_embd, options_.type);
    }
    m.shared_gate = vector(options_.n_embd, -0.2f, 0.2f);
    return m;
  }

  // n matrices in one tensor: the slot of the first, the others' follow.
  TensorId stack(int32_t n, int32_t rows, int32_t cols) {
    const TensorId first = matrix(n * rows, cols, options_.type);
    auto& tensors = model_->spec.tensors;
    models::TensorSlot slot = tensors.back();
    file_.find_tensor(slot.name)->shape = {static_cast<uint64_t>(cols), static_cast<uint64_t>(rows),
                                           static_cast<uint64_t>(n)};
    slot.rows = static_cast<uint64_t>(rows);
    slot.stored_matrices = static_cast<uint64_t>(n);
    tensors.pop_back();
    for (int32_t i = 0; i < n; ++i) {
      slot.matrix = static_cast<uint64_t>(i);
      tensors.push_back(slot);
    }
    return first;
  }

  Linear linear(int32_t rows, int32_t cols) {
    return {matrix(rows, cols, options_.type),
            options_.biases ? vector(rows, -0.2f, 0.2f) : kNoTensor};
  }

  Norm norm(int32_t n, NormKind kind) {
    return {kind, 1e-5f, vector(n, 0.7f, 1.3f),
            kind == NormKind::layer ? vector(n, -0.1f, 0.1f) : kNoTensor};
  }

  Norm head_norm(const models::Attention& a, int32_t n_heads) {
    const bool shared = a.head_norms == models::HeadNorms::shared;
    const Norm result = norm(shared ? a.head_dim : a.head_dim * n_heads, options_.head_norm);
    if (a.head_norms != models::HeadNorms::own) return result;
    for (const TensorId id : {result.weight, result.bias}) {
      if (id == kNoTensor) continue;
      models::TensorSlot& slot = model_->spec.tensors[static_cast<size_t>(id)];
      slot.rows = static_cast<uint64_t>(n_heads);
      slot.cols = static_cast<uint64_t>(a.head_dim);
      file_.find_tensor(slot.name)->shape = {slot.cols, slot.rows};
    }
    return result;
  }

  TensorId add(uint64_t rows, uint64_t cols, DType type, std::vector<std::byte> data) {
    const std::string name = "t" + std::to_string(model_->spec.tensors.size());
    std::vector<uint64_t> shape{cols};
    if (rows > 1) shape.push_back(rows);
    file_.add_tensor(name, type, std::move(shape), std::move(data));
    models::TensorSlot slot;
    slot.name = name;
    slot.rows = rows;
    slot.cols = cols;
    model_->spec.tensors.push_back(slot);
    return static_cast<TensorId>(model_->spec.tensors.size() - 1);
  }

  TensorId vector(int32_t n, float low, float high) {
    std::vector<std::byte> data(static_cast<size_t>(n) * 4);
    for (size_t i = 0; i < data.size(); i += 4) {
      const float value = uniform(low, high);
      std::memcpy(data.data() + i, &value, 4);
    }
    return add(1, static_cast<uint64_t>(n), DType::f32, std::move(data));
  }

  void reshape(TensorId id, int32_t rows, int32_t cols) {
    models::TensorSlot& slot = model_->spec.tensors[static_cast<size_t>(id)];
    slot.rows = static_cast<uint64_t>(rows);
    slot.cols = static_cast<uint64_t>(cols);
    file_.find_tensor(slot.name)->shape = {slot.cols, slot.rows};
  }

  TensorId column(int32_t n, float low, float high) {
    const TensorId id = vector(n, low, high);
    reshape(id, n, 1);
    return id;
  }

  TensorId matrix(int32_t rows, int32_t cols, DType type) {
    const auto n = static_cast<uint64_t>(rows) * static_cast<uint64_t>(cols);
    std::vector<std::byte> data(tensor::bytes_of(type, n));
    const auto put16 = [&](size_t at, uint16_t value) { std::memcpy(&data[at], &value, 2); };
    if (type == DType::f32) {
      for (size_t i = 0; i < data.size(); i += 4) {
        const float value = uniform(-0.2f, 0.2f);
        std::memcpy(data.data() + i, &value, 4);
      }
    } else if (type == DType::f16 || type == DType::bf16) {
      for (size_t i = 0; i < data.size(); i += 2) {
        const float value = uniform(-0.2f, 0.2f);
        put16(i, type == DType::f16 ? tensor::f32_to_f16(value) : tensor::f32_to_bf16(value));
      }
    } else {
      for (auto& byte : data) byte = static_cast<std::byte>(random_() & 0xFF);
      const auto& info = tensor::dtype_info(type);
      const float scale = 0.3f / largest_quant(type);
      for (size_t block = 0; block < data.size(); block += info.block_bytes) {
        bool first = true;
        if (type == DType::mxfp4) data[block] = static_cast<std::byte>(121 + (random_() & 1));
        for (const size_t field : half_fields(type)) {
          const float value = uniform(0.5f, 1.0f) * (first ? scale : -8.0f * scale);
          put16(block + field,
                tensor::f32_to_f16(info.block_weights == 256 && !first ? -value : value));
          first = false;
        }
      }
    }
    return add(static_cast<uint64_t>(rows), static_cast<uint64_t>(cols), type, std::move(data));
  }

  const TinyOptions& options_;
  std::mt19937 random_;
  models::GgufBuilder file_;
  std::shared_ptr<models::Model> model_ = std::make_shared<models::Model>();
};

}  // namespace

std::shared_ptr<const models::Model> tiny_model(const TinyOptions& options) {
  return Builder(options).build();
}

}  // namespace strata::inference
