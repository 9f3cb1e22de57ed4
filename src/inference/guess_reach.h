// How many guesses of a source are worth verifying. A rule foretells a text whose tokens the model
// may write otherwise: then the first guess is wrong and so are all behind it, each of which cost a
// row.
#pragma once

#include <algorithm>
#include <cstdint>

namespace strata::inference {

class GuessReach {
 public:
  // Of n guesses that there are; 0 while the last ones did not pay.
  int32_t of(int32_t n) {
    if (left_out_ > 0) {
      --left_out_;
      return 0;
    }
    return std::min(n, reach_);
  }

  // As far as the last guesses were right, and twice as far when all were; none for a while, and
  // each time for longer, when not even the first was.
  void verified(int32_t n_guessed, int32_t n_right) {
    if (n_right == 0) {
      pause_ = std::min(kLongest, 2 * pause_ + 1);
      left_out_ = pause_;
      reach_ = 1;
      return;
    }
    pause_ /= 2;
    reach_ = n_right == n_guessed ? std::min(kLongest, 2 * reach_) : n_right;
  }

 private:
  static constexpr int32_t kLongest = 16;
  int32_t reach_ = kLongest;
  int32_t pause_ = 0;     // as many guesses were left out the last time
  int32_t left_out_ = 0;  // are still to be left out
};

}  // namespace strata::inference
