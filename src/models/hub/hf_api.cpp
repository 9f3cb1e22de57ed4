#include "models/hub/hf_api.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/os.h"
#include "core/secrets.h"
#include "models/hub/name.h"
#include "models/hub/split_name.h"

namespace strata::models {
namespace {

constexpr int kMaxPages = 50;  // of the list of files, 1,000 files each
constexpr size_t kMaxFiles = 20'000;
constexpr size_t kMaxListBytes = 16u << 20;
constexpr uint64_t kListTimeoutMs = 30'000;  // of a page
constexpr size_t kMaxHubText = 200;  // longer ones of a search are as if they were not there

uint64_t size_of(const json::object& object) {
  const auto* size = object.if_contains("size");
  if (size == nullptr || !size->is_int64() || size->get_int64() < 0) return 0;
  return static_cast<uint64_t>(size->get_int64());
}

// One element of the list; nullopt for what is no file.
std::optional<HubFile> read_entry(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  const auto& entry = value.get_object();
  const auto* path = entry.if_contains("path");
  const auto* type = entry.if_contains("type");
  if (path == nullptr || !path->is_string() || type == nullptr || *type != "file") {
    return std::nullopt;
  }
  HubFile out{std::string(path->get_string()), size_of(entry), std::nullopt};
  const bool hostile = out.path.starts_with('/') || out.path.find("..") != std::string::npos ||
                       out.path.find('\\') != std::string::npos;
  if (hostile) return std::nullopt;
  if (const auto* lfs = entry.if_contains("lfs"); lfs != nullptr && lfs->is_object()) {
    const auto* oid = lfs->get_object().if_contains("oid");
    if (oid == nullptr || !oid->is_string() || !is_sha256_hex(std::string(oid->get_string()))) {
      throw Error(Code::unavailable, fmt::format("the hash of {} is not readable", out.path));
    }
    out.sha256 = std::string(oid->get_string());
    out.size = size_of(lfs->get_object());
  }
  return out;
}

// `<https://…?cursor=…>; rel="next"` (RFC 8288)
std::optional<std::string> next_page(const HttpHead& head) {
  const std::string_view link = head.header("link").value_or("");
  const size_t open = link.find('<');
  const size_t close = link.find('>');
  if (link.find("rel=\"next\"") == std::string_view::npos || open == std::string_view::npos ||
      close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  return std::string(link.substr(open + 1, close - open - 1));
}

[[noreturn]] void refuse_answer(std::string_view what, int status) {
  if (status == 401 || status == 403 || status == 404) {
    throw Error(status == 404 ? Code::not_found : Code::unauthenticated,
                fmt::format("Hugging Face answered {}: {} does not exist, or wants a token or an "
                            "accepted licence",
                            status, what),
                "check the name; for a gated model accept its licence and set HF_TOKEN");
  }
  throw Error(Code::unavailable, fmt::format("Hugging Face answered {}", status),
              "try again later");
}

struct Listing {
  HttpHead head;
  json::array items;
};

Listing get_list(const std::string& url, std::string_view what, const NetPolicy& policy,
                 const std::function<bool()>& keep_going) {
  HttpRequest request = hf_request(url);
  request.max_body_bytes = kMaxListBytes;
  request.total_timeout_ms = kListTimeoutMs;
  request.keep_going = keep_going;
  HttpResponse response = http_request(request, policy);
  if (response.head.status != 200) refuse_answer(what, response.head.status);
  json::value list;
  try {
    list = parse_json(response.body, {.max_bytes = kMaxListBytes, .max_depth = 16});
  } catch (const Error& error) {
    throw Error(Code::unavailable, "the hub's list is not readable: " + error.message());
  }
  if (!list.is_array()) throw Error(Code::unavailable, "the hub's list is no list");
  return {std::move(response.head), std::move(list.get_array())};
}

std::string text_in(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_string() || value->get_string().size() > kMaxHubText)
    return {};
  return std::string(value->get_string());
}

int64_t count_in(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_int64() ? std::max<int64_t>(value->get_int64(), 0) : 0;
}

std::string licence_in(const json::object& entry) {
  constexpr std::string_view kTag = "license:";
  const auto* tags = entry.if_contains("tags");
  if (tags == nullptr || !tags->is_array()) return {};
  for (const auto& tag : tags->get_array()) {
    if (!tag.is_string() || tag.get_string().size() > kMaxHubText) continue;
    const std::string_view text(tag.get_string());
    if (text.starts_with(kTag)) return std::string(text.substr(kTag.size()));
  }
  return {};
}

bool is_repository(const std::string& text) {
  try {
    parse_model_name("hf:" + text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// nullopt for what names no repository that can be pulled.
std::optional<HubModel> read_model(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  const auto& entry = value.get_object();
  HubModel out;
  out.repository = text_in(entry, "id");
  if (!is_repository(out.repository)) return std::nullopt;
  out.licence = licence_in(entry);
  out.task = text_in(entry, "pipeline_tag");
  out.updated = text_in(entry, "lastModified");
  out.downloads = count_in(entry, "downloads");
  out.likes = count_in(entry, "likes");
  const auto* gated = entry.if_contains("gated");  // false, "auto" or "manual"
  out.gated = gated != nullptr && *gated != json::value(false) && !gated->is_null();
  return out;
}

bool is_first_part(const HubFile& file) {
  const auto split = parse_split_name(file.path);
  return !split || split->part == 1;
}

}  // namespace

std::string hf_endpoint() {
  std::string out = environment("HF_ENDPOINT").value_or("https://huggingface.co");
  while (out.ends_with('/')) out.pop_back();
  return out;
}

HttpRequest hf_request(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.connect_timeout_ms = 10'000;
  if (const auto token = secret_environment("HF_TOKEN")) {
    request.secret_headers.emplace_back("Authorization", "Bearer " + *token);
  }
  return request;
}

NetPolicy hf_policy(NetPolicy policy) {
  if (environment("HF_ENDPOINT")) policy.private_hosts.insert(parse_url(hf_endpoint()).host);
  return policy;
}

std::vector<HubFile> list_hub_files(const std::string& repository, const std::string& revision,
                                    const NetPolicy& allowed,
                                    const std::function<bool()>& keep_going) {
  const NetPolicy policy = hf_policy(allowed);
  std::vector<HubFile> out;
  std::optional<std::string> url = fmt::format("{}/api/models/{}/tree/{}?recursive=true",
                                               hf_endpoint(), repository, percent_encode(revision));
  for (int page = 0; url && page < kMaxPages; ++page) {
    const Listing page_of = get_list(*url, repository, policy, keep_going);
    for (const auto& entry : page_of.items) {
      if (auto file = read_entry(entry)) out.push_back(std::move(*file));
    }
    if (out.size() > kMaxFiles) {
      throw Error(Code::resource_exhausted,
                  fmt::format("{} has more than {} files", repository, kMaxFiles));
    }
    url = next_page(page_of.head);
    // A page elsewhere would be asked with the token's headers from a new start: not followed.
    if (url && !url->starts_with(hf_endpoint() + "/")) {
      throw Error(Code::unavailable, "the list of files goes on at another server");
    }
  }
  return out;
}

bool is_hub_model(const HubFile& file) {
  const std::string name = upper_case(file.path.substr(file.path.rfind('/') + 1));
  return file.path.ends_with(".gguf") && is_first_part(file) && !name.starts_with("MMPROJ");
}

std::vector<HubModel> search_hub(std::string_view text, size_t limit, const NetPolicy& policy) {
  if (text.empty() || text.size() > kMaxHubQueryBytes) {
    throw Error(Code::invalid_argument,
                fmt::format("the text to search has {} bytes, it must have 1 to {}", text.size(),
                            kMaxHubQueryBytes));
  }
  limit = std::clamp<size_t>(limit, 1, kMaxHubResults);
  std::string url = fmt::format("{}/api/models?search={}&filter=gguf&sort=downloads&limit={}",
                                hf_endpoint(), percent_encode(text), limit);
  for (const char* field :
       {"downloads", "likes", "gated", "lastModified", "tags", "pipeline_tag"}) {
    url += fmt::format("&expand={}", field);
  }
  std::vector<HubModel> out;
  for (const auto& item : get_list(url, "the search", hf_policy(policy), {}).items) {
    if (out.size() == limit) break;
    if (auto model = read_model(item)) out.push_back(std::move(*model));
  }
  return out;
}

std::vector<HubOffer> hub_offers(const std::string& repository, const NetPolicy& policy) {
  if (!is_repository(repository)) {
    throw Error(Code::invalid_argument, fmt::format("'{}' is no repository", repository),
                "write OWNER/NAME");
  }
  const auto files = list_hub_files(repository, "main", policy, {});
  std::vector<HubOffer> out;
  for (const auto& file : files) {
    if (!is_hub_model(file)) continue;
    HubOffer offer{file.path, file.size};
    if (const auto split = parse_split_name(file.path)) {
      offer.parts = split->parts;
      offer.size = 0;
      for (const auto& part : files) {
        const auto name = parse_split_name(part.path);
        if (!name || name->stem != split->stem || name->parts != split->parts) continue;
        offer.size = checked_add(offer.size, part.size, "size of all parts");
      }
    } else {
      offer.sha256 = file.sha256.value_or("");
    }
    out.push_back(std::move(offer));
  }
  std::ranges::sort(out, {}, &HubOffer::size);
  return out;
}

}  // namespace strata::models
