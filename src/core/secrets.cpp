#include "core/secrets.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "core/ascii.h"
#include "core/os.h"

namespace strata {
namespace {

constexpr size_t kMaxKeptSecrets = 64;  // the oldest gives way: there are as many as variables
constexpr std::string_view kMasked = "…";

// What comes before a secret, in lower case. `whole`: the prefix is a part of the secret, which
// begins where no word goes on. `least`: what has fewer bytes behind the prefix is a word.
struct Mark {
  std::string_view prefix;
  bool whole;
  size_t least;
};
constexpr std::array kMarks{Mark{"sk-", true, 6},
                            Mark{"hf_", true, 20},
                            Mark{"session-strata-", true, 6},
                            Mark{"invitation-strata-", true, 6},
                            Mark{"bearer ", false, 6},
                            Mark{"key=", false, 6},
                            Mark{"token=", false, 6},
                            Mark{"password=", false, 4},
                            Mark{"secret=", false, 6},
                            Mark{"signature=", false, 6}};

struct Kept {
  std::shared_mutex mutex;
  std::atomic<bool> any = false;
  std::vector<std::string> values;
};
Kept& kept() {
  static Kept all;
  return all;
}

bool is_secret_char(char c) {
  return is_ascii_alnum(c) || c == '-' || c == '_' || c == '.' || c == '~' || c == '+' ||
         c == '/' || c == '%';
}

bool ends_url(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '\'' || c == '"' || c == '<' || c == '>';
}

bool stands_at(std::string_view text, size_t at, std::string_view prefix) {
  if (text.size() - at < prefix.size()) return false;
  return std::equal(prefix.begin(), prefix.end(), text.begin() + static_cast<ptrdiff_t>(at),
                    [](char a, char b) { return a == lower_case(b); });
}

// The length of the secret at that place, and how much before it stays; 0: there is none.
size_t secret_at(std::string_view text, size_t at, size_t& stays) {
  for (const Mark& mark : kMarks) {
    if (!stands_at(text, at, mark.prefix)) continue;
    const bool inside = at > 0 && is_ascii_alnum(text[at - 1]);
    if (mark.whole && inside) continue;
    size_t end = at + mark.prefix.size();
    while (end < text.size() && is_secret_char(text[end])) ++end;
    if (end - at - mark.prefix.size() < mark.least) continue;
    stays = mark.prefix.size();
    return end - at;
  }
  return 0;
}

std::string mask_forms(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t stays = 0;
    const size_t length = secret_at(text, at, stays);
    if (length == 0) {
      out += text[at++];
      continue;
    }
    out += text.substr(at, stays);
    out += kMasked;
    at += length;
  }
  return out;
}

// Writes who stands before the host of an address as "…"; returns where the host ends.
size_t mask_user(std::string_view text, size_t begin, std::string& out) {
  const auto ends_host = [](char c) { return ends_url(c) || c == '/' || c == '?' || c == '#'; };
  size_t end = begin;
  while (end < text.size() && !ends_host(text[end])) ++end;
  if (end > begin && text.substr(end - 1).starts_with("://")) --end;
  const std::string_view host = text.substr(begin, end - begin);
  const size_t at = host.rfind('@');
  if (at != std::string_view::npos) out += kMasked;
  out += host.substr(at == std::string_view::npos ? 0 : at);
  return end;
}

// In one pass: an address may stand in another one's path.
std::string mask_urls(std::string_view text) {
  std::string out;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("://")) {
      out += "://";
      at = mask_user(text, at + 3, out);
      inside = true;
      continue;
    }
    inside = inside && !ends_url(text[at]);
    out += text[at++];
    if (!inside || out.back() != '?') continue;
    size_t end = at;
    while (end < text.size() && text[end] != '#' && !ends_url(text[end])) ++end;
    if (end > at) out += kMasked;
    at = end;
  }
  return out;
}

std::string mask_kept(std::string text) {
  Kept& all = kept();
  if (!all.any) return text;
  const std::shared_lock lock(all.mutex);
  for (const std::string& value : all.values) {
    for (size_t at = text.find(value); at != std::string::npos;
         at = text.find(value, at + kMasked.size())) {
      text.replace(at, value.size(), kMasked);
    }
  }
  return text;
}

}  // namespace

void keep_secret(std::string_view value) {
  if (value.size() < kShortestKeptSecret) return;
  Kept& all = kept();
  {
    const std::shared_lock lock(all.mutex);
    if (std::ranges::find(all.values, value) != all.values.end()) return;
  }
  const std::unique_lock lock(all.mutex);
  if (all.values.size() >= kMaxKeptSecrets) all.values.erase(all.values.begin());
  all.values.emplace_back(value);
  all.any = true;
}

std::optional<std::string> secret_environment(const std::string& name) {
  auto value = environment(name);
  if (value) keep_secret(*value);
  return value;
}

std::string mask_secrets(std::string_view text) {
  return mask_forms(mask_urls(mask_kept(std::string(text))));
}

}  // namespace strata
