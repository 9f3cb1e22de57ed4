#include "inference/weights.h"

#include "core/error.h"
#include "models/family/limits.h"
#include "models/family/weights.h"

namespace strata::inference {
namespace {

using models::Attention;
using models::kNoTensor;
using models::LatentAttention;
using models::Linear;
using models::Mlp;
using models::ModelSpec;
using models::Moe;
using models::Norm;
using models::TensorId;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Code::invalid_argument, message);
}

// Walks the spec and compares each slot with the shape its place asks for.
class SpecChecker {
 public:
  explicit SpecChecker(const ModelSpec& spec) : spec_(spec), is_causal_(models::is_causal(spec)) {}

  void check() const {
    if (spec_.n_vocab <= 0 || spec_.n_embd <= 0 || spec_.layers.empty()) {
      refuse(fmt::format("a model of {} tokens, width {}, {} layers cannot be run", spec_.n_vocab,
                         spec_.n_embd, spec_.layers.size()));
    }
    matrix(spec_.token_embedding, spec_.n_vocab, spec_.n_embd, "token embedding");
    if (spec_.position_embedding != kNoTensor) {
      matrix(spec_.position_embedding, spec_.n_context, spec_.n_embd, "position embedding");
    }
    if (spec_.type_embedding != kNoTensor) {
      matrix(spec_.type_embedding, spec_.n_types, spec_.n_embd, "type embedding");
    }
    norm(spec_.embedding_norm, spec_.n_embd, "embedding norm");
    if (spec_.encoder) check(*spec_.encoder);
    if (spec_.streams) check(*spec_.streams);
    for (const auto& layer : spec_.layers) check(layer, is_causal_);
    norm(spec_.final_norm, spec_.n_embd, "final norm");
    if (spec_.head.weight != kNoTensor) {
      linear(spec_.head, spec_.n_vocab, spec_.n_embd, "head");
    }
    if (spec_.masks) check(*spec_.masks);
    check_dense();
    if (spec_.scores) check(*spec_.scores);
  }

 private:
  void check(const models::Encoder& encoder) const {
    if (!models::generates(spec_)) refuse("an encoder before layers that write no text");
    for (const auto& layer : encoder.layers) {
      check(layer, false);
      for (const auto& block : layer.blocks) {
        const bool whole =
            std::holds_alternative<Attention>(block.op) || std::holds_alternative<Mlp>(block.op);
        if (!whole) refuse("an encoder of other blocks than attention and MLPs");
      }
    }
    norm(encoder.final_norm, spec_.n_embd, "encoder's norm");
  }

  void check(const models::Layer& layer, bool causal) const {
    if (layer.mix) check(*layer.mix);
    if (spec_.streams && !layer.mix) refuse("a layer that does not mix the streams");
    bool first = true;
    for (const auto& block : layer.blocks) {
      if (block.parallel_to_previous && first) {
        refuse("the first block of a layer has no previous block to be parallel to");
      }
      first = false;
      norm(block.pre_norm, spec_.n_embd, "block norm");
      norm(block.post_norm, spec_.n_embd, "block post-norm");
      norm(block.sum_norm, spec_.n_embd, "norm of the sum");
      const auto* attention = std::get_if<Attention>(&block.op);
      if (attention != nullptr && attention->causal != causal) {
        refuse("attention is causal in some layers only");
      }
      std::visit([&](const auto& op) { check(op); }, block.op);
    }
  }

  void check_dense() const {
    if (spec_.scores && !spec_.dense.empty()) refuse("scores behind dense layers of vectors");
    int32_t width = spec_.n_embd;
    for (const models::DenseStage& stage : spec_.dense) {
      if (stage.n_inputs != width || stage.n_outputs < 1) {
        refuse(fmt::format("a dense layer from {} to {} numbers behind {}", stage.n_inputs,
                           stage.n_outputs, width));
      }
      linear(stage.linear, stage.n_outputs, stage.n_inputs, "dense layer behind the pooling");
      width = stage.n_outputs;
    }
  }

  void check(const models::ScoreHead& head) const {
    if (head.dense.weight != kNoTensor) {
      linear(head.dense, spec_.n_embd, spec_.n_embd, "score head");
    }
    norm(head.norm, spec_.n_embd, "norm of the score head");
    linear(head.out, head.n_scores, spec_.n_embd, "scores");
  }

  void check(const models::MaskHead& masks) const {
    using models::Activation;
    if (is_causal_ || spec_.head.weight == kNoTensor) {
      refuse("a head that fills in masks, of a model that is causal or has no tokens to choose");
    }
    if (masks.activation == Activation::tanh || masks.activation == Activation::gelu_sigmoid) {
      refuse("a head that fills in masks with an activation that none has");
    }
    linear(masks.dense, spec_.n_embd, spec_.n_embd, "head that fills in masks");
    norm(masks.norm, spec_.n_embd, "norm of the head that fills in masks");
  }

  void check(const Attention& a) const {
    if (a.n_heads <= 0 || a.n_kv_heads <= 0 || a.head_dim <= 0 || a.n_heads % a.n_kv_heads != 0 ||
        a.window < 0) {
      refuse(fmt::format("attention with {} heads, {} KV heads, head size {}, window {}", a.n_heads,
                         a.n_kv_heads, a.head_dim, a.window));
    }
    const int64_t q_width = int64_t{a.n_heads} * a.head_dim;
    const int64_t kv_width = int64_t{a.n_kv_heads} * a.head_dim;
    linear(a.q, q_width, spec_.n_embd, "attention q");
    if (a.kv_of < 0) {
      linear(a.k, kv_width, spec_.n_embd, "attention k");
      linear(a.v, kv_width, spec_.n_embd, "attention v");
    } else {
      check_shared_keys(a);
    }
    linear(a.o, spec_.n_embd, q_width, "attention output");
    head_norm(a, a.q_norm, a.n_heads, "attention q norm");
    head_norm(a, a.k_norm, a.n_kv_heads, "attention k norm");
    if (a.rope.kind != models::RopeKind::none) check(a.rope, a.head_dim);
    if (a.distance_bias.weight != kNoTensor) check(a.distance_bias, a.n_heads);
    if (a.distance_vectors.any()) check_vectors(a);
    if (a.sinks != kNoTensor) matrix(a.sinks, 1, a.n_heads, "attention sinks");
    check_distances(a);
  }

  // Of an attention before, which has its own.
  void check_shared_keys(const Attention& a) const {
    std::vector<const Attention*> before;
    for (const models::Layer& layer : spec_.layers) {
      for (const models::Block& block : layer.blocks) {
        const auto* other = std::get_if<Attention>(&block.op);
        if (other == &a && other != nullptr) return check_same_keys(a, before);
        if (other != nullptr) before.push_back(other);
      }
    }
    check_same_keys(a, {});
  }

  void check_same_keys(const Attention& a, const std::vector<const Attention*>& before) const {
    const auto at = static_cast<size_t>(a.kv_of);
    if (at < before.size()) {
      const Attention& other = *before[at];
      if (other.kv_of < 0 && other.n_kv_heads == a.n_kv_heads && other.head_dim == a.head_dim &&
          other.window == a.window && other.section == a.section && a.causal) {
        return;
      }
    }
    refuse(
        fmt::format("attention with the keys of attention {}, which is not one before", a.kv_of));
  }

  void check_distances(const Attention& a) const {
    const float alibi = a.distance_bias.alibi;
    const bool has_slopes = alibi >= 0.0f && a.distance_bias.slope_scale > 0.0f;
    if (a.section < 0 || a.growth.step < 0 || !has_slopes) {
      refuse(fmt::format("attention in sections of {}, with ALiBi of {}, growth in steps of {}",
                         a.section, alibi, a.growth.step));
    }
    if (a.section > 0 && a.window > 0) refuse("attention with sections and a window");
    if (alibi > 0.0f && a.distance_bias.weight != kNoTensor) {
      refuse("attention with ALiBi and another bias by distance");
    }
    const bool has_any = a.section > 0 || alibi > 0.0f || a.sinks != kNoTensor;
    if (!a.causal && has_any) refuse("attention both ways with sections, ALiBi or sinks");
  }

  // Half of the buckets, or of each side's, reach one distance each, and max_distance is beyond.
  void check(const models::DistanceBias& bias, int32_t n_heads) const {
    if (bias.n_buckets < 4 || bias.max_distance <= bias.n_buckets / 2) {
      refuse(fmt::format("a bias of {} buckets for distances up to {}", bias.n_buckets,
                         bias.max_distance));
    }
    matrix(bias.weight, bias.n_buckets, n_heads, "bias by distance");
  }

  void check_vectors(const Attention& a) const {
    const models::DistanceVectors& vectors = a.distance_vectors;
    if (a.causal || a.n_kv_heads != a.n_heads || a.soft_cap > 0.0f || a.distance_bias.any()) {
      refuse("vectors of distances beside causal attention, shared keys, a cap or another bias");
    }
    if (vectors.n_rows < 2 || vectors.n_single < 0 ||
        (vectors.n_single > 0 && vectors.max_distance - 1 <= vectors.n_single)) {
      refuse(fmt::format("{} vectors of distances, {} of one distance each, up to {}",
                         vectors.n_rows, vectors.n_single, vectors.max_distance));
    }
    matrix(vectors.table, vectors.n_rows, spec_.n_embd, "vectors of distances");
    norm(vectors.norm, spec_.n_embd, "norm of vectors of distances");
    const int64_t width = int64_t{a.n_heads} * a.head_dim;
    for (const Linear& part : {vectors.keys, vectors.queries}) {
      if (part.weight != kNoTensor) linear(part, width, spec_.n_embd, "distances into heads");
    }
  }

  void check(const models::CrossAttention& a) const {
    if (!spec_.encoder || a.n_heads <= 0 || a.head_dim <= 0) {
      refuse(fmt::format("attention to a source with {} heads of {} in a model {} an encoder",
                         a.n_heads, a.head_dim, spec_.encoder ? "with" : "without"));
    }
    const int64_t width = int64_t{a.n_heads} * a.head_dim;
    for (const Linear& part : {a.q, a.k, a.v}) linear(part, width, spec_.n_embd, "cross-attention");
    linear(a.o, spec_.n_embd, width, "cross-attention output");
  }

  void check(const models::Rope& rope, int32_t width) const {
    if (rope.n_dims <= 0 || rope.n_dims % 2 != 0 || rope.n_dims > width) {
      refuse(fmt::format("RoPE over {} of {} dimensions", rope.n_dims, width));
    }
    const models::BaseGrowth& growth = rope.growth;
    const bool can_grow = rope.n_dims >= 4 && growth.first_context > 0 &&
                          rope.frequency_divisors == kNoTensor && rope.yarn.first_context == 0 &&
                          rope.position_scale == 1.0f;
    if (growth.factor != 0.0f && !(growth.factor > 0.0f && can_grow)) {
      refuse(
          fmt::format("RoPE over {} dimensions whose base grows by {} from {} on, beside other "
                      "scaling or not",
                      rope.n_dims, growth.factor, growth.first_context));
    }
    if (rope.frequency_divisors != kNoTensor) {
      matrix(rope.frequency_divisors, 1, rope.n_dims / 2, "RoPE frequency divisors");
    }
    if (rope.long_divisors != kNoTensor) {
      matrix(rope.long_divisors, 1, rope.n_dims / 2, "RoPE frequency divisors of long texts");
    }
  }

  void check(const LatentAttention& a) const {
    if (a.n_heads <= 0 || a.n_latent <= 0 || a.plain_dim <= 0 || a.value_dim <= 0 ||
        a.rope.kind == models::RopeKind::none || a.k_b.size() != static_cast<size_t>(a.n_heads) ||
        a.v_b.size() != a.k_b.size()) {
      refuse(fmt::format("latent attention with {} heads of {} + {} and {}, latent size {}",
                         a.n_heads, a.plain_dim, a.rope.n_dims, a.value_dim, a.n_latent));
    }
    check(a.rope, a.rope.n_dims);
    const int64_t q_width = int64_t{a.n_heads} * (a.plain_dim + a.rope.n_dims);
    int64_t q_inputs = spec_.n_embd;
    if (a.q_a.weight != kNoTensor) {
      q_inputs = static_cast<int64_t>(spec_.tensors.at(static_cast<size_t>(a.q_a.weight)).rows);
      linear(a.q_a, q_inputs, spec_.n_embd, "attention q_a");
      norm(a.q_a_norm, q_inputs, "attention q_a norm");
    }
    linear(a.q, q_width, q_inputs, "attention q");
    linear(a.kv_a, a.n_latent + a.rope.n_dims, spec_.n_embd, "attention kv_a");
    norm(a.kv_norm, a.n_latent, "attention kv norm");
    for (size_t h = 0; h < a.k_b.size(); ++h) {
      matrix(a.k_b[h], a.k_b_transposed ? a.n_latent : a.plain_dim,
             a.k_b_transposed ? a.plain_dim : a.n_latent, "attention k_b");
      matrix(a.v_b[h], a.value_dim, a.n_latent, "attention v_b");
    }
    linear(a.o, spec_.n_embd, int64_t{a.n_heads} * a.value_dim, "attention output");
  }

  void check(const models::StateSpace& s) const {
    if (s.n_heads <= 0 || s.head_dim <= 0 || s.n_state <= 0 || s.n_groups <= 0 || s.n_taps <= 0 ||
        s.n_heads % s.n_groups != 0) {
      refuse(fmt::format("a state space with {} heads of {}, state size {}, {} groups, {} taps",
                         s.n_heads, s.head_dim, s.n_state, s.n_groups, s.n_taps));
    }
    linear(s.in, s.projected(), spec_.n_embd, "state space input");
    matrix(s.taps, s.channels(), s.n_taps, "state space convolution");
    if (s.tap_bias != kNoTensor) matrix(s.tap_bias, 1, s.channels(), "state space convolution");
    matrix(s.a, s.n_heads, 1, "state space a");
    matrix(s.d, s.n_heads, 1, "state space d");
    matrix(s.step_bias, 1, s.n_heads, "state space step bias");
    if (s.norm.weight != kNoTensor) {
      matrix(s.norm.weight, s.n_groups, s.inner() / s.n_groups, "state space norm");
    }
    linear(s.out, spec_.n_embd, s.inner(), "state space output");
  }

  void check(const models::LowRank& op) const {
    if (op.rank < 1) refuse(fmt::format("a residual of rank {}", op.rank));
    linear(op.left, op.rank, spec_.n_embd, "low rank, left");
    linear(op.right, spec_.n_embd, op.rank, "low rank, right");
    norm(op.norm, spec_.n_embd, "norm of low rank");
  }

  void check(const models::Streams& s) const {
    const int64_t n_others = int64_t{s.n} - 1;
    if (s.n < 2 || s.n > models::kMaxStreams || s.n_side < 1 || !models::generates(spec_) ||
        std::ssize(s.open) != n_others || std::ssize(s.close) != n_others || spec_.encoder) {
      refuse(fmt::format("{} streams a row, of side inputs of {}", s.n, s.n_side));
    }
    for (const std::vector<TensorId>& ids : {s.open, s.close}) {
      for (const TensorId id : ids) matrix(id, spec_.n_embd, spec_.n_embd, "streams");
    }
    const int64_t n_sides = std::ssize(spec_.layers) * s.n_side;
    matrix(s.table, s.n_table, n_sides, "side inputs of tokens");
    linear(s.side, n_sides, spec_.n_embd, "side inputs");
    norm(s.norm, s.n_side, "norm of side inputs");
  }

  void check(const models::StreamMix& mix) const {
    if (!spec_.streams) refuse("a layer mixes streams of a model that has none");
    const int64_t n = spec_.streams->n;
    norm(mix.router_norm, spec_.n_embd, "norm of the streams' router");
    linear(mix.router, n, spec_.n_embd, "the streams' router");
    matrix(mix.predict, n * n, n, "prediction of streams");
    matrix(mix.correct, n, n, "correction of streams");
    if (mix.scale != kNoTensor) matrix(mix.scale, 1, spec_.n_embd, "scale of streams");
    linear(mix.gate, spec_.streams->n_side, spec_.n_embd, "gate of side inputs");
    linear(mix.project, spec_.n_embd, spec_.streams->n_side, "projection of side inputs");
    norm(mix.norm, spec_.n_embd, "norm of side inputs' projection");
  }

  void check(const Mlp& m) const {
    if (m.activation == models::Activation::tanh) refuse("an MLP with tanh cannot be run");
    const bool has_gate = m.gate.weight != kNoTensor;
    if (has_gate) linear(m.gate, m.n_hidden, spec_.n_embd, "mlp gate");
    if (!(m.limit >= 0.0f) || (!has_gate && (m.limit > 0.0f || m.up_offset != 0.0f))) {
      refuse(fmt::format("an MLP {} a gate with a limit of {} and an offset of {}",
                         has_gate ? "with" : "without", m.limit, m.up_offset));
    }
    linear(m.up, m.n_hidden, spec_.n_embd, "mlp up");
    linear(m.down, spec_.n_embd, m.n_hidden, "mlp down");
  }

  void check(const models::Projection& p) const {
    linear(p.out, spec_.n_embd, spec_.n_embd, "projection");
  }

  void check(const Moe& m) const {
    const auto n_experts = static_cast<int64_t>(m.experts.size());
    if (m.n_used < 1 || m.n_used > n_experts) {
      refuse(fmt::format("{} of {} experts are used", m.n_used, n_experts));
    }
    linear(m.router, n_experts, spec_.n_embd, "router");
    if (m.choice_bias != kNoTensor) matrix(m.choice_bias, 1, n_experts, "expert choice bias");
    const int64_t group = m.n_groups > 0 ? n_experts / m.n_groups : 0;
    if (n_experts > models::kMaxExperts || group * m.n_groups != n_experts || m.group_best < 1 ||
        m.group_best > group || m.n_groups_used < 1 || m.n_groups_used > m.n_groups ||
        m.n_used > m.n_groups_used * group) {
      refuse(fmt::format("{} of {} experts in {} of {} groups", m.n_used, n_experts,
                         m.n_groups_used, m.n_groups));
    }
    for (const Mlp& expert : m.experts) {
      if (expert.n_hidden != m.experts[0].n_hidden ||
          expert.activation != m.experts[0].activation) {
        refuse("the experts of a layer differ in width or activation");
      }
      check(expert);
    }
    if (m.shared) check_shared(*m.shared);
    if (m.shared_gate != kNoTensor) matrix(m.shared_gate, 1, spec_.n_embd, "shared expert's gate");
  }

  void check_shared(const Mlp& expert) const {
    check(expert);
    if (expert.gate.bias != kNoTensor || expert.up.bias != kNoTensor ||
        expert.down.bias != kNoTensor) {
      refuse("a shared expert with biases cannot be run");
    }
  }

  void norm(const Norm& n, int64_t width, std::string_view what, int64_t rows = 1) const {
    if (n.kind == models::NormKind::none) return;
    if (n.weight != kNoTensor) matrix(n.weight, rows, width, what);
    if (n.bias != kNoTensor) matrix(n.bias, rows, width, what);
  }

  void head_norm(const Attention& a, const Norm& n, int32_t n_heads, std::string_view what) const {
    const bool joined = a.head_norms == models::HeadNorms::joined;
    norm(n, joined ? int64_t{n_heads} * a.head_dim : a.head_dim, what,
         a.head_norms == models::HeadNorms::own ? n_heads : 1);
  }

  void linear(const Linear& l, int64_t rows, int64_t cols, std::string_view what) const {
    matrix(l.weight, rows, cols, what);
    if (l.bias != kNoTensor) matrix(l.bias, 1, rows, what);
  }

  void matrix(TensorId id, int64_t rows, int64_t cols, std::string_view what) const {
    if (id < 0 || static_cast<size_t>(id) >= spec_.tensors.size()) {
      refuse(fmt::format("{}: the model has no such tensor", what));
    }
    const auto& slot = spec_.tensors[static_cast<size_t>(id)];
    if (slot.rows != static_cast<uint64_t>(rows) || slot.cols != static_cast<uint64_t>(cols)) {
      refuse(fmt::format("{}: tensor {} is {} x {}, {} x {} is needed", what, slot.name, slot.rows,
                         slot.cols, rows, cols));
    }
  }

  const ModelSpec& spec_;
  const bool is_causal_;
};

}  // namespace

void check_spec(const ModelSpec& spec) {
  SpecChecker(spec).check();
}

void check_has_encoder(const ModelSpec& spec) {
  if (spec.encoder) return;
  throw Error(Code::failed_precondition, "the model has no encoder that reads a source");
}

void check_inputs(const ModelSpec& spec, std::span<const Row> rows) {
  const int32_t n_types = spec.type_embedding == kNoTensor ? 1 : spec.n_types;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (row.type < 0 || row.type >= n_types) {
      refuse(fmt::format("row {}: token type {}, the model has {}", i, row.type, n_types));
    }
    if (spec.position_embedding != kNoTensor && row.position >= spec.n_context) {
      refuse(fmt::format("row {}: position {}, the model has {}", i, row.position, spec.n_context));
    }
    if (row.wants_logits && spec.head.weight == kNoTensor) {
      refuse(fmt::format("row {} wants logits of a model that generates no text", i));
    }
  }
}

Float32Weights::Float32Weights(const models::Model& model) : values_(model.spec.tensors.size()) {
  for (size_t id = 0; id < values_.size(); ++id) {
    const models::Weight weight = models::find_weight(*model.file, model.spec.tensors[id]);
    models::refuse_bad_scales(weight);
    values_[id] = models::dequantize(weight);
  }
}

const float* Float32Weights::data(TensorId slot) const {
  return slot == kNoTensor ? nullptr : values_[static_cast<size_t>(slot)].data();
}

std::span<const float> Float32Weights::values(TensorId slot) const {
  if (slot == kNoTensor) return {};
  return values_[static_cast<size_t>(slot)];
}

int64_t Float32Weights::bytes() const {
  size_t total = 0;
  for (const auto& v : values_) total += v.size() * sizeof(float);
  return static_cast<int64_t>(total);
}

}  // namespace strata::inference
