#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/byte_trie.h"
#include "models/tokenizer/pipeline/word_models.h"

namespace strata::models {
namespace {

class UnigramModel final : public WordModel {
 public:
  UnigramModel(const Vocabulary& vocabulary, UnigramRules rules)
      : vocabulary_(&vocabulary), rules_(std::move(rules)) {
    CHECK(rules_.scores.size() <= vocabulary.size());
    double lowest = rules_.scores.empty() ? 0 : rules_.scores[0];
    for (size_t i = 0; i < rules_.scores.size(); ++i) {
      lowest = std::min(lowest, rules_.scores[i]);
      // Text never becomes a control token, whatever it spells.
      const auto id = static_cast<TokenId>(i);
      if (vocabulary.is_text(id)) trie_.insert(vocabulary.token(id), id);
    }
    unknown_score_ = rules_.lowest.value_or(lowest) - rules_.unknown_penalty;
  }

  void encode(std::string_view word, WordScratch& scratch,
              std::vector<TokenId>& ids) const override {
    find_paths(word, scratch.paths);
    // From the end to the beginning.
    scratch.symbols.clear();
    for (size_t end = word.size(); end > 0;) {
      const BestPath& path = scratch.paths[end];
      const auto begin = static_cast<uint32_t>(path.begin);
      const uint32_t length = static_cast<uint32_t>(end) - begin;
      auto& pieces = scratch.symbols;
      const bool fuses =
          path.id < 0 && rules_.fuse_unknown && !pieces.empty() && pieces.back().id < 0;
      if (fuses) {
        pieces.back().begin = begin;
        pieces.back().length += length;
      } else {
        pieces.push_back({path.id, begin, length});
      }
      end = begin;
    }
    for (auto piece = scratch.symbols.rbegin(); piece != scratch.symbols.rend(); ++piece) {
      if (piece->id >= 0) {
        ids.push_back(piece->id);
      } else {
        append_unknown(word.substr(piece->begin, piece->length), ids);
      }
    }
  }

 private:
  static void offer(BestPath& target, double score, TokenId id, size_t begin) {
    if (target.begin >= 0 && score <= target.score) return;
    target = {score, id, static_cast<int32_t>(begin)};
  }

  double sum(double a, double b) const {
    if (!rules_.single_precision) return a + b;
    return static_cast<double>(static_cast<float>(a) + static_cast<float>(b));
  }

  // paths[end]: the best segmentation of word[0, end).
  void find_paths(std::string_view word, std::vector<BestPath>& paths) const {
    paths.assign(word.size() + 1, BestPath{});
    for (size_t begin = 0; begin < word.size();) {
      const double score = paths[begin].score;
      const size_t character = utf8_length_at(word, begin);
      bool has_character = false;
      int32_t node = ByteTrie::kRoot;
      for (size_t end = begin; end < word.size();) {
        node = trie_.child(node, static_cast<uint8_t>(word[end++]));
        if (node < 0) break;
        const TokenId id = trie_.token(node);
        if (id < 0) continue;
        offer(paths[end], sum(score, rules_.scores[static_cast<size_t>(id)]), id, begin);
        has_character = has_character || end == begin + character;
      }
      if (!has_character) offer(paths[begin + character], sum(score, unknown_score_), -1, begin);
      begin += character;
    }
  }

  void append_unknown(std::string_view text, std::vector<TokenId>& ids) const {
    const auto id_of = [&](char c) { return vocabulary_->byte_ids[static_cast<uint8_t>(c)]; };
    const bool bytes = rules_.byte_fallback &&
                       std::all_of(text.begin(), text.end(), [&](char c) { return id_of(c) >= 0; });
    if (bytes) {
      for (const char c : text) ids.push_back(id_of(c));
    } else if (rules_.unknown >= 0) {
      ids.push_back(rules_.unknown);
    } else {
      throw Error(Code::invalid_argument,
                  fmt::format("{} bytes of the text are not in the vocabulary, which has no token "
                              "for unknown text",
                              text.size()));
    }
  }

  const Vocabulary* vocabulary_;
  UnigramRules rules_;
  ByteTrie trie_;
  double unknown_score_ = 0;
};

}  // namespace

std::unique_ptr<const WordModel> make_unigram(const Vocabulary& vocabulary, UnigramRules rules) {
  return std::make_unique<UnigramModel>(vocabulary, std::move(rules));
}

}  // namespace strata::models
