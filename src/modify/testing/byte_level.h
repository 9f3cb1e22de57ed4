// For test programs: a tokenizer.json of bytes and a few merges.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/json.h"
#include "models/tokenizer/byte_alphabet.h"

namespace strata::modify {

constexpr int32_t kByteLevelTokens = 261;

// 256 bytes in GPT-2's alphabet, a few merges, and an added token.
inline json::object byte_level(std::string_view pattern) {
  json::object vocab;
  int32_t id = 0;
  for (const std::string& letter : models::byte_alphabet()) vocab[letter] = id++;
  json::array merges;
  for (const auto& [left, right] : {std::pair{"t", "h"}, {"th", "e"}, {"1", "2"}, {"12", "3"}}) {
    vocab[std::string(left) + right] = id++;
    merges.push_back(json::value_from(std::string(left) + " " + right));
  }
  json::object split{{"type", "Split"},
                     {"pattern", json::object{{"Regex", pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}};
  json::object bytes{{"type", "ByteLevel"},
                     {"add_prefix_space", false},
                     {"trim_offsets", true},
                     {"use_regex", false}};
  return {{"version", "1.0"},
          {"added_tokens", json::array{json::object{{"id", id},
                                                    {"content", "<end>"},
                                                    {"single_word", false},
                                                    {"lstrip", false},
                                                    {"rstrip", false},
                                                    {"normalized", false},
                                                    {"special", true}}}},
          {"pre_tokenizer",
           json::object{{"type", "Sequence"}, {"pretokenizers", json::array{split, bytes}}}},
          {"decoder", json::object{{"type", "ByteLevel"},
                                   {"add_prefix_space", true},
                                   {"trim_offsets", true},
                                   {"use_regex", true}}},
          {"model", json::object{{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
}

}  // namespace strata::modify
