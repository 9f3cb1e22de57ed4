#include "models/tokenizer/gguf_keys.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <unordered_map>

#include "core/error.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/pipeline/base64.h"
#include "models/tokenizer/pipeline/json_merges.h"
#include "models/tokenizer/pipeline/json_vocabulary.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/tokenizer_limits.h"
#include "models/tokenizer/tokenizer_ranks.h"
#include "models/tokenizer/tokenizer_sentencepiece.h"
#include "models/tokenizer/vocabulary_tokenizer.h"

namespace strata::models {
namespace {

// Kinds of vocabularies differ in how they cut digits, contractions, capitals, white space (before
// digits, too), line ends, punctuation and scripts, and in what they do with bytes that are no
// token.
constexpr std::array kProbes{
    "Hello, world!",
    "I'm you're WE'LL they'd IT'S 'tis don't",
    "0 12 123 1234 12345678 3.14159 1,000,000 x1y22z333",
    "  two  spaces   three    four\tand\t\ttabs ",
    "line\nline\n\nline\r\n  indented\n\t\tmore \n ",
    "camelCaseAndPascalCase SHOUTING McDonald iPhone",
    "!?... --- ((a)) [b] {c} <d> #e $5 %f ^g &h *i* ~j `k` |l| \\m /n",
    "Größe naïve Ωμέγα Привет мир שלום مرحبا नमस्ते ไทย",
    "你好，世界。今天是2024年。 こんにちは 안녕하세요",
    "👍🏽 👩‍👩‍👧‍👦 🇩🇪 \xE2\x82\xAC \xC2\xA0 \xE3\x80\x80 \xEF\xBC\xA1",
    "e\xCC\x81 a\xCC\x8A n\xCC\x83",
    "450\xF0\x9F\xA4\x96   m\xE1\xBB\xA0\xC5\xA6\xF0\xA0\xB5\xBA\xCC\x91\xC5\xB8 aBcDeF ABCdef",
    "def f(x):\n    return x**2  # comment\n",
    " leading and trailing ",
    "a  1   22\n\n333\r\n4444 \t55    66    (x)   \xE4\xBD\xA0    \xC3\xA9",
    "\n",
    " ",
    "a",
};

// The tokens that each pair of tokens merges to, and when.
struct Merges {
  std::vector<std::string> texts;                     // "a b"
  std::unordered_map<std::string, float> first_rank;  // by what they become
};

Merges read_merges(const JsonPlace& model) {
  Merges out;
  const JsonMerges merges(model["merges"]);
  for (size_t i = 0; i < merges.size(); ++i) {
    const auto [left, right] = merges.at(i);
    const std::string both(left);
    out.first_rank.emplace(both + std::string(right), static_cast<float>(i));
    out.texts.push_back(both + " " + std::string(right));
  }
  return out;
}

void set_tokens(MadeFile& file, const Vocabulary& vocabulary) {
  const std::vector<std::string> tokens(vocabulary.tokens.begin(), vocabulary.tokens.end());
  std::vector<int32_t> kinds;
  for (const TokenKind kind : vocabulary.kinds) kinds.push_back(static_cast<int32_t>(kind));
  file.set_texts("tokenizer.ggml.tokens", tokens);
  file.set_integers("tokenizer.ggml.token_type", kinds);
  const auto set_id = [&](const char* key, TokenId id) {
    if (id >= 0) file.set_integer(key, id);
  };
  set_id("tokenizer.ggml.bos_token_id", vocabulary.ids.bos);
  set_id("tokenizer.ggml.eos_token_id", vocabulary.ids.eos);
  set_id("tokenizer.ggml.unknown_token_id", vocabulary.ids.unknown);
  set_id("tokenizer.ggml.eot_token_id", vocabulary.ids.end_of_turn);
}

// One way to say it: sets its keys.
using Say = std::function<void(MadeFile&)>;

std::shared_ptr<MadeFile> empty_file() {
  return std::make_shared<MadeFile>("vocabulary", 0, nullptr, [](std::span<const std::byte>) {});
}

bool try_kind(const Vocabulary& vocabulary, const Tokenizer& wanted, const Say& say) {
  const auto probe = empty_file();
  set_tokens(*probe, vocabulary);
  say(*probe);
  try {
    return same_ids(*Tokenizer::from_gguf(probe), wanted);
  } catch (const Error&) {  // what this kind can't say at all
    return false;
  }
}

std::vector<Say> ways_of_scores(const std::vector<float>& scores) {
  std::vector<Say> ways;
  for (const bool space_prefix : {false, true}) {
    ways.push_back([scores, space_prefix](MadeFile& file) {
      file.set_text("tokenizer.ggml.model", "llama");
      file.set_numbers("tokenizer.ggml.scores", scores);
      file.set_flag("tokenizer.ggml.add_space_prefix", space_prefix);
    });
  }
  return ways;
}

// Whether the normalizer is NFC and nothing else.
bool composes(const JsonPlace& root) {
  const auto normalizer = root.find("normalizer");
  if (!normalizer) return false;
  const auto list = normalizer->find("normalizers");
  if (!list) return normalizer->text_or("type", "") == "NFC";
  return list->array().size() == 1 && list->item(0).text_or("type", "") == "NFC";
}

// The pattern of the only step that splits by one, also in a sequence; empty: there is none.
std::string published_pattern(const JsonPlace& root) {
  const auto pre_tokenizer = root.find("pre_tokenizer");
  if (!pre_tokenizer) return {};
  std::vector<JsonPlace> steps{*pre_tokenizer};
  if (const auto list = pre_tokenizer->find("pretokenizers")) {
    steps.clear();
    for (size_t i = 0; i < list->array().size(); ++i) steps.push_back(list->item(i));
  }
  std::string found;
  for (const JsonPlace& step : steps) {
    const auto pattern = step.find("pattern");
    if (!pattern || !pattern->find("Regex")) continue;
    if (!found.empty()) return {};
    found = (*pattern)["Regex"].text();
  }
  return found;
}

// All, those that have this very pattern, and take words whole or not, before those that may only
// do so to the texts that tell kinds apart.
std::vector<PreTokenizerSpec> specs_for(std::string_view pattern, bool whole_words) {
  std::vector<PreTokenizerSpec> specs(pre_tokenizer_table().begin(), pre_tokenizer_table().end());
  std::ranges::stable_partition(
      specs, [&](const PreTokenizerSpec& spec) { return spec.whole_words == whole_words; });
  std::ranges::stable_partition(specs, [&](const PreTokenizerSpec& spec) {
    return spec.steps.size() == 1 && !pattern.empty() && pattern_of(*spec.steps.begin()) == pattern;
  });
  return specs;
}

std::vector<Say> ways_of_bpe(const JsonPlace& root, const Vocabulary& vocabulary) {
  std::vector<Say> ways;
  const auto merges = std::make_shared<const Merges>(read_merges(root["model"]));
  const bool compose = composes(root);
  const bool whole_words = root["model"].boolean_or("ignore_merges", false);
  for (const PreTokenizerSpec& spec : specs_for(published_pattern(root), whole_words)) {
    ways.push_back([merges, compose, name = *spec.names.begin()](MadeFile& file) {
      file.set_text("tokenizer.ggml.model", "gpt2");
      file.set_text("tokenizer.ggml.pre", name);
      if (compose) file.set_flag(kComposeKey, true);
      file.set_texts("tokenizer.ggml.merges", merges->texts);
    });
  }
  // SentencePiece merges what spells the token with the best score; base symbols have none.
  std::vector<float> scores;
  for (const std::string_view token : vocabulary.tokens) {
    const auto merged = merges->first_rank.find(std::string(token));
    scores.push_back(merged == merges->first_rank.end() ? 0.0f : -merged->second);
  }
  std::ranges::move(ways_of_scores(scores), std::back_inserter(ways));
  return ways;
}

// GGUF marks the pieces that begin a word, WordPiece those that do not.
std::vector<Say> ways_of_word_piece(const JsonPlace& root, const Vocabulary& vocabulary) {
  const std::string prefix(root["model"].text_or("continuing_subword_prefix", "##"));
  std::vector<std::string> tokens;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const std::string token(vocabulary.tokens[i]);
    if (vocabulary.kinds[i] != TokenKind::normal) {
      tokens.push_back(token);
    } else {
      tokens.push_back(token.starts_with(prefix) ? token.substr(prefix.size())
                                                 : std::string(kSpaceMark) + token);
    }
  }
  std::vector<Say> ways;
  for (const bool lowercase : {true, false}) {
    for (const bool strip_accents : {lowercase, !lowercase}) {
      ways.push_back([tokens, lowercase, strip_accents](MadeFile& file) {
        file.set_text("tokenizer.ggml.model", "bert");
        file.set_texts("tokenizer.ggml.tokens", tokens);
        // What is absent is lower case without accents; other programs know nothing else.
        if (!lowercase) file.set_flag("tokenizer.ggml.normalizer.lowercase", lowercase);
        if (strip_accents != lowercase) {
          file.set_flag("tokenizer.ggml.normalizer.strip_accents", strip_accents);
        }
        const auto same_id = [&](const char* key, const char* as) {
          if (const auto id = file.integer(as)) file.set_integer(key, *id);
        };
        same_id("tokenizer.ggml.cls_token_id", "tokenizer.ggml.bos_token_id");
        same_id("tokenizer.ggml.seperator_token_id", "tokenizer.ggml.eos_token_id");
      });
    }
  }
  return ways;
}

// The bytes of a normalizer "Precompiled", also in a sequence; empty: there is none.
std::string charsmap_of(const JsonPlace& root) {
  const auto normalizer = root.find("normalizer");
  if (!normalizer) return {};
  if (const auto map = normalizer->find("precompiled_charsmap")) {
    return from_base64(map->text()).value_or("");
  }
  const auto list = normalizer->find("normalizers");
  for (size_t i = 0; list && i < list->array().size(); ++i) {
    if (const auto map = list->item(i).find("precompiled_charsmap")) {
      return from_base64(map->text()).value_or("");
    }
  }
  return {};
}

std::vector<Say> ways_of_unigram(std::vector<float> scores, const std::string& charsmap,
                                 size_t n_tokens) {
  scores.resize(n_tokens);
  std::vector<Say> ways;
  for (const bool merge_spaces : {true, false}) {
    for (const bool space_prefix : {true, false}) {
      ways.push_back([scores, charsmap, merge_spaces, space_prefix](MadeFile& file) {
        file.set_text("tokenizer.ggml.model", "t5");
        file.set_numbers("tokenizer.ggml.scores", scores);
        file.set_flag("tokenizer.ggml.add_space_prefix", space_prefix);
        file.set_flag("tokenizer.ggml.remove_extra_whitespaces", merge_spaces);
        if (!charsmap.empty()) file.set_bytes("tokenizer.ggml.precompiled_charsmap", charsmap);
      });
    }
  }
  return ways;
}

// Of vocabularies that merge whatever spells the token of the least rank: the two parts that each
// token comes of, when only those before it may be merged; "a b" in the byte alphabet. A token that
// no such two parts spell is only taken as a whole word.
std::vector<std::string> merges_of_ranks(const Vocabulary& vocabulary) {
  std::vector<std::string> merges;
  std::vector<std::string_view> parts;
  for (size_t rank = 0; rank < vocabulary.size(); ++rank) {
    const std::string_view token = vocabulary.tokens[rank];
    if (vocabulary.kinds[rank] != TokenKind::normal || token.size() < 2) continue;
    parts.clear();
    for (size_t i = 0; i < token.size(); ++i) parts.push_back(token.substr(i, 1));
    while (parts.size() > 2) {
      auto best = static_cast<TokenId>(rank);
      size_t at = parts.size();
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        const std::string_view both(parts[i].data(), parts[i].size() + parts[i + 1].size());
        const TokenId id = vocabulary.table.find(both);
        if (id >= 0 && id < best && vocabulary.kind(id) == TokenKind::normal) {
          best = id;
          at = i;
        }
      }
      if (at == parts.size()) break;
      parts[at] = {parts[at].data(), parts[at].size() + parts[at + 1].size()};
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    if (parts.size() == 2) merges.push_back(to_alphabet(parts[0]) + " " + to_alphabet(parts[1]));
  }
  return merges;
}

// Sets the keys of the first way that gives the ids of `tokenizer`.
void choose(MadeFile& file, const Vocabulary& vocabulary, const Tokenizer& tokenizer,
            std::span<const Say> ways, std::string_view form) {
  for (const Say& say : ways) {
    const Say with_flags = [&](MadeFile& out) {
      say(out);
      out.set_flag("tokenizer.ggml.add_bos_token", tokenizer.add_bos());
      out.set_flag("tokenizer.ggml.add_eos_token", tokenizer.add_eos());
    };
    if (!try_kind(vocabulary, tokenizer, with_flags)) continue;
    set_tokens(file, vocabulary);
    with_flags(file);
    return;
  }
  throw Error(Code::unimplemented,
              fmt::format("no kind of GGUF vocabulary gives the ids of this {}", form),
              "the folder itself can be run: strata pull ./FOLDER");
}

}  // namespace

void set_gguf_ends(MadeFile& file, const TokenizerFacts& facts, const Tokenizer& tokenizer) {
  const SpecialIds& roles = tokenizer.special_ids();
  std::vector<int32_t> further;
  for (const TokenId id : facts.end_ids) {
    const bool has_role = id == roles.eos || id == roles.end_of_turn || id == roles.end_of_message;
    if (!has_role && tokenizer.ends_generation(id)) further.push_back(id);
  }
  if (!further.empty()) file.set_integers(kEndIdsKey, further);
}

bool same_ids(const Tokenizer& a, const Tokenizer& b) {
  for (const char* probe : kProbes) {
    if (a.encode_text(probe) != b.encode_text(probe)) return false;
  }
  return a.bos() == b.bos() && a.eos() == b.eos() && a.add_bos() == b.add_bos() &&
         a.add_eos() == b.add_eos();
}

void set_gguf_vocabulary(MadeFile& file, std::string_view tokenizer_json,
                         const TokenizerFacts& facts,
                         const std::shared_ptr<const Tokenizer>& tokenizer) {
  const json::value document =
      parse_json(tokenizer_json, {.max_bytes = kMaxTokenizerJsonBytes, .max_depth = 32});
  const JsonPlace root(document, "tokenizer.json");
  JsonVocabulary read = read_json_vocabulary(root, facts, tokenizer->n_vocab());
  read.vocabulary.ids = tokenizer->special_ids();
  std::vector<Say> ways;
  if (read.kind == ModelKind::bpe) ways = ways_of_bpe(root, read.vocabulary);
  if (read.kind == ModelKind::word_piece) ways = ways_of_word_piece(root, read.vocabulary);
  if (read.kind == ModelKind::unigram) {
    ways = ways_of_unigram(std::vector<float>(read.scores.begin(), read.scores.end()),
                           charsmap_of(root), read.vocabulary.size());
  }
  choose(file, read.vocabulary, *tokenizer, ways, "tokenizer.json");
  file.set_text("tokenizer.huggingface.json", tokenizer_json);
}

void set_gguf_sentencepiece(MadeFile& file, std::string_view model, const TokenizerFacts& facts,
                            const std::shared_ptr<const Tokenizer>& tokenizer) {
  const SentenceModel read = read_sentencepiece(model, facts, tokenizer->n_vocab());
  if (read.rules.separator >= 0) {
    file.set_integer("tokenizer.ggml.seperator_token_id", read.rules.separator);
  }
  std::vector<float> scores;
  for (size_t i = 0; i < read.vocabulary.size(); ++i) {
    scores.push_back(read.vocabulary.score(static_cast<TokenId>(i)));
  }
  choose(file, read.vocabulary, *tokenizer,
         read.rules.merges_by_score
             ? ways_of_scores(scores)
             : ways_of_unigram(scores, std::string(read.rules.charsmap), scores.size()),
         "SentencePiece model");
}

namespace {

void set_ranks(MadeFile& file, const RankedModel& read,
               const std::shared_ptr<const Tokenizer>& tokenizer, std::string_view form) {
  const std::vector<std::string> merges = merges_of_ranks(read.vocabulary);
  std::vector<std::string> tokens;
  for (size_t i = 0; i < read.vocabulary.size(); ++i) {
    const bool plain = read.vocabulary.kinds[i] == TokenKind::normal;
    const std::string_view token = read.vocabulary.tokens[i];
    tokens.push_back(plain ? to_alphabet(token) : std::string(token));
  }
  std::vector<Say> ways;
  for (const PreTokenizerSpec& spec : specs_for(read.pattern, true)) {
    ways.push_back([&merges, &tokens, name = *spec.names.begin()](MadeFile& out) {
      out.set_text("tokenizer.ggml.model", "gpt2");
      out.set_text("tokenizer.ggml.pre", name);
      out.set_texts("tokenizer.ggml.tokens", tokens);
      out.set_texts("tokenizer.ggml.merges", merges);
    });
  }
  choose(file, read.vocabulary, *tokenizer, ways, form);
}

}  // namespace

void set_gguf_tekken(MadeFile& file, std::string_view tekken_json, const TokenizerFacts& facts,
                     const std::shared_ptr<const Tokenizer>& tokenizer) {
  set_ranks(file, read_tekken(tekken_json, facts, tokenizer->n_vocab()), tokenizer, "tekken.json");
}

void set_gguf_tiktoken(MadeFile& file, std::string_view text, const TokenizerFacts& facts,
                       const std::shared_ptr<const Tokenizer>& tokenizer) {
  set_ranks(file, read_tiktoken(text, facts, tokenizer->n_vocab()), tokenizer, "tiktoken file");
}

}  // namespace strata::models
