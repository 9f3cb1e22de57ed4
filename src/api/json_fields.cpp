#include "api/json_fields.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/ascii.h"
#include "core/similar.h"

namespace strata::api {
namespace {

std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
      return "an integer";
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
  }
  return "a value";
}

// What interfaces call the same thing, each in its own word.
constexpr std::array<std::array<std::string_view, 6>, 6> kSameThing{{
    {"max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict",
     "n_predict"},
    {"stop", "stop_sequences", "stopSequences"},
    {"system", "instructions", "systemInstruction"},
    {"messages", "input", "contents", "prompt", "inputs"},
    {"response_format", "text", "format", "output_config", "responseJsonSchema"},
    {"reasoning_effort", "reasoning", "thinking", "think", "thinkingConfig"},
}};
// Words of the table that a client may write for anything else, too.
constexpr std::array<std::string_view, 2> kOfManyMeanings{"text", "format"};
// Where a request has what stands on its top elsewhere.
constexpr std::array<std::string_view, 3> kContainers{"options", "generationConfig", "parameters"};

// "max_tokens", "maxTokens": the same word.
bool same_word(std::string_view a, std::string_view b) {
  const auto plain = [](std::string_view name) {
    std::string out = lower_case(name);
    std::erase(out, '_');
    return out;
  };
  return plain(a) == plain(b);
}

// The names that mean what this one does; nullptr: it is in no group.
const auto* group_of(std::string_view key) {
  const auto group = std::ranges::find_if(kSameThing, [&](const auto& names) {
    return std::ranges::any_of(
        names, [&](std::string_view each) { return !each.empty() && same_word(key, each); });
  });
  return group == kSameThing.end() ? nullptr : &*group;
}

// What the client wrote, short enough and safe for a message.
std::string shown(std::string_view text) {
  std::string quoted = json_quote(text.substr(0, 80), true);
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

FieldError::FieldError(std::string field, std::string message, std::string hint)
    : Error(Code::invalid_argument, std::move(message), std::move(hint)),
      field_(std::move(field)) {}

Fields::Fields(const json::value& value, std::string path) : path_(std::move(path)) {
  object_ = value.if_object();
  if (!object_) {
    throw FieldError(path_, fmt::format("{} must be an object, it is {}",
                                        path_.empty() ? "the request" : path_, kind_name(value)));
  }
}

std::string Fields::path(std::string_view key) const {
  return path_.empty() ? shown(key) : fmt::format("{}.{}", path_, shown(key));
}

void Fields::fail(std::string_view key, std::string_view what, std::string hint) const {
  throw FieldError(path(key), fmt::format("{} {}", path(key), what), std::move(hint));
}

bool Fields::has(std::string_view key) const {
  const json::value* value = object_->if_contains(key);
  return value && !value->is_null();
}

const json::value* Fields::get(std::string_view key) {
  read_.emplace(key);
  const json::value* value = object_->if_contains(key);
  return value && !value->is_null() ? value : nullptr;
}

std::optional<bool> Fields::boolean(std::string_view key) {
  const json::value* value = get(key);
  if (!value) return std::nullopt;
  if (!value->is_bool()) fail(key, fmt::format("must be a boolean, it is {}", kind_name(*value)));
  return value->get_bool();
}

std::optional<int64_t> Fields::integer(std::string_view key, int64_t low, int64_t high) {
  const json::value* value = get(key);
  if (!value) return std::nullopt;
  int64_t result = 0;
  if (value->is_int64()) {
    result = value->get_int64();
  } else if (value->is_double() && std::trunc(value->get_double()) == value->get_double() &&
             std::fabs(value->get_double()) < 9e15) {
    result = static_cast<int64_t>(value->get_double());  // 20.0, as some clients write integers
  } else if (value->is_uint64() || value->is_double()) {
    fail(key, fmt::format("must be an integer from {} to {}", low, high));
  } else {
    fail(key, fmt::format("must be an integer, it is {}", kind_name(*value)));
  }
  if (result < low || result > high) {
    fail(key, fmt::format("is {}, it must be from {} to {}", result, low, high));
  }
  return result;
}

std::optional<double> Fields::number(std::string_view key, double low, double high) {
  const json::value* value = get(key);
  if (!value) return std::nullopt;
  if (!value->is_number()) fail(key, fmt::format("must be a number, it is {}", kind_name(*value)));
  const double result = value->to_number<double>();
  if (!(result >= low && result <= high)) {
    fail(key, fmt::format("is {}, it must be from {} to {}", result, low, high));
  }
  return result;
}

std::optional<float> Fields::real(std::string_view key, double low, double high) {
  const auto value = number(key, low, high);
  return value ? std::optional(static_cast<float>(*value)) : std::nullopt;
}

std::optional<std::string> Fields::text(std::string_view key) {
  const json::value* value = get(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) fail(key, fmt::format("must be a string, it is {}", kind_name(*value)));
  return std::string(value->get_string());
}

std::string Fields::required_text(std::string_view key) {
  auto value = text(key);
  if (!value) fail(key, "is missing");
  if (value->empty()) fail(key, "must not be empty");
  return std::move(*value);
}

std::span<const json::value> Fields::array(std::string_view key, size_t max_count) {
  const json::value* value = get(key);
  if (!value) return {};
  if (!value->is_array()) fail(key, fmt::format("must be an array, it is {}", kind_name(*value)));
  const json::array& items = value->get_array();
  if (items.size() > max_count) {
    fail(key, fmt::format("has {} entries, the limit is {}", items.size(), max_count));
  }
  return {items.data(), items.size()};
}

std::optional<Fields> Fields::object(std::string_view key) {
  const json::value* value = get(key);
  if (!value) return std::nullopt;
  return Fields(*value, path(key));
}

Fields Fields::object_or_empty(std::string_view key) {
  static const json::value kEmpty(json::object_kind);
  const json::value* value = get(key);
  return Fields(value ? *value : kEmpty, path(key));
}

std::optional<std::vector<std::string>> Fields::texts(std::string_view key, size_t max_count,
                                                      size_t max_bytes) {
  const json::value* value = get(key);
  if (!value) return std::nullopt;
  std::vector<std::string> result;
  if (value->is_string()) {
    result.emplace_back(value->get_string());
  } else {
    for (const json::value& item : array(key, max_count)) {
      if (!item.is_string()) fail(key, "must be a string or an array of strings");
      result.emplace_back(item.get_string());
    }
  }
  for (const std::string& each : result) {
    if (each.size() > max_bytes) {
      fail(key, fmt::format("has a string of {} bytes, the limit is {}", each.size(), max_bytes));
    }
  }
  return result;
}

std::vector<std::string> Fields::unread() const {
  std::vector<std::string> names;
  for (const auto& member : *object_) {
    const std::string_view key = member.key();
    if (path_.empty() && key == kStrict && member.value().is_bool()) continue;
    if (!member.value().is_null() && !read_.contains(key)) names.emplace_back(key);
  }
  return names;
}

void Fields::know(const Fields& member) {
  for (const std::string& name : member.read_) {
    if (!member.has(name)) inside_.emplace_back(name, member.path(name));
  }
}

// What of the request is read under a name that means the same; "": nothing, or it is there.
std::string Fields::synonym_of(std::string_view key) const {
  const auto* group = group_of(key);
  if (group == nullptr || std::ranges::find(kOfManyMeanings, key) != kOfManyMeanings.end()) {
    return {};
  }
  std::string found;
  for (const std::string_view name : *group) {
    for (const std::string& read : read_) {
      if (!same_word(read, name)) continue;
      if (has(read)) return {};
      if (found.empty()) found = read;
    }
    for (const auto& [inside, path] : inside_) {
      if (found.empty() && same_word(inside, name)) found = path;
    }
  }
  return found;
}

// What another interface calls so, or has there, is this here; "": nothing that is known.
std::string Fields::own_name_of(std::string_view key) const {
  if (!path_.empty() && std::ranges::find(kContainers, path_) == kContainers.end()) return {};
  std::string found = synonym_of(key);
  for (const auto& [inside, path] : inside_) {
    if (found.empty() && same_word(inside, key)) found = path;
  }
  return found.empty() ? found : fmt::format("here it is '{}'", found);
}

// What was read and is not there are the names that could be meant.
void Fields::refuse(std::string_view key) const {
  constexpr size_t kLongestName = 64;  // of longer ones none is near
  constexpr std::string_view kRemove = "remove the field";
  if (key.size() > kLongestName) fail(key, "is not supported", std::string(kRemove));
  std::string meant = own_name_of(key);
  if (meant.empty()) {
    std::vector<std::string> free;
    for (const std::string& each : read_) {
      if (!has(each)) free.push_back(each);
    }
    meant = did_you_mean(key, free);
  }
  fail(key, "is not supported", meant.empty() ? std::string(kRemove) : meant);
}

void Fields::refuse_unread() const {
  for (const std::string& key : unread()) refuse(key);
}

void Fields::ignore_unread(std::span<const std::string_view> ignorable,
                           std::vector<std::string>& ignored) {
  for (const std::string& key : unread()) {
    if (std::ranges::find(ignorable, key) == ignorable.end()) refuse(key);
    ignored.push_back(path(key));
  }
}

}  // namespace strata::api
