// The state spaces of a file.
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"

namespace strata::models {

StateSpace SpecBuilder::state_space(int32_t layer) {
  StateSpace op;
  op.n_heads = count("ssm.time_step_rank", 1, kMaxHeads);
  op.n_groups = count("ssm.group_count", 1, kMaxHeads);
  op.n_state = count("ssm.state_size", 1, kMaxHeadDim);
  op.n_taps = count("ssm.conv_kernel", 1, kMaxTaps);
  const int32_t inner = count("ssm.inner_size", 1, kMaxHidden);
  if (inner % op.n_heads != 0 || op.n_heads % op.n_groups != 0) {
    refuse(fmt::format("{} is {}, for {} heads in {} groups", key("ssm.inner_size"), inner,
                       op.n_heads, op.n_groups));
  }
  op.head_dim = inner / op.n_heads;
  const auto name = [&](std::string_view part) { return layer_name(layer, part); };
  op.in = linear(name("ssm_in"), op.projected(), spec.n_embd);
  op.taps = matrix(name("ssm_conv1d.weight"), op.channels(), op.n_taps);
  if (has(name("ssm_conv1d.bias"))) op.tap_bias = vector(name("ssm_conv1d.bias"), op.channels());
  op.a = matrix(name("ssm_a"), op.n_heads, 1);
  op.d = matrix(name("ssm_d"), op.n_heads, 1);
  op.step_bias = vector(name("ssm_dt.bias"), op.n_heads);
  op.norm = {NormKind::rms, norm_epsilon("attention.layer_norm_rms_epsilon"),
             matrix(name("ssm_norm.weight"), op.n_groups, inner / op.n_groups), kNoTensor};
  op.out = linear(name("ssm_out"), spec.n_embd, inner);
  return op;
}

}  // namespace strata::models
