// The grammars that a model's requests ask for, compiled once and kept for those that come again.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "inference/constraint/constraint.h"
#include "inference/engine.h"

namespace strata::inference {

// From any thread.
class Matchers {
 public:
  Matchers(std::shared_ptr<const models::Tokenizer> tokenizer, int32_t n_tokens);

  // Of what a request says of its output; null where it says nothing. Errors: those of compile().
  std::shared_ptr<Matcher> find(const GenerateRequest& request);

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<Matcher> matcher;
  };
  std::shared_ptr<Matcher> find_kept(const std::string& key);
  std::shared_ptr<const TokenTrie> trie();

  const std::shared_ptr<const models::Tokenizer> tokenizer_;
  const int32_t n_tokens_;
  std::mutex mutex_;
  std::list<Kept> kept_;  // used last stands first
  std::mutex trie_mutex_;
  std::shared_ptr<const TokenTrie> trie_;
};

}  // namespace strata::inference
