#include "models/hf_tokenizer.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "models/tokenizer/gguf_keys.h"
#include "models/tokenizer/older_tokenizer.h"
#include "models/tokenizer/tokenizer_json.h"
#include "models/tokenizer/tokenizer_ranks.h"
#include "models/tokenizer/tokenizer_sentencepiece.h"

namespace strata::models {
namespace {

using Read = std::shared_ptr<const Tokenizer> (*)(std::string_view, const TokenizerFacts&, int32_t);
using Write = void (*)(MadeFile&, std::string_view, const TokenizerFacts&,
                       const std::shared_ptr<const Tokenizer>&);

// tokenizer.model is SentencePiece's, or tiktoken's text.
std::shared_ptr<const Tokenizer> from_model(std::string_view text, const TokenizerFacts& facts,
                                            int32_t n_vocab) {
  return is_tiktoken(text) ? tokenizer_from_tiktoken(text, facts, n_vocab)
                           : tokenizer_from_sentencepiece(text, facts, n_vocab);
}
void set_model(MadeFile& file, std::string_view text, const TokenizerFacts& facts,
               const std::shared_ptr<const Tokenizer>& tokenizer) {
  (is_tiktoken(text) ? set_gguf_tiktoken : set_gguf_sentencepiece)(file, text, facts, tokenizer);
}

struct Form {
  std::string_view file;
  Read read;
  Write write;  // as GGUF's keys
};
constexpr std::string_view kFairseq = "sentencepiece.bpe.model";
constexpr std::array kForms{
    Form{"tokenizer.json", tokenizer_from_json, set_gguf_vocabulary},
    Form{"tekken.json", tokenizer_from_tekken, set_gguf_tekken},
    Form{"tiktoken.model", tokenizer_from_tiktoken, set_gguf_tiktoken},
    Form{"tokenizer.tiktoken", tokenizer_from_tiktoken, set_gguf_tiktoken},
    Form{"tokenizer.model", from_model, set_model},
    Form{"spm.model", tokenizer_from_sentencepiece, set_gguf_sentencepiece},
    Form{"spiece.model", tokenizer_from_sentencepiece, set_gguf_sentencepiece},
    Form{kFairseq, tokenizer_from_sentencepiece, set_gguf_sentencepiece},
};

// The texts of the files beside the vocabulary.
struct Beside {
  explicit Beside(const HfFolder& folder) {
    const auto text = [&](std::string_view file) { return folder.text(file).value_or(""); };
    tokenizer_config = text("tokenizer_config.json");
    special_tokens_map = text("special_tokens_map.json");
    added_tokens = text("added_tokens.json");
    generation_config = text("generation_config.json");
    config = to_json(folder.config());  // without Python's bare numbers
  }
  TokenizerFiles files() const {
    return {.tokenizer_config = tokenizer_config,
            .special_tokens_map = special_tokens_map,
            .added_tokens = added_tokens,
            .generation_config = generation_config,
            .config = config};
  }

  std::string tokenizer_config, special_tokens_map, added_tokens, generation_config, config;
};

TokenizerFacts facts_of(const HfFolder& folder, const Form& form) {
  const Beside beside(folder);
  TokenizerFiles files = beside.files();
  if (form.read == Read{tokenizer_from_json}) files.added_tokens = {};  // it says all itself
  TokenizerFacts facts = read_tokenizer_facts(files);
  facts.fairseq_order = form.file == kFairseq;
  return facts;
}

constexpr std::array<std::string_view, 2> kOlder{"vocab.txt", "vocab.json"};

// The tokenizer.json that vocab.txt, or vocab.json with merges.txt, stand for.
std::optional<std::string> json_of_older_files(const HfFolder& folder) {
  const Beside beside(folder);
  if (const auto vocab = folder.text(kOlder[0], kMaxHfTokenizer)) {
    return tokenizer_json_of_words(*vocab, beside.files());
  }
  const auto vocab = folder.text(kOlder[1], kMaxHfTokenizer);
  const auto merges = folder.text("merges.txt", kMaxHfTokenizer);
  if (vocab && merges) return tokenizer_json_of_merges(*vocab, *merges, beside.files());
  return std::nullopt;
}

// The first form that the folder has, with its text.
std::pair<const Form*, std::string> form_of(const HfFolder& folder) {
  std::string looked_for;
  for (const Form& form : kForms) {
    if (auto text = folder.text(form.file, kMaxHfTokenizer)) return {&form, std::move(*text)};
    looked_for += form.file;
    looked_for += ", ";
  }
  if (auto json = json_of_older_files(folder)) return {kForms.data(), std::move(*json)};
  throw Error(Code::not_found,
              fmt::format("{} holds no tokenizer that can be read", folder.path().string()),
              "one of these is needed: " + looked_for + "vocab.txt, vocab.json with merges.txt");
}

}  // namespace

std::vector<std::string_view> tokenizer_files() {
  std::vector<std::string_view> files;
  for (const Form& form : kForms) files.push_back(form.file);
  files.insert(files.end(), kOlder.begin(), kOlder.end());
  return files;
}

std::shared_ptr<const Tokenizer> tokenizer_of(const HfFolder& folder, int32_t n_vocab) {
  const auto [form, text] = form_of(folder);
  return form->read(text, facts_of(folder, *form), n_vocab);
}

void set_vocabulary(MadeFile& file, const HfFolder& folder, int32_t n_vocab) {
  const auto [form, text] = form_of(folder);
  const TokenizerFacts facts = facts_of(folder, *form);
  const auto tokenizer = form->read(text, facts, n_vocab);
  form->write(file, text, facts, tokenizer);
  set_gguf_ends(file, facts, *tokenizer);
}

}  // namespace strata::models
