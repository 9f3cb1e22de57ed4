// Which tokens may come next so that an answer follows its rule. docs/engine/constraints.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "inference/constraint/grammar.h"
#include "inference/constraint/strides.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {

// A set of ids.
struct TokenMask {
  std::vector<uint64_t> bits;
  bool has(int32_t id) const {
    const auto at = static_cast<size_t>(id);
    return (bits[at >> 6] >> (at & 63) & 1) != 0;
  }
};

// The logits with -inf for what is not allowed, and for what the mask does not reach.
void keep_allowed(std::span<const float> logits, const TokenMask& mask, std::vector<float>& out);

// A grammar on a vocabulary, with what was found out about them; from any thread.
class Matcher {
 public:
  Matcher(std::shared_ptr<Grammar> grammar, std::shared_ptr<const TokenTrie> trie);

  ExprId start() const { return grammar_->start; }
  // Finds what all grammars share on this vocabulary, before the first text needs it.
  void prepare_strings();
  // The tokens that a text may go on with; an end token where it may end.
  // Errors: resource_exhausted.
  std::shared_ptr<const TokenMask> mask(ExprId place);
  // The place behind the token; Expressions::kNothing: it was not allowed.
  ExprId behind(ExprId place, int32_t token);
  ExprId behind_reasoning(ExprId place);
  bool may_end(ExprId place);
  // A guess of the tokens behind `last`: what the text goes on with while only one character may
  // stand there, blanks aside, in the longest tokens. Errors as of mask().
  std::vector<int32_t> foretold(ExprId place, int32_t last, int32_t most);
  // Texts have led to so many expressions that another should begin with new ones.
  bool is_worn();

 private:
  struct Arm {
    ExprId block = 0;  // regular
    ExprId tail = 0;   // what follows it
  };
  std::shared_ptr<const TokenMask> compute(ExprId place);
  std::string only_text(ExprId place, char before);
  std::vector<Arm> arms_of(ExprId place);
  const Inside& inside(ExprId block);
  Inside make_inside(ExprId block);
  Inside walk_inside(ExprId block);
  const StringInside& string_tail(size_t i);
  StringInside walk_string(ExprId base);
  std::optional<Inside> limited_string(ExprId block);
  Inside walk_beside(ExprId block, ExprId base, const Inside& known);
  void walk(ExprId place, int32_t node, std::vector<uint64_t>& bits,
            std::vector<int32_t>* crossings);
  bool spread(ExprId place, int32_t node, std::vector<uint64_t>& bits,
              std::vector<int32_t>* crossings);
  void walk_spots(ExprId place, int32_t node, const Stride& stride, std::vector<uint64_t>& bits,
                  std::vector<int32_t>* crossings);
  const TokenTrie::Branch* branch_of(const TokenTrie::Node& node) const;
  void add(int32_t token, std::vector<uint64_t>& bits) const;

  const std::shared_ptr<Grammar> grammar_;
  const std::shared_ptr<const TokenTrie> trie_;
  // Under the grammar's mutex:
  std::unordered_map<ExprId, std::shared_ptr<const TokenMask>> masks_;
  std::unordered_map<ExprId, Inside> insides_;
  size_t kept_bytes_ = 0;
  Strides strides_;
  std::vector<ExprId> path_, other_path_;  // by depth of the walk
};

// How far one answer is. Copies are cheap and independent.
class Constraint {
 public:
  explicit Constraint(std::shared_ptr<Matcher> matcher)
      : matcher_(std::move(matcher)), place_(matcher_->start()) {}

  std::shared_ptr<const TokenMask> mask() const { return matcher_->mask(place_); }
  // False: the token was not allowed, and nothing has changed. An end token ends the text.
  bool accept(int32_t token);
  bool accept_reasoning();  // one that has ended, of which no token was shown
  bool may_end() const { return matcher_->may_end(place_); }
  std::vector<int32_t> foretold(int32_t last, int32_t most) const {
    return matcher_->foretold(place_, last, most);
  }
  // Nothing may follow.
  bool complete() const { return place_ == Expressions::kEmpty; }

 private:
  std::shared_ptr<Matcher> matcher_;
  ExprId place_ = 0;
};

}  // namespace strata::inference
