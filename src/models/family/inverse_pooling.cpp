// What a model that makes vectors or scores has in its folder beside the class's own: Sentence
// Transformers' files (translation_pooling.cpp reads them), and what scores are called.
#include "core/error.h"
#include "models/family/inverse_translation.h"
#include "models/family/sentence_modules.h"
#include "models/text_prompts.h"

namespace strata::models {
namespace {

constexpr std::string_view kPoolingFolder = "1_Pooling";

json::object module_of(size_t index, std::string_view path, std::string_view kind) {
  return {{"idx", index},
          {"name", std::to_string(index)},
          {"path", path},
          {"type", fmt::format("sentence_transformers.models.{}", kind)}};
}

bool makes_vectors(const ModelFile& file, const ModelSpec& spec) {
  if (spec.scores || spec.encoder) return false;
  return !generates(spec) || !spec.dense.empty() || has_pooling(file);
}

json::object pooling_settings(const ModelSpec& spec) {
  return {{"word_embedding_dimension", spec.n_embd},
          {"pooling_mode_cls_token", spec.pooling == Pooling::first},
          {"pooling_mode_mean_tokens", spec.pooling == Pooling::mean},
          {"pooling_mode_max_tokens", false},
          {"pooling_mode_mean_sqrt_len_tokens", false},
          {"pooling_mode_weightedmean_tokens", false},
          {"pooling_mode_lasttoken", spec.pooling == Pooling::last},
          {"include_prompt", true}};
}

json::object dense_settings(const DenseStage& stage) {
  return {{"in_features", stage.n_inputs},
          {"out_features", stage.n_outputs},
          {"bias", stage.linear.bias != kNoTensor},
          {"activation_function", stage.activation ? "torch.nn.modules.activation.Tanh"
                                                   : "torch.nn.modules.linear.Identity"}};
}

json::object prompt_settings(const TextPrompts& prompts) {
  json::object named;
  for (const TextPrompt& prompt : prompts.named) named[prompt.name] = prompt.text;
  if (named.size() != prompts.named.size()) {
    throw Error(Code::unimplemented, "two of the model's prompts have one name");
  }
  json::value standard = nullptr;
  if (!prompts.default_name.empty()) standard = json::string(prompts.default_name);
  return {{"prompts", named}, {"default_prompt_name", standard}};
}

}  // namespace

bool InverseTranslation::has_scores(std::initializer_list<std::string_view> /*tensors*/) const {
  return spec_.scores.has_value();
}

void InverseTranslation::score_keys(bool /*of_mean*/) {
  json::object labels, ids;
  const std::vector<std::string> named = score_labels(source_);
  const auto n = static_cast<size_t>(spec_.scores->n_scores);
  for (size_t i = 0; i < n; ++i) {
    const std::string label = named.size() == n ? named[i] : fmt::format("{}{}", kMadeUpLabel, i);
    labels[std::to_string(i)] = label;
    ids[label] = i;
  }
  say({"id2label"}, labels);
  say({"label2id"}, ids);
}

void InverseTranslation::positions_behind_padding(const std::string& ours,
                                                  const std::string& theirs) {
  const auto first =
      static_cast<uint64_t>(config().integer("pad_token_id").value_or(kUsualPadding)) + 1;
  const TensorInfo& source = need_tensor(ours);
  const uint64_t rows = source.rows(), cols = source.cols();
  HfTensor tensor{stored_name(theirs, 0), {first + rows, cols}, Change::none, {}};
  tensor.blocks.push_back({{{nullptr, 0, first, cols}, {&source, 0, rows, cols}}});
  say({"max_position_embeddings"}, first + rows);
  names_.insert(tensor.name);
  tensors_.push_back(std::move(tensor));
}

// Of a folder's file, in the folders that they were in.
void InverseTranslation::dense_layers(HfModel& model) {
  for (size_t i = 0; i < spec_.dense.size(); ++i) {
    const std::string name = dense_name(i);
    const std::string stored = source_.stored_name(name + ".weight");
    const size_t slash = stored.find('/');
    HfModule module{slash == std::string::npos ? fmt::format("{}_Dense", i + kFirstDense)
                                               : stored.substr(0, slash),
                    {}};
    for (const std::string kind : {"weight", "bias"}) {
      const TensorInfo* source = source_.find_tensor(name + "." + kind);
      if (source == nullptr) continue;
      used_.insert(source->name);
      HfTensor tensor{"linear." + kind, {source->cols()}, Change::none, {}};
      if (kind == "weight") tensor.shape.insert(tensor.shape.begin(), source->rows());
      tensor.blocks.push_back({{{source, 0, source->rows(), source->cols()}}});
      module.tensors.push_back(std::move(tensor));
    }
    model.modules.push_back(std::move(module));
  }
}

// Vectors are made of length 1, as all programs that read GGUF do.
void InverseTranslation::vector_files(HfModel& model) const {
  const TextPrompts prompts = text_prompts(source_);
  if (!prompts.named.empty()) model.files[kPromptFile] = prompt_settings(prompts);
  if (!makes_vectors(source_, spec_)) return;
  json::array modules{module_of(0, "", "Transformer"), module_of(1, kPoolingFolder, "Pooling")};
  model.files[fmt::format("{}/config.json", kPoolingFolder)] = pooling_settings(spec_);
  for (size_t i = 0; i < spec_.dense.size(); ++i) {
    const std::string& folder = model.modules[i].folder;
    modules.emplace_back(module_of(modules.size(), folder, "Dense"));
    model.files[folder + "/config.json"] = dense_settings(spec_.dense[i]);
  }
  modules.emplace_back(module_of(modules.size(), "", "Normalize"));
  model.files[kModulesFile] = std::move(modules);
  const TextReading reading = text_reading(source_);
  const int64_t most = reading.most_tokens > 0 ? reading.most_tokens : spec_.n_context;
  model.files[kTextFile] =
      json::object{{"max_seq_length", most}, {"do_lower_case", reading.lower_case}};
}

}  // namespace strata::models
