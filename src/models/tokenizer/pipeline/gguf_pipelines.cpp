// GGUF's kinds "bert" (WordPiece) and "t5" (Unigram), assembled from the bricks of tokenizer.json.
#include "core/error.h"
#include "models/tokenizer/pipeline/sentence_pipeline.h"
#include "models/tokenizer/pipeline/word_models.h"
#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/vocabulary_tokenizer.h"

namespace strata::models {
namespace {

TokenId optional_id(const Vocabulary& vocabulary, std::string_view key) {
  const auto id = vocabulary.file->integer(key);
  if (!id || *id == -1 || *id == 0xFFFFFFFF) return -1;
  if (*id < 0 || static_cast<uint64_t>(*id) >= vocabulary.size()) {
    throw Error(Code::invalid_argument, fmt::format("{}: {} is no token of a vocabulary of {}", key,
                                                    *id, vocabulary.size()));
  }
  return static_cast<TokenId>(*id);
}

Pipeline word_piece_pipeline(const Vocabulary& vocabulary) {
  Pipeline parts;
  parts.added = added_tokens(vocabulary);
  BertRules bert;
  bert.lowercase = vocabulary.file->boolean("tokenizer.ggml.normalizer.lowercase").value_or(true);
  bert.strip_accents =
      vocabulary.file->boolean("tokenizer.ggml.normalizer.strip_accents").value_or(bert.lowercase);
  parts.normalizers.push_back(make_bert_normalizer(bert));
  parts.splitters.push_back(make_bert_splitter());
  WordPieceRules rules;
  rules.first_prefix = kSpaceMark;  // the converter's way to say that a piece begins its word
  rules.prefix = "";
  rules.unknown = vocabulary.ids.unknown;
  parts.model = make_word_piece(vocabulary, std::move(rules));
  parts.wrap = wrap_of(vocabulary);
  std::vector<std::unique_ptr<const DecoderStep>> steps;
  steps.push_back(make_metaspace_decoder(std::string(kSpaceMark), true));
  parts.decoder = Decoder(std::move(steps));
  return parts;
}

SentenceRules unigram_rules(const Vocabulary& vocabulary) {
  const ModelFile& file = *vocabulary.file;
  SentenceRules rules;
  constexpr std::string_view kCharsmap = "tokenizer.ggml.precompiled_charsmap";
  if (const MetaValue* map = file.find(kCharsmap)) {
    const bool bytes = map->type == MetaType::array &&
                       (map->element == MetaType::u8 || map->element == MetaType::i8);
    if (!bytes) {
      throw Error(Code::invalid_argument, fmt::format("{}: not an array of bytes", kCharsmap));
    }
    rules.charsmap = {reinterpret_cast<const char*>(map->bytes.data()), map->bytes.size()};
  }
  rules.separator = optional_id(vocabulary, "tokenizer.ggml.seperator_token_id");
  rules.merge_spaces = file.boolean("tokenizer.ggml.remove_extra_whitespaces").value_or(false);
  return rules;
}

}  // namespace

std::shared_ptr<const Tokenizer> make_gguf_word_piece(std::shared_ptr<const ModelFile> file) {
  VocabularyDefaults defaults;
  defaults.add_bos = true;
  Vocabulary vocabulary = read_vocabulary(file, defaults);
  SpecialIds& ids = vocabulary.ids;
  if (ids.bos < 0) ids.bos = optional_id(vocabulary, "tokenizer.ggml.cls_token_id");
  // Older files spell the key so, and llama.cpp still does.
  if (ids.eos < 0) ids.eos = optional_id(vocabulary, "tokenizer.ggml.seperator_token_id");
  vocabulary.add_eos = file->boolean("tokenizer.ggml.add_eos_token").value_or(true);
  if (ids.unknown < 0) {
    throw Error(Code::invalid_argument,
                "tokenizer.ggml.unknown_token_id: the file has none, and WordPiece needs one");
  }
  return make_pipeline_tokenizer(std::move(vocabulary), word_piece_pipeline);
}

std::shared_ptr<const Tokenizer> make_gguf_unigram(std::shared_ptr<const ModelFile> file) {
  VocabularyDefaults defaults;
  defaults.ids.eos = 1;  // T5's own first three
  defaults.ids.unknown = 2;
  defaults.add_space_prefix = true;
  Vocabulary vocabulary = read_vocabulary(file, defaults);
  vocabulary.add_eos = file->boolean("tokenizer.ggml.add_eos_token").value_or(true);
  if (vocabulary.score_bytes.empty()) {
    throw Error(Code::invalid_argument,
                "tokenizer.ggml.scores: the file has none, and Unigram goes by them");
  }
  if (file->boolean("tokenizer.ggml.treat_whitespace_as_suffix").value_or(false)) {
    throw Error(Code::unimplemented,
                "tokenizer.ggml.treat_whitespace_as_suffix: spaces behind words are not known");
  }
  return make_pipeline_tokenizer(std::move(vocabulary), [](const Vocabulary& read) {
    return make_sentence_pipeline(read, unigram_rules(read));
  });
}

}  // namespace strata::models
