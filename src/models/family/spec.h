// What a model is, as data: a table of tensors and, per layer, a list of residual blocks.
// Families write a ModelSpec from a file's metadata; planner, packer, executors, quantiser and
// training read it and know no family. Another formula is a field here; another data flow or state
// is another kind of block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace strata::models {

// Index into ModelSpec::tensors; kNoTensor where the model has none (a bias, a gate).
using TensorId = int32_t;
constexpr TensorId kNoTensor = -1;

// One weight the model reads. A slice [row_begin, row_begin + rows) of a stored tensor serves fused
// projections; their biases are slices [col_begin, col_begin + cols) of a stored vector; experts
// are matrices of a stored stack. Vectors have rows = 1. The bytes of a slot: find_weight
// (models/family/weights.h).
struct TensorSlot {
  std::string name;  // GGUF name of the stored tensor
  uint64_t rows = 1;
  uint64_t cols = 1;
  uint64_t row_begin = 0;
  uint64_t stored_rows = 0;  // rows of the stored tensor; 0: the same as rows
  uint64_t col_begin = 0;    // of a vector only
  uint64_t stored_cols = 0;  // columns of the stored vector; 0: the same as cols
  uint64_t matrix = 0;       // which one of the stored stack; the numbers above are of one matrix
  uint64_t stored_matrices = 1;

  bool operator==(const TensorSlot&) const = default;
};

// y = x W^T + b
struct Linear {
  TensorId weight = kNoTensor;
  TensorId bias = kNoTensor;
};

enum class NormKind { none, rms, layer };

// rms:   x / sqrt(mean(x^2) + epsilon) * weight
// layer: (x - mean) / sqrt(var + epsilon) * weight + bias
struct Norm {
  NormKind kind = NormKind::none;
  float epsilon = 1e-5f;
  TensorId weight = kNoTensor;
  TensorId bias = kNoTensor;
};

enum class RopeKind { none, adjacent, halves };  // pairs (2i, 2i+1) or (i, i + n_dims/2)

// YaRN (https://arxiv.org/abs/2309.00071, section 3.2): frequencies that turn more than beta_fast
// times in the context that the model was first trained for stay, those below beta_slow are scaled
// as position_scale says, those between in part; keys and queries grow by `magnitude`.
struct Yarn {
  int32_t first_context = 0;  // 0: no YaRN
  float beta_fast = 32.0f;
  float beta_slow = 1.0f;
  float magnitude = 1.0f;
  bool whole_pairs = true;  // the first and the last pair between are rounded outwards
};

// The base grows with the length n of a text that is longer than the context that the model was
// first trained for (transformers, modeling_rope_utils: dynamic):
//   base * (factor * n / first_context - (factor - 1))^(n_dims / (n_dims - 2))
// n is the length of the prompt, and for positions behind it how many there are up to them.
struct BaseGrowth {
  float factor = 0.0f;  // 0: it does not
  int32_t first_context = 0;

  bool operator==(const BaseGrowth&) const = default;
};

struct Rope {
  RopeKind kind = RopeKind::none;
  int32_t n_dims = 0;  // rotated dimensions of a head (partial RoPE: fewer)
  float base = 10000.0f;
  float position_scale = 1.0f;  // linear scaling: position * position_scale
  Yarn yarn;
  BaseGrowth growth;
  TensorId frequency_divisors = kNoTensor;  // n_dims/2 values that divide the frequencies
  TensorId long_divisors = kNoTensor;       // the same, of long texts (ModelSpec::short_context)
};

// gelu_sigmoid: x / (1 + exp(-1.702 x)) (https://arxiv.org/abs/1606.08415, section 2)
enum class Activation { silu, gelu_tanh, gelu_erf, gelu_sigmoid, relu, relu_squared, tanh };

// What a norm of queries or keys sees, and its weights: each head with the same [head_dim], each
// head with its own [heads x head_dim], or all heads of a row as one vector [heads * head_dim].
enum class HeadNorms { shared, own, joined };

// What is added to the scores of a head for how far a key stands from the query. By a table (T5,
// https://arxiv.org/abs/1910.10683, section 2.1): the number of the distance's bucket. The first
// half of the buckets have one distance each, the others ever more, up to max_distance, which and
// beyond which all share the last. Where attention looks both ways, half of all buckets are for
// keys behind the query. By slopes (ALiBi, https://arxiv.org/abs/2108.12409, section 3), where
// attention is causal: slope_scale * slope * (k_pos - q_pos), the heads' slopes going down from
// about 1 to 2^-alibi.
struct DistanceBias {
  TensorId weight = kNoTensor;  // [n_buckets x n_heads]; none: no table
  int32_t n_buckets = 0;
  int32_t max_distance = 0;
  float alibi = 0.0f;  // 0: no slopes
  float slope_scale = 1.0f;

  bool any() const { return weight != kNoTensor || alibi > 0.0f; }
  bool operator==(const DistanceBias&) const = default;
};

// What vectors of distances add to scores (DeBERTa, https://arxiv.org/abs/2006.03654, section 3.1).
// With d positions from the key to a query behind it, and r = norm(a row of the table), the row
// n_rows / 2 + d, or the nearest there is:
//   score = scale * (q . k + q . keys(r) + queries(r) . k)
// With n_single, a distance of more positions counts as
//   n_single + ceil(ln(|d| / n_single) / ln((max_distance - 1) / n_single) * (n_single - 1))
// with its sign. No soft cap, and no other bias by distance.
struct DistanceVectors {
  TensorId table = kNoTensor;  // [n_rows x n_embd]; none: nothing is added
  int32_t n_rows = 0;
  int32_t n_single = 0;
  int32_t max_distance = 0;
  Norm norm;
  Linear keys, queries;  // into heads; one may be missing

  bool any() const { return table != kNoTensor; }
};

// Queries grow with their position p by 1 + factor * ln(1 + floor((p + ahead) / step)), so that a
// long text blurs no weights (https://arxiv.org/abs/2501.19399).
struct QueryGrowth {
  float factor = 0.0f;
  int32_t step = 0;  // 0: they do not
  int32_t ahead = 1;
};

// Self-attention with grouped queries.
struct Attention {
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;
  int32_t head_dim = 0;
  Linear q, k, v, o;
  float clip = 0.0f;    // 0: none; else q, k and v are held within [-clip, clip]
  Norm q_norm, k_norm;  // before RoPE
  Norm v_norm;          // of each head, without weights
  // Not -1: no keys and values of its own, but those of the attention with this number among the
  // model's, which are as many heads, as wide, in the same window; k, v and their norms are none.
  int32_t kv_of = -1;
  HeadNorms head_norms = HeadNorms::shared;
  Rope rope;
  float scale = 0.0f;     // of q·k
  float soft_cap = 0.0f;  // 0: none; else cap * tanh(score / cap)
  // 0: all; else a key is seen while q_pos - k_pos < window, or, where attention is not causal,
  // while |q_pos - k_pos| <= window / 2.
  int32_t window = 0;
  int32_t section = 0;  // 0: all; else a key is seen while q_pos / section == k_pos / section
  // [n_heads] of scores beside those of the keys, which have no values: the weights of a query add
  // up to less than one (https://arxiv.org/abs/2309.17453, section 3.3).
  TensorId sinks = kNoTensor;
  QueryGrowth growth;
  bool causal = true;  // false: a query sees the keys behind it too, so that a sequence comes whole
  DistanceBias distance_bias;
  DistanceVectors distance_vectors;  // where attention is not causal
};

// Attention of the rows of a text to the states that the model's encoder made of the sequence's
// source: each row sees all of them, and positions play no part.
struct CrossAttention {
  int32_t n_heads = 0;
  int32_t head_dim = 0;
  Linear q;
  Linear k, v;  // of the encoder's states
  Linear o;
  float scale = 0.0f;  // of q·k
};

// Causal self-attention over latent vectors (DeepSeek-V2, https://arxiv.org/abs/2405.04434, section
// 2.1). Of a position p is kept, for all heads together, [c_p, r_p]: kv_a x, whose first n_latent
// numbers go through kv_norm and whose other rope.n_dims are rotated. Of head h, with the query
// [q, s] of plain_dim numbers and of rope.n_dims that are rotated:
//   score  = scale * (q . k_b c_p + s . r_p)
//   result = v_b (sum over p of weight_p * c_p)
// The heads' results, one after the other, go through o.
struct LatentAttention {
  int32_t n_heads = 0;
  int32_t n_latent = 0;
  int32_t plain_dim = 0;
  int32_t value_dim = 0;
  Linear q_a;  // none: q reads x itself
  Norm q_a_norm;
  Linear q;     // [n_heads x (plain_dim + rope.n_dims)]
  Linear kv_a;  // [n_latent + rope.n_dims]
  Norm kv_norm;
  // Of each head: k_b [plain_dim x n_latent], or its transpose where k_b_transposed; v_b [value_dim
  // x n_latent].
  std::vector<TensorId> k_b, v_b;
  bool k_b_transposed = false;
  Linear o;
  Rope rope;           // of n_dims behind plain_dim, not of the whole head
  float scale = 0.0f;  // of scores
};

// Mamba-2's mixer (https://arxiv.org/abs/2405.21060, sections 5 and 7.1). in x is [z, u, dt]; of u
// a convolution over the last n_taps positions, channel by channel, makes [x, b, c] = silu(tap_bias
// + sum over taps of taps * u), the last tap being the position's own. Of head h, which shares b
// and c with those of its group, the state S [head_dim x n_state] goes from position to position:
//   t = softplus(dt_h + step_bias_h)     S = exp(t * a_h) * S + t * x_h b^T     y_h = S c + d_h *
//   x_h
// y * silu(z), normed in n_groups parts, goes through out.
struct StateSpace {
  int32_t n_heads = 0;
  int32_t head_dim = 0;
  int32_t n_state = 0;
  int32_t n_groups = 1;
  int32_t n_taps = 0;
  Linear in;                       // [projected() x n_embd]
  TensorId taps = kNoTensor;       // [channels() x n_taps]
  TensorId tap_bias = kNoTensor;   // [channels()]
  TensorId a = kNoTensor;          // [n_heads], below 0
  TensorId d = kNoTensor;          // [n_heads]
  TensorId step_bias = kNoTensor;  // [n_heads]
  Norm norm;                       // its weights: [n_groups x inner() / n_groups]
  Linear out;                      // [n_embd x inner()]

  int64_t inner() const { return int64_t{n_heads} * head_dim; }
  int64_t channels() const { return inner() + int64_t{2} * n_groups * n_state; }
  int64_t projected() const { return inner() + channels() + n_heads; }
};

// gate given: down(act(gate(x)) * (up(x) + up_offset)); none: down(act(up(x))). With a limit, which
// needs a gate, gate(x) counts as at most that, and up(x) is held within [-limit, limit].
struct Mlp {
  int32_t n_hidden = 0;
  Linear gate, up, down;
  Activation activation = Activation::silu;
  float limit = 0.0f;  // 0: none
  float up_offset = 0.0f;
  // Not 0: of the numbers of gate(x) each counts as far as it is above their mean plus so many
  // standard deviations, the others as 0.
  float sparsity = 0.0f;
};

// A residual of low rank (LAuReL, https://arxiv.org/abs/2411.07501): y = x + norm(right(left(x))).
struct LowRank {
  int32_t rank = 0;
  Linear left;   // [rank x n_embd]
  Linear right;  // [n_embd x rank]
  Norm norm;
};

// A row as several streams of n_embd numbers (AltUp, https://arxiv.org/abs/2301.13310), of which
// only the first goes through the blocks of a layer. What a layer does besides, with
// m(x) = tanh(router(router_norm(x)) / n_embd):
//   before its blocks     s_j += sum over i of s_i * (predict m(s_0))[j * n + i], for all j at once
//   with y of its blocks  s_j += (1 + (correct m(y))_j) * (y - s_0), for all j at once
//   behind that           g = project(gelu(gate(s_0 * scale)) * side), s_j += norm(g) for j > 0
// side being the layer's part of the row's side inputs (Streams).
struct StreamMix {
  Norm router_norm;
  Linear router;                 // [n x n_embd]
  TensorId predict = kNoTensor;  // [n * n x n]
  TensorId correct = kNoTensor;  // [n x n]
  TensorId scale = kNoTensor;    // [n_embd]
  Linear gate;                   // [n_side x n_embd]
  Linear project;                // [n_embd x n_side]
  Norm norm;
};

// Where streams come from and what becomes of them. Of an embedding e the first stream is e, the
// others are open_j e, as long as e; behind the last layer the mean of the first and of
// close_j s_j, as long as the first, goes into the final norm. A row has a side input for each
// layer: of its token's row in the table, times table_scale, and of norm(side(e) / sqrt(n_embd)),
// the sum divided by sqrt(2).
struct Streams {
  int32_t n = 0;
  std::vector<TensorId> open, close;  // n - 1 matrices each
  int32_t n_side = 0;
  int32_t n_table = 0;         // tokens beyond have the first row
  TensorId table = kNoTensor;  // [n_table x (n_layers * n_side)]
  float table_scale = 1.0f;
  Linear side;  // [(n_layers * n_side) x n_embd]
  Norm norm;    // of n_side numbers
};

// out(x): what some layers have in the place of attention or of an MLP.
struct Projection {
  Linear out;  // [n_embd x n_embd]
};

enum class Gating { softmax, sigmoid };

// Mixture of experts (https://arxiv.org/abs/1701.06538, section 2), with p = gating(router(x)), the
// softmax over all experts or the sigmoid of each:
//   y = sum over the chosen experts e of w_e * e(x) + sigmoid(shared_gate x) * shared(x)
// Chosen are the n_used experts with the greatest p_e + choice_bias_e, the first of equals, of
// those in the n_groups_used groups, of n_groups that are equally large and stand one after the
// other, for which the sum of the group_best greatest p_e + choice_bias_e of the group is greatest
// (DeepSeek-V3, https://arxiv.org/abs/2412.19437, section 2.1.2).
// w_e is scale * p_e, or, renormalized, scale * p_e / (sum of p over the chosen), which for softmax
// is also that over the logits of the chosen alone. Where it weighs_inputs, e(w_e x) takes the
// place of w_e * e(x).
struct Moe {
  Linear router;  // [n_experts x n_embd]
  Gating gating = Gating::softmax;
  TensorId choice_bias = kNoTensor;  // [n_experts]
  int32_t n_groups = 1;
  int32_t n_groups_used = 1;
  int32_t group_best = 1;
  int32_t n_used = 0;
  bool renormalized = false;
  float scale = 1.0f;
  bool weighs_inputs = false;
  std::vector<Mlp> experts;          // of one width, one activation
  std::optional<Mlp> shared;         // without biases
  TensorId shared_gate = kNoTensor;  // [1 x n_embd]; none: shared(x) is added as it is
};

// residual = sum_norm(sum_scale * (residual + scale * post_norm(op(pre_norm(input))))), input being
// the residual stream, or, when parallel_to_previous is set, the stream as it was before the
// previous block of the layer.
struct Block {
  Norm pre_norm;
  std::variant<Attention, LatentAttention, CrossAttention, StateSpace, LowRank, Mlp, Moe,
               Projection>
      op;
  Norm post_norm;
  bool parallel_to_previous = false;
  float scale = 1.0f;
  Norm sum_norm{};
  float sum_scale = 1.0f;
};

struct Layer {
  std::vector<Block> blocks;
  std::optional<StreamMix> mix{};  // of a model with streams
};

// How the final hidden states of a sequence become one vector: their mean, the first, the last.
enum class Pooling { mean, first, last };

// y = activation(x W^T + b)
struct DenseStage {
  Linear linear;  // [n_outputs x n_inputs]
  int32_t n_inputs = 0;
  int32_t n_outputs = 0;
  std::optional<Activation> activation;
};

// What a model that ranks or classifies says of a sequence, a number a label:
//   scores = out(norm(activation(dense(pooled))))
struct ScoreHead {
  Linear dense;  // [n_embd x n_embd], or none: out(pooled)
  Activation activation = Activation::tanh;
  Norm norm;
  Linear out;  // [n_scores x n_embd]
  int32_t n_scores = 0;
};

// What a model that guesses hidden tokens has between its states and its head (BERT,
// https://arxiv.org/abs/1810.04805, section 3.1): logits = head(norm(activation(dense(state)))).
struct MaskHead {
  Linear dense;  // [n_embd x n_embd]
  Activation activation = Activation::gelu_erf;
  Norm norm;
};

// Reads a sequence's source whole, before the model's own layers write a text: their
// CrossAttention sees its states. It shares the token embedding with them.
struct Encoder {
  std::vector<Layer> layers;  // attention looks both ways
  Norm final_norm;            // of the states
  int32_t first_token = 0;    // every text begins with it
};

struct ModelSpec {
  std::string family;  // registry name, for people
  int32_t n_vocab = 0;
  int32_t n_embd = 0;
  int32_t n_context = 0;  // positions the model was trained for
  // Texts of more tokens are long: all of their positions, also the first, have long_divisors. 0:
  // the model does not tell them apart.
  int32_t short_context = 0;
  // Prompts of more tokens are long: bases of frequencies grow with them (Rope::growth). 0: none
  // do.
  int32_t growing_from = 0;
  std::vector<TensorSlot> tensors;
  TensorId token_embedding = kNoTensor;  // [n_vocab x n_embd]
  float embedding_scale = 1.0f;
  TensorId position_embedding = kNoTensor;  // [n_context x n_embd], added to the token's
  TensorId type_embedding = kNoTensor;      // [n_types x n_embd], added too: of the token's type
  int32_t n_types = 0;
  Norm embedding_norm;  // of the sum
  std::optional<Encoder> encoder;
  std::optional<Streams> streams;
  std::vector<Layer> layers;
  Norm final_norm;
  Linear head;  // may be the token embedding's own slot (tied); none: no text is generated
  std::optional<MaskHead> masks;  // of a model that fills in masks, in front of its head
  Pooling pooling = Pooling::last;
  std::vector<DenseStage> dense;  // of a pooled vector, one after the other
  std::optional<ScoreHead> scores;
  float logit_scale = 1.0f;
  float logit_soft_cap = 0.0f;
};

// The encoder's and the model's own, in the order in which they run.
std::vector<const Layer*> all_layers(const ModelSpec& spec);
// How many numbers the vector of a text has.
int32_t vector_width(const ModelSpec& spec);
// Whether every attention of the model's own layers is causal, so that a sequence can come in
// pieces.
bool is_causal(const ModelSpec& spec);
// Whether the model continues text; the others make vectors and scores of it.
bool generates(const ModelSpec& spec);

}  // namespace strata::models
