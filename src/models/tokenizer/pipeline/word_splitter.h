// A brick: one way to cut text into words (the format's pre-tokenizers).
#pragma once

#include <memory>
#include <vector>

#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/pipeline/words.h"
#include "models/tokenizer/splitters.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {

class WordSplitter {
 public:
  virtual ~WordSplitter() = default;
  // Thread-safe. Errors: resource_exhausted.
  virtual void apply(Words& words) const = 0;
  // Whether the text may change, not only its cuts.
  virtual bool rewrites() const { return false; }
};

using WordSplitters = std::vector<std::unique_ptr<const WordSplitter>>;

struct SplitterPlan {
  WordSplitters steps;
  // The last step would spell each word in the byte alphabet; it is left out, and the model takes
  // the bytes as they are.
  bool byte_symbols = false;
};

// What the JSON says, sequences laid flat. `bytes_allowed`: the model can take plain bytes.
// Errors: unimplemented for what is not known.
SplitterPlan read_splitters(const JsonPlace& place, bool bytes_allowed);

enum class PrependScheme : uint8_t { first, never, always };
PrependScheme read_prepend_scheme(const JsonPlace& place);

std::unique_ptr<const WordSplitter> make_metaspace(std::string_view mark, PrependScheme scheme,
                                                   bool split);
std::unique_ptr<const WordSplitter> make_bert_splitter();
// Cuts at space marks where no token of the vocabulary crosses one, which changes no ids.
std::unique_ptr<const WordSplitter> make_mark_splitter(const Vocabulary& vocabulary);

// The matches of a pattern that PCRE2 reads as it stands; what lies between is dropped.
std::unique_ptr<const WordSplitter> make_match_splitter(std::string_view pattern);

// Parts of read_splitters, by file. nullptr: the type is none of theirs.
std::unique_ptr<const WordSplitter> read_character_splitter(const JsonPlace& place);
std::unique_ptr<const WordSplitter> read_pattern_splitter(const JsonPlace& place);
std::unique_ptr<const WordSplitter> read_script_splitter(const JsonPlace& place);
SplitBehavior read_behavior(const JsonPlace& place);

// Cuts by a hand-written splitter.
using CutFunction = void (*)(std::string_view text, size_t begin, size_t end, Ends& out);
std::unique_ptr<const WordSplitter> make_cuts(CutFunction cut);

}  // namespace strata::models
