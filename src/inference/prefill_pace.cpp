#include "inference/prefill_pace.h"

#include <algorithm>

namespace strata::inference {
namespace {

// What is aimed at: a token comes this much later than without the prompt, and the prompt takes
// kStretch / (kStretch - 1) of its time alone. One run of rows may be more than that.
constexpr double kStretch = 3.3;
// Rows come in runs of this many, which nearly fill the tiles of attention kernels, and at least in
// one: with fewer a prompt would hardly get on. Deep in a prompt two are as many as the stretch
// allows beside one answer.
constexpr int32_t kRun = 2;
// Weight of what was seen of late: the cost of a row grows with the depth, and clocks are noisy.
constexpr double kNewest = 0.25;

}  // namespace

void PrefillPace::Figure::learn(double seen) {
  if (value == 0) value = before[0] = before[1] = seen;
  const auto [least, most] = std::minmax(before[0], before[1]);
  value += kNewest * (std::clamp(seen, least, most) - value);
  before[0] = before[1];
  before[1] = seen;
}

int32_t PrefillPace::rows_beside(int32_t n_decode_rows) const {
  if (n_decode_rows == 0) return most_;
  const double decode = decode_ns(n_decode_rows);
  const int32_t least = std::min(kRun, most_);
  if (decode == 0) return 0;  // a step without prompts shows it
  if (row_ns_.value == 0) return least;
  const double rows = (kStretch - 1) * decode / row_ns_.value;
  const auto runs = static_cast<int32_t>(std::min<double>(rows, most_) / kRun + 0.5);
  return std::clamp(runs * kRun, least, most_);
}

void PrefillPace::took(int32_t n_decode_rows, int32_t n_prompt_rows, int64_t ns) {
  const auto time = static_cast<double>(std::max<int64_t>(ns, 1));
  if (n_prompt_rows == 0) {
    decode_ns_[static_cast<size_t>(std::min(n_decode_rows, kCounted))].learn(time);
    return;
  }
  if (n_prompt_rows < kRun) return;  // too few to tell their cost from noise
  const double beside = n_decode_rows == 0 ? 0 : decode_ns(n_decode_rows);
  if (n_decode_rows > 0 && beside == 0) return;
  row_ns_.learn(std::max(time - beside, 0.05 * time) / n_prompt_rows);
}

// Of the nearest number of rows that was seen, fewer before more: 0 when none was.
double PrefillPace::decode_ns(int32_t n_rows) const {
  const int32_t wanted = std::min(n_rows, kCounted);
  for (int32_t n = wanted; n > 0; --n) {
    if (const double ns = decode_ns_[static_cast<size_t>(n)].value; ns > 0) return ns;
  }
  for (int32_t n = wanted + 1; n <= kCounted; ++n) {
    if (const double ns = decode_ns_[static_cast<size_t>(n)].value; ns > 0) return ns;
  }
  return 0;
}

}  // namespace strata::inference
