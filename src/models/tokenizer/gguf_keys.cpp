#include "models/tokenizer/gguf_keys.h"

#include <array>
#include <unordered_map>

#include "core/error.h"
#include "models/tokenizer/pipeline/json_merges.h"
#include "models/tokenizer/pipeline/json_vocabulary.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

// Kinds of vocabularies differ in how they cut digits, contractions, capitals, white space, line
// ends, punctuation and scripts, and in what they do with bytes that are no token.
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
    "def f(x):\n    return x**2  # comment\n",
    " leading and trailing ",
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

bool agree(const Tokenizer& a, const Tokenizer& b) {
  for (const char* probe : kProbes) {
    if (a.encode_text(probe) != b.encode_text(probe)) return false;
  }
  return a.bos() == b.bos() && a.eos() == b.eos() && a.add_bos() == b.add_bos() &&
         a.add_eos() == b.add_eos();
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
    return agree(*Tokenizer::from_gguf(probe), wanted);
  } catch (const Error&) {  // what this kind can't say at all
    return false;
  }
}

std::vector<Say> ways_of_bpe(const JsonPlace& model, const Vocabulary& vocabulary) {
  std::vector<Say> ways;
  const auto merges = std::make_shared<const Merges>(read_merges(model));
  for (const PreTokenizerSpec& spec : pre_tokenizer_table()) {
    ways.push_back([merges, name = *spec.names.begin()](MadeFile& file) {
      file.set_text("tokenizer.ggml.model", "gpt2");
      file.set_text("tokenizer.ggml.pre", name);
      file.set_texts("tokenizer.ggml.merges", merges->texts);
    });
  }
  // SentencePiece merges what spells the token with the best score; base symbols have none.
  std::vector<float> scores;
  for (const std::string_view token : vocabulary.tokens) {
    const auto merged = merges->first_rank.find(std::string(token));
    scores.push_back(merged == merges->first_rank.end() ? 0.0f : -merged->second);
  }
  for (const bool space_prefix : {false, true}) {
    ways.push_back([scores, space_prefix](MadeFile& file) {
      file.set_text("tokenizer.ggml.model", "llama");
      file.set_numbers("tokenizer.ggml.scores", scores);
      file.set_flag("tokenizer.ggml.add_space_prefix", space_prefix);
    });
  }
  return ways;
}

}  // namespace

void set_gguf_vocabulary(MadeFile& file, std::string_view tokenizer_json,
                         const TokenizerFacts& facts,
                         const std::shared_ptr<const Tokenizer>& tokenizer) {
  const json::value document =
      parse_json(tokenizer_json, {.max_bytes = kMaxTokenizerJsonBytes, .max_depth = 32});
  const JsonPlace root(document, "tokenizer.json");
  JsonVocabulary read = read_json_vocabulary(root, facts, tokenizer->n_vocab());
  read.vocabulary.ids = tokenizer->special_ids();
  std::vector<Say> ways;
  if (read.kind == ModelKind::bpe) ways = ways_of_bpe(root["model"], read.vocabulary);
  const auto flags = [&](MadeFile& out) {
    out.set_flag("tokenizer.ggml.add_bos_token", tokenizer->add_bos());
    out.set_flag("tokenizer.ggml.add_eos_token", tokenizer->add_eos());
  };
  for (const Say& say : ways) {
    const Say with_flags = [&](MadeFile& out) { say(out), flags(out); };
    if (!try_kind(read.vocabulary, *tokenizer, with_flags)) continue;
    set_tokens(file, read.vocabulary);
    with_flags(file);
    file.set_text("tokenizer.huggingface.json", tokenizer_json);
    return;
  }
  throw Error(Code::unimplemented,
              "no kind of GGUF vocabulary gives the ids of this tokenizer.json",
              "the folder itself can be run: strata pull ./FOLDER");
}

}  // namespace strata::models
