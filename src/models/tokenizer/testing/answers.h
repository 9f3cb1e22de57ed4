// Files of answers that other programs gave for our test texts: a comment, then one line for every
// kBlock texts with hashes and, for some lines, the ids of the block's first text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace strata::models::testing {

constexpr uint32_t kBlock = 20;    // texts a line
constexpr uint32_t kTexts = 5000;  // in a file

// FNV-1a over numbers, text after text, folded to 32 bits.
class AnswerHash {
 public:
  template <typename Numbers>
  void add(const Numbers& numbers) {
    for (const auto number : numbers) mix(static_cast<uint32_t>(number));
    mix(UINT32_MAX);
  }
  void add_bytes(const std::string& text) { add(std::vector<uint8_t>(text.begin(), text.end())); }
  uint32_t value() const { return static_cast<uint32_t>(state_ ^ (state_ >> 32)); }

 private:
  void mix(uint32_t number) { state_ = (state_ ^ number) * 0x100000001B3u; }
  uint64_t state_ = 0xCBF29CE484222325u;
};

struct Answer {
  std::vector<uint32_t> hashes;
  std::vector<TokenId> plain_ids, special_ids;  // empty on most lines
};

// All lines. Errors: not_found when the file or some of its lines are missing.
std::vector<Answer> read_answers(const std::filesystem::path& path, size_t hashes_a_line);
std::string read_file(const std::filesystem::path& path);

}  // namespace strata::models::testing
