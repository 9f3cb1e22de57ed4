#include "inference/few_allowed.h"

#include <algorithm>
#include <limits>

namespace strata::inference {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
// Blocks of all rows together, as a part of the head's: of more the head is read as a whole, which
// is in one piece, and screened or shared by the rows.
constexpr int64_t kMostOfHead = 4;

}  // namespace

bool has_any(const TokenMask& mask, int64_t block) {
  static_assert(64 % tensor::kRowBlock == 0);
  const auto bit = static_cast<size_t>(block * tensor::kRowBlock);
  if (bit / 64 >= mask.bits.size()) return false;
  constexpr uint64_t kBlock = (uint64_t{1} << tensor::kRowBlock) - 1;
  return (mask.bits[bit / 64] >> (bit % 64) & kBlock) != 0;
}

// False: they are too many, and none was added.
bool FewAllowed::add(int64_t row, const TokenMask& allowed, int64_t n_blocks) {
  constexpr int64_t kBlocksInWord = 64 / tensor::kRowBlock;
  const size_t before = blocks_.size();
  const auto most = static_cast<size_t>(n_blocks / kMostOfHead);
  const auto n_words = static_cast<int64_t>(allowed.bits.size());
  for (int64_t word = 0; word < n_words; ++word) {
    if (allowed.bits[static_cast<size_t>(word)] == 0) continue;
    const int64_t end = std::min((word + 1) * kBlocksInWord, n_blocks);
    for (int64_t block = word * kBlocksInWord; block < end; ++block) {
      if (has_any(allowed, block)) blocks_.push_back({row, block});
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

void FewAllowed::run(const tensor::PackedMatrix& head, const tensor::InputRows& input,
                     float* logits, int thread, int n_threads) const {
  const Share own = share_of(head.n_row_blocks(), thread, n_threads);
  const int64_t begin = own.begin * tensor::kRowBlock;
  const int64_t end = std::min(own.end * tensor::kRowBlock, head.rows());
  for (int64_t row = 0; row < n_rows_; ++row) {
    if (row >= rest_.begin && row < rest_.end) continue;
    std::fill(logits + row * head.rows() + begin, logits + row * head.rows() + end, kNone);
  }
  for (const auto& [row, block] : blocks_) {
    if (block < own.begin || block >= own.end) continue;
    tensor::matmul(head, input, 1, logits + row * head.rows(), head.rows(), block, block + 1,
                   tensor::Activation::none, row);
  }
}

}  // namespace strata::inference
