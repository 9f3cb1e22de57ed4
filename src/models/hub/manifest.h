// A manifest: what one name in the store stands for. JSON, versioned.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/model.h"

namespace strata::models {

struct BlobRef {
  std::string sha256;  // 64 lower-case hex digits
  uint64_t size = 0;
  std::string file = {};  // its path in the model's folder (folder_files.h); "": a GGUF
  bool operator==(const BlobRef&) const = default;
};

constexpr int kManifestVersion = 1;
constexpr size_t kMaxManifestBytes = 8u << 20;  // licence texts, templates and messages included
constexpr size_t kMaxModelParts = 256;

struct Manifest {
  std::string name;            // full name
  std::vector<BlobRef> model;  // the GGUF, several when it is split, in order; or a folder's files
  std::string source;          // where it came from: "pypi:…", "hf:…", "file:…", "create"
  std::string licence;         // short name ("Apache-2.0") or the whole text
  std::string kind;            // "chat", "base" or "" (not known)
  std::string parent;          // full name of the model it was created from, or ""
  int64_t created = 0;         // seconds since 1970, UTC
  ModelOverrides overrides;    // template, system, messages, parameters

  uint64_t size_bytes() const;  // of the model files
  std::string digest() const;   // SHA-256 of the model part(s): identifies the weights
};

// What the manifest says, else the file (general.license); "" when neither does.
std::string licence_of(const Manifest& manifest, const ModelFile& file);

std::string to_text(const Manifest& manifest);
// Checks everything. Error{data_loss}: malformed; Error{failed_precondition}: a newer version.
Manifest parse_manifest(std::string_view text);

}  // namespace strata::models
