#include "inference/fast_head.h"

#include <algorithm>

namespace strata::inference {

void FastHead::load(Packer& packer, int32_t n_choosable) {
  if (spec_.head.weight == models::kNoTensor) return;
  head_ = packer.head();
  screen_ = HeadScreen(head_.matrix, n_choosable, step_.team);
  input_ = inputs_.add(head_.matrix);
  if (!spec_.masks) return;
  dense_ = packer.linear(std::span(&spec_.masks->dense, 1));
  dense_norm_ = packer.norm(spec_.masks->norm);
  dense_input_ = inputs_.add(dense_.matrix);
}

int64_t FastHead::weight_bytes() const {
  int64_t bytes = 0;
  for (const PackedLinear* linear : {&head_, &dense_}) {
    if (!linear->matrix.empty()) bytes += static_cast<int64_t>(linear->matrix.bytes());
  }
  return bytes;
}

void FastHead::prepare(std::span<const Row> rows) {
  rows_.clear();
  wanted_.clear();
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (!row.wants_logits) continue;
    rows_.push_back(static_cast<int64_t>(i));
    wanted_.push_back(row.wanted);
  }
  const auto n_wanted = static_cast<int64_t>(rows_.size());
  inputs_.resize(std::max<int64_t>(n_wanted, 1));
  logits_.resize(n_wanted * spec_.n_vocab);
  if (spec_.masks) hidden_.resize(n_wanted * spec_.n_embd);
  few_.prepare(wanted_, head_.matrix.n_row_blocks());
  const auto [begin, end] = few_.rest();
  screen_.prepare(
      std::span(wanted_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
      begin);
}

void FastHead::run(const PackedNorm& final_norm, int thread) {
  Team& team = step_.team;
  const Share share = share_of(static_cast<int64_t>(rows_.size()), thread, team.size());
  if (spec_.masks) {
    take_transformed(final_norm, share, thread);
  } else {
    take_states(final_norm, share);
  }
  few_.clear(logits_.data(), spec_.n_vocab, thread, team.size());
  team.barrier();
  multiply(thread);
  finish(thread);
}

void FastHead::take_states(const PackedNorm& final_norm, Share share) {
  tensor::InputRows& input = inputs_.at(input_);
  for (int64_t i = share.begin; i < share.end; ++i) {
    const int64_t row = rows_[static_cast<size_t>(i)];
    final_norm.apply_into(step_.stream.data() + row * spec_.n_embd, input, i);
    screen_.input_is_ready(input, i);
  }
}

// Both matrices may read the same input, one after the other.
void FastHead::take_transformed(const PackedNorm& final_norm, Share share, int thread) {
  Team& team = step_.team;
  const int64_t width = spec_.n_embd;
  for (int64_t i = share.begin; i < share.end; ++i) {
    const int64_t row = rows_[static_cast<size_t>(i)];
    final_norm.apply_into(step_.stream.data() + row * width, inputs_.at(dense_input_), i);
  }
  team.barrier();
  tensor::matmul_share(dense_.matrix, inputs_.at(dense_input_), static_cast<int64_t>(rows_.size()),
                       hidden_.data(), width, thread, team.size());
  team.barrier();
  const auto& kernels = tensor::kernels();
  tensor::InputRows& input = inputs_.at(input_);
  for (int64_t i = share.begin; i < share.end; ++i) {
    float* hidden = hidden_.data() + i * width;
    if (!dense_.bias.empty()) kernels.add(dense_.bias.data(), width, hidden);
    kernels.activate(packed_activation(spec_.masks->activation), width, hidden);
    dense_norm_.apply_into(hidden, input, i);
    screen_.input_is_ready(input, i);
  }
}

void FastHead::multiply(int thread) {
  Team& team = step_.team;
  tensor::InputRows& input = inputs_.at(input_);
  few_.run(head_.matrix, input, logits_.data(), thread, team.size());
  const auto [begin, end] = few_.rest();
  if (screen_.used()) {
    screen_.run(head_.matrix, input, logits_.data(), team, thread);
  } else {
    tensor::matmul_share(head_.matrix, input, end - begin, logits_.data() + begin * spec_.n_vocab,
                         spec_.n_vocab, thread, team.size(), tensor::Activation::none, begin);
  }
}

void FastHead::finish(int thread) {
  const bool scaled = spec_.logit_scale != 1.0f;
  const bool capped = spec_.logit_soft_cap > 0.0f;
  if (head_.bias.empty() && !scaled && !capped) return;
  step_.team.barrier();
  const int64_t n_vocab = spec_.n_vocab;
  const Share columns = share_of(n_vocab, thread, step_.team.size());
  const int64_t n = columns.end - columns.begin;
  const auto& kernels = tensor::kernels();
  for (int64_t i = 0; i < static_cast<int64_t>(rows_.size()); ++i) {
    float* part = logits_.data() + i * n_vocab + columns.begin;
    if (!head_.bias.empty()) kernels.add(head_.bias.data() + columns.begin, n, part);
    if (scaled) kernels.scale(spec_.logit_scale, n, part);
    if (capped) kernels.soft_cap(spec_.logit_soft_cap, n, part);
  }
}

}  // namespace strata::inference
