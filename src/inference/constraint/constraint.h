// Which tokens may come next so that an answer follows its rule. docs/engine/constraints.md
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "inference/constraint/grammar.h"
#include "inference/constraint/insides.h"
#include "inference/constraint/token_mask.h"
#include "inference/constraint/token_trie.h"

namespace strata::inference {

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
  struct Ahead {
    ExprId place = Expressions::kNothing;
    std::shared_ptr<const TokenMask> mask;
  };
  // behind(), and the mask there, for a token that is only guessed. Nothing: it is not allowed, or
  // to say so is much work, which a guess is not worth, nor the places that it leads to.
  Ahead ahead(ExprId place, int32_t token);
  ExprId behind_reasoning(ExprId place);
  bool may_end(ExprId place);
  // A guess of the tokens behind `last`: what the text goes on with while only one character may
  // stand there, blanks aside, in the longest tokens. None where it is much work to say.
  std::vector<int32_t> foretold(ExprId place, int32_t last, int32_t most);
  // Texts have led to so many expressions that another should begin with new ones.
  bool is_worn();

 private:
  struct Arm {
    ExprId block = 0;  // regular, or any value of JSON
    ExprId tail = 0;   // what follows it
  };
  // Under the mutex, with as many steps as were allowed.
  std::shared_ptr<const TokenMask> find_mask(ExprId place);
  ExprId derive(ExprId place, int32_t token);
  std::shared_ptr<const TokenMask> compute(ExprId place);
  std::string only_text(ExprId place, char before);
  std::vector<Arm> arms_of(ExprId place);
  void add(const Arm& arm, TokenBits& bits);
  void add_behind(const std::vector<Arm>& arms, int32_t node, TokenBits& bits);
  void add_json(const Arm& arm, int32_t node, TokenBits& bits);
  std::vector<Arm> json_arms(ExprId place);

  const std::shared_ptr<Grammar> grammar_;
  const std::shared_ptr<const TokenTrie> trie_;
  // Under the grammar's mutex:
  std::unordered_map<ExprId, std::shared_ptr<const TokenMask>> masks_;
  size_t kept_bytes_ = 0;  // of them
  Insides insides_;
};

// How far one answer is. Copies are cheap and independent.
class Constraint {
 public:
  explicit Constraint(std::shared_ptr<Matcher> matcher)
      : matcher_(std::move(matcher)), place_(matcher_->start()) {}

  std::shared_ptr<const TokenMask> mask() const { return matcher_->mask(place_); }
  // False: the token was not allowed, and nothing has changed. An end token ends the text.
  bool accept(int32_t token);
  // The same for a guess: the mask behind it; null where Matcher::ahead() says nothing.
  std::shared_ptr<const TokenMask> accept_guess(int32_t token);
  bool accept_reasoning();  // one that has ended, of which no token was shown
  bool may_end() const { return matcher_->may_end(place_); }
  std::vector<int32_t> foretold(int32_t last, int32_t most) const {
    return matcher_->foretold(place_, last, most);
  }
  // Nothing may follow.
  bool complete() const { return place_ == Expressions::kEmpty; }
  bool operator==(const Constraint&) const = default;  // the same may follow

 private:
  std::shared_ptr<Matcher> matcher_;
  ExprId place_ = 0;
};

}  // namespace strata::inference
