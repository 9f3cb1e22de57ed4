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

std::shared_ptr<HfFolder> empty_folder(const HfClass& hf_class, const HfFields& own) {
  json::object config = own.said;
  config["architectures"] = json::array{std::string(hf_class.name)};
  config["model_type"] = hf_class.model_type;
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

constexpr std::string_view kScoring = "ForSequenceClassification";

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Code::unimplemented, why);
}

std::string_view text_or_none(const json::object& said, std::string_view field) {
  const json::value* value = said.if_contains(field);
  if (value == nullptr || !value->is_string()) return {};
  return std::string_view(value->get_string());
}

std::string class_in(const json::object& said) {
  return said.empty() ? std::string() : HfConfig(said).architecture();
}

// Of this architecture, as their families have them, of the kind that the model is: the likeliest
// first.
std::vector<std::pair<const Family*, HfClass>> classes_of(const ModelFile& file,
                                                          const ModelSpec& spec,
                                                          const json::object& said) {
  const auto architecture = file.text("general.architecture").value_or("");
  std::vector<std::pair<const Family*, HfClass>> classes;
  std::string_view likely = text_or_none(said, "model_type");
  for (const auto& family : Registry<Family>::all()) {
    for (const HfClass& one : family->hf_classes()) {
      if (one.architecture != architecture || one.model_type.empty()) continue;
      if (one.name.ends_with(kScoring) != spec.scores.has_value()) continue;
      if (likely.empty()) likely = family->likely_model_type(file);
      classes.emplace_back(family.get(), one);
    }
  }
  std::ranges::stable_partition(classes,
                                [&](const auto& one) { return one.second.model_type == likely; });
  std::ranges::stable_partition(
      classes, [own = class_in(said)](const auto& one) { return one.second.name == own; });
  return classes;
}

// The padding of the source's configuration, or of the file's vocabulary, where it is a token.
void set_padding(const ModelFile& file, const ModelSpec& spec, const json::object& said,
                 json::object& out) {
  std::optional<int64_t> id = file.integer("tokenizer.ggml.padding_token_id");
  if (const json::value* own = said.if_contains("pad_token_id"); own && own->is_int64()) {
    id = own->get_int64();
  }
  if (id && *id >= 0 && *id < spec.n_vocab) out["pad_token_id"] = *id;
}

}  // namespace

double shortest(float value) {
  return std::stod(fmt::format("{}", value));
}

InverseTranslation::InverseTranslation(const ModelFile& file, const ModelSpec& spec,
                                       const HfClass& hf_class,
                                       const std::shared_ptr<HfFolder>& folder, HfFields own)
    : Translation(folder, std::string(hf_class.architecture)),
      source_(file),
      spec_(spec),
      class_(hf_class),
      said_(folder->config()),
      own_(std::move(own)) {}

bool InverseTranslation::is_own(std::initializer_list<std::string_view> fields) const {
  return std::ranges::any_of(fields,
                             [&](std::string_view field) { return own_.said.contains(field); });
}

void InverseTranslation::say(std::initializer_list<std::string_view> fields,
                             const json::value& value) {
  for (const std::string_view field : fields) {
    if (!own_.said.contains(field)) said_[field] = value;
  }
}

bool InverseTranslation::has(std::string_view tensor) const {
  const std::string name(tensor);
  return names_.contains(tensor) || halves_.contains(name) || heads_.contains(name);
}

std::optional<int64_t> InverseTranslation::copy_integer(
    std::string_view suffix, std::initializer_list<std::string_view> fields) {
  if (is_own(fields)) return config().integer(fields);
  const auto value = source_.integer(key(suffix));
  if (value) say(fields, *value);
  return value;
}

std::optional<double> InverseTranslation::copy_number(
    std::string_view suffix, std::initializer_list<std::string_view> fields) {
  if (is_own(fields)) return config().number(fields);
  const auto value = source_.number(key(suffix));
  if (value == 0.0) {  // off: programs divide by numbers that are there
    say(fields, nullptr);
  } else if (value) {
    say(fields, shortest(static_cast<float>(*value)));
  }
  return value;
}

void InverseTranslation::copy_text(std::string_view suffix, std::string_view field) {
  if (const auto value = source_.text(key(suffix))) say({field}, json::value(*value));
}

void InverseTranslation::copy_flag(std::string_view suffix, std::string_view field,
                                   bool otherwise) {
  say({field}, source_.boolean(key(suffix)).value_or(otherwise));
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
    say({field}, static_cast<int64_t>(whole));
  } else {
    say({field}, width);
  }
}

void InverseTranslation::said_by_tensor(std::string_view field, std::string_view ours, bool there) {
  say({field}, (source_.find_tensor(ours) != nullptr) == there);
}

void InverseTranslation::expect_activation(std::initializer_list<std::string_view> known) {
  say({"hidden_activation", "hidden_act", "activation_function"}, json::value(*known.begin()));
}

void InverseTranslation::expect(std::string_view field, const json::value& value) {
  say({field}, value);
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
    return say({"sliding_window"}, nullptr);
  }
  say({"sliding_window"}, window);
  if (mixed) say({"layer_types"}, types);
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
  HfModel model;
  join_halves();
  join_heads();
  dense_layers(model);
  vector_files(model);
  for (const TensorInfo& tensor : source_.tensors()) {
    if (used_.contains(tensor.name)) continue;
    refuse(fmt::format("the tensor '{}' has no place in folders of the class {}", tensor.name,
                       class_.name));
  }
  const auto has_bias = [&](std::string_view name) {
    return source_.find_tensor(fmt::format("blk.0.{}.bias", name)) != nullptr;
  };
  if (has_bias("attn_q") == has_bias("attn_output")) say({"attention_bias"}, has_bias("attn_q"));
  say({"mlp_bias"}, has_bias("ffn_up"));
  say({"tie_word_embeddings"}, source_.find_tensor("output.weight") == nullptr);
  say({"vocab_size"}, spec_.n_vocab);
  for (const std::string_view field : own_.unknown) said_.erase(field);
  model.hf_class = class_.name;
  model.config = said_;
  model.tensors = std::move(tensors_);
  model.heads = head_groups();
  return model;
}

HfModel invert(const ModelFile& file, const ModelSpec& spec, const json::object& said,
               const std::function<std::string(const HfModel&)>& reads_back) {
  const std::string name(file.text("general.architecture").value_or(""));
  std::string reasons;
  for (const auto& [family, one] : classes_of(file, spec, said)) {
    std::string why;
    try {
      HfFields own;
      set_padding(file, spec, said, own.said);
      family->configure(spec, file, one.name, own);
      const auto folder = empty_folder(one, own);
      InverseTranslation inverse(file, spec, one, folder, std::move(own));
      family->translate(inverse);
      HfModel model = inverse.result();
      why = reads_back(model);
      if (why.empty()) return model;
    } catch (const Error& error) {
      why = error.message();
    }
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", one.name, why);
  }
  throw Error(Code::unimplemented,
              fmt::format("models of the architecture '{}' can't be written as a folder{}{}",
                          printable(name), reasons.empty() ? " yet" : ": ", reasons),
              "keep the GGUF file: every program that reads GGUF takes it");
}

}  // namespace strata::models
