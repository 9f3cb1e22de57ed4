#include "core/config.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/check.h"
#include "core/error.h"
#include "core/os.h"
#include "core/similar.h"
#include "core/yaml.h"

namespace strata {
namespace {

const std::vector<Setting>& table() {
  static const std::vector<Setting> rows{
      {"server.host",
       "127.0.0.1:11434",
       "address and port that serve listens on and run looks for",
       {"STRATA_HOST", "OLLAMA_HOST"}},
      {"server.keep_alive",
       "5m",
       "how long an idle model stays loaded; -1 for ever, 0 not at all",
       {"STRATA_KEEP_ALIVE", "OLLAMA_KEEP_ALIVE"}},
      {"server.max_parallel",
       "32",
       "requests that a model works on at once",
       {"STRATA_MAX_PARALLEL", "OLLAMA_NUM_PARALLEL"}},
      {"server.max_queue",
       "512",
       "requests that may wait for a model",
       {"STRATA_MAX_QUEUE", "OLLAMA_MAX_QUEUE"}},
      {"server.max_models",
       "3",
       "models that may be loaded at once",
       {"STRATA_MAX_MODELS", "OLLAMA_MAX_LOADED_MODELS"}},
      {"server.origins",
       "",
       "further web origins that may call the server, separated by commas; self: none but its "
       "own, also not other pages of this machine",
       {"STRATA_ORIGINS", "OLLAMA_ORIGINS"}},
      {"server.keep_days",
       "30",
       "days that responses and stored chats are kept; 0: for ever",
       {"STRATA_KEEP_DAYS"}},
      {"server.keep_bytes",
       "8GB",
       "bytes that one key may keep: files, batches, responses, chats, conversations; 0: no limit",
       {"STRATA_KEEP_BYTES"}},
      {"engine.context",
       "0",
       "positions a request may use; 0: the model's own, at most 8192",
       {"STRATA_CONTEXT", "OLLAMA_CONTEXT_LENGTH"}},
      {"engine.context_policy",
       "error",
       "what becomes of a chat that is longer: error, truncate (its oldest turns are left out) or "
       "summarise",
       {"STRATA_CONTEXT_POLICY"}},
      {"engine.threads",
       "0",
       "threads that compute; 0: the cores this process may use",
       {"STRATA_THREADS"}},
      {"engine.kv",
       "bf16",
       "what keys and values are kept as: bf16, int8 in half the memory, int4 in a quarter",
       {"STRATA_KV", "OLLAMA_KV_CACHE_TYPE"}},
      {"cache.disk",
       "0",
       "bytes on disk for what unloaded models computed of prompts, \"4GB\"; 0: nothing is kept",
       {"STRATA_CACHE_DISK"}},
      {"cache.packed",
       "2GB",
       "bytes on disk for weights as they are computed with, for a start at once; 0: none are kept",
       {"STRATA_CACHE_PACKED"}},
      {"model", "smollm2:135m", "the model when none is named", {"STRATA_MODEL"}},
      {"offline", "false", "open no connection to another machine", {"STRATA_OFFLINE"}},
      {"log", "warn", "what is logged: debug, info, warn, error, off", {"STRATA_LOG"}},
      {"history", "true", "keep what is typed in the chat in a history file", {"STRATA_HISTORY"}},
  };
  return rows;
}

const Setting* find_setting(std::string_view key) {
  const auto& rows = table();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Setting& s) { return s.key == key; });
  return found == rows.end() ? nullptr : &*found;
}

std::string scalar_text(const json::value& value, std::string_view key, const std::string& where) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_object() || value.is_array()) {
    throw Error(Code::invalid_argument, fmt::format("{}: '{}' must be one value", where, key));
  }
  return value.is_null() ? std::string() : to_json(value);
}

// Visits "a: {b: 1}" as "a.b" = 1.
void flatten(const json::value& value, const std::string& prefix,
             const std::function<void(const std::string&, const json::value&)>& visit) {
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      const std::string key(member.key());
      flatten(member.value(), prefix.empty() ? key : prefix + "." + key, visit);
    }
  } else if (!prefix.empty()) {
    visit(prefix, value);
  }
}

}  // namespace

std::span<const Setting> settings() {
  return table();
}

Config Config::load(
    const std::string& file_path, const std::string& file_text,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  Config config;
  for (const auto& setting : table()) {
    config.values_[std::string(setting.key)] = {std::string(setting.fallback), "default"};
  }
  const json::value root = parse_yaml(file_text);
  if (!root.is_null() && !root.is_object()) {
    throw Error(Code::invalid_argument, fmt::format("{}: not a table of settings", file_path));
  }
  flatten(root, "", [&](const std::string& key, const json::value& value) {
    if (find_setting(key) == nullptr) {
      std::vector<std::string> known;
      for (const auto& setting : table()) known.emplace_back(setting.key);
      throw Error(Code::invalid_argument,
                  fmt::format("{}: there is no setting '{}'", file_path, key),
                  did_you_mean(key, known));
    }
    config.values_[key] = {scalar_text(value, key, file_path), file_path};
  });
  for (const auto& setting : table()) {
    for (const auto name : setting.environment) {
      if (const auto value = environment(std::string(name))) {
        config.values_[std::string(setting.key)] = {*value, fmt::format("environment {}", name)};
        break;
      }
    }
  }
  return config;
}

Config Config::load() {
  const fs::path path = directories().config / "strata.yaml";
  const std::string text = fs::exists(path) ? read_file(path, 1u << 20) : std::string();
  return load(path.string(), text, environment);
}

void Config::set(std::string_view key, std::string value, std::string flag) {
  CHECK(find_setting(key) != nullptr);
  values_[std::string(key)] = {std::move(value), "flag " + flag};
}

const Config::Value& Config::value(std::string_view key) const {
  const auto found = values_.find(key);
  CHECK(found != values_.end());
  return found->second;
}

const std::string& Config::text(std::string_view key) const {
  return value(key).text;
}

const std::string& Config::origin(std::string_view key) const {
  return value(key).origin;
}

int64_t Config::integer(std::string_view key) const {
  const auto& [text, origin] = value(key);
  int64_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    throw Error(Code::invalid_argument,
                fmt::format("{} is '{}' ({}), it must be a whole number", key, text, origin));
  }
  return number;
}

bool Config::boolean(std::string_view key) const {
  const auto& [text, origin] = value(key);
  for (const auto yes : {"true", "1", "yes", "on"}) {
    if (text == yes) return true;
  }
  for (const auto no : {"false", "0", "no", "off", ""}) {
    if (text == no) return false;
  }
  throw Error(Code::invalid_argument,
              fmt::format("{} is '{}' ({}), it must be true or false", key, text, origin));
}

std::vector<std::string> ignored_ollama_variables(std::span<const char* const> environment) {
  std::vector<std::string> ignored;
  for (const char* entry : environment) {
    const std::string_view line(entry);
    if (!line.starts_with("OLLAMA_")) continue;
    const std::string_view name = line.substr(0, line.find('='));
    const bool known = name == "OLLAMA_MODELS" ||
                       std::any_of(table().begin(), table().end(), [&](const Setting& setting) {
                         return std::find(setting.environment.begin(), setting.environment.end(),
                                          name) != setting.environment.end();
                       });
    if (!known) ignored.emplace_back(name);
  }
  std::sort(ignored.begin(), ignored.end());
  return ignored;
}

}  // namespace strata
