// From Hugging Face's names to GGUF's: what a family needs to say what a folder of its models
// holds. The result is a ModelFile like any other, which the same family then describes.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/family/hf_config.h"
#include "models/family/reordered.h"
#include "models/format/hf_folder.h"
#include "models/format/made_file.h"
#include "models/format/meta_json.h"
#include "models/quantized/weight_storage.h"

namespace strata::models {

// How a tensor's weights come from the folder's.
enum class Change {
  none,
  pairs,       // rows of each head: from halves (i, i + d/2) to adjacent pairs (2i, 2i + 1)
  one_plus,    // 1 + w, as float32
  minus_exp,   // -exp(w), as float32
  transposed,  // stored [in x out]
  first_half,  // of a matrix's rows
  second_half,
  // Every second column, from the first or the second on; also of what is stored [in x out], as are
  // its halves.
  even_columns,
  odd_columns,
  transposed_even,
  transposed_odd,
  transposed_first_half,
  transposed_second_half,
  grouped_qkv,  // rows of each group of heads: its queries, key and value; to all Q, all K, all V
};

// `{}` is the layer's number, `{e}` an expert's: one tensor of each becomes a stack. A stored stack
// is changed matrix by matrix. Where ours is without an ending both weight and bias, where they are
// there.
struct TensorRule {
  std::string_view ours;    // "blk.{}.attn_q"
  std::string_view theirs;  // "model.layers.{}.self_attn.q_proj"
  Change change = Change::none;
};

// Of a matrix whose rows belong to heads, one after the other: `n` of each head's `per_head` rows,
// from `begin`.
struct HeadRows {
  int32_t n_heads = 0;
  int32_t per_head = 0;
  int32_t begin = 0;
  int32_t n = 0;
};

// Of classes that count positions from the padding's id on, where they don't say it.
constexpr int64_t kUsualPadding = 1;

// What a class calls the parts of the head that fills in masks.
struct MaskHeadNames {
  std::string_view dense, norm, decoder;
  std::string_view bias;  // of the decoder where it shares the embedding's weight
};

// Of decoders whose classes descend from transformers' Llama: embedding, head, norms, attention,
// gated MLP.
std::span<const TensorRule> decoder_rules();
// Queries and keys of those whose heads GGUF stores as adjacent pairs: before decoder_rules.
std::span<const TensorRule> pair_rules();
// Of mixtures of experts, mlp.gate and mlp.experts.
std::span<const TensorRule> expert_rules();

// `mark` of a rule's name becomes the number; a name without it stays.
std::string filled(std::string_view pattern, std::string_view mark, int32_t number);
bool names_a_kind(std::string_view pattern);  // ends in .weight or .bias

// InverseTranslation (inverse_translation.h) goes the other way by what the same family says.
class Translation {
 public:
  Translation(std::shared_ptr<const HfFolder> folder, std::string architecture);
  virtual ~Translation() = default;

  const HfFolder& folder() const { return *folder_; }
  const HfConfig& config() const { return config_; }
  const std::string& architecture() const { return architecture_; }  // GGUF's
  int32_t n_layers() const { return n_layers_; }
  int32_t n_kv_heads() const { return n_kv_heads_; }
  int32_t head_dim() const { return head_dim_; }
  virtual bool has(std::string_view tensor) const {
    return folder_->find(tensor) != nullptr || (storage_ && storage_->find(std::string(tensor)));
  }
  // Whether the model scores sequences, of which the folder has one of these tensors.
  virtual bool has_scores(std::initializer_list<std::string_view> tensors) const;

  // Values of GGUF's keys, `suffix` behind the architecture.
  void set_integer(std::string_view suffix, int64_t value) {
    file_->set_integer(key(suffix), value);
  }
  void set_number(std::string_view suffix, double value) { file_->set_number(key(suffix), value); }
  void set_flag(std::string_view suffix, bool value) { file_->set_flag(key(suffix), value); }
  void set_flags(std::string_view suffix, const std::vector<bool>& v) {
    file_->set_flags(key(suffix), v);
  }
  void set_integers(std::string_view suffix, std::span<const int32_t> v) {
    file_->set_integers(key(suffix), v);
  }
  void set_numbers(std::string_view suffix, std::span<const float> v) {
    file_->set_numbers(key(suffix), v);
  }
  // Of any key.
  void set_text(std::string_view key, std::string_view value) { file_->set_text(key, value); }
  void set_stored(std::string_view key, const json::value& value) {  // by set_from_json's rules
    set_from_json(*file_, key, value);
  }
  // From a field of config.json, where it is there; the value.
  virtual std::optional<int64_t> copy_integer(std::string_view suffix,
                                              std::initializer_list<std::string_view> fields);
  virtual std::optional<double> copy_number(std::string_view suffix,
                                            std::initializer_list<std::string_view> fields);
  virtual void copy_text(std::string_view suffix, std::string_view field);
  virtual void copy_flag(std::string_view suffix, std::string_view field, bool otherwise);
  // attention.scale, of a field with the width of which it is the inverse root.
  virtual void copy_scale(std::string_view field);
  // A field that says whether this tensor of GGUF's is there, or is not: the tensors say it here.
  virtual void said_by_tensor(std::string_view field, std::string_view ours, bool there = true);

  // Fields with a number of each layer, from 1 to max. Error{invalid_argument}: not as many.
  std::vector<int32_t> each_layer(std::string_view field, int32_t max) const;
  std::vector<double> numbers_of_layers(std::string_view field) const;
  // Of configurations too unlike others for decoder_keys(): the layers.
  void layer_count(std::string_view field);
  // Of classes that are more than one architecture; before any key.
  void set_architecture(std::string_view name);
  // A field from 1 to max. Error{invalid_argument}: another value, or none.
  int32_t width(std::string_view field, int32_t max) const;
  // Of classes whose published configurations leave out what transformers' class has anyway.
  void set_defaults(json::object defaults) { config_.set_defaults(std::move(defaults)); }
  // Layers, widths, heads, context, norms' epsilon, rotary positions; what tensors' names have in
  // front.
  void decoder_keys();
  // Of decoders that some folders hold without a head, as a class whose name ends in Model: they
  // make vectors, they write no text.
  void headless_if_model_alone();
  // YaRN's mscale_all_dim is a factor on scores; before decoder_keys().
  void magnitude_in_scores() { magnitude_in_scores_ = true; }
  // Of configurations that call it by another name, after decoder_keys().
  virtual void set_kv_heads(int64_t n);
  // From now on rules count to so many layers. Error{invalid_argument} with the field.
  void set_layers(int64_t n, std::string_view field);
  // Only where the family's activation is one of these. Error{unimplemented} with the field.
  virtual void expect_activation(std::initializer_list<std::string_view> known);
  // Error{unimplemented}: the field is true, or a number other than 0.
  void refuse_unless_off(std::string_view field) const;
  // Error{unimplemented} where the field is there and says otherwise.
  virtual void expect(std::string_view field, const json::value& value);
  // sliding_window, of all layers.
  virtual void same_windows() { copy_integer("attention.sliding_window", {"sliding_window"}); }
  // sliding_window, with layer_types where they are given.
  virtual void windows();
  // Of models whose configuration names a window that they do not use.
  virtual void no_windows();
  // Counts and widths of experts, where there are any; each layer must have them.
  // Error{unimplemented}: norm_topk_prob is another one.
  void expert_keys(bool renormalized);

  // How the sequence's states become one vector, as modules.json and the folder that it names say;
  // texts that go in front (config_sentence_transformers.json).
  void sentence_modules();
  // Of models that score a sequence: their pooling, unless it is the mean, and what scores are
  // called (id2label).
  virtual void score_keys(bool of_mean = false);
  // Adds what the rules say to the file; of several for one tensor the first.
  virtual void tensors(std::span<const TensorRule> rules);
  // One tensor, `shape` (fastest first) of the same numbers, where the folder has it, in which it
  // is `stored` (slowest first).
  virtual void reshaped(const std::string& ours, const std::string& theirs,
                        const std::vector<uint64_t>& shape, const std::vector<uint64_t>& stored,
                        Change change = Change::none);
  // Learned positions of classes that count them from the one behind pad_token_id on: the rows
  // before are never read. After decoder_keys(), which took max_position_embeddings for the
  // context.
  virtual void positions_behind_padding(const std::string& ours, const std::string& theirs);
  // A stack with a matrix a head, of some of its rows: as they are, or transposed.
  virtual void heads(const std::string& ours, const std::string& theirs, const HeadRows& rows,
                     Change change = Change::none);
  // A tensor that the folder does not have: float32 numbers.
  void add_vector(std::string name, std::span<const float> values);
  // What the folder's names have in front of the rules'.
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  // That of classes of which some folders have none; `tensor` is one that all have.
  virtual void set_usual_prefix(std::string_view prefix, std::string_view tensor);
  // That of classes that score, and of other heads; the model alone has none.
  virtual void set_prefix_under_head(std::string_view prefix, std::string_view tensor);
  // What the rules' names have in front and the folder's do not: the prefix stands in its place,
  // and only there.
  void drop_prefix(std::string_view prefix) { dropped_ = prefix; }
  // Tensors whose names end so are no weights: buffers that some programs write.
  void ignore(std::string_view ending) { ignored_.emplace_back(ending); }
  // `n` layers behind the last one, which guess tokens further on; answers are the same without
  // them. The log tells when the folder has any.
  void leave_out_layers(int64_t n);

  // Parts that are no text model, such as one that sees: of tensors whose names begin so is said
  // that they are left out.
  void leave_out(std::string_view beginning) { left_out_.emplace_back(beginning); }

  // Of encoders that fill in masks, where the folder has all of that head. What is left of it is
  // ignored: without it vectors are the same.
  void mask_head(const MaskHeadNames& names);
  // Before that. The log tells why, where the folder has the head.
  void leave_out_mask_head(std::string_view why) { why_no_mask_head_ = why; }

  // Checks that no tensor is left over and hands the file out.
  std::shared_ptr<MadeFile> finish();

 protected:
  std::string key(std::string_view suffix) const;
  // What the folder calls a layer's tensor.
  std::string stored_name(std::string_view pattern, int32_t layer) const;
  QkvGroups head_groups() const { return {n_heads_, n_kv_heads_, head_dim_}; }
  virtual void rotary();
  bool has_magnitude_in_scores() const { return magnitude_in_scores_; }

 private:
  bool is_left_out(const SafeTensor& tensor) const;
  void tell_left_out() const;
  int64_t need_integer(std::string_view suffix, std::initializer_list<std::string_view> fields);
  void names_of_decoder();
  bool is_model_alone() const;  // a class without a head
  void check_head() const;
  void rotary_scaling(const json::object& scaling, double base);
  void stretched_divisors(const json::object& scaling, double base);
  void longrope_divisors(const json::object& scaling);
  void growing_base(const json::object& scaling);
  void yarn_magnitudes(const json::object& scaling, double factor);
  void rows_from(const std::string& ours, const std::string& theirs, uint64_t first);
  bool pooling(const std::string& path);
  void dense(const std::string& module, size_t index);
  void prompts(bool counted);
  void texts_of_vectors();
  void add(const std::string& ours, const std::string& theirs, Change change);
  void add_stack(const std::string& ours, std::span<const SafeTensor* const> sources,
                 Change change);
  void put(const std::string& ours, const SafeTensor& first, Change change,
           std::span<const uint64_t> shape, std::vector<MadePart> parts);
  void count_matrices(const SafeTensor& tensor);
  bool has_mask_head(const MaskHeadNames& names, bool tied) const;
  void read_mask_head(const MaskHeadNames& names, bool tied);
  MadePart part(const SafeTensor& tensor, const RowsOf& matrix, Change change) const;
  MadePart part_by_columns(const SafeTensor& tensor, const RowsOf& matrix, Change change) const;
  // The same of a weight that config.json says is quantised. False: this one is not.
  bool add_quantized(const std::string& ours, const std::string& theirs, Change change);
  bool heads_quantized(const std::string& ours, const std::string& theirs, const HeadRows& rows,
                       Change change);
  void add_made(const std::string& ours, std::span<const HfWeight> weights, Change change);

  std::shared_ptr<const HfFolder> folder_;
  std::unique_ptr<const WeightStorage> storage_;  // null: weights are stored as they are
  HfConfig config_;
  std::string architecture_;
  std::shared_ptr<MadeFile> file_;
  int32_t n_layers_ = 0;
  int32_t n_heads_ = 0;
  int32_t n_kv_heads_ = 0;
  int32_t head_dim_ = 0;
  int64_t n_matrices_ = 0;  // so far, of all tensors
  std::string prefix_;
  std::string_view dropped_;
  std::set<std::string_view> used_;
  std::vector<std::string> ignored_{"rotary_emb.inv_freq"};
  bool magnitude_in_scores_ = false;
  std::string_view why_no_mask_head_;  // empty: it is read
  std::vector<std::string> left_out_;
};

}  // namespace strata::models
