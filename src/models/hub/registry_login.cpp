#include "models/hub/registry_login.h"

#include <algorithm>

#include "core/base64.h"
#include "core/error.h"
#include "core/json.h"
#include "core/os.h"
#include "core/secrets.h"

namespace strata::models {
namespace {

constexpr size_t kMaxConfigBytes = 1u << 20;

fs::path docker_config() {
  if (const auto folder = environment("DOCKER_CONFIG")) return fs::path(*folder) / "config.json";
  const auto home = environment("HOME");
  return home ? fs::path(*home) / ".docker" / "config.json" : fs::path();
}

const json::object* object_in(const json::value& value, std::string_view key) {
  const auto* object = value.if_object();
  const auto* found = object == nullptr ? nullptr : object->if_contains(key);
  return found == nullptr ? nullptr : found->if_object();
}

bool is_word(std::string_view text, std::string_view word) {
  return std::ranges::equal(text, word, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t,"), text.size()));
  return text;
}

// One `key="value"` or `key=value` from the front of `rest`; false: there is none.
bool take_parameter(std::string_view& rest, std::string_view& key, std::string& value) {
  rest = trimmed(rest);
  const size_t equals = rest.find('=');
  if (equals == std::string_view::npos || rest.substr(0, equals).find(' ') < equals) return false;
  key = rest.substr(0, equals);
  rest.remove_prefix(equals + 1);
  value.clear();
  if (!rest.starts_with('"')) {
    const size_t end = std::min(rest.find_first_of(", \t"), rest.size());
    value = rest.substr(0, end);
    rest.remove_prefix(end);
    return true;
  }
  size_t at = 1;
  for (; at < rest.size() && rest[at] != '"'; ++at) {
    if (rest[at] == '\\' && at + 1 < rest.size()) ++at;
    value += rest[at];
  }
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return true;
}

}  // namespace

std::optional<std::string> registry_credentials(std::string_view host) {
  const fs::path path = docker_config();
  std::error_code error;
  if (path.empty() || !fs::exists(path, error)) return std::nullopt;
  const auto refuse = [&](std::string_view why) {
    return Error(Code::failed_precondition, fmt::format("{}: {}", path.string(), why),
                 "docker login or podman login writes it anew");
  };
  json::value config;
  try {
    config = parse_json(read_file(path, kMaxConfigBytes), {.max_depth = 16});
  } catch (const Error& unreadable) {
    throw refuse(unreadable.message());
  }
  const auto* hosts = object_in(config, "auths");
  const auto* entry = hosts == nullptr ? nullptr : hosts->if_contains(host);
  const auto* fields = entry == nullptr ? nullptr : entry->if_object();
  const auto* auth = fields == nullptr ? nullptr : fields->if_contains("auth");
  if (auth == nullptr || !auth->is_string()) return std::nullopt;
  auto decoded = from_base64(auth->get_string());
  if (!decoded || decoded->find(':') == std::string::npos) {
    throw refuse(fmt::format("the auth of {} is not USER:PASSWORD in base64", host));
  }
  keep_secret(*decoded);
  keep_secret(std::string_view(*decoded).substr(decoded->find(':') + 1));
  keep_secret(auth->get_string());
  return decoded;
}

std::optional<RegistryChallenge> parse_challenge(std::string_view header) {
  std::string_view rest = trimmed(header);
  const size_t blank = std::min(rest.find(' '), rest.size());
  const std::string_view kind = rest.substr(0, blank);
  rest.remove_prefix(blank);
  RegistryChallenge out;
  out.bearer = is_word(kind, "bearer");
  if (!out.bearer && !is_word(kind, "basic")) return std::nullopt;
  std::string_view key;
  std::string value;
  while (take_parameter(rest, key, value)) {
    if (is_word(key, "realm")) out.realm = value;
    if (is_word(key, "service")) out.service = value;
    if (is_word(key, "scope")) out.scope = value;
  }
  if (out.bearer && out.realm.empty()) return std::nullopt;
  return out;
}

}  // namespace strata::models
