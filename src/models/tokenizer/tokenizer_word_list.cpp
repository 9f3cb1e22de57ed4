#include "models/tokenizer/tokenizer_word_list.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/error.h"
#include "core/json.h"
#include "models/format/gguf_part.h"
#include "models/tokenizer/gguf_keys.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

constexpr std::string_view kFile = "vocab.txt";
constexpr std::string_view kFirst = "[CLS]", kLast = "[SEP]", kUnknown = "[UNK]", kMark = "##";
constexpr std::array kSpecial{kFirst, kLast, kUnknown, std::string_view("[PAD]"),
                              std::string_view("[MASK]")};

using Words = std::map<std::string_view, int64_t>;

[[noreturn]] void not_known(std::string_view why) {
  throw Error(Code::unimplemented, fmt::format("{}: {}", kFile, why),
              "fetch or make the model's tokenizer.json");
}

// Of a word that is there twice the last line counts, as in Python's dict.
Words words_of(std::string_view text) {
  Words words;
  for (int64_t id = 0; !text.empty(); ++id) {
    if (static_cast<size_t>(id) >= kMaxVocabulary) {
      throw Error(Code::invalid_argument,
                  fmt::format("{}: more than {} lines", kFile, kMaxVocabulary));
    }
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view word = text.substr(0, end);
    if (word.ends_with('\r')) word.remove_suffix(1);
    if (word.size() > kMaxTokenBytes) {
      throw Error(Code::invalid_argument, fmt::format("{}: line {} has {} bytes, the limit is {}",
                                                      kFile, id + 1, word.size(), kMaxTokenBytes));
    }
    words[word] = id;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

json::array added_of(const Words& words, const TokenizerFacts& facts) {
  std::map<int64_t, std::pair<std::string, bool>> added;
  for (const AddedFact& fact : facts.added) added[fact.id] = {fact.content, fact.special};
  for (const std::string_view special : kSpecial) {
    const auto found = words.find(special);
    if (found != words.end()) added[found->second] = {std::string(special), true};
  }
  json::array out;
  for (const auto& [id, token] : added) {
    out.push_back({{"id", id},
                   {"content", token.first},
                   {"single_word", false},
                   {"lstrip", false},
                   {"rstrip", false},
                   {"normalized", !token.second},
                   {"special", token.second}});
  }
  return out;
}

}  // namespace

std::string json_of_word_list(std::string_view text, const TokenizerFacts& facts) {
  const Words words = words_of(text);
  for (const std::string_view needed : {kFirst, kLast, kUnknown}) {
    if (!words.contains(needed)) not_known(fmt::format("it has no '{}'", needed));
  }
  if (!facts.words.cutter.empty()) {
    not_known(fmt::format("words are cut by '{}' first", printable(facts.words.cutter)));
  }
  json::object vocabulary;
  vocabulary.reserve(words.size());
  for (const auto& [word, id] : words) vocabulary[word] = id;
  json::value accents = nullptr;  // which leaves it to `lowercase`
  if (facts.words.strip_accents) accents = *facts.words.strip_accents;
  const json::object document{
      {"version", "1.0"},
      {"added_tokens", added_of(words, facts)},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", facts.words.cut_chinese},
        {"strip_accents", accents},
        {"lowercase", facts.words.lower_case}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "BertProcessing"},
        {"sep", json::array{kLast, words.at(kLast)}},
        {"cls", json::array{kFirst, words.at(kFirst)}}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", kMark}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", kUnknown},
        {"continuing_subword_prefix", kMark},
        {"max_input_chars_per_word", 100},
        {"vocab", std::move(vocabulary)}}}};
  return to_json(document);
}

std::shared_ptr<const Tokenizer> tokenizer_from_word_list(std::string_view text,
                                                          const TokenizerFacts& facts,
                                                          int32_t n_vocab) {
  return tokenizer_from_json(json_of_word_list(text, facts), facts, n_vocab);
}

void set_gguf_word_list(MadeFile& file, std::string_view text, const TokenizerFacts& facts,
                        const std::shared_ptr<const Tokenizer>& tokenizer) {
  set_gguf_vocabulary(file, json_of_word_list(text, facts), facts, tokenizer);
}

}  // namespace strata::models
