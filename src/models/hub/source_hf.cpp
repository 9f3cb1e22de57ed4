// hf:OWNER/REPO[@REVISION][:QUANT or FILE]: a GGUF on the Hugging Face Hub, or on the server that
// HF_ENDPOINT names; where the repository has none, or with :safetensors, the model's folder.
// HF_TOKEN goes to that server only. The Hub's list of files carries the SHA-256 of each large
// file, so that what comes from a mirror or a CDN is checked against it.
#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "core/error.h"
#include "core/registry.h"
#include "models/format/hf_limits.h"
#include "models/hub/folder_files.h"
#include "models/hub/hf_api.h"
#include "models/hub/manifest.h"
#include "models/hub/name.h"
#include "models/hub/source.h"
#include "models/hub/split_name.h"

namespace strata::models {
namespace {

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

// Whether the word stands in the file's name by itself: "Q4_K" is not in "Q4_K_M".
bool has_word(std::string_view path, std::string_view word) {
  const std::string name = upper_case(path.substr(path.rfind('/') + 1));
  const std::string wanted = upper_case(word);
  const auto inside = [&](size_t at) {
    return at < name.size() && (is_ascii_alnum(name[at]) || name[at] == '_');
  };
  for (size_t at = name.find(wanted); at != std::string::npos; at = name.find(wanted, at + 1)) {
    if ((at == 0 || !inside(at - 1)) && !inside(at + wanted.size())) return true;
  }
  return false;
}

const HubFile* shortest_with(const std::vector<const HubFile*>& files, std::string_view word) {
  const HubFile* best = nullptr;
  for (const auto* file : files) {
    if (!has_word(file->path, word)) continue;
    if (best == nullptr ||
        std::pair(file->path.size(), file->path) < std::pair(best->path.size(), best->path)) {
      best = file;
    }
  }
  return best;
}

const HubFile& choose(const std::vector<HubFile>& files, const Reference& reference) {
  std::vector<const HubFile*> models;
  std::string names;
  for (const auto& file : files) {
    if (!is_hub_model(file)) continue;
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
    const std::vector<HubFile> files = list_hub_files(reference.repository, reference.revision,
                                                      context.policy, context.keep_going);
    if (auto folder = as_folder(reference, files, context); !folder.empty()) return folder;
    const HubFile& first = choose(files, reference);
    std::vector<SourceFile> out;
    const auto split = parse_split_name(first.path);
    if (!split) return {source_file(reference, first)};
    if (split->parts > static_cast<int>(kMaxModelParts)) {
      throw Error(Code::invalid_argument, fmt::format("{} parts are too many", split->parts));
    }
    for (int i = 1; i <= split->parts; ++i) {
      const auto part = std::ranges::find(files, split->file(i), &HubFile::path);
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
    own.policy = hf_policy(context.policy);
    fetch_over_http(hf_request(file.url), state, sink, own);
  }

 private:
  // Of repositories without a GGUF, and where the reference asks for it: hf:OWNER/REPO:safetensors.
  static std::vector<SourceFile> as_folder(const Reference& reference,
                                           const std::vector<HubFile>& files,
                                           const FetchContext& context) {
    const bool asked = reference.selector == kFolderSelector;
    const bool only = reference.selector.empty() && std::ranges::none_of(files, is_hub_model);
    if (!asked && !only) return {};
    std::vector<std::string> paths;
    for (const HubFile& file : files) paths.push_back(file.path);
    std::vector<SourceFile> out;
    const auto read_index = [&](const std::string& path) {
      return small_file(url_of(reference, path), context);
    };
    for (const std::string& path : folder_files(paths, read_index)) {
      out.push_back(source_file(reference, *std::ranges::find(files, path, &HubFile::path)));
      out.back().name = path;
      out.back().in_folder = true;
    }
    if (out.size() > kMaxModelParts) {
      throw Error(Code::invalid_argument, fmt::format("{} files are too many", out.size()));
    }
    return out;
  }

  static std::string small_file(const std::string& url, const FetchContext& context) {
    HttpRequest request = hf_request(url);
    request.max_body_bytes = kMaxHfConfig;
    request.keep_going = context.keep_going;
    HttpResponse response = http_request(request, hf_policy(context.policy));
    if (response.head.status == 200) return std::move(response.body);
    throw Error(Code::unavailable,
                fmt::format("Hugging Face answered {} to {}", response.head.status, url),
                "try again later");
  }

  static std::string url_of(const Reference& reference, const std::string& path) {
    return fmt::format("{}/{}/resolve/{}/{}", hf_endpoint(), reference.repository,
                       percent_encode(reference.revision), percent_encode(path, "/"));
  }

  static SourceFile source_file(const Reference& reference, const HubFile& file) {
    return {file.path.substr(file.path.rfind('/') + 1), url_of(reference, file.path), file.sha256,
            file.size};
  }
};

const Registered<Source> kHf{std::make_unique<HuggingFace>()};

}  // namespace
}  // namespace strata::models
