// The experts of a file.
#include <algorithm>

#include "core/error.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"
#include "models/family/weights.h"

namespace strata::models {

bool SpecBuilder::has_experts() const {
  return count_or("expert_count", 0, 0, kMaxExperts) > 0;
}

TensorId SpecBuilder::expert_matrix(int32_t layer, std::string_view part, int32_t expert,
                                    int32_t n_experts, int64_t rows, int64_t cols) {
  TensorSlot slot;
  slot.rows = static_cast<uint64_t>(rows);
  slot.cols = static_cast<uint64_t>(cols);
  if (has(layer_name(layer, fmt::format("{}.0.weight", part)))) {
    slot.name = layer_name(layer, fmt::format("{}.{}.weight", part, expert));
  } else {
    slot.name = layer_name(layer, fmt::format("{}_exps.weight", part));
    slot.matrix = static_cast<uint64_t>(expert);
    slot.stored_matrices = static_cast<uint64_t>(n_experts);
  }
  // Checked one by one, so that a count far above what the file holds takes no memory.
  locate_weight(file_, slot);
  return append(std::move(slot));
}

TensorId SpecBuilder::expert_bias(int32_t layer, std::string_view part, int32_t expert,
                                  int32_t n_experts, int64_t n) {
  TensorSlot slot;
  slot.name = layer_name(layer, fmt::format("{}_exps.bias", part));
  if (!has(slot.name)) return kNoTensor;
  slot.cols = static_cast<uint64_t>(n);
  slot.row_begin = static_cast<uint64_t>(expert);
  slot.stored_rows = static_cast<uint64_t>(n_experts);
  locate_weight(file_, slot);
  return append(std::move(slot));
}

// Where the file does not say, or says 0, all that a token goes to is as wide as a dense block.
int32_t SpecBuilder::expert_width(int32_t layer, const ExpertRules& rules, int32_t n_used) const {
  constexpr std::string_view kOwn = "expert_feed_forward_length";
  constexpr std::string_view kDense = "feed_forward_length";
  if (!rules.width_of_dense) {
    const bool has_own = file_.find(key(kOwn)) != nullptr;
    return layer_count(has_own ? kOwn : kDense, layer, std::nullopt, 1, kMaxHidden);
  }
  if (const int32_t own = layer_count(kOwn, layer, 0, 0, kMaxHidden); own > 0) return own;
  const int32_t dense = layer_count(kDense, layer, std::nullopt, 1, kMaxHidden);
  if (dense < n_used) {
    refuse(fmt::format("{} is {}, too little for {} experts", key(kDense), dense, n_used));
  }
  return dense / n_used;
}

// 0: there is none.
int32_t SpecBuilder::shared_width(int32_t layer, const ExpertRules& rules) const {
  constexpr std::string_view kWidth = "expert_shared_feed_forward_length";
  if (rules.of_file) {
    const int64_t n = count_or("expert_shared_count", 0, 0, kMaxExperts);
    const int64_t width = n * expert_width(layer, rules, 1);
    if (width > kMaxHidden) {
      refuse(
          fmt::format("{} is {}, which makes a width of {}", key("expert_shared_count"), n, width));
    }
    return static_cast<int32_t>(width);
  }
  if (!rules.shared) return 0;
  if (rules.shared_as_wide) return expert_width(layer, rules, 1);
  if (!rules.width_of_dense) return count(kWidth, 1, kMaxHidden);
  if (const int32_t own = count_or(kWidth, 0, 0, kMaxHidden); own > 0) return own;
  return layer_count("feed_forward_length", layer, std::nullopt, 1, kMaxHidden);
}

Mlp SpecBuilder::shared_expert(int32_t layer, int32_t n_hidden, Activation activation) {
  Mlp mlp;
  mlp.activation = activation;
  mlp.n_hidden = n_hidden;
  const auto matrix_of = [&](std::string_view part, int64_t rows, int64_t cols) {
    return Linear{matrix(layer_name(layer, part), rows, cols), kNoTensor};
  };
  mlp.gate = matrix_of("ffn_gate_shexp.weight", mlp.n_hidden, spec.n_embd);
  mlp.up = matrix_of("ffn_up_shexp.weight", mlp.n_hidden, spec.n_embd);
  mlp.down = matrix_of("ffn_down_shexp.weight", spec.n_embd, mlp.n_hidden);
  return mlp;
}

// DeepSeek-V2 ranks a group by its best expert, V3, with sigmoids, by its two best; files do not
// say.
void SpecBuilder::choice_of_experts(Moe& moe, int32_t layer) {
  constexpr int32_t kSoftmax = 1, kSigmoid = 2;
  const auto n = static_cast<int32_t>(moe.experts.size());
  if (count_or("expert_gating_func", kSoftmax, 0, INT32_MAX) == kSigmoid) {
    moe.gating = Gating::sigmoid;
  } else if (count_or("expert_gating_func", kSoftmax, 0, INT32_MAX) != 0) {
    refuse_unless("expert_gating_func", kSoftmax);
  }
  moe.renormalized = file_.boolean(key("expert_weights_norm")).value_or(false);
  moe.n_groups = std::max(1, count_or("expert_group_count", 1, 0, n));
  const int32_t width = n / moe.n_groups;
  if (n % moe.n_groups != 0) {
    refuse(fmt::format("{} is {}, for {} experts", key("expert_group_count"), moe.n_groups, n));
  }
  moe.n_groups_used = count_or("expert_group_used_count", moe.n_groups, 1, moe.n_groups);
  if (moe.n_groups_used < moe.n_groups && moe.gating == Gating::sigmoid) moe.group_best = 2;
  if (width < moe.group_best || moe.n_used > moe.n_groups_used * width) {
    refuse(fmt::format("{} is {} and {} is {}, for {} of {} experts", key("expert_group_count"),
                       moe.n_groups, key("expert_group_used_count"), moe.n_groups_used, moe.n_used,
                       n));
  }
  const std::string bias = layer_name(layer, "exp_probs_b.bias");
  if (has(bias)) moe.choice_bias = vector(bias, n);
}

int32_t SpecBuilder::n_experts() const {
  const int32_t n = count("expert_count", 1, kMaxExperts);
  const int64_t n_matrices = int64_t{n_layers_} * n * 3;
  if (n_matrices > kMaxExpertMatrices) {
    refuse(fmt::format("{} is {} in {} layers, {} matrices, the limit is {}", key("expert_count"),
                       n, n_layers_, n_matrices, kMaxExpertMatrices));
  }
  return n;
}

std::vector<Mlp> SpecBuilder::experts(int32_t layer, int32_t n, Mlp expert) {
  const std::string fused = layer_name(layer, "ffn_gate_up_exps.weight");
  if (has(fused)) {
    throw Error(Code::unimplemented,
                fmt::format("the file has a tensor '{}', gate and up of experts in one, which is "
                            "not supported yet",
                            fused),
                "choose a file of this model with ffn_gate_exps and ffn_up_exps");
  }
  std::vector<Mlp> experts;
  for (int32_t i = 0; i < n; ++i) {
    const auto linear_of = [&](std::string_view part, int64_t rows, int64_t cols) {
      return Linear{expert_matrix(layer, part, i, n, rows, cols),
                    expert_bias(layer, part, i, n, rows)};
    };
    expert.gate = linear_of("ffn_gate", expert.n_hidden, spec.n_embd);
    expert.up = linear_of("ffn_up", expert.n_hidden, spec.n_embd);
    expert.down = linear_of("ffn_down", spec.n_embd, expert.n_hidden);
    experts.push_back(expert);
  }
  return experts;
}

Moe SpecBuilder::moe(int32_t layer, const ExpertRules& rules, Activation activation) {
  const int32_t n = n_experts();
  Moe moe;
  moe.n_used = count("expert_used_count", 1, n);
  if (!rules.of_file) {
    moe.renormalized = rules.renormalized;
    refuse_unless("expert_weights_norm", rules.renormalized ? 1 : 0);
  }
  moe.scale = number_or("expert_weights_scale", 1.0f);
  if (!(moe.scale > 0)) refuse(fmt::format("{} is {}", key("expert_weights_scale"), moe.scale));
  moe.router = linear(layer_name(layer, "ffn_gate_inp"), n, spec.n_embd);
  Mlp expert;
  expert.activation = activation;
  expert.n_hidden = expert_width(layer, rules, moe.n_used);
  moe.experts = experts(layer, n, expert);
  if (rules.of_file) choice_of_experts(moe, layer);
  if (const int32_t width = shared_width(layer, rules); width > 0) {
    moe.shared = shared_expert(layer, width, activation);
  }
  if (rules.shared_gate) {
    moe.shared_gate = vector(layer_name(layer, "ffn_gate_inp_shexp.weight"), spec.n_embd);
  }
  return moe;
}

Block SpecBuilder::feed_forward(int32_t layer, const ExpertRules& rules, Activation activation) {
  Block block;
  block.pre_norm = rms_norm(layer_name(layer, "ffn_norm"), spec.n_embd);
  const bool counted = has_experts();
  if (!counted) {
    // These can only be meant for experts that would be missed.
    refuse_unless("expert_used_count", 0);
    refuse_unless("expert_weights_scale", 1);
  }
  if (counted && layer >= count_or("leading_dense_block_count", 0, 0, n_layers_)) {
    block.op = moe(layer, rules, activation);
  } else {
    block.op = mlp(layer, true, activation);
  }
  return block;
}

}  // namespace strata::models
