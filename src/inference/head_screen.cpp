#include "inference/head_screen.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "core/check.h"
#include "tensor/ops.h"

namespace strata::inference {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();
constexpr int64_t kMinVocabulary = 1 << 16;         // below, the head is a small part of a step
constexpr size_t kMaxRows = tensor::kMostScreened;  // and bits of Place::rows_of
constexpr int32_t kMaxLikeliest = 128;
// With flat logits many blocks reach the threshold: of more than this share a full head is faster.
// Then a while passes before the next try.
constexpr float kMostComputed = 0.3f;
constexpr int32_t kPause = 64;  // steps
constexpr int32_t kFewLikeliest = 8;
constexpr int kRowsOfMany = 2;  // where more logits are wanted, so many rows are screened
// Blocks that the threads together compute first beyond the likeliest: the better these are chosen,
// the higher the threshold that the others must reach.
constexpr size_t kSpare = 16;

}  // namespace

bool is_screened(const models::ModelSpec& spec, tensor::DType head_type) {
  return head_type == tensor::DType::q8_0 && spec.n_vocab >= kMinVocabulary &&
         spec.head.bias == models::kNoTensor && spec.logit_soft_cap <= 0.0f &&
         spec.logit_scale == 1.0f;
}

HeadScreen::HeadScreen(const tensor::PackedMatrix& head, int32_t n_choosable, const Team& team) {
  if (!head.in_planes()) return;
  n_blocks_ = head.n_row_blocks();
  n_choosable_ = n_choosable;
  n_groups_ = head.segments()[0].n_groups;
  places_.resize(static_cast<size_t>(team.size()));
  for (Place& place : places_) {
    place.likeliest.reserve(kMaxLikeliest + kSpare + 1);
    place.blocks.reserve(static_cast<size_t>(n_blocks_) / places_.size() + 1);
    place.rows_of.reserve(static_cast<size_t>(n_blocks_) / places_.size() + 1);
    place.greatest.resize(kMaxRows);
    for (auto& greatest : place.greatest) greatest.reserve(kMaxLikeliest);
    place.all.reserve(kMaxLikeliest * places_.size());
  }
  bounded_.reserve(kMaxRows);
  wanted_.reserve(kMaxRows);
  groups_.resize(kMaxRows * static_cast<size_t>(n_groups_));
}

// How much of the head the last step computed after all.
void HeadScreen::learn() {
  if (!used()) return;
  int64_t n = 0;
  for (const Place& place : places_) n += place.n_computed;
  const auto all = static_cast<float>(n_blocks_) * static_cast<float>(wanted_.size());
  Worth& worth = worths_[kind_];
  worth.computed += 0.25f * (static_cast<float>(n) / all - worth.computed);
  if (worth.computed > kMostComputed) worth = {.computed = 0.0f, .pause = kPause};
}

void HeadScreen::prepare(std::span<const WantedLogits> wanted, int64_t first_row) {
  learn();
  const bool few = std::ranges::all_of(
      wanted, [](int32_t n) { return n > 0 && n <= kMaxLikeliest; }, &WantedLogits::n_likeliest);
  wanted_.clear();
  if (n_blocks_ == 0 || !few || wanted.empty()) return;
  const bool very_few =
      std::ranges::max(wanted, {}, &WantedLogits::n_likeliest).n_likeliest <= kFewLikeliest;
  const auto most_rows =
      static_cast<size_t>(very_few ? tensor::kernels().screen_columns : kRowsOfMany);
  if (wanted.size() > std::min(most_rows, kMaxRows)) return;
  kind_ = very_few ? 0 : 1;
  if (worths_[kind_].pause > 0) {
    --worths_[kind_].pause;
    return;
  }
  first_row_ = first_row;
  wanted_.assign(wanted.begin(), wanted.end());
  bounded_.assign(wanted_.size(), 1);
  likely_.resize(static_cast<int64_t>(wanted_.size()) * n_blocks_);
  bound_.resize(static_cast<int64_t>(wanted_.size()) * n_blocks_);
}

bool HeadScreen::used() const {
  return !wanted_.empty() &&
         std::all_of(bounded_.begin(), bounded_.end(), [](uint8_t b) { return b != 0; });
}

void HeadScreen::input_is_ready(const tensor::InputRows& input, int64_t row) {
  const int64_t own_row = row - first_row_;
  if (own_row < 0 || own_row >= static_cast<int64_t>(wanted_.size())) return;
  const std::span<tensor::ScreenGroup> own(groups_.data() + own_row * n_groups_,
                                           static_cast<size_t>(n_groups_));
  bounded_[static_cast<size_t>(own_row)] = tensor::screen_groups(input, row, own) ? 1 : 0;
}

void HeadScreen::offer(std::vector<Ranked>& best, size_t most, Ranked ranked) {
  const auto greater = [](const Ranked& a, const Ranked& b) { return a.value > b.value; };
  if (best.size() == most) {
    if (ranked.value <= best.front().value) return;
    std::pop_heap(best.begin(), best.end(), greater);
    best.pop_back();
  }
  best.push_back(ranked);
  std::push_heap(best.begin(), best.end(), greater);
}

// The likeliest blocks of the share, and what their logits say about the n-th greatest. A row wants
// no block without a token that is allowed.
void HeadScreen::compute_likeliest(const tensor::PackedMatrix& head, const tensor::InputRows& input,
                                   int64_t row, Share share, float* logits, Place& place) {
  const auto n = static_cast<size_t>(wanted_[static_cast<size_t>(row)].n_likeliest);
  const TokenMask* allowed = wanted_[static_cast<size_t>(row)].allowed;
  const size_t n_first = (n + kSpare) / places_.size() + 1;
  const float* likely = likely_.data() + row * n_blocks_;
  float* bound = bound_.data() + row * n_blocks_;
  place.likeliest.clear();
  for (int64_t b = share.begin; b < share.end; ++b) {
    if (allowed != nullptr && !allowed->has_any<tensor::kRowBlock>(b * tensor::kRowBlock)) {
      bound[b] = kLowest;
    } else {
      offer(place.likeliest, n_first, {likely[b], b});
    }
  }
  place.blocks.clear();
  for (const Ranked& block : place.likeliest) {
    place.blocks.push_back({block.index, first_row_ + row});
    bound[block.index] = kLowest;  // not again
  }
  place.n_computed += static_cast<int64_t>(place.blocks.size());
  tensor::matmul_of_blocks(head, input, place.blocks, logits, head.rows());
  auto& greatest = place.greatest[static_cast<size_t>(row)];
  greatest.clear();
  logits += (first_row_ + row) * head.rows();
  for (const Ranked& block : place.likeliest) {
    const int64_t begin = block.index * tensor::kRowBlock;
    const int64_t end = std::min<int64_t>(begin + tensor::kRowBlock, n_choosable_);
    for (int64_t i = begin; i < end; ++i) {
      if (allowed != nullptr && !allowed->has(static_cast<int32_t>(i))) continue;
      offer(greatest, n, {logits[i], i});
    }
  }
}

// The n-th greatest of the logits that the threads have computed: no smaller one is wanted.
float HeadScreen::threshold_of(size_t row, Place& place) const {
  place.all.clear();
  for (const Place& p : places_) {
    for (const Ranked& ranked : p.greatest[row]) place.all.push_back(ranked.value);
  }
  const auto n = static_cast<size_t>(wanted_[row].n_likeliest);
  if (place.all.size() < n) return kLowest;
  const auto nth = place.all.begin() + static_cast<std::ptrdiff_t>(n - 1);
  std::nth_element(place.all.begin(), nth, place.all.end(), std::greater<>());
  return *nth;
}

// The blocks that reach the threshold of a row, each from the first to the last row whose it
// reaches.
void HeadScreen::compute_rest(const tensor::PackedMatrix& head, const tensor::InputRows& input,
                              Share share, float* logits, Place& place) {
  const auto n = static_cast<size_t>(share.end - share.begin);
  place.rows_of.assign(n, 0);
  for (size_t row = 0; row < wanted_.size(); ++row) {
    const float threshold = threshold_of(row, place);
    const float* bound = bound_.data() + static_cast<int64_t>(row) * n_blocks_ + share.begin;
    for (size_t b = 0; b < n; ++b) {
      const bool wants = (bound[b] >= threshold) & (bound[b] > kLowest);
      place.rows_of[b] = static_cast<uint8_t>(place.rows_of[b] | wants << row);
    }
  }
  place.blocks.clear();
  for (size_t b = 0; b < n; ++b) {
    const uint8_t rows = place.rows_of[b];
    if (rows == 0) continue;
    const int first = std::countr_zero(rows);
    const int n_rows = std::bit_width(rows) - first;
    place.blocks.push_back({share.begin + static_cast<int64_t>(b), first_row_ + first, n_rows});
    place.n_computed += std::popcount(rows);
  }
  tensor::matmul_of_blocks(head, input, place.blocks, logits, head.rows());
}

void HeadScreen::run(const tensor::PackedMatrix& head, const tensor::InputRows& input,
                     float* logits, Team& team, int thread) {
  const Share share = share_of(n_blocks_, thread, team.size());
  const auto n_rows = static_cast<int64_t>(wanted_.size());
  Place& place = places_[static_cast<size_t>(thread)];
  tensor::screen(head, input, first_row_, n_rows, groups_.data(), n_groups_, share.begin, share.end,
                 likely_.data(), bound_.data(), n_blocks_);
  const int64_t begin = share.begin * tensor::kRowBlock;
  const int64_t end = std::min(share.end * tensor::kRowBlock, head.rows());
  place.n_computed = 0;
  for (int64_t row = 0; row < n_rows; ++row) {
    float* own = logits + (first_row_ + row) * head.rows();
    std::fill(own + begin, own + end, kLowest);
    compute_likeliest(head, input, row, share, logits, place);
  }
  team.barrier();
  compute_rest(head, input, share, logits, place);
}

}  // namespace strata::inference
