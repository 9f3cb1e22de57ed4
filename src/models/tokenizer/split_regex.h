// A split pattern as a compiled regular expression (PCRE2 with Unicode properties), bounded in
// steps and memory: for the pre-tokenizers that have no hand-written splitter.
#pragma once

#include <memory>
#include <string_view>

#include "models/tokenizer/splitters.h"

namespace strata::models {

class SplitRegex {
 public:
  // `pattern` is one of our own, so a bad one is our bug.
  explicit SplitRegex(std::string_view pattern);
  ~SplitRegex();

  // Cuts each of the pieces of the valid UTF-8 text (the first begins at `begin`) in front of and
  // behind every match; what stands between matches is a piece, too. A match sees its piece only.
  // Thread-safe. Errors: resource_exhausted when one match needs more than the limits.
  Ends split(std::string_view text, size_t begin, const Ends& pieces) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace strata::models
