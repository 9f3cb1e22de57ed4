#include "inference/constraint/schema_document.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

std::string escaped(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

// The parts of a JSON pointer in a URI's fragment.
std::string unescaped(std::string_view part) {
  std::string out;
  const auto hex = [&](size_t at) -> int {
    const char c = at < part.size() ? part[at] : ' ';
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 32);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '%' && hex(i + 1) >= 0 && hex(i + 2) >= 0) {
      out += static_cast<char>(hex(i + 1) * 16 + hex(i + 2));
      i += 2;
    } else {
      out += part[i];
    }
  }
  std::string plain;
  for (size_t i = 0; i < out.size(); ++i) {
    const bool escape = out[i] == '~' && i + 1 < out.size();
    if (escape && (out[i + 1] == '0' || out[i + 1] == '1')) {
      plain += out[++i] == '0' ? '~' : '/';
    } else {
      plain += out[i];
    }
  }
  return plain;
}

const json::value* step(const json::value& value, const std::string& part) {
  if (const auto* object = value.if_object()) return object->if_contains(part);
  const auto* array = value.if_array();
  if (array == nullptr || part.empty() || part.size() > 6) return nullptr;
  if (part.find_first_not_of("0123456789") != std::string::npos) return nullptr;
  const auto index = static_cast<size_t>(std::stoul(part));
  return index < array->size() ? &(*array)[index] : nullptr;
}

// A reference against the $id that it stands in: as far as paths go, no dots.
std::string joined(std::string_view base, std::string_view reference) {
  if (reference.empty()) return std::string(base);
  if (reference.find("://") != std::string_view::npos || reference.starts_with("urn:")) {
    return std::string(reference);
  }
  const size_t host = base.find("://");
  const size_t path = base.find('/', host == std::string_view::npos ? 0 : host + 3);
  if (reference.starts_with('/')) return std::string(base.substr(0, path)) + std::string(reference);
  const size_t last = base.rfind('/');
  if (last == std::string_view::npos || path == std::string_view::npos) {
    return std::string(reference);
  }
  return std::string(base.substr(0, last + 1)) + std::string(reference);
}

// Whose value is no schema.
bool is_data(std::string_view key) {
  return key == "const" || key == "enum" || key == "default" || key == "examples";
}

// Whose value is an object of schemas by names, which may be any words.
bool has_names(std::string_view key) {
  return key == "properties" || key == "patternProperties" || key == "$defs" ||
         key == "definitions" || key == "dependentSchemas" || key == "dependencies";
}

}  // namespace

SchemaDocument::SchemaDocument(const json::value& root) : root_(root) {
  if (const size_t bytes = to_json(root).size(); bytes > kMaxRuleBytes) {
    throw Error(Code::invalid_argument,
                fmt::format("#: the schema has {} bytes, the limit is {}", bytes, kMaxRuleBytes));
  }
  read(root, 0, names_.try_emplace("", &root).first->first);
}

void SchemaDocument::read(const json::value& value, int depth, const std::string& outer) {
  if (depth > kMaxRuleDepth) {
    throw Error(Code::invalid_argument,
                fmt::format("#: the schema nests more than {} values", kMaxRuleDepth));
  }
  if (const auto* array = value.if_array()) {
    for (const json::value& part : *array) read(part, depth + 1, outer);
  }
  const auto* object = value.if_object();
  if (object == nullptr) return;
  const std::string& base = read_names(value, outer);
  if (!base.empty()) bases_[&value] = &base;
  for (const auto& [key, part] : *object) {
    const auto* schemas = part.if_object();
    if (is_data(key)) {
      set_base(part, base);
    } else if (schemas != nullptr && has_names(key)) {
      if (!base.empty()) bases_[&part] = &base;
      for (const auto& member : *schemas) read(member.value(), depth + 2, base);
    } else {
      read(part, depth + 1, base);
    }
  }
}

// References may lead to data, too.
void SchemaDocument::set_base(const json::value& data, const std::string& base) {
  if (base.empty()) return;
  if (const auto* array = data.if_array()) {
    for (const json::value& part : *array) set_base(part, base);
  } else if (const auto* object = data.if_object()) {
    bases_[&data] = &base;
    for (const auto& member : *object) set_base(member.value(), base);
  }
}

const std::string& SchemaDocument::read_names(const json::value& schema, const std::string& outer) {
  const std::string* base = &outer;
  const auto string_at = [&](std::string_view key) {
    const json::value* at = schema.get_object().if_contains(key);
    return at != nullptr && at->is_string() ? std::string_view(at->get_string())
                                            : std::string_view();
  };
  if (const std::string_view id = string_at("$id"); !id.empty()) {
    const std::string whole = joined(outer, id.substr(0, id.find('#')));
    if (whole.size() > kMaxIdBytes) {
      refuse(schema, "$id",
             fmt::format("the $id has {} bytes, the limit is {}", whole.size(), kMaxIdBytes));
    }
    base = &names_.try_emplace(whole, &schema).first->first;
  }
  for (const std::string_view key : {"$anchor", "$dynamicAnchor"}) {
    const std::string_view anchor = string_at(key);
    if (!anchor.empty()) names_.try_emplace(*base + '#' + std::string(anchor), &schema);
  }
  return *base;
}

std::string_view SchemaDocument::base_of(const json::value& object) const {
  const auto known = bases_.find(&object);
  return known == bases_.end() ? std::string_view{} : *known->second;
}

json::value SchemaDocument::copy(std::string_view keyword, const json::value& value) const {
  if (bases_.empty() || is_data(keyword)) return value;
  const auto* schemas = value.if_object();
  if (schemas == nullptr || !has_names(keyword)) return absolute(value);
  json::object copied;
  for (const auto& [name, part] : *schemas) copied[name] = absolute(part);
  return copied;
}

json::value SchemaDocument::absolute(const json::value& schema) const {
  if (const auto* array = schema.if_array()) {
    json::array copied;
    for (const json::value& part : *array) copied.push_back(absolute(part));
    return copied;
  }
  const auto* object = schema.if_object();
  if (object == nullptr) return schema;
  json::object copied;
  for (const auto& [key, part] : *object) {
    if ((key == "$ref" || key == "$dynamicRef") && part.is_string()) {
      const std::string_view reference(part.get_string());
      const size_t hash = std::min(reference.find('#'), reference.size());
      copied[key] =
          joined(base_of(schema), reference.substr(0, hash)) + std::string(reference.substr(hash));
    } else {
      copied[key] = copy(key, part);
    }
  }
  return copied;
}

const json::value& SchemaDocument::resolve(const json::value& from, std::string_view reference,
                                           std::string_view keyword) const {
  const size_t hash = reference.find('#');
  const std::string document = joined(base_of(from), reference.substr(0, hash));
  const std::string_view fragment =
      hash == std::string_view::npos ? std::string_view{} : reference.substr(hash + 1);
  if (!fragment.empty() && !fragment.starts_with('/')) {
    const auto anchor = names_.find(document + '#' + std::string(fragment));
    if (anchor != names_.end()) return *anchor->second;
    refuse(from, keyword, fmt::format("there is no {} in the schema", reference));
  }
  const auto found = names_.find(document);
  if (found == names_.end()) {
    refuse(from, keyword, fmt::format("{} is another document", reference),
           "put what it refers to under $defs");
  }
  const json::value* at = found->second;
  std::string_view rest = fragment;
  while (at != nullptr && !rest.empty()) {
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('/'), rest.size());
    at = step(*at, unescaped(rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  if (at == nullptr) refuse(from, keyword, fmt::format("there is no {} in the schema", reference));
  return *at;
}

const json::value& SchemaDocument::resolve_dynamic(const json::value& from,
                                                   std::string_view reference) const {
  const auto is_dynamic = [](const json::value& schema, std::string_view anchor) {
    const auto* object = schema.if_object();
    const auto* own = object == nullptr ? nullptr : object->if_contains("$dynamicAnchor");
    return own != nullptr && own->is_string() && own->get_string() == anchor;
  };
  const json::value& first = resolve(from, reference, "$dynamicRef");
  const size_t hash = std::min(reference.find('#'), reference.size());
  const std::string anchor(hash < reference.size() ? reference.substr(hash + 1) : "");
  if (!is_dynamic(first, anchor)) return first;
  // All evaluation begins in the root's document, so that an anchor of its own is the outermost.
  const auto outermost = names_.find(std::string(base_of(root_)) + '#' + anchor);
  if (outermost != names_.end() && is_dynamic(*outermost->second, anchor)) {
    return *outermost->second;
  }
  const auto n = std::ranges::count_if(names_, [&](const auto& name) {
    return name.first.ends_with('#' + anchor) && is_dynamic(*name.second, anchor);
  });
  if (n == 1) return first;
  refuse(from, "$dynamicRef",
         fmt::format("{} schemas have the $dynamicAnchor {}, and which is meant depends on the way "
                     "that leads here",
                     n, anchor),
         "give the schema's root this $dynamicAnchor, or use $ref");
}

std::string SchemaDocument::pointer_to(const json::value& value) const {
  std::string path;
  const std::function<bool(const json::value&)> find = [&](const json::value& at) {
    if (&at == &value) return true;
    const size_t length = path.size();
    if (const auto* object = at.if_object()) {
      for (const auto& member : *object) {
        path += '/' + escaped(std::string_view(member.key()));
        if (find(member.value())) return true;
        path.resize(length);
      }
    } else if (const auto* array = at.if_array()) {
      for (size_t i = 0; i < array->size(); ++i) {
        path += '/' + std::to_string(i);
        if (find((*array)[i])) return true;
        path.resize(length);
      }
    }
    return false;
  };
  find(root_);
  return '#' + path;
}

void SchemaDocument::refuse(const json::value& schema, std::string_view keyword,
                            std::string_view what, std::string hint) const {
  std::string pointer = pointer_to(schema);
  if (!keyword.empty()) pointer += '/' + escaped(keyword);
  if (hint.empty()) hint = "see docs/engine/constraints.md for what schemas may say";
  throw Error(Code::invalid_argument, fmt::format("{}: {}", pointer, what), std::move(hint));
}

}  // namespace strata::inference
