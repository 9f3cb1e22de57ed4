#include "api/gateway/model_traits.h"

#include "core/error.h"
#include "inference/defaults.h"
#include "models/family/family.h"
#include "models/family/sentence_modules.h"

namespace strata::api {

ModelTraits traits_of(const models::Store& store, const models::Manifest& manifest) {
  const auto file = models::open_model_file(store.model_path(manifest));
  const models::ModelSpec spec = models::describe_model(*file);
  return {.name = manifest.name,
          .has_template = manifest.overrides.chat_template.has_value() ||
                          file->text("tokenizer.chat_template").has_value(),
          .context = spec.n_context,
          .max_tokens = inference::parse_parameters(manifest.overrides.parameters).max_tokens,
          .generates = models::generates(spec),
          .scores = spec.scores.has_value(),
          .fills_masks = spec.masks.has_value() && !models::has_pooling(*file)};
}

ModelTraits KnownTraits::of(const models::Store& store, const models::Manifest& manifest) {
  constexpr size_t kMostKept = 1000;  // models that are gone stay until then
  std::string key = models::to_text(manifest);
  {
    std::lock_guard lock(mutex_);
    if (const auto known = by_manifest_.find(key); known != by_manifest_.end())
      return known->second;
  }
  ModelTraits traits = traits_of(store, manifest);
  std::lock_guard lock(mutex_);
  if (by_manifest_.size() >= kMostKept) by_manifest_.clear();
  by_manifest_.insert_or_assign(std::move(key), traits);
  return traits;
}

json::object to_json_object(const ModelTraits& traits) {
  return {{"name", traits.name},
          {"has_template", traits.has_template},
          {"context", traits.context},
          {"max_tokens", traits.max_tokens},
          {"generates", traits.generates},
          {"scores", traits.scores},
          {"fills_masks", traits.fills_masks}};
}

ModelTraits parse_traits(const json::value& value) {
  try {
    return {.name = json::value_to<std::string>(value.at("name")),
            .has_template = value.at("has_template").as_bool(),
            .context = value.at("context").to_number<int32_t>(),
            .max_tokens = value.at("max_tokens").to_number<int32_t>(),
            .generates = value.at("generates").as_bool(),
            .scores = value.at("scores").as_bool(),
            .fills_masks = value.at("fills_masks").as_bool()};
  } catch (const std::exception&) {
    throw Error(Code::data_loss, "the server does not say what kind of model it has",
                "it may be another version of strata: use the same, or --local");
  }
}

}  // namespace strata::api
