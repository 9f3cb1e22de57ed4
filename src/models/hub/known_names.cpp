#include "models/hub/known_names.h"

#include <algorithm>
#include <map>
#include <vector>

#include "core/ascii.h"
#include "core/similar.h"
#include "models/hub/catalog.h"
#include "models/hub/source.h"
#include "models/hub/store.h"

namespace strata::models {
namespace {

constexpr std::string_view kNoTag = ":latest";

std::string_view without_tag(std::string_view name) {
  const std::string_view bare = name.substr(0, name.rfind(':'));
  return bare == "hf" ? name : bare;  // hf:OWNER/REPO has none
}

std::string_view without_latest(std::string_view name) {
  const size_t size = name.size() - std::min(name.size(), kNoTag.size());
  return equal_but_case(name.substr(size), kNoTag) ? name.substr(0, size) : name;
}

// The catalogue's only entry that has this name when case does not count; null: none, or several.
const CatalogEntry* find_in_catalog_but_case(std::string_view name) {
  const CatalogEntry* found = nullptr;
  for (const auto& entry : catalog()) {
    const auto is_it = [&](std::string_view each) { return equal_but_case(each, name); };
    if (!is_it(entry.name) && std::ranges::none_of(entry.aliases, is_it)) continue;
    if (found != nullptr) return nullptr;
    found = &entry;
  }
  return found;
}

// Each way to write a model that is here or in the catalogue, and that model's full name.
std::map<std::string, std::string> spellings(std::span<const std::string> here) {
  std::map<std::string, std::string> out;
  const auto add = [&](std::string_view spelling, const std::string& model) {
    out.try_emplace(std::string(spelling), model);
    out.try_emplace(std::string(without_tag(spelling)), model);
  };
  for (const auto& name : here) add(name, name);
  for (const auto& entry : catalog()) {
    add(entry.name, entry.name);
    for (const auto& alias : entry.aliases) add(alias, entry.name);
  }
  return out;
}

std::string way_to_get(std::string_view name) {
  return fmt::format("get it with: strata pull {}", name);
}

}  // namespace

std::string resolve_name(std::string_view name, const ModelsHere& here) {
  const auto is_here = [&](const CatalogEntry* entry) {
    return entry != nullptr && here.has(entry->name);
  };
  if (here.has(name)) return std::string(name);
  if (const auto* entry = find_in_catalog(name); is_here(entry)) return entry->name;
  if (std::string spelt = same_but_case(name, here.names()); !spelt.empty()) return spelt;
  if (const auto* entry = find_in_catalog_but_case(name); is_here(entry)) return entry->name;
  return std::string(name);
}

std::string same_but_case(std::string_view name, std::span<const std::string> here) {
  const std::string* found = nullptr;
  for (const auto& each : here) {
    if (!equal_but_case(without_latest(each), without_latest(name))) continue;
    if (found != nullptr) return {};
    found = &each;
  }
  return found == nullptr ? std::string() : *found;
}

ModelName spelling_in(const Store& store, std::string_view name) {
  ModelName wanted = parse_model_name(name);
  if (store.has(wanted.full())) return wanted;
  const std::string spelt = same_but_case(wanted.full(), store.names());
  return spelt.empty() ? wanted : parse_model_name(spelt);
}

std::string did_you_mean_model(std::string_view name, std::span<const std::string> here) {
  if (name.ends_with(kNoTag)) name = without_tag(name);
  const auto model_of = spellings(here);
  std::vector<std::string> candidates;
  for (const auto& each : model_of) candidates.push_back(each.first);
  std::vector<std::string> near;  // the nearest first, each model once
  std::string list;
  for (const auto& spelling : similar_to(name, candidates)) {
    const std::string& model = model_of.at(spelling);
    if (std::ranges::find(near, model) != near.end()) continue;
    list += fmt::format("{}'{}'", near.empty() ? "" : " or ", model);
    near.push_back(model);
  }
  if (near.empty()) return {};
  const std::string question = fmt::format("did you mean {}?", list);
  const bool is_here = std::ranges::find(here, near.front()) != here.end();
  return is_here ? question : fmt::format("{} {}", question, way_to_get(near.front()));
}

ModelNotFound model_not_found(std::string_view name, std::span<const std::string> here) {
  constexpr size_t kShown = 100;  // bytes; a name over the network may be longer
  std::string hint;
  if (find_in_catalog(name) != nullptr || is_source_reference(name)) {
    hint = way_to_get(name);
  } else {
    hint = did_you_mean_model(name, here);
  }
  if (hint.empty()) {
    hint =
        "strata list says what is here; strata pull gets more: a name of the catalogue, or "
        "hf:OWNER/REPO, https:…";
  }
  return {fmt::format("there is no model '{}' here", name.substr(0, kShown)), hint};
}

}  // namespace strata::models
