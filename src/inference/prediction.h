// Guesses the next tokens of an answer from a text that its caller expects it to be, such as a file
// that is to come back with a line changed. The answer is followed through that text; where it
// leaves it, its last tokens are looked for there, nearest to where it left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace strata::inference {

class Prediction {
 public:
  explicit Prediction(std::vector<int32_t> expected);

  void push(int32_t token);  // the answer's next one
  // At most `most` tokens that may follow.
  std::span<const int32_t> next(int32_t most) const;

  int32_t size() const { return static_cast<int32_t>(expected_.size()); }
  int32_t n_met() const { return n_met_; }  // of its tokens, those that the answer has

 private:
  void meet(size_t begin, size_t end);
  void leave();
  void find();
  bool goes_on_at(size_t place);

  static constexpr int32_t kLeastMatch = 3;
  static constexpr int32_t kMostMatch = 24;

  const std::vector<int32_t> expected_;
  std::vector<int32_t> answer_;
  std::vector<bool> met_;
  int32_t n_met_ = 0;
  // Of each kLeastMatch tokens their hash and where the token behind them stands; sorted.
  std::vector<std::pair<uint64_t, size_t>> places_;
  std::optional<size_t> at_ = 0;  // where the answer goes on, while it follows
  size_t left_at_ = 0;
  // How many tokens have to match before it is followed again: more after a short way.
  int32_t match_wanted_ = kLeastMatch;
  std::optional<size_t> found_at_;  // where it was found again
};

}  // namespace strata::inference
