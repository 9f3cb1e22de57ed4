// From a Modelfile to a model in the store, and back.
#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "models/chat/chat_template.h"
#include "models/hub/modelfile.h"
#include "models/hub/source.h"
#include "models/parameters.h"

namespace strata::models {
namespace {

constexpr std::string_view kFileScheme = "file:";

// The reference of a file or folder that FROM names; a relative path counts from `folder`.
std::string file_reference(std::string_view from, const fs::path& folder) {
  // Whole already, or nothing that a path can be made from: the source says what is wrong.
  if (from.starts_with("file://") || from == kFileScheme) return std::string(from);
  if (from.starts_with(kFileScheme)) from.remove_prefix(kFileScheme.size());
  const fs::path path = fs::absolute(
      from.starts_with("~/") ? fs::path(environment("HOME").value_or("/")) / from.substr(2)
                             : folder / fs::path(from));
  return std::string(kFileScheme) + path.string();
}

bool has_changes(const ModelOverrides& overrides) {
  return overrides.chat_template || !overrides.system.empty() || !overrides.messages.empty() ||
         !overrides.parameters.empty();
}

// The model as it came from that reference, where it was pulled: nothing has to be fetched then.
std::optional<Manifest> fetched_before(const Store& store, const std::string& reference) {
  for (Manifest& manifest : store.list()) {
    if (manifest.source != reference || has_changes(manifest.overrides)) continue;
    const bool whole = std::ranges::all_of(
        manifest.model, [&](const BlobRef& part) { return store.has_blob(part); });
    if (!whole) continue;
    manifest.parent = manifest.name;
    return std::move(manifest);
  }
  return std::nullopt;
}

// The model that FROM names; fetched when it is not here.
Manifest find_base(const Store& store, const std::string& name, const Modelfile& modelfile,
                   const fs::path& folder, const PullOptions& options) {
  const std::string& from = modelfile.from;
  if (names_a_file(from)) {
    PullOptions own = options;
    own.as = name;
    return fetch_model(store, file_reference(from, folder), own);
  }
  if (is_source_reference(from)) {
    if (auto there = fetched_before(store, from)) return std::move(*there);
    PullOptions own = options;  // under a name of its own: another model may have the reference's
    own.as = name;
    return fetch_model(store, from, own);
  }
  auto there = store.try_find(from);
  Manifest manifest = there ? std::move(*there) : pull(store, from, options).manifest;
  manifest.parent = manifest.name;
  return manifest;
}

void put_over(const Modelfile& modelfile, Manifest& manifest) {
  ModelOverrides& overrides = manifest.overrides;
  const ModelOverrides& wanted = modelfile.overrides;
  if (wanted.chat_template) overrides.chat_template = wanted.chat_template;
  if (!wanted.system.empty() || modelfile.no_system) overrides.system = wanted.system;
  if (!wanted.messages.empty()) overrides.messages = wanted.messages;
  for (const auto& [key, value] : wanted.parameters) overrides.parameters.erase(key);
  for (const auto& [key, value] : wanted.parameters) overrides.parameters.emplace(key, value);
  if (modelfile.licences.empty()) return;
  manifest.licence.clear();
  for (const auto& licence : modelfile.licences) {
    manifest.licence += (manifest.licence.empty() ? "" : "\n\n") + licence;
  }
}

// Where a model is made is the one place that says it: later it would be said at every load.
void name_ignored(const Parameters& parameters, const PullOptions& options) {
  for (const auto& name : ignored_parameters(parameters)) {
    const std::string note = fmt::format("PARAMETER {} has no effect here", name);
    log_warn("{}", note);
    if (options.progress) options.progress({note, "", 0, 0});
  }
}

}  // namespace

bool names_a_file(std::string_view from) {
  if (from.starts_with(kFileScheme)) return true;
  if (is_source_reference(from)) return false;  // also where its file ends in .gguf
  return from.starts_with('/') || from.starts_with("./") || from.starts_with("../") ||
         from.starts_with("~/") || from.ends_with(".gguf");
}

Modelfile to_modelfile(const Manifest& manifest, std::string from) {
  Modelfile out;
  out.no_system = manifest.overrides.system.empty() && from == manifest.parent;
  out.from = std::move(from);
  out.overrides = manifest.overrides;
  if (!manifest.licence.empty()) out.licences.push_back(manifest.licence);
  return out;
}

Manifest assemble_model(const Store& store, std::string_view name, const Modelfile& modelfile,
                        const fs::path& folder, const PullOptions& options) {
  const std::string full = parse_model_name(name).full();
  if (const auto& source = modelfile.overrides.chat_template) {
    ChatTemplate::parse(*source, "", "");  // its errors now, not at the first chat
  }
  read_parameters(modelfile.overrides.parameters);
  Manifest manifest = find_base(store, full, modelfile, folder, options);
  manifest.name = full;
  manifest.created = 0;  // now
  if (!manifest.parent.empty()) manifest.source = "create";
  put_over(modelfile, manifest);
  name_ignored(modelfile.overrides.parameters, options);
  return manifest;
}

Manifest create_model(const Store& store, std::string_view name, const Modelfile& modelfile,
                      const fs::path& folder, const PullOptions& options) {
  return store_model(store, options.keep_going, [&] {
    Manifest manifest = assemble_model(store, name, modelfile, folder, options);
    if (options.progress) options.progress({"writing manifest", "", 0, 0});
    return manifest;
  });
}

}  // namespace strata::models
