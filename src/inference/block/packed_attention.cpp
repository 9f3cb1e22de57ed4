#include "inference/block/packed_attention.h"

#include <algorithm>
#include <array>

#include "inference/block/query_growth.h"

namespace strata::inference {

namespace {

PackedLinear projections(const models::Attention& a, Packer& packer) {
  if (a.kv_of >= 0) return packer.linear(std::array{a.q});
  return packer.linear(std::array{a.q, a.k, a.v});
}

}  // namespace

PackedAttention::PackedAttention(const models::Attention& a, Packer& packer, Step& step)
    : attention(a),
      qkv(projections(a, packer)),
      output(packer.linear(std::array{a.o})),
      q_norm(packer.norm(a.q_norm)),
      k_norm(packer.norm(a.k_norm)),
      v_norm(packer.norm(a.v_norm)),
      angles(step.angles.add(RopeAngles(a.rope, packer.vector(a.rope.frequency_divisors),
                                        packer.vector(a.rope.long_divisors)))) {}

void PackedAttention::prepare_row(const Step& step, int64_t row, float* projected) const {
  const auto& kernels = tensor::kernels();
  const int64_t head_dim = attention.head_dim;
  const auto rotate = attention.rope.kind == models::RopeKind::adjacent ? kernels.rope_adjacent
                                                                        : kernels.rope_halves;
  const auto prepare = [&](const PackedNorm& norm, int64_t width, float* heads) {
    if (norm.kind != tensor::NormKind::none) {
      const int64_t norm_width =
          attention.head_norms == models::HeadNorms::joined ? width : head_dim;
      const int64_t stride = attention.head_norms == models::HeadNorms::own ? head_dim : 0;
      for (int64_t i = 0; i < width; i += norm_width) {
        norm.apply(heads + i, norm_width, heads + i, i / norm_width * stride);
      }
    }
    if (attention.rope.kind == models::RopeKind::none) return;
    for (int64_t i = 0; i < width; i += head_dim) {
      rotate(step.angles.cosines(angles, row), step.angles.sines(angles, row),
             attention.rope.n_dims / 2, heads + i);
    }
  };
  if (!qkv.bias.empty()) kernels.add(qkv.bias.data(), qkv.matrix.rows(), projected);
  if (attention.clip > 0.0f) {
    for (int64_t i = 0; i < qkv.matrix.rows(); ++i) {
      projected[i] = std::clamp(projected[i], -attention.clip, attention.clip);
    }
  }
  prepare(q_norm, queries_width(), projected);
  if (attention.growth.step > 0) {
    const int32_t position = step.rows[static_cast<size_t>(row)].position;
    kernels.scale(growth_at(attention.growth, position), queries_width(), projected);
  }
  if (attention.kv_of >= 0) return;
  float* keys = projected + queries_width();
  prepare(k_norm, keys_width(), keys);
  if (v_norm.kind == tensor::NormKind::none) return;
  float* values = keys + keys_width();
  for (int64_t i = 0; i < keys_width(); i += head_dim) {
    v_norm.apply(values + i, head_dim, values + i);
  }
}

void run_output(const PackedLinear& output, size_t input, const float* rows, int64_t width,
                Step& step, int thread) {
  tensor::InputRows& inputs = step.inputs.at(input);
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    tensor::fill_row(rows + row * width, inputs, row);
  }
  step.team.barrier();
  tensor::matmul_share(output.matrix, inputs, step.n_rows(), step.delta.data(),
                       output.matrix.rows(), thread, step.team.size());
}

}  // namespace strata::inference
