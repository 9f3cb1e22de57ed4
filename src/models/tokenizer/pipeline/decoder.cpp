#include "models/tokenizer/pipeline/decoder.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/pipeline/text_pattern.h"
#include "models/tokenizer/pipeline/word_splitter.h"
#include "models/tokenizer/tokenizer_limits.h"
#include "models/tokenizer/vocabulary.h"

namespace strata::models {
namespace {

using Tokens = std::vector<Spelled>;
using Step = std::unique_ptr<const DecoderStep>;

size_t decoded_limit(size_t bytes) {
  return kMaxDecodedGrowth * (bytes + kMaxDecodedGrowth);
}

void replace_text(std::string& text, std::string_view what, std::string_view with) {
  size_t at = text.find(what);
  if (at == std::string::npos) return;
  std::string out;
  size_t last = 0;
  for (; at != std::string::npos; at = text.find(what, last)) {
    out.append(text, last, at - last).append(with);
    last = at + what.size();
  }
  text = out.append(text, last);
}

// U+FFFD for each longest beginning of a character that does not go on, as Rust's strings do it.
std::string lossy_text(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    size_t length = utf8_length_at(bytes, at);
    if (length > 0) {
      out += bytes.substr(at, length);
    } else {
      for (length = 3; length > 1; --length) {
        const std::string_view begun = bytes.substr(at, length);
        if (begun.size() == length && incomplete_utf8_tail(begun) == length) break;
      }
      append_utf8(out, kReplacement);
    }
    at += length;
  }
  return out;
}

// English spacing, as the library mends it.
void clean_up(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [what, with] : kRules) replace_text(text, what, with);
}

void join_all(Tokens& tokens) {
  Spelled all;
  for (const Spelled& token : tokens) {
    all.text += token.text;
    all.limit += token.limit;
  }
  tokens.clear();
  tokens.push_back(std::move(all));
}

// A character's bytes may be of several tokens: what comes behind sees one text, as the library
// has it.
class ByteLevelStep final : public DecoderStep {
 public:
  void apply(Tokens& tokens, Decoding& decoding) const override {
    for (Spelled& token : tokens) {
      if (!token.verbatim) token.text = from_alphabet(token.text);
    }
    if (decoding.whole) join_all(tokens);
  }
};

class WordPieceStep final : public DecoderStep {
 public:
  WordPieceStep(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  void apply(Tokens& tokens, Decoding& decoding) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string& text = tokens[i].text;
      if (i > 0 || !decoding.whole) {
        text.starts_with(prefix_) ? text.erase(0, prefix_.size()) : text.insert(0, " ");
      }
      if (cleanup_) clean_up(text);
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class MetaspaceStep final : public DecoderStep {
 public:
  MetaspaceStep(std::string mark, bool drop_first)
      : mark_(std::move(mark)), drop_first_(drop_first) {}

  void apply(Tokens& tokens, Decoding& decoding) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      replace_text(tokens[i].text, mark_, i == 0 && decoding.whole && drop_first_ ? "" : " ");
    }
  }

 private:
  std::string mark_;
  bool drop_first_;
};

class SuffixStep final : public DecoderStep {
 public:
  explicit SuffixStep(std::string suffix) : suffix_(std::move(suffix)) {}

  void apply(Tokens& tokens, Decoding& decoding) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (suffix_.empty()) break;
      replace_text(tokens[i].text, suffix_, decoding.whole && i + 1 == tokens.size() ? "" : " ");
    }
  }

 private:
  std::string suffix_;
};

// Connectionist temporal classification: repeated tokens are one, then pads go.
class CtcStep final : public DecoderStep {
 public:
  CtcStep(std::string pad, std::string delimiter, bool cleanup)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}

  void apply(Tokens& tokens, Decoding&) const override {
    const auto same = [](const Spelled& a, const Spelled& b) { return a.text == b.text; };
    tokens.erase(std::unique(tokens.begin(), tokens.end(), same), tokens.end());
    for (Spelled& token : tokens) {
      if (!pad_.empty()) replace_text(token.text, pad_, "");
      if (!cleanup_) continue;
      clean_up(token.text);
      if (!delimiter_.empty()) replace_text(token.text, delimiter_, " ");
    }
    std::erase_if(tokens, [](const Spelled& token) { return token.text.empty(); });
  }

 private:
  std::string pad_, delimiter_;
  bool cleanup_;
};

class FuseStep final : public DecoderStep {
 public:
  void apply(Tokens& tokens, Decoding&) const override { join_all(tokens); }
  bool joins() const override { return true; }
};

class StripStep final : public DecoderStep {
 public:
  StripStep(std::string content, size_t start, size_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}

  void apply(Tokens& tokens, Decoding&) const override {
    for (Spelled& token : tokens) {
      std::string_view text = token.text;
      for (size_t i = 0; i < start_ && text.starts_with(content_); ++i) {
        text.remove_prefix(content_.size());
      }
      for (size_t i = 0; i < stop_ && text.ends_with(content_); ++i) {
        text.remove_suffix(content_.size());
      }
      token.text = std::string(text);
    }
  }

 private:
  std::string content_;
  size_t start_, stop_;
};

class ReplaceStep final : public DecoderStep {
 public:
  ReplaceStep(std::string path, TextPattern pattern, std::string content)
      : path_(std::move(path)), pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(Tokens& tokens, Decoding& decoding) const override {
    const bool regex = !pattern_.regex_source().empty();
    for (Spelled& token : tokens) {
      if (regex && !is_valid_utf8(token.text)) {
        // Alone, a part of a character is left as it is: the rest comes with the next token.
        if (!decoding.whole) continue;
        token.text = lossy_text(token.text);
      }
      replace(token, decoding.regex);
    }
  }

 private:
  void replace(Spelled& token, RegexBudget& budget) const {
    const std::string& text = token.text;
    std::string out;
    TextPattern::Search search(pattern_, budget);
    search.start(text);
    size_t last = 0;
    for (size_t begin = 0, end = 0; search.next(begin, end); last = end) {
      if (out.size() + (begin - last) + content_.size() > token.limit) refuse(token.limit);
      out.append(text, last, begin - last).append(content_);
    }
    if (last == 0 && out.empty()) return;
    if (out.size() + text.size() - last > token.limit) refuse(token.limit);
    token.text = out.append(text, last);
  }

  [[noreturn]] void refuse(size_t limit) const {
    throw Error(Code::invalid_argument,
                fmt::format("{}: Replace makes over {} bytes of what it decodes", path_, limit));
  }

  std::string path_;  // in the file
  TextPattern pattern_;
  std::string content_;
};

// <0xHH> is that byte. A run of them that is no valid UTF-8 is one U+FFFD a byte.
class ByteFallbackStep final : public DecoderStep {
 public:
  void apply(Tokens& tokens, Decoding& decoding) const override {
    Tokens out;
    std::string bytes;
    size_t limit = 0;  // of the bytes
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (decoding.whole && !is_valid_utf8(bytes)) {
        std::string replaced;
        for (size_t i = 0; i < bytes.size(); ++i) append_utf8(replaced, kReplacement);
        bytes = replaced;
      }
      out.push_back({std::move(bytes), true, limit});
      bytes.clear();
      limit = 0;
    };
    for (Spelled& token : tokens) {
      const int byte = byte_token_value(token.text);
      if (byte >= 0) {
        bytes += static_cast<char>(byte);
        limit += token.limit;
        continue;
      }
      flush();
      out.push_back(std::move(token));
    }
    flush();
    tokens = std::move(out);
  }
};

Step read_strip(const JsonPlace& place) {
  place.allow({"content", "start", "stop"});
  const int64_t start = place["start"].integer(), stop = place["stop"].integer();
  if (start < 0 || stop < 0) place.refuse("strips a negative number of characters");
  return std::make_unique<StripStep>(read_character(place["content"]), static_cast<size_t>(start),
                                     static_cast<size_t>(stop));
}

Step read_metaspace(const JsonPlace& place) {
  place.allow({"replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
  const bool drop = read_prepend_scheme(place) != PrependScheme::never;
  return make_metaspace_decoder(read_character(place["replacement"]), drop);
}

Step read_one(const JsonPlace& place) {
  const std::string_view type = place.type();
  if (type == "ByteLevel") {
    place.allow({"add_prefix_space", "trim_offsets", "use_regex"});  // of no meaning here
    return std::make_unique<ByteLevelStep>();
  }
  if (type == "WordPiece") {
    place.allow({"prefix", "cleanup"});
    return make_word_piece_decoder(std::string(place.text_or("prefix", "##")),
                                   place.boolean_or("cleanup", true));
  }
  if (type == "Metaspace") return read_metaspace(place);
  if (type == "BPEDecoder") {
    place.allow({"suffix"});
    return std::make_unique<SuffixStep>(std::string(place.text_or("suffix", "</w>")));
  }
  if (type == "CTC") {
    place.allow({"pad_token", "word_delimiter_token", "cleanup"});
    return std::make_unique<CtcStep>(std::string(place.text_or("pad_token", "<pad>")),
                                     std::string(place.text_or("word_delimiter_token", "|")),
                                     place.boolean_or("cleanup", true));
  }
  if (type == "Strip") return read_strip(place);
  if (type == "Replace") {
    place.allow({"pattern", "content"});
    return std::make_unique<ReplaceStep>(place.path(), TextPattern::read(place["pattern"]),
                                         std::string(place["content"].text()));
  }
  place.allow({});
  if (type == "Fuse") return std::make_unique<FuseStep>();
  if (type == "ByteFallback") return std::make_unique<ByteFallbackStep>();
  place.not_understood(fmt::format("decoder \"{}\"", type));
}

void read_steps(const JsonPlace& place, std::vector<Step>& out) {
  if (place.type() != "Sequence") {
    if (out.size() == kMaxDecoderSteps) {
      place.refuse(fmt::format("is one step more than {}, the limit", kMaxDecoderSteps));
    }
    out.push_back(read_one(place));
    return;
  }
  place.allow({"decoders"});
  const JsonPlace list = place["decoders"];
  for (size_t i = 0; i < list.array().size(); ++i) read_steps(list.item(i), out);
}

}  // namespace

std::unique_ptr<const DecoderStep> make_word_piece_decoder(std::string prefix, bool cleanup) {
  return std::make_unique<WordPieceStep>(std::move(prefix), cleanup);
}

std::unique_ptr<const DecoderStep> make_metaspace_decoder(std::string mark, bool drop_first) {
  return std::make_unique<MetaspaceStep>(std::move(mark), drop_first);
}

std::unique_ptr<const DecoderStep> make_byte_fallback_decoder() {
  return std::make_unique<ByteFallbackStep>();
}

Decoder Decoder::read(const JsonPlace& place) {
  std::vector<Step> steps;
  read_steps(place, steps);
  return Decoder(std::move(steps));
}

std::string Decoder::decode(std::vector<Spelled> tokens) const {
  size_t bytes = 0;
  for (Spelled& token : tokens) {
    token.limit = decoded_limit(token.text.size());
    bytes += token.text.size();
  }
  Decoding decoding{true, RegexBudget(bytes)};
  for (const auto& step : steps_) step->apply(tokens, decoding);
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && steps_.empty()) text += ' ';
    text += tokens[i].text;
  }
  return text;
}

std::string Decoder::piece(Spelled token) const {
  token.limit = decoded_limit(token.text.size());
  Decoding decoding{false, RegexBudget::of_token(token.text.size())};
  Tokens tokens = {std::move(token)};
  if (steps_.empty()) tokens[0].text.insert(0, " ");
  for (const auto& step : steps_) {
    if (step->joins()) break;
    step->apply(tokens, decoding);
  }
  std::string text;
  for (const Spelled& part : tokens) text += part.text;
  return text;
}

}  // namespace strata::models
