#include "app/cli/model_file.h"

#include "models/hub/store.h"

namespace strata::app {

std::shared_ptr<const models::Model> open_named_model(const std::string& name_or_file) {
  if (name_or_file.ends_with(".gguf")) return models::load_model(name_or_file, name_or_file);
  const models::Store store;
  const auto manifest = store.find(name_or_file);
  return models::load_model(store.model_path(manifest), manifest.name, manifest.overrides);
}

}  // namespace strata::app
