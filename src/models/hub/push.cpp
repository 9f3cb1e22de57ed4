#include "models/hub/push.h"

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "core/json.h"
#include "models/parameters.h"

namespace strata::models {
namespace {

constexpr std::string_view kManifestType = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kConfigType = "application/vnd.docker.container.image.v1+json";
constexpr std::string_view kLayerType = "application/vnd.ollama.image.";

// A text, or with an empty text the model's file.
struct ImageLayer {
  std::string media_type;
  BlobRef blob;
  std::string text;
};

ImageLayer text_layer(std::string media_type, std::string text) {
  BlobRef blob{sha256_hex(text), text.size()};
  return {std::move(media_type), std::move(blob), std::move(text)};
}

json::value parameter_json(const ParameterValue& value) {
  switch (value.rule->kind) {
    case ParameterKind::integer:
      return value.integer;
    case ParameterKind::number:
      return value.number;
    case ParameterKind::text:
      break;
  }
  return json::string(value.text);
}

json::object parameters_json(const Parameters& parameters) {
  json::object out;
  for (const ParameterValue& value : read_parameters(parameters)) {
    const std::string_view name = value.rule->name;
    if (value.rule->max_times == 1) {
      out[name] = parameter_json(value);
      continue;
    }
    if (!out.contains(name)) out[name] = json::array{};
    out[name].as_array().push_back(parameter_json(value));
  }
  return out;
}

json::array messages_json(const std::vector<Message>& messages) {
  json::array out;
  for (const Message& message : messages) {
    out.push_back(json::object{{"role", message.role}, {"content", message.content}});
  }
  return out;
}

std::vector<ImageLayer> layers_of(const Manifest& manifest, const ModelFile& file) {
  const auto type = [](std::string_view kind) {
    return std::string(kLayerType) + std::string(kind);
  };
  const ModelOverrides& own = manifest.overrides;
  std::vector<ImageLayer> out{{type("model"), manifest.model.front(), {}}};
  if (!own.system.empty()) out.push_back(text_layer(type("system"), own.system));
  if (!own.parameters.empty()) {
    out.push_back(text_layer(type("params"), to_json(parameters_json(own.parameters))));
  }
  if (!own.messages.empty()) {
    out.push_back(text_layer(type("messages"), to_json(messages_json(own.messages))));
  }
  const std::string licence = licence_of(manifest, file);
  if (!licence.empty()) out.push_back(text_layer(type("license"), licence));
  return out;
}

ImageLayer config_layer(const std::vector<ImageLayer>& layers, const ModelFile& file,
                        const PushOptions& options) {
  json::array digests;
  for (const ImageLayer& layer : layers)
    digests.push_back(json::string("sha256:" + layer.blob.sha256));
  const std::string family(file.text("general.architecture").value_or(""));
  const json::object config{
      {"model_format", "gguf"},
      {"model_family", family},
      {"model_families", json::array({json::string(family)})},
      {"model_type", options.parameter_size},
      {"file_type", options.quantization},
      {"architecture", "amd64"},
      {"os", "linux"},
      {"rootfs", json::object{{"type", "layers"}, {"diff_ids", std::move(digests)}}}};
  return text_layer(std::string(kConfigType), to_json(config));
}

json::object descriptor(const ImageLayer& layer) {
  return {{"mediaType", layer.media_type},
          {"digest", "sha256:" + layer.blob.sha256},
          {"size", layer.blob.size}};
}

// Reads a text or a file piece by piece.
class PieceReader {
 public:
  PieceReader(const Store& store, const ImageLayer& layer)
      : file_(layer.text.empty() ? File::open(store.blob_path(layer.blob.sha256), File::Mode::read)
                                 : File::in_memory(layer.text)) {}
  void operator()(std::string& piece, size_t most) {
    piece.resize(most);
    size_t n = 0;
    while (n < most) {
      const size_t more = file_.read(std::as_writable_bytes(std::span(piece)).subspan(n));
      if (more == 0) break;
      n += more;
    }
    piece.resize(n);
  }

 private:
  File file_;
};

class Push {
 public:
  Push(const Store& store, const RegistryName& name, const PushOptions& options)
      : store_(store), options_(options), client_(name, {options.policy, options.keep_going}) {}

  void put(const ImageLayer& layer) {
    PullProgress now{.stage = "pushing",
                     .file = layer.blob.sha256.substr(0, 12),
                     .total = layer.blob.size,
                     .sha256 = layer.blob.sha256};
    tell(now);
    if (!client_.has_blob(layer.blob.sha256)) {
      PieceReader reader(store_, layer);
      client_.put_blob(layer.blob, std::ref(reader), [&](uint64_t done) {
        now.done = done;
        tell(now);
      });
    }
    now.done = now.total;
    tell(now);
  }

  void put_manifest(const std::vector<ImageLayer>& layers, const ImageLayer& config) {
    tell({.stage = "pushing manifest", .file = {}});
    json::array list;
    for (const ImageLayer& layer : layers) list.push_back(descriptor(layer));
    client_.put_manifest(kManifestType, to_json(json::object{{"schemaVersion", 2},
                                                             {"mediaType", kManifestType},
                                                             {"config", descriptor(config)},
                                                             {"layers", std::move(list)}}));
  }

 private:
  void tell(const PullProgress& now) const {
    if (options_.progress) options_.progress(now);
  }

  const Store& store_;
  const PushOptions& options_;
  RegistryClient client_;
};

RegistryName checked_name(std::string_view text, bool insecure) {
  RegistryName name = parse_registry_name(text);
  if (name.scheme == "http" && !insecure) {
    throw Error(Code::failed_precondition,
                fmt::format("{} would be written to over plain http", name.host),
                "say insecure (--insecure) if you mean it");
  }
  if (insecure) name.scheme = "http";
  return name;
}

void check_one_file(const Manifest& manifest) {
  if (manifest.model.size() == 1 && manifest.model.front().file.empty()) return;
  throw Error(Code::failed_precondition,
              fmt::format("{} is {} files; Ollama's layers have one GGUF", manifest.name,
                          manifest.model.size()),
              "make one of it: strata convert, then strata create -f with FROM that file");
}

}  // namespace

PushResult push(const Store& store, std::string_view name, const PushOptions& options) {
  const RegistryName place = checked_name(name, options.insecure);
  if (options.progress) options.progress({.stage = "retrieving manifest", .file = {}});
  const auto held = store.hold(options.keep_going);
  PushResult result{store.find(place.local().full()), {}};
  check_one_file(result.manifest);
  if (result.manifest.overrides.chat_template) {
    result.left_out.emplace_back(
        "the template: Ollama's are in Go's language; it takes the one in the model's own file");
  }
  const auto file = open_model_file(store.model_path(result.manifest));
  const auto layers = layers_of(result.manifest, *file);
  const ImageLayer config = config_layer(layers, *file, options);
  Push work(store, place, options);
  for (const ImageLayer& layer : layers) work.put(layer);
  work.put(config);
  work.put_manifest(layers, config);
  return result;
}

}  // namespace strata::models
