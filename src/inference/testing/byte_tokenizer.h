// A vocabulary for tests: every byte, some longer pieces, BOS and EOS. No file is needed.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace strata::inference::testing {

// Ids 0..255 are the bytes; then the pieces; then EOS and BOS.
class ByteTokenizer : public models::Tokenizer {
 public:
  explicit ByteTokenizer(std::vector<std::string> pieces = {}) : pieces_(std::move(pieces)) {}

  // Longest piece first.
  std::vector<models::TokenId> encode(const models::MarkedText& text) const override {
    std::vector<models::TokenId> ids;
    for (size_t at = 0; at < text.text.size();) {
      models::TokenId best = static_cast<unsigned char>(text.text[at]);
      size_t length = 1;
      for (size_t i = 0; i < pieces_.size(); ++i) {
        if (pieces_[i].size() <= length) continue;
        if (text.text.compare(at, pieces_[i].size(), pieces_[i]) != 0) continue;
        best = static_cast<models::TokenId>(256 + i);
        length = pieces_[i].size();
      }
      ids.push_back(best);
      at += length;
    }
    return ids;
  }
  std::string piece(models::TokenId id, bool spell_control) const override {
    if (id == eos()) return spell_control ? "<eos>" : "";
    if (id == bos()) return spell_control ? "<bos>" : "";
    if (id < 256) return std::string(1, static_cast<char>(id));
    return pieces_[static_cast<size_t>(id) - 256];
  }
  std::string decode(std::span<const models::TokenId> ids, bool spell_control) const override {
    std::string text;
    for (models::TokenId id : ids) text += piece(id, spell_control);
    return text;
  }
  int32_t n_vocab() const override { return static_cast<int32_t>(258 + pieces_.size()); }
  models::TokenKind kind(models::TokenId id) const override {
    return id == eos() || id == bos() ? models::TokenKind::control : models::TokenKind::normal;
  }
  models::TokenId eos() const override {
    return static_cast<models::TokenId>(256 + pieces_.size());
  }
  models::TokenId bos() const override { return eos() + 1; }
  bool add_bos() const override { return false; }
  bool add_eos() const override { return false; }
  bool ends_generation(models::TokenId id) const override { return id == eos(); }
  models::TokenId find(std::string_view token) const override {
    const auto it = std::find(pieces_.begin(), pieces_.end(), token);
    return it == pieces_.end() ? -1 : static_cast<models::TokenId>(256 + (it - pieces_.begin()));
  }

  const models::SpecialIds& special_ids() const override { return special_; }

 private:
  std::vector<std::string> pieces_;
  models::SpecialIds special_;
};

}  // namespace strata::inference::testing
