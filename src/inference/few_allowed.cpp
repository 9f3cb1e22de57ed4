#include "inference/few_allowed.h"

#include <algorithm>
#include <limits>

namespace strata::inference {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
// Blocks of all rows together, as a part of the head's: of more the head is read as a whole, which
// is in one piece, and screened or shared by the rows.
constexpr double kMostOfHead = 0.25;

}  // namespace

// False: they are too many, and none was added.
bool FewAllowed::add(int64_t row, const TokenMask& allowed, int64_t n_blocks) {
  constexpr int64_t kBlocksInWord = 64 / tensor::kRowBlock;
  const size_t before = blocks_.size();
  const auto most = static_cast<size_t>(kMostOfHead * static_cast<double>(n_blocks));
  const auto n_words = static_cast<int64_t>(allowed.bits.size());
  for (int64_t word = 0; word < n_words; ++word) {
    if (allowed.bits[static_cast<size_t>(word)] == 0) continue;
    const int64_t end = std::min((word + 1) * kBlocksInWord, n_blocks);
    for (int64_t block = word * kBlocksInWord; block < end; ++block) {
      if (allowed.has_any<tensor::kRowBlock>(block * tensor::kRowBlock)) {
        blocks_.push_back({row, block});
      }
    }
    if (blocks_.size() <= most) continue;
    blocks_.resize(before);
    return false;
  }
  return true;
}

void FewAllowed::prepare(std::span<const WantedLogits> wanted, int64_t n_blocks) {
  n_rows_ = static_cast<int64_t>(wanted.size());
  rest_ = {n_rows_, n_rows_};
  blocks_.clear();
  for (int64_t row = 0; row < n_rows_; ++row) {
    const TokenMask* allowed = wanted[static_cast<size_t>(row)].allowed;
    if (allowed != nullptr && add(row, *allowed, n_blocks)) continue;
    rest_ = {std::min(rest_.begin, row), row + 1};
  }
  std::erase_if(blocks_,
                [&](const RowBlock& b) { return b.row >= rest_.begin && b.row < rest_.end; });
}

void FewAllowed::clear(float* logits, int64_t n_logits, int thread, int n_threads) const {
  const Share own = share_of(n_logits, thread, n_threads);
  for (int64_t row = 0; row < n_rows_; ++row) {
    if (row >= rest_.begin && row < rest_.end) continue;
    std::fill(logits + row * n_logits + own.begin, logits + row * n_logits + own.end, kNone);
  }
}

// Dealt by count: tokens that are alike are often neighbours, in one thread's part of the head.
void FewAllowed::run(const tensor::PackedMatrix& head, const tensor::InputRows& input,
                     float* logits, int thread, int n_threads) const {
  const Share own = share_of(static_cast<int64_t>(blocks_.size()), thread, n_threads);
  for (int64_t i = own.begin; i < own.end; ++i) {
    const auto [row, block] = blocks_[static_cast<size_t>(i)];
    tensor::matmul(head, input, 1, logits + row * head.rows(), head.rows(), block, block + 1,
                   tensor::Activation::none, row);
  }
}

}  // namespace strata::inference
