// What was found out of blocks on a vocabulary, for all grammars that have the same ones: numbers,
// any value, names that many schemas ask for.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "inference/constraint/expression.h"
#include "inference/constraint/token_mask.h"

namespace strata::inference {

// Which tokens stay inside a block of a grammar, and where others leave it.
struct Inside {
  TokenBits bits;  // over ids; empty: few, in ids
  std::vector<int32_t> ids;
  std::vector<int32_t> crossings;  // nodes with children behind which the block may be over
  bool open = false;  // it may be over nearly anywhere, and is walked with what follows it

  size_t size_bytes() const { return bits.size() * 8 + (ids.size() + crossings.size()) * 4; }
};

// Blocks as texts, the same in every grammar. Of lists, as the content of any string, each text is
// made once a grammar.
class BlockTexts {
 public:
  explicit BlockTexts(const Expressions& x) : x_(x) {}

  std::optional<std::string> of(ExprId block);  // nothing: it is too large to be kept
  // Of one of Expressions::json_rules, behind a node.
  std::string of_json(ExprId rule, int32_t node) const;
  size_t size_bytes() const { return size_bytes_; }
  void clear();

 private:
  bool write(ExprId id, std::string& out);
  bool write_list(ExprId id, std::string& out);

  const Expressions& x_;
  std::unordered_map<ExprId, std::string> lists_;
  size_t size_bytes_ = 0;
};

// From any thread.
class InsideStore {
 public:
  std::shared_ptr<const Inside> find(const std::string& block);  // null: not known
  void keep(const std::string& block, std::shared_ptr<const Inside> inside);

 private:
  using Kept = std::pair<std::string, std::shared_ptr<const Inside>>;

  std::mutex mutex_;
  std::list<Kept> kept_;                                                // used last first
  std::unordered_map<std::string_view, std::list<Kept>::iterator> at_;  // into kept_
  size_t kept_bytes_ = 0;
};

}  // namespace strata::inference
