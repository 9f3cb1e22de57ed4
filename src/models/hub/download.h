// One file from one source into the store: resumed, hashed while it streams, checked, adopted.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "models/hub/pull.h"
#include "models/hub/source.h"
#include "models/hub/store.h"

namespace strata::models {

struct DownloadRequest {
  const Source* source = nullptr;
  SourceFile file;      // its sha256 and size: what is expected, wherever that is known from
  uint64_t before = 0;  // bytes of earlier parts, for the progress
  uint64_t total = 0;   // of all parts; 0: not known
  // Asked after another process has finished the same file, when its hash was not known.
  std::function<std::optional<BlobRef>()> already_there;
};

// The caller holds the store (Store::hold). A file whose hash is known is resumed where an earlier
// attempt stopped; one without begins anew, since nothing could tell whether the halves fit.
// Errors: data_loss (hash, length, no GGUF), resource_exhausted (disk), cancelled, and the
// source's.
BlobRef download(const Store& store, const DownloadRequest& request, const PullOptions& options);

// Deletes what has come of a download that was given up (PullProgress::part; "": nothing), and what
// came whole but belongs to no model. While another process fetches the same file it stays.
void discard_partial(const Store& store, const std::string& part);

}  // namespace strata::models
