// Where models come from: the brick Source, one file a scheme
// (source_pypi.cpp, source_hf.cpp, source_https.cpp, source_file.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/net.h"

namespace strata::models {

// One file behind a reference. What a source says about hash and size is checked against what
// arrives; a file without a hash is taken as it comes (and its hash recorded).
struct SourceFile {
  std::string name;  // last part of its path
  std::string url;   // what fetch() of the same source understands
  std::optional<std::string> sha256;
  std::optional<uint64_t> size;
  bool in_folder = false;  // one of a folder's files, `name` its path there
};

struct FetchContext {
  NetPolicy policy;
  std::filesystem::path work;   // a folder of this download's own, kept until it is complete
  std::filesystem::path cache;  // a folder that downloads share
  std::function<bool()> keep_going;
  // A word about what goes on where no bytes can be counted yet, with bytes so far (may be 0).
  std::function<void(std::string_view stage, uint64_t done)> note;
};

// Where the bytes go. begin() comes first and says at which offset the bytes start: the one asked
// for, or 0 when the source can only send the whole.
struct FetchSink {
  std::function<void(uint64_t offset, std::optional<uint64_t> total)> begin;
  ByteSink write;
};

// How far a download is, and what the source said about that version of the file (its ETag).
struct FetchState {
  uint64_t offset = 0;
  std::string version;  // in: of the bytes that are there; out: of what is sent now
};

class Source {
 public:
  virtual ~Source() = default;
  virtual std::string_view scheme() const = 0;  // "hf": serves "hf:…"
  // The files that make up the model, in order (more than one: a split GGUF, or a folder).
  // Errors: invalid_argument (reference), not_found, unavailable (cannot be reached),
  // unauthenticated.
  virtual std::vector<SourceFile> resolve(std::string_view reference,
                                          const FetchContext& context) const = 0;
  // Errors also: data_loss.
  virtual void fetch(const SourceFile& file, FetchState& state, const FetchSink& sink,
                     const FetchContext& context) const = 0;
};

// The source whose scheme begins the reference; Error{invalid_argument} that lists them.
const Source& source_for(std::string_view reference);
bool is_source_reference(std::string_view text);  // begins with a known scheme and ':'
// A path as people write it ("./model", "../model", "/model", "~/model") as "file:" and the whole
// path; anything else as it is.
std::string as_reference(std::string_view text);
// file: with the whole path, since a relative one names another file in another folder; others as
// they are.
std::string whole_reference(std::string_view reference);

// The same with the resume header and the checks that every HTTP source needs.
void fetch_over_http(HttpRequest request, FetchState& state, const FetchSink& sink,
                     const FetchContext& context);

}  // namespace strata::models
