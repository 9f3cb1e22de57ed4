// What every family needs to write a ModelSpec: checked hyper-parameters from the file's metadata
// and slots in the tensor table.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/family/spec.h"
#include "models/format/model_file.h"

namespace strata::models {

// Widths of one layer's attention.
struct HeadShape {
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;
  int32_t head_dim = 0;
};

// How a family's experts differ from others'.
struct ExpertRules {
  bool renormalized = false;
  bool shared = false;          // ffn_gate_shexp, ffn_up_shexp, ffn_down_shexp
  bool shared_gate = false;     // ffn_gate_inp_shexp
  bool shared_as_wide = false;  // as each of the others, whatever keys say
  // The file says how experts are chosen: expert_gating_func, expert_group_count,
  // expert_group_used_count, expert_weights_norm, exp_probs_b, and how many shared ones there are,
  // side by side in one: expert_shared_count.
  bool of_file = false;
  // Widths that are absent or 0: feed_forward_length / expert_used_count, of the shared one
  // feed_forward_length.
  bool width_of_dense = false;
};

// The keys that moe() reads, for families that may have experts.
constexpr std::array<std::string_view, 3> kExpertKeys{"expert_count", "expert_used_count",
                                                      "expert_weights_scale"};

// A decoder that was published without a head: it makes vectors, it writes no text. Ours.
constexpr std::string_view kHeadless = "headless";
// Whether YaRN's bounds are whole pairs. Ours: others' files don't say.
constexpr std::string_view kYarnTruncate = "rope.scaling.yarn_truncate";
// YaRN's factor on keys and queries: what its own one is multiplied by, and the whole one.
constexpr std::string_view kYarnFactor = "rope.scaling.attn_factor";
constexpr std::string_view kYarnMagnitude = "rope.scaling.yarn_attn_factor";
constexpr float kSameMagnitude = 1e-4f;  // what decimals of a configuration lose
// BaseGrowth's factor, of whose type GGUF has no word. Ours.
constexpr std::string_view kDynamicFactor = "rope.scaling.dynamic_factor";

// Members throw Error{invalid_argument} with the key or tensor at fault, Error{unimplemented} for
// what the file asks and this engine does not do. Keys are given without the architecture in front.
class SpecBuilder {
 public:
  // Reads what all have: vocabulary, embedding, layers, context. `family` is for people. Keys that
  // ask for a formula which few families have are refused, but for those that this one reads.
  SpecBuilder(const ModelFile& file, std::string family,
              std::span<const std::string_view> reads = {});

  const ModelFile& file() const { return file_; }
  ModelSpec spec;  // token_embedding, n_*, tensors are filled here; the family does the rest

  int32_t n_layers() const { return n_layers_; }

  // --- hyper-parameters ---
  std::string key(std::string_view suffix) const;  // "llama.block_count"
  int32_t count(std::string_view suffix, int32_t min, int32_t max) const;
  int32_t count_or(std::string_view suffix, int32_t fallback, int32_t min, int32_t max) const;
  // One number for all layers, or an array with one a layer.
  int32_t layer_count(std::string_view suffix, int32_t layer, std::optional<int32_t> fallback,
                      int32_t min, int32_t max) const;
  // Finite.
  float number(std::string_view suffix) const;
  float number_or(std::string_view suffix, float fallback) const;
  // Error{unimplemented} when the key is there with another value than `neutral`, which would ask
  // for a formula that the family does not have.
  void refuse_unless(std::string_view suffix, double neutral) const;

  // attention.sliding_window of a layer, 0: none. attention.sliding_window_pattern is a flag a
  // layer, or a period, whose last layer has none; without it `period`, 0: all layers.
  int32_t window(int32_t layer, int32_t period, int32_t fallback = 0) const;
  // attention.scale, else 1 / sqrt(width).
  float attention_scale(int32_t width) const;

  // --- the tensor table ---
  bool has(std::string_view name) const { return file_.find_tensor(name) != nullptr; }
  TensorId slot(TensorSlot slot);  // one id for equal slots
  TensorId matrix(std::string name, int64_t rows, int64_t cols);
  TensorId vector(std::string name, int64_t n);
  // prefix.weight, and prefix.bias where the file has it.
  Linear linear(const std::string& prefix, int64_t rows, int64_t cols);
  // The n matrices of one stored stack; n parts of one matrix, from row `begin` of each `stride`
  // rows. Checked one by one, so that a count far above what the file holds takes no memory.
  std::vector<TensorId> stack(const std::string& name, int32_t n, int64_t rows, int64_t cols);
  std::vector<TensorId> parts(const std::string& name, int32_t n, int64_t begin, int64_t stride,
                              int64_t rows, int64_t cols);
  Norm rms_norm(const std::string& prefix, int64_t n);
  Norm layer_norm(const std::string& prefix, int64_t n);  // the bias is optional
  Norm plain_layer_norm() const;                          // without weight and bias
  Norm plain_rms_norm() const;
  // rope.dimension_count, at most and without it head_dim; rope.freq_base, rope.scaling.* and the
  // tensor rope_freqs.
  Rope rope(RopeKind kind, int32_t head_dim);
  // Widths from attention.head_count, head_count_kv, key_length; attention_scale(head_dim);
  // rope(); q, k, v (attn_q, attn_k, attn_v, or slices of attn_qkv) and o. No norms, no window.
  // own_keys: false where k and v are another layer's; then files may have theirs without use.
  Attention attention(int32_t layer, RopeKind kind, bool own_keys = true);
  // attn_q_norm, attn_k_norm.
  void norms_of_q_and_k(Attention& attention, int32_t layer, HeadNorms norms,
                        NormKind kind = NormKind::rms);
  // Widths from ssm.time_step_rank (heads), ssm.inner_size, ssm.state_size, ssm.group_count,
  // ssm.conv_kernel; the tensors ssm_*.
  StateSpace state_space(int32_t layer);
  // ffn_gate (when gated), ffn_up, ffn_down.
  Mlp mlp(int32_t layer, bool gated, Activation activation);
  // Gated, with the gate as the first half of ffn_up's rows.
  Mlp fused_mlp(int32_t layer, Activation activation);
  // Whether expert_count is there and not 0.
  bool has_experts() const;
  // expert_count experts: the stacks ffn_gate_exps, ffn_up_exps, ffn_down_exps, or in files from
  // before 2024-04 one tensor an expert, ffn_gate.0 and so on; ffn_gate_inp is the router. Stacks
  // may have biases.
  Moe moe(int32_t layer, const ExpertRules& rules, Activation activation);
  // The block behind ffn_norm: a gated MLP, or, from layer leading_dense_block_count on and where
  // the file counts any, experts.
  Block feed_forward(int32_t layer, const ExpertRules& rules, Activation activation);
  // output.weight, or the token embedding.
  void head();
  // Of an encoder, before its layers: attention looks both ways unless attention.causal says
  // otherwise, and pooling is by mean unless the file says otherwise.
  void looks_both_ways();
  // The same; the norm token_embd_norm, and token_types where the file has it.
  void encoder();
  // Two blocks whose sums with the stream are normed: attn_output_norm, layer_output_norm.
  Layer normed_sums(int32_t layer, Attention attention, Mlp mlp);
  // cls, cls.norm and cls.output, where the file has them: scores of a pooled vector.
  void score_head(Activation activation);
  // masks.dense, masks.norm and, as the head, output or the token embedding with output.bias; where
  // the file has them.
  void mask_head(Activation activation);
  // All that is left: each layer as `layer` makes it, the final norm, without one given the RMS
  // norm output_norm, and head(). Gives the spec away.
  ModelSpec decoder(const std::function<Layer(int32_t)>& layer,
                    const std::optional<Norm>& final_norm = std::nullopt);

 private:
  bool is_windowed(int32_t layer, int32_t period) const;
  float norm_epsilon(std::string_view suffix) const;
  Norm norm(NormKind kind, const std::string& prefix, int64_t n);
  Linear slice(const std::string& prefix, int64_t begin, int64_t rows, int64_t cols,
               int64_t stored_rows);
  void scale_positions(Rope& rope);
  void scale_by_factors(Rope& rope);
  void grow_base(Rope& rope, float factor);
  Yarn yarn(float factor) const;
  float magnitude(float factor) const;
  void refuse_unknown_formulas(std::span<const std::string_view> reads) const;
  TensorId append(TensorSlot slot);
  HeadShape head_shape(int32_t layer) const;
  Pooling pooling() const;
  // dense_2, dense_3 and so on, behind the pooling, where the file has them.
  void dense();
  void projections(Attention& attention, int32_t layer, bool own_keys);
  int32_t n_experts() const;
  int32_t expert_width(int32_t layer, const ExpertRules& rules, int32_t n_used) const;
  std::vector<Mlp> experts(int32_t layer, int32_t n, Mlp expert);
  void choice_of_experts(Moe& moe, int32_t layer);
  int32_t shared_width(int32_t layer, const ExpertRules& rules) const;
  Mlp shared_expert(int32_t layer, int32_t n_hidden, Activation activation);
  TensorId expert_bias(int32_t layer, std::string_view part, int32_t expert, int32_t n_experts,
                       int64_t n);
  TensorId expert_matrix(int32_t layer, std::string_view part, int32_t expert, int32_t n_experts,
                         int64_t rows, int64_t cols);

  const ModelFile& file_;
  std::unordered_multimap<std::string, TensorId> slots_;  // by tensor name
  std::string architecture_;
  int32_t n_layers_ = 0;
  bool is_causal_ = true;
};

// "blk.3.attn_norm"
std::string layer_name(int32_t layer, std::string_view part);

}  // namespace strata::models
