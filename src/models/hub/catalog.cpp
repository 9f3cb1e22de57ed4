#include "models/hub/catalog.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/hash.h"
#include "core/yaml.h"
#include "models/hub/name.h"

namespace strata::models {

// Written by room.cmake from catalog/models.yaml.
extern const std::string_view kCatalogYaml;

namespace {

[[noreturn]] void refuse(std::string_view entry, std::string_view why) {
  throw Error(Code::invalid_argument, fmt::format("catalogue, '{}': {}", entry, why));
}

std::string text(const json::object& entry, std::string_view key, std::string_view name) {
  const auto* value = entry.if_contains(key);
  if (value == nullptr || !value->is_string() || value->get_string().empty()) {
    refuse(name, fmt::format("'{}' is missing or no text", key));
  }
  return std::string(value->get_string());
}

uint64_t number(const json::object& entry, std::string_view key, std::string_view name) {
  const auto* value = entry.if_contains(key);
  if (value == nullptr || !value->is_int64() || value->get_int64() <= 0) {
    refuse(name, fmt::format("'{}' is missing or no count", key));
  }
  return static_cast<uint64_t>(value->get_int64());
}

std::vector<std::string> texts(const json::object& entry, std::string_view key,
                               std::string_view name) {
  std::vector<std::string> out;
  const auto* value = entry.if_contains(key);
  if (value == nullptr) return out;
  if (!value->is_array()) refuse(name, fmt::format("'{}' is no list", key));
  for (const auto& item : value->get_array()) {
    if (!item.is_string()) refuse(name, fmt::format("'{}' has an entry that is no text", key));
    std::string line(item.get_string());
    std::erase(line, ' ');  // a long source may be folded over several lines
    out.push_back(std::move(line));
  }
  return out;
}

std::vector<CacheFact> cache_facts(const json::object& entry, std::string_view name) {
  const auto* value = entry.if_contains("cache");
  if (value == nullptr || !value->is_array() || value->get_array().empty()) {
    refuse(name, "'cache' is missing or no list");
  }
  std::vector<CacheFact> out;
  for (const auto& item : value->get_array()) {
    if (!item.is_object()) refuse(name, "'cache' has an entry that is no mapping");
    const auto& fact = item.get_object();
    out.push_back({number(fact, "layers", name), number(fact, "width", name),
                   fact.contains("window") ? number(fact, "window", name) : 0});
    if (fact.size() != (fact.contains("window") ? 3u : 2u)) {
      refuse(name, "'cache' has an entry with an unknown field");
    }
  }
  return out;
}

CatalogEntry read_entry(const json::value& value) {
  if (!value.is_object()) refuse("?", "an entry is no mapping");
  const auto& entry = value.get_object();
  CatalogEntry out;
  out.name = text(entry, "name", "?");
  for (const auto& member : entry) {
    static const std::set<std::string_view> kFields{"name",    "aliases", "sources", "sha256",
                                                    "size",    "licence", "kind",    "description",
                                                    "context", "cache"};
    if (!kFields.contains(std::string_view(member.key()))) {
      refuse(out.name, fmt::format("unknown field '{}'", std::string_view(member.key())));
    }
  }
  if (parse_model_name(out.name).full() != out.name) refuse(out.name, "the name has no tag");
  out.aliases = texts(entry, "aliases", out.name);
  out.sources = texts(entry, "sources", out.name);
  if (out.sources.empty()) refuse(out.name, "no sources");
  out.sha256 = text(entry, "sha256", out.name);
  if (!is_sha256_hex(out.sha256)) refuse(out.name, "'sha256' is not 64 hex digits");
  out.size = number(entry, "size", out.name);
  out.licence = text(entry, "licence", out.name);
  out.description = text(entry, "description", out.name);
  out.context = number(entry, "context", out.name);
  out.kind = text(entry, "kind", out.name);
  if (out.kind != "chat" && out.kind != "base") refuse(out.name, "'kind' is chat or base");
  out.cache = cache_facts(entry, out.name);
  return out;
}

}  // namespace

uint64_t cache_bytes(const CatalogEntry& entry, uint64_t positions) {
  constexpr uint64_t kBytesANumber = 2;
  uint64_t bytes = 0;
  for (const CacheFact& fact : entry.cache) {
    const uint64_t kept = fact.window == 0 ? positions : std::min(positions, fact.window);
    bytes += fact.layers * fact.width * kBytesANumber * kept;
  }
  return bytes;
}

std::vector<CatalogEntry> parse_catalog(std::string_view yaml) {
  const json::value value = parse_yaml(yaml);
  if (!value.is_array()) refuse("?", "the whole is no list");
  std::vector<CatalogEntry> out;
  std::set<std::string> names;
  for (const auto& item : value.get_array()) {
    out.push_back(read_entry(item));
    if (!names.insert(out.back().name).second) refuse(out.back().name, "the name stands twice");
    for (const auto& alias : out.back().aliases) {
      parse_model_name(alias);
      if (!names.insert(alias).second) refuse(out.back().name, "an alias stands twice");
    }
  }
  return out;
}

std::span<const CatalogEntry> catalog() {
  static const std::vector<CatalogEntry> entries = parse_catalog(kCatalogYaml);
  return entries;
}

const CatalogEntry* find_in_catalog(std::string_view name) {
  for (const auto& entry : catalog()) {
    if (entry.name == name || std::ranges::find(entry.aliases, name) != entry.aliases.end()) {
      return &entry;
    }
  }
  return nullptr;
}

std::string_view default_model() {
  return "smollm2:135m";
}

}  // namespace strata::models
