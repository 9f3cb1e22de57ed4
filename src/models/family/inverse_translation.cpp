#include "models/family/inverse_translation.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "models/family/change.h"
#include "models/family/family.h"
#include "models/format/gguf_part.h"
#include "tensor/dequant.h"

namespace strata::models {
namespace {

std::shared_ptr<HfFolder> empty_folder(const HfClass& hf_class) {
  json::object config{{"architectures", json::array{std::string(hf_class.name)}},
                      {"model_type", hf_class.model_type}};
  return std::make_shared<HfFolder>(std::move(config));
}

template <typename F>
void for_each_attention(const ModelSpec& spec, const F& visit) {
  for (const Layer& layer : spec.layers) {
    for (const Block& block : layer.blocks) {
      if (const auto* attention = std::get_if<Attention>(&block.op)) visit(*attention);
    }
  }
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Code::unimplemented, why);
}

}  // namespace

double shortest(float value) {
  return std::stod(fmt::format("{}", value));
}

InverseTranslation::InverseTranslation(const ModelFile& file, const ModelSpec& spec,
                                       const HfClass& hf_class,
                                       const std::shared_ptr<HfFolder>& folder)
    : Translation(folder, std::string(hf_class.architecture)),
      source_(file),
      spec_(spec),
      class_(hf_class),
      said_(folder->config()) {}

void InverseTranslation::say(std::initializer_list<std::string_view> fields,
                             const json::value& value) {
  for (const std::string_view field : fields) said_[field] = value;
}

bool InverseTranslation::has(std::string_view tensor) const {
  return names_.contains(tensor) || halves_.contains(std::string(tensor));
}

std::optional<int64_t> InverseTranslation::copy_integer(
    std::string_view suffix, std::initializer_list<std::string_view> fields) {
  const auto value = source_.integer(key(suffix));
  if (value) say(fields, *value);
  return value;
}

std::optional<double> InverseTranslation::copy_number(
    std::string_view suffix, std::initializer_list<std::string_view> fields) {
  const auto value = source_.number(key(suffix));
  if (value == 0.0) {  // off: programs divide by numbers that are there
    say(fields, nullptr);
  } else if (value) {
    say(fields, shortest(static_cast<float>(*value)));
  }
  return value;
}

void InverseTranslation::copy_text(std::string_view suffix, std::string_view field) {
  if (const auto value = source_.text(key(suffix))) said_[field] = *value;
}

void InverseTranslation::copy_flag(std::string_view suffix, std::string_view field,
                                   bool otherwise) {
  said_[field] = source_.boolean(key(suffix)).value_or(otherwise);
}

// The width is a whole number wherever the float allows it.
void InverseTranslation::copy_scale(std::string_view field) {
  std::optional<float> scale;
  for_each_attention(spec_, [&](const Attention& a) { scale = scale.value_or(a.scale); });
  if (!scale || !(*scale > 0)) return;
  const double width = 1.0 / (double{*scale} * double{*scale});
  const double whole = std::round(width);
  const bool is_whole = static_cast<float>(1.0 / std::sqrt(whole)) == *scale;
  if (is_whole) {
    said_[field] = static_cast<int64_t>(whole);
  } else {
    said_[field] = width;
  }
}

void InverseTranslation::said_by_tensor(std::string_view field, std::string_view ours, bool there) {
  said_[field] = (source_.find_tensor(ours) != nullptr) == there;
}

void InverseTranslation::expect_activation(std::initializer_list<std::string_view> known) {
  say({"hidden_activation", "hidden_act", "activation_function"}, json::value(*known.begin()));
}

void InverseTranslation::expect(std::string_view field, const json::value& value) {
  said_[field] = value;
}

void InverseTranslation::windows() {
  json::array types;
  int32_t window = 0;
  bool mixed = false;
  for_each_attention(spec_, [&](const Attention& a) {
    mixed = mixed || (!types.empty() && (a.window > 0) != (types.back() == "sliding_attention"));
    types.emplace_back(a.window > 0 ? "sliding_attention" : "full_attention");
    window = std::max(window, a.window);
  });
  if (window == 0) {
    said_["sliding_window"] = nullptr;
    return;
  }
  said_["sliding_window"] = window;
  if (mixed) said_["layer_types"] = types;
}

void InverseTranslation::tensors(std::span<const TensorRule> rules) {
  for (const TensorRule& rule : rules) {
    const bool layered = rule.ours.find("{}") != std::string_view::npos;
    for (int32_t layer = 0; layer < (layered ? n_layers() : 1); ++layer) {
      const std::string ours = filled(rule.ours, "{}", layer);
      const std::string theirs = prefix() + filled(rule.theirs, "{}", layer);
      if (names_a_kind(rule.theirs)) {
        add(ours, theirs, rule.change);
        continue;
      }
      for (const char* kind : {".weight", ".bias"}) add(ours + kind, theirs + kind, rule.change);
    }
  }
}

void InverseTranslation::add(const std::string& ours, const std::string& theirs, Change change) {
  const TensorInfo* source = source_.find_tensor(ours);
  if (source == nullptr || used_.contains(source->name)) return;
  if (is_half(change)) {
    Halves& halves = halves_[theirs];
    (change == Change::first_half ? halves.first : halves.second) = source;
    used_.insert(source->name);
    return;
  }
  if (names_.contains(filled(theirs, "{e}", 0))) return;  // of several for one the first
  const bool is_stack = source->n_dims > 2;
  if (is_part(change) || change == Change::minus_exp ||
      (change == Change::transposed && is_stack)) {
    refuse(fmt::format("'{}' is a part or a function of '{}', which can't be undone yet", ours,
                       theirs));
  }
  used_.insert(source->name);
  add_parts(*source, theirs, change);
}

// With {e} each matrix of a stack, or each row of vectors of heads, is a tensor of its own.
void InverseTranslation::add_parts(const TensorInfo& source, const std::string& theirs,
                                   Change change) {
  std::vector<uint64_t> shape(source.shape.begin(), source.shape.begin() + source.n_dims);
  std::ranges::reverse(shape);
  const bool each = theirs.find("{e}") != std::string::npos;
  const uint64_t n = each && shape.size() > 1 ? shape[0] : 1;
  if (each && shape.size() > 1) shape.erase(shape.begin());
  if (change == Change::transposed && shape.size() == 2) std::swap(shape[0], shape[1]);
  const uint64_t n_matrices = each ? 1 : source.shape[2];
  const uint64_t rows = each && source.n_dims == 2 ? 1 : source.shape[1];
  for (uint64_t e = 0; e < n; ++e) {
    HfTensor tensor{filled(theirs, "{e}", static_cast<int32_t>(e)), shape, change, {}};
    for (uint64_t m = 0; m < n_matrices; ++m) tensor.parts.push_back({&source, e + m, rows});
    names_.insert(tensor.name);
    tensors_.push_back(std::move(tensor));
  }
}

void InverseTranslation::join_halves() {
  for (const auto& [name, halves] : halves_) {
    if (halves.first == nullptr || halves.second == nullptr ||
        halves.first->shape != halves.second->shape) {
      refuse(fmt::format("the halves of '{}' are not both there, or differ", name));
    }
    HfTensor tensor{name, {}, Change::none, {}};
    const auto& shape = halves.first->shape;
    if (halves.first->n_dims > 2) tensor.shape.push_back(shape[2]);
    if (halves.first->n_dims > 1) tensor.shape.push_back(2 * shape[1]);
    tensor.shape.push_back(halves.first->n_dims > 1 ? shape[0] : 2 * shape[0]);
    for (uint64_t m = 0; m < shape[2]; ++m) {
      tensor.parts.push_back({halves.first, m, shape[1]});
      tensor.parts.push_back({halves.second, m, shape[1]});
    }
    tensors_.push_back(std::move(tensor));
  }
}

const TensorInfo& InverseTranslation::need_tensor(std::string_view name) {
  const TensorInfo* tensor = source_.find_tensor(name);
  if (tensor == nullptr) refuse(fmt::format("the file has no tensor '{}'", name));
  used_.insert(tensor->name);
  return *tensor;
}

std::vector<float> InverseTranslation::values(const TensorInfo& tensor) const {
  std::vector<float> out(tensor.n_weights());
  tensor::dequantize_row(tensor.type, source_.bytes(tensor).view.data(), out.data(),
                         static_cast<int64_t>(out.size()));
  return out;
}

HfModel InverseTranslation::result() {
  join_halves();
  for (const TensorInfo& tensor : source_.tensors()) {
    if (used_.contains(tensor.name)) continue;
    refuse(fmt::format("the tensor '{}' has no place in folders of the class {}", tensor.name,
                       class_.name));
  }
  const auto has_bias = [&](std::string_view name) {
    return source_.find_tensor(fmt::format("blk.0.{}.bias", name)) != nullptr;
  };
  if (has_bias("attn_q") == has_bias("attn_output")) said_["attention_bias"] = has_bias("attn_q");
  said_["mlp_bias"] = has_bias("ffn_up");
  said_["tie_word_embeddings"] = source_.find_tensor("output.weight") == nullptr;
  said_["vocab_size"] = spec_.n_vocab;
  return {class_.name, said_, std::move(tensors_), head_groups()};
}

HfModel invert(const ModelFile& file, const ModelSpec& spec,
               const std::function<std::string(const HfModel&)>& reads_back) {
  const std::string name(file.text("general.architecture").value_or(""));
  std::string reasons;
  for (const auto& family : Registry<Family>::all()) {
    for (const HfClass& one : family->hf_classes()) {
      if (one.architecture != name || one.model_type.empty()) continue;
      std::string why;
      try {
        InverseTranslation inverse(file, spec, one, empty_folder(one));
        family->translate(inverse);
        HfModel model = inverse.result();
        why = reads_back(model);
        if (why.empty()) return model;
      } catch (const Error& error) {
        why = error.message();
      }
      reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", one.name, why);
    }
  }
  throw Error(Code::unimplemented,
              fmt::format("models of the architecture '{}' can't be written as a folder{}{}",
                          printable(name), reasons.empty() ? " yet" : ": ", reasons),
              "keep the GGUF file: every program that reads GGUF takes it");
}

}  // namespace strata::models
