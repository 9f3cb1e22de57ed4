// From GGUF's names to Hugging Face's: a folder's config.json and tensors of what a file holds, by
// the same rules of the family that read such a folder (translation.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/family/family.h"
#include "models/family/spec.h"
#include "models/family/translation.h"
#include "models/format/model_file.h"

namespace strata::models {

// One matrix of a stored tensor, or zeros.
struct HfPart {
  const TensorInfo* source = nullptr;  // null: zeros
  uint64_t matrix = 0;                 // of a stack
  uint64_t rows = 0;
  uint64_t cols = 0;
};

// Rows of the parts, which have as many columns: one part after the other, or in turn.
struct HfBlock {
  std::vector<HfPart> parts;
  bool in_turn = false;
  bool transposed = false;  // the whole of it
};

// A tensor of the folder: the numbers of its blocks, one after the other.
struct HfTensor {
  std::string name;
  std::vector<uint64_t> shape;   // slowest first
  Change change = Change::none;  // of rows or of numbers, that the reader will do; the writer does
                                 // the opposite
  std::vector<HfBlock> blocks;
};

// Tensors that a folder in the folder holds.
struct HfModule {
  std::string folder;
  std::vector<HfTensor> tensors;
};

struct HfModel {
  std::string_view hf_class;
  json::object config;
  std::vector<HfTensor> tensors;
  QkvGroups heads;                // for the changes
  std::vector<HfModule> modules;  // dense layers behind the pooling
  std::map<std::string, json::value>
      files;  // Sentence Transformers', of a model that makes vectors
};

class InverseTranslation final : public Translation {
 public:
  // `file` and `spec`, which is the file's, must outlive this; `folder` holds the configuration
  // that is made, in which `own` counts before all else.
  InverseTranslation(const ModelFile& file, const ModelSpec& spec, const HfClass& hf_class,
                     const std::shared_ptr<HfFolder>& folder, HfFields own);

  bool has(std::string_view tensor) const override;
  bool has_scores(std::initializer_list<std::string_view> tensors) const override;
  std::optional<int64_t> copy_integer(std::string_view suffix,
                                      std::initializer_list<std::string_view> fields) override;
  std::optional<double> copy_number(std::string_view suffix,
                                    std::initializer_list<std::string_view> fields) override;
  void copy_text(std::string_view suffix, std::string_view field) override;
  void copy_flag(std::string_view suffix, std::string_view field, bool otherwise) override;
  void copy_scale(std::string_view field) override;
  void said_by_tensor(std::string_view field, std::string_view ours, bool there) override;
  void set_kv_heads(int64_t /*n*/) override {}  // as decoder_keys found it
  void expect_activation(std::initializer_list<std::string_view> known) override;
  void expect(std::string_view field, const json::value& value) override;
  void windows() override;
  void same_windows() override { windows(); }  // that there is none is said, too
  void no_windows() override {}
  void score_keys(bool of_mean) override;
  void positions_behind_padding(const std::string& ours, const std::string& theirs) override;
  void tensors(std::span<const TensorRule> rules) override;
  void reshaped(const std::string& ours, const std::string& theirs,
                const std::vector<uint64_t>& shape, const std::vector<uint64_t>& stored,
                Change change) override;
  void heads(const std::string& ours, const std::string& theirs, const HeadRows& rows,
             Change change) override;
  void set_usual_prefix(std::string_view prefix, std::string_view tensor) override;
  void set_prefix_under_head(std::string_view prefix, std::string_view tensor) override;

  // After the family's translate(). Error{unimplemented}: a tensor has no place in such a folder.
  HfModel result();

 private:
  struct Halves {
    const TensorInfo* first = nullptr;
    const TensorInfo* second = nullptr;
    Change change = Change::none;  // of the first
  };
  // Some rows of each head.
  struct HeadStack {
    const TensorInfo* source = nullptr;
    HeadRows rows;
    bool transposed = false;
  };

  bool is_own(std::initializer_list<std::string_view> fields) const;
  void rotary() override;
  void rotary_parameters(const Rope& rope, int32_t head_dim, json::object& out);
  void yarn(const Rope& rope, json::object& out) const;
  void divisors(const Rope& rope, json::object& out);
  void stretched_divisors(const TensorInfo& divisors, const Rope& rope, json::object& out);
  void add(const std::string& ours, const std::string& theirs, Change change);
  void add_parts(const TensorInfo& source, const std::string& theirs, Change change);
  void dense_layers(HfModel& model);
  void vector_files(HfModel& model) const;
  void join_halves();
  void join_heads();
  const TensorInfo& need_tensor(std::string_view name);
  std::vector<float> values(const TensorInfo& tensor) const;
  // One of several names that classes have for it counts; all say the same.
  void say(std::initializer_list<std::string_view> fields, const json::value& value);

  const ModelFile& source_;
  const ModelSpec& spec_;
  HfClass class_;
  json::object& said_;  // the configuration
  HfFields own_;
  std::vector<HfTensor> tensors_;
  std::set<std::string, std::less<>> names_;  // of tensors_
  std::set<std::string_view> used_;           // of the file's tensors
  std::map<std::string, Halves> halves_;      // by the name of the whole
  std::map<std::string, std::vector<HeadStack>> heads_;
};

// The folder of a file whose family has a class for it: the first of its classes that, read again,
// describes the same model, as `reads_back` finds out (empty: yes; else what differs). `said` is
// the config.json of a file that is a folder's, else empty: its class is tried first, then those of
// its model_type. Error{unimplemented} with the architecture's name and the reason: there is none.
HfModel invert(const ModelFile& file, const ModelSpec& spec, const json::object& said,
               const std::function<std::string(const HfModel&)>& reads_back);

// A weight's or a key's number, as the shortest decimal that reads back as the same float.
double shortest(float value);

}  // namespace strata::models
