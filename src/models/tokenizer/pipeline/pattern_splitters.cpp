// Pre-tokenizers that look for a pattern; those that most vocabularies use have a hand-written
// form.
#include "models/tokenizer/pipeline/text_pattern.h"
#include "models/tokenizer/pipeline/word_splitter.h"

namespace strata::models {
namespace {

class PatternSplitter final : public WordSplitter {
 public:
  PatternSplitter(TextPattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void apply(Words& words) const override {
    std::vector<Span> spans;
    spans.reserve(words.spans.size() + 16);
    TextPattern::Search search(pattern_, *words.regex);
    MatchSplitter splitter(behavior_, invert_);
    for (const Span span : words.spans) {
      const std::string_view piece = words.span_text(span);
      search.start(piece);
      size_t last = 0;
      for (size_t begin = 0, end = 0; search.next(begin, end); last = end) {
        if (begin > last) splitter.add(span.begin + last, span.begin + begin, false);
        splitter.add(span.begin + begin, span.begin + end, true);
      }
      if (last < piece.size()) splitter.add(span.begin + last, span.end, false);
      splitter.finish(spans);
    }
    words.spans.swap(spans);
  }

 private:
  TextPattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class Matches final : public WordSplitter {
 public:
  explicit Matches(std::string_view pattern) : regex_(pattern) {}

  void apply(Words& words) const override {
    std::vector<Span> spans;
    spans.reserve(words.text.size() / 4 + words.spans.size());
    SplitRegex::Search search(regex_, *words.regex);
    for (const Span span : words.spans) {
      search.start(words.span_text(span));
      for (size_t begin = 0, end = 0; search.next(begin, end);) {
        SpanWriter(spans).put(span.begin + begin, span.begin + end);
      }
    }
    words.spans.swap(spans);
  }

 private:
  SplitRegex regex_;
};

template <uint32_t max_digits>
void cut_words(std::string_view text, size_t begin, size_t end, Ends& out) {
  split_words(text, begin, end, {Contractions::any_case, false, max_digits}, out);
}

struct Known {
  std::string_view pattern;
  CutFunction cut;
};

// These patterns match every text from end to end, so that "isolated" and "all but the matches
// removed" cut alike.
constexpr Known kKnown[] = {
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
     R"( ?[^\s\p{L}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
     cut_words<3>},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
     R"(\s*[\r\n]+|\s+(?!\S)|\s+)",
     cut_words<1>},
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", split_gpt2},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", split_gpt2},
};

}  // namespace

std::unique_ptr<const WordSplitter> make_match_splitter(std::string_view pattern) {
  return std::make_unique<Matches>(pattern);
}

std::unique_ptr<const WordSplitter> read_pattern_splitter(const JsonPlace& place) {
  if (place.type() != "Split") return nullptr;
  place.allow({"pattern", "behavior", "invert"});
  TextPattern pattern = TextPattern::read(place["pattern"]);
  const SplitBehavior behavior = read_behavior(place["behavior"]);
  const bool invert = place.boolean_or("invert", false);
  const bool covers =
      (behavior == SplitBehavior::isolated) || (behavior == SplitBehavior::removed && invert);
  for (const Known& known : kKnown) {
    if (covers && pattern.regex_source() == known.pattern) return make_cuts(known.cut);
  }
  return std::make_unique<PatternSplitter>(std::move(pattern), behavior, invert);
}

}  // namespace strata::models
