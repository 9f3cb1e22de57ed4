// From Hugging Face's names to GGUF's: what a family needs to say what a folder of its models
// holds. The result is a ModelFile like any other, which the same family then describes.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/family/hf_config.h"
#include "models/family/reordered.h"
#include "models/format/hf_folder.h"
#include "models/format/made_file.h"

namespace strata::models {

// How a tensor's weights come from the folder's.
enum class Change {
  none,
  pairs,       // rows of each head: from halves (i, i + d/2) to adjacent pairs (2i, 2i + 1)
  one_plus,    // 1 + w, as float32
  transposed,  // stored [in x out]
  first_half,  // of a matrix's rows
  second_half,
  grouped_qkv,  // rows of each group of heads: its queries, key and value; to all Q, all K, all V
};

// `{}` is the layer's number, `{e}` an expert's: one tensor of each becomes a stack. A stored stack
// is changed matrix by matrix. Without an ending both weight and bias, where they are there.
struct TensorRule {
  std::string_view ours;    // "blk.{}.attn_q"
  std::string_view theirs;  // "model.layers.{}.self_attn.q_proj"
  Change change = Change::none;
};

// Of decoders whose classes descend from transformers' Llama: embedding, head, norms, attention,
// gated MLP.
std::span<const TensorRule> decoder_rules();
// Queries and keys of those whose heads GGUF stores as adjacent pairs: before decoder_rules.
std::span<const TensorRule> pair_rules();
// Of mixtures of experts, mlp.gate and mlp.experts.
std::span<const TensorRule> expert_rules();

class Translation {
 public:
  Translation(std::shared_ptr<const HfFolder> folder, std::string architecture);

  const HfFolder& folder() const { return *folder_; }
  const HfConfig& config() const { return config_; }
  int32_t n_layers() const { return n_layers_; }
  int32_t head_dim() const { return head_dim_; }
  bool has(std::string_view tensor) const { return folder_->find(tensor) != nullptr; }

  // Values of GGUF's keys, `suffix` behind the architecture.
  void set_integer(std::string_view suffix, int64_t value) {
    file_->set_integer(key(suffix), value);
  }
  void set_number(std::string_view suffix, double value) { file_->set_number(key(suffix), value); }
  void set_flag(std::string_view suffix, bool value) { file_->set_flag(key(suffix), value); }
  void set_flags(std::string_view suffix, const std::vector<bool>& v) {
    file_->set_flags(key(suffix), v);
  }
  // Of any key.
  void set_text(std::string_view key, std::string_view value) { file_->set_text(key, value); }
  // From a field of config.json, where it is there.
  void copy_integer(std::string_view suffix, std::initializer_list<std::string_view> fields);
  void copy_number(std::string_view suffix, std::initializer_list<std::string_view> fields);

  // Layers, widths, heads, context, norms' epsilon, rotary positions.
  void decoder_keys();
  // Of configurations that call it by another name, after decoder_keys().
  void set_kv_heads(int64_t n);
  // Only where the family's activation is one of these. Error{unimplemented} with the field.
  void expect_activation(std::initializer_list<std::string_view> known);
  // sliding_window, with layer_types where they are given.
  void windows();
  // Of models whose configuration names a window that they do not use.
  void no_windows();
  // Counts and widths of experts, where there are any; each layer must have them.
  // Error{unimplemented}: norm_topk_prob is another one.
  void expert_keys(bool renormalized);

  // How the sequence's states become one vector, as modules.json and the folder that it names say.
  void pooling();
  // Adds what the rules say to the file; of several for one tensor the first.
  void tensors(std::span<const TensorRule> rules);
  // A tensor that the folder does not have: float32 numbers.
  void add_vector(std::string name, std::span<const float> values);
  // What the folder's names have in front of the rules'.
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  // Tensors whose names end so are no weights: buffers that some programs write.
  void ignore(std::string_view ending) { ignored_.emplace_back(ending); }

  // Checks that no tensor is left over and hands the file out.
  std::shared_ptr<MadeFile> finish();

 private:
  std::string key(std::string_view suffix) const;
  void rotary();
  void rotary_scaling(const json::object& scaling, double base);
  void llama3_divisors(const json::object& scaling, double base);
  void longrope_divisors(const json::object& scaling);
  void add(const std::string& ours, const std::string& theirs, Change change);
  void add_stack(const std::string& ours, std::span<const SafeTensor* const> sources,
                 Change change);
  MadePart part(const SafeTensor& tensor, const RowsOf& matrix, Change change) const;

  std::shared_ptr<const HfFolder> folder_;
  HfConfig config_;
  std::string architecture_;
  std::shared_ptr<MadeFile> file_;
  int32_t n_layers_ = 0;
  int32_t n_heads_ = 0;
  int32_t n_kv_heads_ = 0;
  int32_t head_dim_ = 0;
  std::string prefix_;
  std::set<std::string_view> used_;
  std::vector<std::string> ignored_{"rotary_emb.inv_freq"};
};

}  // namespace strata::models
