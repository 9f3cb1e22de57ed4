#include "models/tokenizer/testing/tiny_json.h"

#include "models/tokenizer/byte_alphabet.h"

namespace strata::models::testing {
namespace {

json::object added(int id, std::string_view content, bool special) {
  return {{"id", id},
          {"content", json::string(content)},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", !special},
          {"special", special}};
}

json::object document(json::object model) {
  return {{"version", "1.0"},          {"truncation", nullptr},
          {"padding", nullptr},        {"added_tokens", json::array()},
          {"normalizer", nullptr},     {"pre_tokenizer", nullptr},
          {"post_processor", nullptr}, {"decoder", nullptr},
          {"model", std::move(model)}};
}

json::object special_part(std::string_view id) {
  return {{"SpecialToken", {{"id", json::string(id)}, {"type_id", 0}}}};
}

json::object text_part(std::string_view id = "A") {
  return {{"Sequence", {{"id", json::string(id)}, {"type_id", 0}}}};
}

}  // namespace

json::object tiny_json_bpe() {
  json::object vocab;
  for (const std::string& character : byte_alphabet()) {
    vocab.emplace(character, static_cast<int64_t>(vocab.size()));
  }
  for (const char* text : {"he", "ll", "hell", "hello", "Ġw"}) {
    vocab.emplace(text, static_cast<int64_t>(vocab.size()));
  }
  auto out = document({{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"vocab", std::move(vocab)},
                       {"merges", {"h e", "l l", "he ll", "hell o", "Ġ w"}}});
  out["added_tokens"] = {added(261, "[TOOL]", false), added(262, "<|start|>", true),
                         added(263, "<|im_end|>", true)};
  out["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  out["decoder"] = {{"type", "ByteLevel"}};
  out["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {special_part("<|start|>"), text_part()}},
      {"pair", {special_part("<|start|>"), text_part(), text_part("B")}},
      {"special_tokens",
       {{"<|start|>", {{"id", "<|start|>"}, {"ids", {262}}, {"tokens", {"<|start|>"}}}}}}};
  return out;
}

json::object tiny_json_word_piece() {
  json::object vocab;
  for (const char* text : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "he", "##llo", "hello", "w", ","}) {
    vocab.emplace(text, static_cast<int64_t>(vocab.size()));
  }
  auto out = document({{"type", "WordPiece"},
                       {"unk_token", "[UNK]"},
                       {"continuing_subword_prefix", "##"},
                       {"max_input_chars_per_word", 100},
                       {"vocab", std::move(vocab)}});
  out["added_tokens"] = {added(0, "[PAD]", true), added(1, "[UNK]", true), added(2, "[CLS]", true),
                         added(3, "[SEP]", true)};
  out["normalizer"] = {{"type", "BertNormalizer"}};
  out["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  out["post_processor"] = {
      {"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}};
  out["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  return out;
}

json::object tiny_json_unigram() {
  const auto piece = [](const char* text, double score) { return json::array{text, score}; };
  auto out = document({{"type", "Unigram"},
                       {"unk_id", 0},
                       {"vocab",
                        {piece("<unk>", 0), piece("<s>", 0), piece("</s>", 0), piece("▁", -3),
                         piece("▁a", -2), piece("a", -2.5), piece("b", -2.5), piece("ab", -4)}}});
  out["added_tokens"] = {added(0, "<unk>", true), added(1, "<s>", true), added(2, "</s>", true)};
  out["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}, {"split", true}};
  out["decoder"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}, {"split", true}};
  return out;
}

}  // namespace strata::models::testing
