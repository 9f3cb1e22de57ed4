// A split pattern as a compiled regular expression (PCRE2 with Unicode properties), bounded in
// steps and memory: for the pre-tokenizers that have no hand-written splitter.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "models/tokenizer/splitters.h"

namespace strata::models {

enum class Anchors : uint8_t {
  text,  // ^ and $ are the ends of the piece
  line,  // ... and of each line in it, as in Ruby
};

// Steps that the matches in one text may still take together: each alone is bounded, but a text has
// as many matches as bytes. One runs through kRegexWindow bytes at most; in a longer stretch each
// counts once for every such window.
struct RegexBudget {
  explicit RegexBudget(size_t text_bytes);
  static RegexBudget of_token(size_t bytes);
  uint64_t steps = 0;
};

class SplitRegex {
 public:
  // Errors: invalid_argument when the pattern is none or too large; the message has its place.
  explicit SplitRegex(std::string_view pattern, Anchors anchors = Anchors::text);
  SplitRegex(SplitRegex&&) noexcept;
  ~SplitRegex();

  // Cuts each of the pieces of the valid UTF-8 text (the first begins at `begin`) in front of and
  // behind every match; what stands between matches is a piece, too. A match sees its piece only.
  // Thread-safe. Errors: resource_exhausted when one match, or all together, need more than the
  // limits.
  Ends split(std::string_view text, size_t begin, const Ends& pieces) const;

  // Walks through the matches of pieces; one object a call, so that calls may run at once.
  class Search {
   public:
    // `budget` must outlive the search; several may share it.
    Search(const SplitRegex& regex, RegexBudget& budget);
    ~Search();
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;

    // Begins with a new piece of valid UTF-8, which must outlive the walk through it. Errors:
    // invalid_argument when it is none.
    void start(std::string_view piece);
    // The next match as [begin, end) of the piece. An empty one right behind a match is passed
    // over. Errors: resource_exhausted.
    bool next(size_t& begin, size_t& end);

   private:
    struct State;
    std::unique_ptr<State> state_;
  };

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace strata::models
