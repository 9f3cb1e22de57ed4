// hf:OWNER/REPO[@REVISION][:QUANT or FILE]: a GGUF on the Hugging Face Hub, or on the server that
// HF_ENDPOINT names; where the repository has none, or with :safetensors, the model's folder.
// HF_TOKEN goes to that server only. The Hub's list of files carries the SHA-256 of each large
// file, so that what comes from a mirror or a CDN is checked against it.
#include <algorithm>
#include <array>
#include <map>

#include "core/bytes.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/os.h"
#include "core/registry.h"
#include "models/format/hf_limits.h"
#include "models/hub/folder_files.h"
#include "models/hub/manifest.h"
#include "models/hub/name.h"
#include "models/hub/source.h"
#include "models/hub/split_name.h"

namespace strata::models {
namespace {

constexpr int kMaxPages = 50;  // of the list of files, 1,000 files each
constexpr size_t kMaxFiles = 20'000;

// What is taken when nothing is asked for: the best trade of size and quality first.
constexpr std::array<std::string_view, 17> kPreferred{
    "Q4_K_M", "Q4_K_S", "Q4_K", "Q4_0", "Q4_1",   "IQ4_NL", "IQ4_XS", "Q5_K_M", "Q5_K_S",
    "Q5_0",   "Q5_1",   "Q6_K", "Q8_0", "Q3_K_M", "BF16",   "F16",    "F32"};

constexpr std::string_view kFolderSelector = "safetensors";

struct Reference {
  std::string repository;  // OWNER/REPO
  std::string revision = "main";
  std::string selector;
};

Reference parse_reference(std::string_view text) {
  Reference out;
  std::string_view rest = text.substr(std::string_view("hf:").size());
  const size_t colon = rest.find(':');
  if (colon != std::string_view::npos) {
    out.selector = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  const size_t at = rest.find('@');
  if (at != std::string_view::npos) {
    out.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  out.repository = rest;
  parse_model_name("hf:" + out.repository);  // refuses what is no OWNER/REPO
  const bool clean = std::ranges::all_of(out.selector + out.revision, [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != '\\' && c != 0x7f;
  });
  if (!clean || out.revision.empty() || out.selector.find("..") != std::string::npos ||
      (colon != std::string_view::npos && out.selector.empty())) {
    throw Error(Code::invalid_argument, fmt::format("'{}' is no Hugging Face reference", text),
                "write hf:OWNER/REPO, hf:OWNER/REPO:Q4_K_M, hf:OWNER/REPO:FILE.gguf or "
                "hf:OWNER/REPO:safetensors");
  }
  return out;
}

std::string endpoint() {
  std::string out = environment("HF_ENDPOINT").value_or("https://huggingface.co");
  while (out.ends_with('/')) out.pop_back();
  return out;
}

HttpRequest request_for(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.connect_timeout_ms = 10'000;
  if (const auto token = environment("HF_TOKEN")) {
    request.secret_headers.emplace_back("Authorization", "Bearer " + *token);
  }
  return request;
}

// The operator named this server: it may stand in a private network.
NetPolicy policy_for(const FetchContext& context) {
  NetPolicy policy = context.policy;
  if (environment("HF_ENDPOINT")) policy.private_hosts.insert(parse_url(endpoint()).host);
  return policy;
}

struct RemoteFile {
  std::string path;
  uint64_t size = 0;
  std::optional<std::string> sha256;
};

uint64_t size_of(const json::object& object) {
  const auto* size = object.if_contains("size");
  if (size == nullptr || !size->is_int64() || size->get_int64() < 0) return 0;
  return static_cast<uint64_t>(size->get_int64());
}

// One element of the list; nullopt for what is no file.
std::optional<RemoteFile> read_entry(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  const auto& entry = value.get_object();
  const auto* path = entry.if_contains("path");
  const auto* type = entry.if_contains("type");
  if (path == nullptr || !path->is_string() || type == nullptr || *type != "file") {
    return std::nullopt;
  }
  RemoteFile out{std::string(path->get_string()), size_of(entry), std::nullopt};
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

[[noreturn]] void refuse_listing(const Reference& reference, int status) {
  if (status == 401 || status == 403 || status == 404) {
    throw Error(status == 404 ? Code::not_found : Code::unauthenticated,
                fmt::format("Hugging Face answered {}: {} does not exist, or wants a token or an "
                            "accepted licence",
                            status, reference.repository),
                "check the name; for a gated model accept its licence and set HF_TOKEN");
  }
  throw Error(Code::unavailable, fmt::format("Hugging Face answered {}", status),
              "try again later");
}

std::vector<RemoteFile> list_files(const Reference& reference, const FetchContext& context) {
  const NetPolicy policy = policy_for(context);
  std::vector<RemoteFile> out;
  std::optional<std::string> url =
      fmt::format("{}/api/models/{}/tree/{}?recursive=true", endpoint(), reference.repository,
                  percent_encode(reference.revision));
  for (int page = 0; url && page < kMaxPages; ++page) {
    HttpRequest request = request_for(*url);
    request.max_body_bytes = 16u << 20;
    request.keep_going = context.keep_going;
    const HttpResponse response = http_request(request, policy);
    if (response.head.status != 200) refuse_listing(reference, response.head.status);
    json::value list;
    try {
      list = parse_json(response.body, {.max_bytes = 16u << 20, .max_depth = 16});
    } catch (const Error& error) {
      throw Error(Code::unavailable, "the list of files is not readable: " + error.message());
    }
    if (!list.is_array()) throw Error(Code::unavailable, "the list of files is no list");
    for (const auto& entry : list.get_array()) {
      if (auto file = read_entry(entry)) out.push_back(std::move(*file));
    }
    if (out.size() > kMaxFiles) {
      throw Error(Code::resource_exhausted,
                  fmt::format("{} has more than {} files", reference.repository, kMaxFiles));
    }
    url = next_page(response.head);
    // A page elsewhere would be asked with the token's headers from a new start: not followed.
    if (url && !url->starts_with(endpoint() + "/")) {
      throw Error(Code::unavailable, "the list of files goes on at another server");
    }
  }
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

// Whether the word stands in the file's name by itself: "Q4_K" is not in "Q4_K_M".
bool has_word(std::string_view path, std::string_view word) {
  const std::string name = upper(path.substr(path.rfind('/') + 1));
  const std::string wanted = upper(word);
  const auto inside = [&](size_t at) {
    return at < name.size() &&
           (std::isalnum(static_cast<unsigned char>(name[at])) != 0 || name[at] == '_');
  };
  for (size_t at = name.find(wanted); at != std::string::npos; at = name.find(wanted, at + 1)) {
    if ((at == 0 || !inside(at - 1)) && !inside(at + wanted.size())) return true;
  }
  return false;
}

bool is_first_part(const RemoteFile& file) {
  const auto split = parse_split_name(file.path);
  return !split || split->part == 1;
}

// A projector for images is no language model.
bool is_model(const RemoteFile& file) {
  const std::string name = upper(file.path.substr(file.path.rfind('/') + 1));
  return file.path.ends_with(".gguf") && is_first_part(file) && !name.starts_with("MMPROJ");
}

const RemoteFile* shortest_with(const std::vector<const RemoteFile*>& files,
                                std::string_view word) {
  const RemoteFile* best = nullptr;
  for (const auto* file : files) {
    if (!has_word(file->path, word)) continue;
    if (best == nullptr ||
        std::pair(file->path.size(), file->path) < std::pair(best->path.size(), best->path)) {
      best = file;
    }
  }
  return best;
}

const RemoteFile& choose(const std::vector<RemoteFile>& files, const Reference& reference) {
  std::vector<const RemoteFile*> models;
  std::string names;
  for (const auto& file : files) {
    if (!is_model(file)) continue;
    models.push_back(&file);
    if (models.size() <= 12) names += (names.empty() ? "" : ", ") + file.path;
  }
  if (models.empty()) {
    throw Error(Code::not_found,
                fmt::format("{} has neither a GGUF file nor config.json with weights",
                            reference.repository),
                "look for a repository whose name ends in -GGUF");
  }
  if (reference.selector.empty()) {
    for (const auto word : kPreferred) {
      if (const auto* file = shortest_with(models, word)) return *file;
    }
    return *models.front();
  }
  for (const auto* file : models) {
    const std::string name = file->path.substr(file->path.rfind('/') + 1);
    if (file->path == reference.selector || name == reference.selector) return *file;
  }
  if (const auto* file = shortest_with(models, reference.selector)) return *file;
  throw Error(Code::not_found,
              fmt::format("{} has no '{}'", reference.repository, reference.selector),
              "it has " + names);
}

class HuggingFace : public Source {
 public:
  std::string_view scheme() const override { return "hf"; }

  std::vector<SourceFile> resolve(std::string_view text,
                                  const FetchContext& context) const override {
    const Reference reference = parse_reference(text);
    const std::vector<RemoteFile> files = list_files(reference, context);
    if (auto folder = as_folder(reference, files, context); !folder.empty()) return folder;
    const RemoteFile& first = choose(files, reference);
    std::vector<SourceFile> out;
    const auto split = parse_split_name(first.path);
    if (!split) return {source_file(reference, first)};
    if (split->parts > static_cast<int>(kMaxModelParts)) {
      throw Error(Code::invalid_argument, fmt::format("{} parts are too many", split->parts));
    }
    for (int i = 1; i <= split->parts; ++i) {
      const auto part = std::ranges::find(files, split->file(i), &RemoteFile::path);
      if (part == files.end()) {
        throw Error(Code::not_found,
                    fmt::format("{} lacks the part {}", reference.repository, split->file(i)));
      }
      out.push_back(source_file(reference, *part));
    }
    return out;
  }

  void fetch(const SourceFile& file, FetchState& state, const FetchSink& sink,
             const FetchContext& context) const override {
    FetchContext own = context;
    own.policy = policy_for(context);
    fetch_over_http(request_for(file.url), state, sink, own);
  }

 private:
  // Of repositories without a GGUF, and where the reference asks for it: hf:OWNER/REPO:safetensors.
  static std::vector<SourceFile> as_folder(const Reference& reference,
                                           const std::vector<RemoteFile>& files,
                                           const FetchContext& context) {
    const bool asked = reference.selector == kFolderSelector;
    const bool only = reference.selector.empty() && std::ranges::none_of(files, is_model);
    if (!asked && !only) return {};
    std::vector<std::string> paths;
    for (const RemoteFile& file : files) paths.push_back(file.path);
    std::vector<SourceFile> out;
    const auto read_index = [&](const std::string& path) {
      return small_file(url_of(reference, path), context);
    };
    for (const std::string& path : folder_files(paths, read_index)) {
      out.push_back(source_file(reference, *std::ranges::find(files, path, &RemoteFile::path)));
      out.back().name = path;
      out.back().in_folder = true;
    }
    if (out.size() > kMaxModelParts) {
      throw Error(Code::invalid_argument, fmt::format("{} files are too many", out.size()));
    }
    return out;
  }

  static std::string small_file(const std::string& url, const FetchContext& context) {
    HttpRequest request = request_for(url);
    request.max_body_bytes = kMaxHfConfig;
    request.keep_going = context.keep_going;
    HttpResponse response = http_request(request, policy_for(context));
    if (response.head.status == 200) return std::move(response.body);
    throw Error(Code::unavailable,
                fmt::format("Hugging Face answered {} to {}", response.head.status, url),
                "try again later");
  }

  static std::string url_of(const Reference& reference, const std::string& path) {
    return fmt::format("{}/{}/resolve/{}/{}", endpoint(), reference.repository,
                       percent_encode(reference.revision), percent_encode(path, "/"));
  }

  static SourceFile source_file(const Reference& reference, const RemoteFile& file) {
    return {file.path.substr(file.path.rfind('/') + 1), url_of(reference, file.path), file.sha256,
            file.size};
  }
};

const Registered<Source> kHf{std::make_unique<HuggingFace>()};

}  // namespace
}  // namespace strata::models
