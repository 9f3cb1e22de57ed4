#include "app/cli/model_file.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"
#include "models/hub/catalog.h"
#include "models/hub/source.h"

namespace strata::app {
namespace {

bool is_written_as_path(const std::string& text) {
  return models::as_reference(text) != text;
}

bool is_stored(const std::string& name) {
  try {
    return models::Store().has(name);
  } catch (const Error&) {
    return false;  // no name at all
  }
}

}  // namespace

bool is_model_path(const std::string& name_or_path) {
  std::error_code ignored;
  return name_or_path.ends_with(".gguf") ||
         std::filesystem::exists(std::filesystem::path(name_or_path) / "config.json", ignored);
}

void refuse_no_model(const std::string& name_or_path) {
  if (!is_written_as_path(name_or_path)) return;
  std::error_code ignored;
  if (!fs::exists(name_or_path, ignored)) {
    throw Error(Code::not_found, fmt::format("there is no folder {}", name_or_path));
  }
  const bool is_folder = fs::is_directory(name_or_path, ignored);
  throw Error(Code::not_found,
              fmt::format("{} {}", name_or_path,
                          is_folder ? "has no config.json" : "does not end in .gguf"),
              "a model is a .gguf file, or a folder with config.json");
}

void refuse_path(const std::string& name_or_path) {
  if (!is_written_as_path(name_or_path)) return;
  throw Error(Code::invalid_argument, fmt::format("'{}' is no model name", name_or_path),
              fmt::format("pull it first: strata pull {} --as NAME", name_or_path));
}

void refuse_bare_path(const std::string& name) {
  std::error_code ignored;
  if (is_written_as_path(name) || models::is_source_reference(name) ||
      models::find_in_catalog(name) != nullptr || !fs::exists(name, ignored) || is_stored(name)) {
    return;
  }
  throw Error(Code::not_found, fmt::format("no model is known as '{}'", name),
              fmt::format("the one that lies here is ./{}", name));
}

std::shared_ptr<const models::Model> open_named_model(const std::string& name_or_file) {
  if (is_model_path(name_or_file)) return models::load_model(name_or_file, name_or_file);
  refuse_no_model(name_or_file);
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
