#include "models/tokenizer/pipeline/word_splitter.h"

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/pipeline/characters.h"
#include "models/tokenizer/prepared_text.h"

namespace strata::models {
namespace {

// Spaces become marks; a mark may be put in front; cut in front of marks.
class Metaspace final : public WordSplitter {
 public:
  Metaspace(std::string_view mark, PrependScheme scheme, bool split)
      : mark_(mark), scheme_(scheme), split_(split) {}

  bool rewrites() const override { return true; }

  void apply(Words& words) const override {
    std::string text;
    text.reserve(words.text.size() + words.text.size() / 3 + mark_.size());
    std::vector<Span> spans;
    for (const Span span : words.spans) {
      const size_t begin = text.size();
      const std::string_view old = words.span_text(span);
      const bool marked = old.starts_with(' ') || old.starts_with(mark_);
      const bool first = words.begins_text && span.begin == 0;
      const bool wanted =
          scheme_ == PrependScheme::always || (scheme_ == PrependScheme::first && first);
      if (wanted && !marked) text += mark_;
      for (const char c : old) c == ' ' ? text += mark_ : text += c;
      cut(text, begin, spans);
    }
    words.rewrite(std::move(text), std::move(spans));
  }

 private:
  void cut(const std::string& text, size_t begin, std::vector<Span>& spans) const {
    SpanWriter writer(spans);
    if (!split_) return writer.put(begin, text.size());
    // Each mark begins a word, those of a run of marks, too.
    size_t last = begin;
    for (size_t at = text.find(mark_, begin); at != std::string::npos;
         at = text.find(mark_, at + mark_.size())) {
      writer.put(last, at);
      last = at;
    }
    writer.put(last, text.size());
  }

  std::string mark_;
  PrependScheme scheme_;
  bool split_;
};

// GPT-2's step: a space in front, its pattern, bytes spelled in the alphabet; each if asked for.
class ByteLevel final : public WordSplitter {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex, bool spell)
      : add_prefix_space_(add_prefix_space), use_regex_(use_regex), spell_(spell) {}

  bool rewrites() const override { return spell_ || add_prefix_space_; }

  void apply(Words& words) const override {
    if (add_prefix_space_) prepend_spaces(words);
    if (use_regex_) make_cuts(split_gpt2)->apply(words);
    if (spell_) spell(words);
  }

 private:
  static void prepend_spaces(Words& words) {
    std::string text;
    text.reserve(words.text.size() + words.spans.size());
    std::vector<Span> spans;
    for (const Span span : words.spans) {
      const size_t begin = text.size();
      if (words.text[span.begin] != ' ') text += ' ';
      text += words.span_text(span);
      SpanWriter(spans).put(begin, text.size());
    }
    words.rewrite(std::move(text), std::move(spans));
  }

  static void spell(Words& words) {
    std::string text;
    text.reserve(words.text.size() + words.text.size() / 2);
    std::vector<Span> spans;
    for (const Span span : words.spans) {
      const size_t begin = text.size();
      for (const char c : words.span_text(span)) text += byte_alphabet()[static_cast<uint8_t>(c)];
      SpanWriter(spans).put(begin, text.size());
    }
    words.rewrite(std::move(text), std::move(spans));
  }

  bool add_prefix_space_, use_regex_, spell_;
};

class Cuts final : public WordSplitter {
 public:
  explicit Cuts(CutFunction cut) : cut_(cut) {}

  void apply(Words& words) const override {
    std::vector<Span> spans;
    spans.reserve(words.text.size() / 4 + words.spans.size());
    Ends ends;
    for (const Span span : words.spans) {
      ends.clear();
      cut_(words.text, span.begin, span.end, ends);
      uint32_t begin = span.begin;
      for (const uint32_t end : ends) {
        SpanWriter(spans).put(begin, end);
        begin = end;
      }
    }
    words.spans.swap(spans);
  }

 private:
  CutFunction cut_;
};

class MarkCuts final : public WordSplitter {
 public:
  explicit MarkCuts(const Vocabulary& vocabulary) : boundaries_(vocabulary) {}

  void apply(Words& words) const override {
    std::vector<Span> spans;
    for (const Span span : words.spans) {
      uint32_t begin = span.begin;
      for (const uint32_t end : boundaries_.cut(words.text, span.begin, {span.end})) {
        SpanWriter(spans).put(begin, end);
        begin = end;
      }
    }
    words.spans.swap(spans);
  }

 private:
  MarkBoundaries boundaries_;
};

std::unique_ptr<const WordSplitter> read_metaspace(const JsonPlace& place) {
  place.allow({"replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
  const std::string mark = read_character(place["replacement"]);
  return make_metaspace(mark, read_prepend_scheme(place), place.boolean_or("split", true));
}

// `last` and plain bytes allowed: the spelling is left to the model.
std::unique_ptr<const WordSplitter> read_byte_level(const JsonPlace& place, bool spell) {
  place.allow({"add_prefix_space", "trim_offsets", "use_regex"});
  const bool add_prefix_space = place.boolean_or("add_prefix_space", true);
  const bool use_regex = place.boolean_or("use_regex", true);
  if (!add_prefix_space && !spell) return use_regex ? make_cuts(split_gpt2) : nullptr;
  return std::make_unique<ByteLevel>(add_prefix_space, use_regex, spell);
}

void flatten(const JsonPlace& place, std::vector<JsonPlace>& out) {
  if (place.type() != "Sequence") {
    out.push_back(place);
    return;
  }
  place.allow({"pretokenizers"});
  const JsonPlace list = place["pretokenizers"];
  for (size_t i = 0; i < list.array().size(); ++i) flatten(list.item(i), out);
}

}  // namespace

std::unique_ptr<const WordSplitter> make_metaspace(std::string_view mark, PrependScheme scheme,
                                                   bool split) {
  return std::make_unique<Metaspace>(mark, scheme, split);
}

std::unique_ptr<const WordSplitter> make_mark_splitter(const Vocabulary& vocabulary) {
  return std::make_unique<MarkCuts>(vocabulary);
}

std::unique_ptr<const WordSplitter> make_cuts(CutFunction cut) {
  return std::make_unique<Cuts>(cut);
}

PrependScheme read_prepend_scheme(const JsonPlace& place) {
  const auto scheme = place.find("prepend_scheme");
  // Older files say it with one flag.
  if (!scheme) {
    return place.boolean_or("add_prefix_space", true) ? PrependScheme::always
                                                      : PrependScheme::never;
  }
  if (scheme->text() == "first") return PrependScheme::first;
  if (scheme->text() == "never") return PrependScheme::never;
  if (scheme->text() == "always") return PrependScheme::always;
  scheme->not_understood(fmt::format("\"{}\"", scheme->text()));
}

SplitterPlan read_splitters(const JsonPlace& place, bool bytes_allowed) {
  std::vector<JsonPlace> places;
  flatten(place, places);
  SplitterPlan plan;
  for (size_t i = 0; i < places.size(); ++i) {
    const JsonPlace& one = places[i];
    const std::string_view type = one.type();
    if (type == "Metaspace") {
      plan.steps.push_back(read_metaspace(one));
    } else if (type == "ByteLevel") {
      plan.byte_symbols = bytes_allowed && i + 1 == places.size();
      if (auto step = read_byte_level(one, !plan.byte_symbols))
        plan.steps.push_back(std::move(step));
    } else if (auto by_character = read_character_splitter(one)) {
      plan.steps.push_back(std::move(by_character));
    } else if (auto by_pattern = read_pattern_splitter(one)) {
      plan.steps.push_back(std::move(by_pattern));
    } else if (auto by_script = read_script_splitter(one)) {
      plan.steps.push_back(std::move(by_script));
    } else {
      one.not_understood(fmt::format("pre-tokenizer \"{}\"", type));
    }
  }
  return plan;
}

}  // namespace strata::models
