#include "models/tokenizer/json_from_gguf.h"

#include <algorithm>
#include <unordered_map>

#include "core/base64.h"
#include "core/error.h"
#include "core/json.h"
#include "models/tokenizer/gguf_keys.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/tokenizer_json.h"
#include "models/tokenizer/tokenizer_json_parts.h"
#include "models/tokenizer/vocabulary_tokenizer.h"

namespace strata::models {
namespace {

constexpr char kGpt2Words[] =
    R"~('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)~";

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Code::unimplemented, fmt::format("{} can't be written as tokenizer.json yet", what));
}

json::object step_of(const SplitStep& step) {
  switch (step.kind) {
    case SplitKind::regex:
    case SplitKind::words:
      return split_step(pattern_of(step));
    case SplitKind::gpt2:
      return split_step(kGpt2Words);
    case SplitKind::digits:
      return {{"type", "Digits"}, {"individual_digits", true}};
    case SplitKind::lines:
      return split_step("[^\\n]+|[\\n]+");
    case SplitKind::digit_groups:
      return split_step(R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$)))");
    case SplitKind::ascii_digit_groups:
      return split_step(R"((?=(\d{3})+(?!\d)))");
  }
  refuse("its pre-tokenizer");
}

json::object replace(std::string_view from, std::string_view to) {
  return {{"type", "Replace"}, {"pattern", json::object{{"String", from}}}, {"content", to}};
}

json::object sequence(std::string_view member, json::array parts) {
  return {{"type", "Sequence"}, {member, std::move(parts)}};
}

json::object vocab_of(const Vocabulary& vocabulary) {
  json::object out;
  for (size_t i = 0; i < vocabulary.size(); ++i) out[vocabulary.tokens[i]] = i;
  return out;
}

// Characters of valid UTF-8 begin where no continuation byte stands.
bool begins_character(std::string_view text, size_t at) {
  return (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
}

// SentencePiece merges, of all neighbours that spell a token, those of the best score. As a list:
// each token's parts, the tokens by falling score (transformers, convert_slow_tokenizer,
// generate_merges).
json::array merges_by_score(const Vocabulary& vocabulary) {
  struct Merge {
    TokenId left, right, whole;
  };
  std::vector<Merge> merges;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (vocabulary.kind(id) != TokenKind::normal) continue;
    const std::string_view token = vocabulary.token(id);
    const size_t first = merges.size();
    for (size_t at = 1; at < token.size(); ++at) {
      if (!begins_character(token, at)) continue;
      const TokenId left = vocabulary.table.find(token.substr(0, at));
      const TokenId right = vocabulary.table.find(token.substr(at));
      if (left >= 0 && right >= 0) merges.push_back({left, right, id});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(),
              [](const Merge& a, const Merge& b) {
                return std::pair(a.left, a.right) < std::pair(b.left, b.right);
              });
  }
  std::stable_sort(merges.begin(), merges.end(), [&](const Merge& a, const Merge& b) {
    return vocabulary.score(a.whole) > vocabulary.score(b.whole);
  });
  json::array out;
  for (const Merge& merge : merges) {
    out.emplace_back(json::array{json::string(vocabulary.token(merge.left)),
                                 json::string(vocabulary.token(merge.right))});
  }
  return out;
}

void byte_pairs(const ModelFile& file, const Vocabulary& vocabulary, json::object& out) {
  const auto name = file.text("tokenizer.ggml.pre");
  const PreTokenizerSpec& spec = find_pre_tokenizer(name && !name->empty() ? *name : "default");
  if (!spec.byte_level) refuse(fmt::format("the pre-tokenizer '{}'", *name));
  json::array steps;
  for (const SplitStep& step : spec.steps) steps.emplace_back(step_of(step));
  steps.emplace_back(byte_level_step(false, false));
  if (file.boolean(kComposeKey).value_or(false)) out["normalizer"] = {{"type", "NFC"}};
  out["pre_tokenizer"] = sequence("pretokenizers", std::move(steps));
  out["decoder"] = byte_level_step(false, true);
  json::array merges;
  const auto pairs = file.texts("tokenizer.ggml.merges").value();
  for (const std::string_view merge : pairs) {
    merges.emplace_back(json::string(merge));
  }
  out["model"] = json::object{{"type", "BPE"},
                              {"dropout", nullptr},
                              {"unk_token", nullptr},
                              {"continuing_subword_prefix", nullptr},
                              {"end_of_word_suffix", nullptr},
                              {"fuse_unk", false},
                              {"byte_fallback", false},
                              {"ignore_merges", spec.whole_words},
                              {"vocab", vocab_of(vocabulary)},
                              {"merges", std::move(merges)}};
}

json::value spelled(const Vocabulary& vocabulary, TokenId id) {
  if (id < 0) return nullptr;
  return json::value(json::string(vocabulary.token(id)));
}

void scored_pairs(const ModelFile&, const Vocabulary& vocabulary, json::object& out) {
  json::array normalizers, decoders;
  if (vocabulary.add_space_prefix) {
    normalizers.emplace_back(json::object{{"type", "Prepend"}, {"prepend", kSpaceMark}});
  }
  normalizers.emplace_back(replace(" ", kSpaceMark));
  decoders.emplace_back(replace(kSpaceMark, " "));
  decoders.emplace_back(json::object{{"type", "ByteFallback"}});
  decoders.emplace_back(json::object{{"type", "Fuse"}});
  if (vocabulary.add_space_prefix) {
    decoders.emplace_back(
        json::object{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  out["normalizer"] = sequence("normalizers", std::move(normalizers));
  out["decoder"] = sequence("decoders", std::move(decoders));
  out["model"] = json::object{{"type", "BPE"},
                              {"dropout", nullptr},
                              {"unk_token", spelled(vocabulary, vocabulary.ids.unknown)},
                              {"continuing_subword_prefix", nullptr},
                              {"end_of_word_suffix", nullptr},
                              {"fuse_unk", true},
                              {"byte_fallback", true},
                              {"ignore_merges", false},
                              {"vocab", vocab_of(vocabulary)},
                              {"merges", merges_by_score(vocabulary)}};
}

void unigram(const ModelFile& file, const Vocabulary& vocabulary, json::object& out) {
  json::array normalizers;
  if (const MetaValue* map = file.find("tokenizer.ggml.precompiled_charsmap")) {
    normalizers.emplace_back(
        json::object{{"type", "Precompiled"}, {"precompiled_charsmap", base64(map->bytes)}});
  }
  if (file.boolean("tokenizer.ggml.remove_extra_whitespaces").value_or(false)) {
    normalizers.emplace_back(
        json::object{{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    normalizers.emplace_back(json::object{
        {"type", "Replace"}, {"pattern", json::object{{"Regex", " {2,}"}}}, {"content", " "}});
  }
  const json::object metaspace{{"type", "Metaspace"},
                               {"replacement", kSpaceMark},
                               {"prepend_scheme", vocabulary.add_space_prefix ? "always" : "never"},
                               {"split", true}};
  if (!normalizers.empty()) out["normalizer"] = sequence("normalizers", std::move(normalizers));
  out["pre_tokenizer"] = metaspace;
  out["decoder"] = metaspace;
  json::array vocab;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    vocab.emplace_back(
        json::array{json::string(vocabulary.token(id)), static_cast<double>(vocabulary.score(id))});
  }
  out["model"] = json::object{{"type", "Unigram"},
                              {"unk_id", vocabulary.ids.unknown},
                              {"vocab", std::move(vocab)},
                              {"byte_fallback", false}};
}

// GGUF marks the pieces that begin a word, WordPiece those that do not.
void word_pieces(const ModelFile& file, const Vocabulary& vocabulary, json::object& out) {
  json::object vocab;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const std::string_view token = vocabulary.tokens[i];
    const bool plain = vocabulary.kinds[i] == TokenKind::normal;
    if (!plain) {
      vocab[token] = i;
    } else if (token.starts_with(kSpaceMark)) {
      vocab[token.substr(kSpaceMark.size())] = i;
    } else {
      vocab["##" + std::string(token)] = i;
    }
  }
  const bool lower = file.boolean("tokenizer.ggml.normalizer.lowercase").value_or(true);
  out["normalizer"] = json::object{
      {"type", "BertNormalizer"},
      {"clean_text", true},
      {"handle_chinese_chars", true},
      {"strip_accents", file.boolean("tokenizer.ggml.normalizer.strip_accents").value_or(lower)},
      {"lowercase", lower}};
  out["pre_tokenizer"] = json::object{{"type", "BertPreTokenizer"}};
  out["decoder"] = json::object{{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  out["model"] = json::object{{"type", "WordPiece"},
                              {"unk_token", spelled(vocabulary, vocabulary.ids.unknown)},
                              {"continuing_subword_prefix", "##"},
                              {"max_input_chars_per_word", 100},
                              {"vocab", std::move(vocab)}};
}

json::array added_tokens_of(const Vocabulary& vocabulary) {
  json::array out;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const TokenKind kind = vocabulary.kinds[i];
    const bool special = kind == TokenKind::control || kind == TokenKind::unknown;
    if (!special && kind != TokenKind::user_defined) continue;
    out.emplace_back(added_token(static_cast<int64_t>(i), vocabulary.tokens[i], false, special));
  }
  return out;
}

json::value post_processor(const Tokenizer& tokenizer) {
  const auto piece = [&](bool added, TokenId id) {
    return added && id >= 0 ? tokenizer.piece(id, true) : std::string();
  };
  const std::string first = piece(tokenizer.add_bos(), tokenizer.bos());
  const std::string last = piece(tokenizer.add_eos(), tokenizer.eos());
  if (first.empty() && last.empty()) return nullptr;
  return template_around({first, tokenizer.bos()}, {last, tokenizer.eos()});
}

struct Kind {
  std::string_view name;  // of tokenizer.ggml.model
  bool space_prefix;      // unless the file says otherwise
  void (*write)(const ModelFile&, const Vocabulary&, json::object&);
};

const Kind& kind_of(std::string_view name) {
  static const Kind kinds[] = {{"gpt2", false, byte_pairs},
                               {"llama", true, scored_pairs},
                               {"t5", true, unigram},
                               {"bert", false, word_pieces}};
  for (const Kind& kind : kinds) {
    if (kind.name == name) return kind;
  }
  refuse(fmt::format("a vocabulary of the kind '{}'", name));
}

}  // namespace

std::string tokenizer_json_of(const std::shared_ptr<const ModelFile>& file) {
  const auto tokenizer = Tokenizer::from_gguf(file);
  if (const auto whole = file->text("tokenizer.huggingface.json")) return std::string(*whole);
  const Kind& kind = kind_of(file->text("tokenizer.ggml.model").value_or(""));
  VocabularyDefaults defaults;
  defaults.add_space_prefix = kind.space_prefix;
  Vocabulary vocabulary = read_vocabulary(file, defaults);
  vocabulary.ids = tokenizer->special_ids();
  json::object out{{"version", "1.0"},      {"truncation", nullptr},
                   {"padding", nullptr},    {"added_tokens", added_tokens_of(vocabulary)},
                   {"normalizer", nullptr}, {"pre_tokenizer", nullptr}};
  out["post_processor"] = post_processor(*tokenizer);
  kind.write(*file, vocabulary, out);
  std::string text = to_json(out);
  TokenizerFacts facts;
  facts.bos = tokenizer->bos();
  facts.eos = tokenizer->eos();
  if (!same_ids(*tokenizer, *tokenizer_from_json(text, facts, tokenizer->n_vocab()))) {
    refuse(fmt::format("this vocabulary ({})", kind.name));
  }
  return text;
}

}  // namespace strata::models
