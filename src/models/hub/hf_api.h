// The Hugging Face Hub's interface, or that of the server which HF_ENDPOINT names: what requests
// there have in common, a repository's files, and a search. HF_TOKEN goes to that server only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/net.h"

namespace strata::models {

std::string hf_endpoint();  // "https://huggingface.co", without a slash at its end
HttpRequest hf_request(const std::string& url);
// The operator named this server: it may stand in a private network.
NetPolicy hf_policy(NetPolicy policy);

struct HubFile {
  std::string path;
  uint64_t size = 0;
  std::optional<std::string> sha256;
};
// All files of OWNER/REPO at a revision. Errors: not_found, unauthenticated, unavailable (also of
// an answer that cannot be read), resource_exhausted (too many), those of http_request.
std::vector<HubFile> list_hub_files(const std::string& repository, const std::string& revision,
                                    const NetPolicy& policy,
                                    const std::function<bool()>& keep_going);
// A GGUF file that a model begins with: no projector for images, no later part.
bool is_hub_model(const HubFile& file);

struct HubModel {
  std::string repository;  // "OWNER/REPO"
  std::string licence;     // "apache-2.0"; "": not said
  std::string task;        // "text-generation"; "": not said
  std::string updated;     // RFC 3339; "": not said
  int64_t downloads = 0, likes = 0;
  bool gated = false;  // wants an accepted licence and a token
};
constexpr size_t kMaxHubResults = 50;
constexpr size_t kMaxHubQueryBytes = 200;

// Repositories with GGUF files whose name the text is in, the most downloaded first.
// Errors: invalid_argument (the text is empty or too long), those of list_hub_files.
std::vector<HubModel> search_hub(std::string_view text, size_t limit, const NetPolicy& policy);

// The models of a repository: of each its first file, with the size of all its parts.
struct HubOffer {
  std::string file;  // its path there
  uint64_t size = 0;
  int parts = 1;
  std::string sha256{};  // of one in one part; "": not said
};
// Errors: invalid_argument (no OWNER/REPO), those of list_hub_files.
std::vector<HubOffer> hub_offers(const std::string& repository, const NetPolicy& policy);

}  // namespace strata::models
