// How many rows of prompts a step may carry beside requests that generate: as many as make the step
// kStretch times as long as it is without. So tokens keep coming while a long prompt is worked, and
// the prompt has the rest of the time. Learns from how long steps took (docs/engine/batching.md).
#pragma once

#include <array>
#include <cstdint>

namespace strata::inference {

class PrefillPace {
 public:
  explicit PrefillPace(int32_t most) : most_(most) {}

  // Rows of prompts for a step with so many rows of requests that generate; 0 while nothing is
  // known of such steps.
  int32_t rows_beside(int32_t n_decode_rows) const;
  void took(int32_t n_decode_rows, int32_t n_prompt_rows, int64_t ns);

 private:
  static constexpr int32_t kCounted = 64;  // decode rows; more are taken for as many
  // Learns from the middle one of the last three: a step that the system held up says nothing about
  // the next.
  struct Figure {
    double value = 0;  // 0: not seen
    double before[2] = {};
    void learn(double seen);
  };
  double decode_ns(int32_t n_rows) const;

  int32_t most_;
  std::array<Figure, kCounted + 1> decode_ns_{};  // of a step with so many decode rows
  Figure row_ns_;                                 // of one more row of a prompt
};

}  // namespace strata::inference
