#include "app/cli/model_file.h"

#include <algorithm>

#include "core/utf8.h"

namespace strata::app {

bool is_model_path(const std::string& name_or_path) {
  std::error_code ignored;
  return name_or_path.ends_with(".gguf") ||
         std::filesystem::exists(std::filesystem::path(name_or_path) / "config.json", ignored);
}

std::shared_ptr<const models::Model> open_named_model(const std::string& name_or_file) {
  if (is_model_path(name_or_file)) return models::load_model(name_or_file, name_or_file);
  const models::Store store;
  const auto manifest = store.find(name_or_file);
  return models::load_model(store.model_path(manifest), manifest.name, manifest.overrides);
}

std::string licence_of(const models::Store& store, const models::Manifest& manifest) {
  if (!manifest.licence.empty()) return manifest.licence;
  return models::licence_of(manifest, *models::open_model_file(store.model_path(manifest)));
}

std::string short_licence(const std::string& licence) {
  constexpr size_t kShown = 60;
  if (licence.empty()) return "not stated";
  const size_t begin = std::min(licence.find_first_not_of(" \t\r\n"), licence.size());
  const size_t end = std::min(licence.find('\n', begin), licence.size());
  const std::string line = licence.substr(begin, end - begin);
  if (line.size() <= kShown && end == licence.size()) return line;
  const std::string cut = line.substr(0, kShown);
  return cut.substr(0, cut.size() - incomplete_utf8_tail(cut)) + " … (strata show --licence)";
}

}  // namespace strata::app
