#include "models/hub/manifest.h"

#include "core/bytes.h"
#include "core/hash.h"
#include "core/json.h"
#include "models/hub/folder_files.h"
#include "models/hub/name.h"

namespace strata::models {
namespace {

[[noreturn]] void damaged(const std::string& why) {
  throw Error(Code::data_loss, "manifest: " + why, "pull or create the model again");
}

const json::value* field(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string text(const json::object& object, std::string_view key, bool required = false) {
  const auto* value = field(object, key);
  if (value == nullptr) {
    if (required) damaged(fmt::format("'{}' is missing", key));
    return {};
  }
  if (!value->is_string()) damaged(fmt::format("'{}' is no text", key));
  return std::string(value->get_string());
}

uint64_t count(const json::value* value, std::string_view key) {
  if (value != nullptr && value->is_int64() && value->get_int64() >= 0) {
    return static_cast<uint64_t>(value->get_int64());
  }
  if (value != nullptr && value->is_uint64()) return value->get_uint64();
  damaged(fmt::format("'{}' is no count", key));
}

const json::object& as_object(const json::value& value, std::string_view what) {
  if (!value.is_object()) damaged(fmt::format("{} is no object", what));
  return value.get_object();
}

const json::array* as_array(const json::object& object, std::string_view key) {
  const auto* value = field(object, key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) damaged(fmt::format("'{}' is no list", key));
  return &value->get_array();
}

std::vector<BlobRef> read_blobs(const json::object& object) {
  const auto* list = as_array(object, "model");
  if (list == nullptr || list->empty() || list->size() > kMaxModelParts) {
    damaged(fmt::format("'model' must have 1 to {} parts", kMaxModelParts));
  }
  std::vector<BlobRef> out;
  uint64_t sum = 0;
  for (const auto& item : *list) {
    const auto& part = as_object(item, "a part of 'model'");
    BlobRef blob{text(part, "sha256", true), count(field(part, "size"), "size")};
    if (!is_sha256_hex(blob.sha256)) damaged("'sha256' is not 64 hex digits");
    blob.file = text(part, "file");
    if (!blob.file.empty() && !is_folder_path(blob.file)) damaged("'file' is no path in a folder");
    if (!out.empty() && out[0].file.empty() != blob.file.empty()) {
      damaged("only some parts of 'model' have a 'file'");
    }
    if (__builtin_add_overflow(sum, blob.size, &sum)) damaged("'size' overflows");
    out.push_back(std::move(blob));
  }
  return out;
}

ModelOverrides read_overrides(const json::object& object) {
  ModelOverrides out;
  if (field(object, "template") != nullptr) out.chat_template = text(object, "template");
  out.system = text(object, "system");
  if (const auto* messages = as_array(object, "messages")) {
    for (const auto& item : *messages) {
      const auto& message = as_object(item, "a message");
      Message read;
      read.role = text(message, "role", true);
      read.content = text(message, "content");
      out.messages.push_back(std::move(read));
    }
  }
  if (const auto* parameters = as_array(object, "parameters")) {
    for (const auto& item : *parameters) {
      const auto& parameter = as_object(item, "a parameter");
      out.parameters.emplace(text(parameter, "name", true), text(parameter, "value"));
    }
  }
  return out;
}

}  // namespace

uint64_t Manifest::size_bytes() const {
  uint64_t sum = 0;
  for (const auto& part : model) sum = checked_add(sum, part.size, "size of the model");
  return sum;
}

std::string Manifest::digest() const {
  if (model.size() == 1) return model[0].sha256;
  std::string all;
  for (const auto& part : model) all += part.sha256 + part.file;
  return sha256_hex(all);
}

std::string licence_of(const Manifest& manifest, const ModelFile& file) {
  if (!manifest.licence.empty()) return manifest.licence;
  const auto* value = file.find("general.license");
  return value != nullptr && value->type == MetaType::string
             ? std::string(*file.text("general.license"))
             : std::string();
}

std::string to_text(const Manifest& manifest) {
  json::array parts;
  for (const auto& part : manifest.model) {
    json::object entry{{"sha256", part.sha256}, {"size", part.size}};
    if (!part.file.empty()) entry["file"] = part.file;
    parts.push_back(std::move(entry));
  }
  json::object out{{"version", kManifestVersion}, {"name", manifest.name},
                   {"model", std::move(parts)},   {"source", manifest.source},
                   {"licence", manifest.licence}, {"kind", manifest.kind},
                   {"parent", manifest.parent},   {"created", manifest.created}};
  const ModelOverrides& overrides = manifest.overrides;
  if (overrides.chat_template) out["template"] = *overrides.chat_template;
  if (!overrides.system.empty()) out["system"] = overrides.system;
  if (!overrides.messages.empty()) {
    json::array messages;
    for (const auto& message : overrides.messages) {
      messages.push_back({{"role", message.role}, {"content", message.content}});
    }
    out["messages"] = std::move(messages);
  }
  if (!overrides.parameters.empty()) {
    json::array parameters;
    for (const auto& [name, value] : overrides.parameters) {
      parameters.push_back({{"name", name}, {"value", value}});
    }
    out["parameters"] = std::move(parameters);
  }
  return to_json(out, {.indent = 2}) + "\n";
}

Manifest parse_manifest(std::string_view content) {
  json::value value;
  try {
    value = parse_json(content, {.max_bytes = kMaxManifestBytes, .max_depth = 8});
  } catch (const Error& error) {
    damaged(error.message());
  }
  const auto& object = as_object(value, "the whole");
  const uint64_t version = count(field(object, "version"), "version");
  if (version != kManifestVersion) {
    throw Error(
        Code::failed_precondition,
        fmt::format("a manifest of version {}, this program knows {}", version, kManifestVersion),
        "use a newer strata");
  }
  Manifest out;
  out.name = text(object, "name", true);
  try {
    if (parse_model_name(out.name).full() != out.name) damaged("'name' has no tag");
  } catch (const Error& error) {
    damaged(error.message());
  }
  out.model = read_blobs(object);
  out.source = text(object, "source");
  out.licence = text(object, "licence");
  out.kind = text(object, "kind");
  out.parent = text(object, "parent");
  const uint64_t created = count(field(object, "created"), "created");
  if (created > 1ull << 40) damaged("'created' is out of range");
  out.created = static_cast<int64_t>(created);
  out.overrides = read_overrides(object);
  return out;
}

}  // namespace strata::models
