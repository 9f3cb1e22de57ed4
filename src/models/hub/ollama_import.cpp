#include "models/hub/ollama_import.h"

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "core/json.h"
#include "models/hub/pull.h"
#include "models/parameters.h"

namespace strata::models {
namespace {

constexpr size_t kMaxTextLayer = 4u << 20;
constexpr std::string_view kLayerPrefix = "application/vnd.ollama.image.";

struct OllamaLayer {
  std::string kind;  // "model", "params", "system", "template", "license", "messages", …
  std::string sha256;
  uint64_t size = 0;
};

[[noreturn]] void damaged(const fs::path& path, std::string_view why) {
  throw Error(Code::data_loss, fmt::format("{}: {}", path.string(), why));
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::vector<OllamaLayer> read_layers(const fs::path& path) {
  const json::value value = parse_json(read_file(path, 1u << 20), {.max_depth = 16});
  const auto* object = value.if_object();
  const auto* layers = object == nullptr ? nullptr : object->if_contains("layers");
  if (layers == nullptr || !layers->is_array()) damaged(path, "no layers");
  std::vector<OllamaLayer> out;
  for (const auto& item : layers->get_array()) {
    const auto* layer = item.if_object();
    if (layer == nullptr) damaged(path, "a layer is no object");
    const std::string type = text_of(*layer, "mediaType");
    const std::string digest = text_of(*layer, "digest");
    const auto* size = layer->if_contains("size");
    constexpr std::string_view kAlgorithm = "sha256:";
    if (!digest.starts_with(kAlgorithm) || !is_sha256_hex(digest.substr(kAlgorithm.size()))) {
      damaged(path, "a digest is not sha256: and 64 hex digits");
    }
    if (size == nullptr || !size->is_int64() || size->get_int64() < 0) damaged(path, "a bad size");
    if (!type.starts_with(kLayerPrefix)) continue;
    out.push_back({type.substr(kLayerPrefix.size()), digest.substr(kAlgorithm.size()),
                   static_cast<uint64_t>(size->get_int64())});
  }
  return out;
}

fs::path blob_of(const fs::path& folder, const OllamaLayer& layer) {
  return folder / "blobs" / ("sha256-" + layer.sha256);
}

// HOST/NAMESPACE/NAME/TAG below manifests/, as Ollama shows it.
std::string shown_name(const fs::path& relative) {
  std::vector<std::string> parts;
  for (const auto& part : relative) parts.push_back(part.string());
  if (parts.size() != 4) return {};
  std::string name = parts[2] + ":" + parts[3];
  if (parts[1] != "library") name = parts[1] + "/" + name;
  return parts[0] == "registry.ollama.ai" ? name : parts[0] + "/" + name;
}

std::string text_layer(const fs::path& folder, const OllamaLayer& layer) {
  std::string text = read_file(blob_of(folder, layer), kMaxTextLayer);
  if (sha256_hex(text) != layer.sha256) damaged(blob_of(folder, layer), "its hash is wrong");
  return text;
}

std::string why_unusable(const fs::path& folder, const std::vector<OllamaLayer>& layers) {
  const auto count = [&](std::string_view kind) {
    return std::ranges::count(layers, kind, &OllamaLayer::kind);
  };
  if (count("model") != 1) return "it has not exactly one model file";
  if (count("adapter") > 0) return "it needs an adapter";
  if (count("projector") > 0) return "it needs a projector for images";
  const auto model = std::ranges::find(layers, "model", &OllamaLayer::kind);
  std::error_code error;
  const uint64_t size = fs::file_size(blob_of(folder, *model), error);
  if (error) return "its model file is missing";
  return size == model->size ? "" : "its model file has another size";
}

std::string scalar_text(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  return to_json(value);
}

// Only what has an effect here: the rest is named.
void add_parameters(const std::string& text, TakenModel& taken) {
  ModelOverrides& overrides = taken.manifest.overrides;
  const json::value value = parse_json(text, {.max_depth = 8});
  if (!value.is_object()) {
    taken.left_out.emplace_back("the parameters: they are no JSON object");
    return;
  }
  const auto add = [&](std::string_view name, const json::value& item) {
    const std::string written = scalar_text(item);
    try {
      const ParameterValue read = read_parameter(name, written);
      if (read.rule->use != ParameterUse::honoured) {
        taken.left_out.push_back(
            fmt::format("the parameter {} {}: it has no effect here", name, written));
      } else if (overrides.parameters.count(std::string(name)) < read.rule->max_times) {
        overrides.parameters.emplace(name, written);
      } else {
        taken.left_out.push_back(
            fmt::format("the parameter {} {}: it is given too often", name, written));
      }
    } catch (const Error& error) {
      if (error.code() != Code::invalid_argument) throw;
      taken.left_out.push_back(
          fmt::format("the parameter {} {}: it cannot be set here", name, written));
    }
  };
  for (const auto& member : value.get_object()) {
    if (!member.value().is_array()) {
      add(std::string_view(member.key()), member.value());
      continue;
    }
    for (const auto& item : member.value().get_array()) add(std::string_view(member.key()), item);
  }
}

void add_messages(const std::string& text, TakenModel& taken) {
  const json::value value = parse_json(text, {.max_depth = 8});
  if (!value.is_array()) {
    taken.left_out.emplace_back("the messages: they are no JSON array");
    return;
  }
  for (const auto& item : value.get_array()) {
    const auto* object = item.if_object();
    if (object == nullptr) {
      taken.left_out.emplace_back("a message: it is no JSON object");
      continue;
    }
    Message message;
    message.role = text_of(*object, "role");
    message.content = text_of(*object, "content");
    taken.manifest.overrides.messages.push_back(std::move(message));
  }
}

void add_layer(const fs::path& folder, const OllamaLayer& layer, TakenModel& taken) {
  Manifest& manifest = taken.manifest;
  if (layer.kind == "system") {
    manifest.overrides.system = text_layer(folder, layer);
  } else if (layer.kind == "license") {
    manifest.licence += (manifest.licence.empty() ? "" : "\n\n") + text_layer(folder, layer);
  } else if (layer.kind == "params") {
    add_parameters(text_layer(folder, layer), taken);
  } else if (layer.kind == "messages") {
    add_messages(text_layer(folder, layer), taken);
  } else if (layer.kind == "template") {
    taken.left_out.emplace_back(
        "the template: it is in Go's language; the one in the model's own file is used");
  } else {
    taken.left_out.push_back(fmt::format("a layer of the unknown kind '{}'", layer.kind));
  }
}

fs::path manifest_of(const fs::path& folder, std::string_view name) {
  std::error_code error;
  const fs::path root = folder / "manifests";
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    const std::string shown = shown_name(at->path().lexically_relative(root));
    if (!shown.empty() && (shown == name || shown == fmt::format("{}:latest", name))) {
      return at->path();
    }
  }
  throw Error(Code::not_found, fmt::format("there is no '{}' in {}", name, folder.string()));
}

}  // namespace

fs::path ollama_folder() {
  fs::path folder;
  if (const auto set = environment("OLLAMA_MODELS")) {
    folder = *set;
  } else if (const auto home = environment("HOME")) {
    folder = fs::path(*home) / ".ollama" / "models";
  }
  std::error_code error;
  return fs::is_directory(folder / "manifests", error) ? folder : fs::path();
}

std::vector<OllamaModel> list_ollama(const fs::path& folder) {
  std::vector<OllamaModel> out;
  std::error_code error;
  const fs::path root = folder / "manifests";
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    OllamaModel model;
    if (!at->is_regular_file(ignored)) continue;
    model.name = shown_name(at->path().lexically_relative(root));
    if (model.name.empty()) continue;
    try {
      const auto layers = read_layers(at->path());
      model.unusable = why_unusable(folder, layers);
      const auto weights = std::ranges::find(layers, "model", &OllamaLayer::kind);
      if (weights != layers.end()) {
        model.model_sha256 = weights->sha256;
        model.model_bytes = weights->size;
      }
    } catch (const Error& problem) {
      model.unusable = problem.message();
    }
    out.push_back(std::move(model));
  }
  std::ranges::sort(out, {}, &OllamaModel::name);
  return out;
}

TakenModel import_ollama(const Store& store, const fs::path& folder, std::string_view name,
                         std::string_view as, const std::function<bool(uint64_t)>& progress) {
  const auto layers = read_layers(manifest_of(folder, name));
  if (const std::string why = why_unusable(folder, layers); !why.empty()) {
    throw Error(Code::failed_precondition, fmt::format("'{}' cannot be imported: {}", name, why));
  }
  TakenModel taken;
  taken.manifest.name = parse_model_name(as.empty() ? name : as).full();
  taken.manifest.source = fmt::format("ollama {}", name);
  taken.manifest = store_model(store, {}, [&] {
    for (const auto& layer : layers) {
      if (layer.kind != "model") {
        add_layer(folder, layer, taken);
        continue;
      }
      const BlobRef blob = store.put_file(blob_of(folder, layer), true, progress);
      if (blob.sha256 != layer.sha256) damaged(blob_of(folder, layer), "its hash is wrong");
      taken.manifest.model.push_back(blob);
    }
    check_readable(store, taken.manifest, fmt::format("'{}'", name));
    return taken.manifest;
  });
  return taken;
}

}  // namespace strata::models
