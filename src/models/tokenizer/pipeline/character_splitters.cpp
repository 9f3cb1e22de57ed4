// Pre-tokenizers that look at one character after the other.
#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/pipeline/characters.h"
#include "models/tokenizer/pipeline/word_splitter.h"

namespace strata::models {
namespace {

// Every character of a kind is a match.
template <typename Matches>
class CharacterSplitter final : public WordSplitter {
 public:
  CharacterSplitter(Matches matches, SplitBehavior behavior)
      : matches_(std::move(matches)), behavior_(behavior) {}

  void apply(Words& words) const override {
    std::vector<Span> spans;
    spans.reserve(words.text.size() / 4 + words.spans.size());
    MatchSplitter splitter(behavior_, false);
    for (const Span span : words.spans) {
      size_t last = span.begin;
      for (size_t at = span.begin; at < span.end;) {
        const size_t begin = at;
        if (!matches_(next_code_point(words.text, at))) continue;
        if (begin > last) splitter.add(last, begin, false);
        splitter.add(begin, at, true);
        last = at;
      }
      if (last < span.end) splitter.add(last, span.end, false);
      splitter.finish(spans);
    }
    words.spans.swap(spans);
  }

 private:
  Matches matches_;
  SplitBehavior behavior_;
};

template <typename Matches>
std::unique_ptr<const WordSplitter> by_character(Matches matches, SplitBehavior behavior) {
  return std::make_unique<CharacterSplitter<Matches>>(std::move(matches), behavior);
}

class FixedLength final : public WordSplitter {
 public:
  explicit FixedLength(size_t length) : length_(length) {}

  void apply(Words& words) const override {
    std::vector<Span> spans;
    for (const Span span : words.spans) {
      for (size_t at = span.begin; at < span.end;) {
        const size_t begin = at;
        for (size_t i = 0; i < length_ && at < span.end; ++i) next_code_point(words.text, at);
        SpanWriter(spans).put(begin, at);
      }
    }
    words.spans.swap(spans);
  }

 private:
  size_t length_;
};

// Runs of \w, and runs of what is neither that nor white space.
class WordRuns final : public WordSplitter {
 public:
  void apply(Words& words) const override {
    std::vector<Span> spans;
    for (const Span span : words.spans) {
      size_t begin = span.begin;
      Kind last = Kind::space;
      for (size_t at = span.begin; at < span.end;) {
        const size_t from = at;
        const Kind kind = kind_of(next_code_point(words.text, at));
        if (kind == last) continue;
        if (last != Kind::space) SpanWriter(spans).put(begin, from);
        begin = from;
        last = kind;
      }
      if (last != Kind::space) SpanWriter(spans).put(begin, span.end);
    }
    words.spans.swap(spans);
  }

 private:
  enum class Kind : uint8_t { space, word, other };
  static Kind kind_of(char32_t c) {
    if (is_word_character(c)) return Kind::word;
    return is_white_space(c) ? Kind::space : Kind::other;
  }
};

class BertSplitter final : public WordSplitter {
 public:
  void apply(Words& words) const override {
    spaces_->apply(words);
    punctuation_->apply(words);
  }

 private:
  std::unique_ptr<const WordSplitter> spaces_ =
      by_character(is_white_space, SplitBehavior::removed);
  std::unique_ptr<const WordSplitter> punctuation_ =
      by_character(is_punctuation, SplitBehavior::isolated);
};

std::unique_ptr<const WordSplitter> read_delimiter(const JsonPlace& place) {
  place.allow({"delimiter"});
  size_t at = 0;
  const char32_t wanted = next_code_point(read_character(place["delimiter"]), at);
  return by_character([wanted](char32_t c) { return c == wanted; }, SplitBehavior::removed);
}

}  // namespace

std::unique_ptr<const WordSplitter> make_bert_splitter() {
  return std::make_unique<BertSplitter>();
}

SplitBehavior read_behavior(const JsonPlace& place) {
  constexpr std::pair<std::string_view, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::removed},
      {"Isolated", SplitBehavior::isolated},
      {"MergedWithPrevious", SplitBehavior::merged_with_previous},
      {"MergedWithNext", SplitBehavior::merged_with_next},
      {"Contiguous", SplitBehavior::contiguous}};
  for (const auto& [name, behavior] : kNames) {
    if (place.text() == name) return behavior;
  }
  place.not_understood(fmt::format("\"{}\"", place.text()));
}

std::unique_ptr<const WordSplitter> read_character_splitter(const JsonPlace& place) {
  const std::string_view type = place.type();
  if (type == "BertPreTokenizer") {
    place.allow({});
    return make_bert_splitter();
  }
  if (type == "Whitespace") {
    place.allow({});
    return std::make_unique<WordRuns>();
  }
  if (type == "WhitespaceSplit") {
    place.allow({});
    return by_character(is_white_space, SplitBehavior::removed);
  }
  if (type == "CharDelimiterSplit" || type == "Delimiter") return read_delimiter(place);
  if (type == "Punctuation") {
    place.allow({"behavior"});
    const auto behavior = place.find("behavior");
    return by_character(is_punctuation,
                        behavior ? read_behavior(*behavior) : SplitBehavior::isolated);
  }
  if (type == "Digits") {
    place.allow({"individual_digits"});
    return by_character(is_numeric, place.boolean_or("individual_digits", false)
                                        ? SplitBehavior::isolated
                                        : SplitBehavior::contiguous);
  }
  if (type == "FixedLength") {
    place.allow({"length"});
    const auto length = place.find("length");
    const int64_t count = length ? length->integer() : 5;  // the library's default
    if (count < 1) place.refuse(fmt::format("has the length {}", count));
    return std::make_unique<FixedLength>(static_cast<size_t>(count));
  }
  return nullptr;
}

}  // namespace strata::models
