// Pull: from a name or a source's reference to a manifest in the store.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/net.h"
#include "models/hub/store.h"

namespace strata::models {

struct PullProgress {
  // "resolving", "downloading" ("copying" a file of this machine), "waiting for another pull",
  // "verifying", "writing manifest", or a source's own word ("making a Python environment").
  std::string stage;
  std::string file;         // what is fetched, "" before that is known
  uint64_t done = 0;        // bytes
  uint64_t total = 0;       // 0: not known
  std::string sha256 = {};  // of that file, "" where the source does not tell
  std::string part = {};    // what is there of it, for discard_partial(); "": nothing yet
};

struct PullOptions {
  NetPolicy policy;
  std::string as;  // store it under this name; empty: the catalogue's, or made from the reference
  bool refresh = false;                               // ask the source even when the name is there
  std::function<void(const PullProgress&)> progress;  // called often, from the caller's thread
  std::function<bool()> keep_going;                   // false: Error{cancelled}; the part stays
  // A source was passed over because it could not be reached: which, and why.
  std::function<void(std::string_view source, std::string_view why)> skipped;
};

struct PullResult {
  Manifest manifest;
  bool already_there = false;  // nothing was fetched
};

// `what`: a name of the catalogue, or a reference (hf:…, pypi:…, https:…, file:…).
// A source that cannot be reached is passed over for the next; a wrong hash never is.
// Errors: not_found (no such name; with "did you mean"), data_loss (hash or length is wrong),
// resource_exhausted (disk), unavailable (no source answers; all reasons in the message),
// cancelled, invalid_argument or unimplemented (the file cannot be read: nothing is stored), and
// those of the sources. Two processes at the same file: the second waits and then
// finds it there.
PullResult pull(const Store& store, std::string_view what, const PullOptions& options = {});

// Whether `there`, which has the name that pull() would store it under, is what is asked for and
// not to be fetched again: files of this machine must not have been written since. made: what
// stands in front of its source ("Q8_0 of "). Errors: already_exists (it was made of something
// else), not_found (no such file).
bool is_current(const Manifest& there, std::string_view what, const PullOptions& options,
                std::string_view made = "");

// The name under which pull() stores it, whether or not it is there. Errors: not_found.
ModelName name_of_pull(const Store& store, std::string_view what, const PullOptions& options = {});

// The part of pull() before the manifest is written: brings the files into the store and returns
// the manifest that pull() would write. To be called in a store_model().
Manifest fetch_model(const Store& store, std::string_view what, const PullOptions& options = {});

// The model's files can be opened: header, tensors and lengths fit together; of a folder the
// vocabulary as well. Error{invalid_argument or unimplemented} that names where they came from.
void check_readable(const Store& store, const Manifest& manifest, std::string_view from);

// Holds the store while `make` brings blobs and says what they are, and writes that manifest.
// What came whole but cannot be read is taken out again, unless another name needs it; what a cut
// connection left stays for the next attempt. Errors: those of `make`, hold() and put_manifest().
Manifest store_model(const Store& store, const std::function<bool()>& keep_going,
                     const std::function<Manifest()>& make);

}  // namespace strata::models
