// What was found out of blocks on a vocabulary, for all grammars that have the same ones: numbers,
// any value, names that many schemas ask for.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
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

// Few bytes at a time behind each other, as many as a block's text may have: std::string's append
// took half of the time of writing one.
class BlockText {
 public:
  static constexpr size_t kMostBytes = 4096;

  bool add(std::string_view bytes);  // false: they are too many
  template <typename T>
  bool add(const T& value) {
    return add(std::string_view(reinterpret_cast<const char*>(&value), sizeof(T)));
  }
  std::string_view behind(size_t begin) const { return {bytes_.data() + begin, size_ - begin}; }
  size_t size() const { return size_; }
  void cut(size_t size) { size_ = size; }

 private:
  std::array<char, kMostBytes> bytes_;
  size_t size_ = 0;
};

inline bool BlockText::add(std::string_view bytes) {
  if (bytes.size() > kMostBytes - size_) return false;
  std::memcpy(bytes_.data() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
  return true;
}

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
  bool write(ExprId id, BlockText& out);
  bool write_list(ExprId id, BlockText& out);

  const Expressions& x_;
  std::unordered_map<ExprId, std::string> lists_;
  size_t size_bytes_ = 0;
};

// From any thread.
class InsideStore {
 public:
  // Most blocks are looked for in vain, and each that stands in the same place takes two lines of
  // the cache.
  InsideStore() { at_.max_load_factor(0.25F); }

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
