#include "inference/block/fast_moe.h"

#include <algorithm>

#include "core/work.h"

namespace strata::inference {

FastMoe::FastMoe(const models::Moe& moe, int64_t n_embd, Packer& packer, Step& step)
    : routing_(routing_of(moe, packer.vector(moe.choice_bias))),
      n_embd_(n_embd),
      router_(packer.vector(moe.router.weight)),
      router_bias_(packer.vector(moe.router.bias)),
      shared_gate_(packer.vector(moe.shared_gate)),
      weighs_inputs_(moe.weighs_inputs) {
  InputKinds input, hidden_input;
  for (const models::Mlp& expert : moe.experts) {
    const PackedMlp& packed = experts_.emplace_back(expert, packer);
    input.include(packed.up.matrix);
    hidden_input.include(packed.down.matrix);
  }
  input_ = step.inputs.add(n_embd, input, moe.n_used);
  hidden_input_ = step.inputs.add(moe.experts[0].n_hidden, hidden_input, moe.n_used);
  if (moe.shared) shared_.emplace(*moe.shared, packer, step);
  first_visit_.resize(moe.experts.size() + 1);
}

int64_t FastMoe::weight_bytes() const {
  int64_t bytes = static_cast<int64_t>(router_.size() * sizeof(float));
  for (const PackedMlp& expert : experts_) bytes += expert.bytes();
  return shared_ ? bytes + shared_->weight_bytes() : bytes;
}

int64_t FastMoe::wide_width() const {
  const int64_t routed = routing_.n_used * hidden_width();
  return shared_ ? std::max(routed, shared_->wide_width()) : routed;
}

int64_t FastMoe::mixed_width() const {
  return std::max(n_embd_, n_experts());
}

void FastMoe::prepare(const Step& step) {
  const auto n_rows = static_cast<size_t>(step.n_rows());
  const size_t n_visits = n_rows * static_cast<size_t>(routing_.n_used);
  chosen_.resize(n_visits);
  weights_.resize(n_visits);
  visits_.resize(n_visits);
  if (shared_) shared_weights_.resize(n_rows);
  if (weighs_inputs_) weighed_.resize(step.team.size() * n_embd_);
}

void FastMoe::take_input(const PackedNorm& norm, const float* stream, Step& step,
                         int64_t row) const {
  float* normed = step.normed.data() + row * n_embd_;
  norm.apply(stream, n_embd_, normed);
  if (shared_) shared_->take_input({}, normed, step, row);
}

// [rows x n_experts] in step.mixed; this thread's experts.
void FastMoe::compute_logits(Step& step, int thread) const {
  const Share share = share_of(n_experts(), thread, step.team.size());
  const int64_t n = share.end - share.begin;
  if (n == 0) return;
  const auto& kernels = tensor::kernels();
  const float* rows = router_.data() + share.begin * n_embd_;
  for (int64_t row = 0; row < step.n_rows(); ++row) {
    float* logits = step.mixed.data() + row * n_experts() + share.begin;
    kernels.dots(step.normed.data() + row * n_embd_, rows, n, n_embd_, logits);
    if (!router_bias_.empty()) kernels.add(router_bias_.data() + share.begin, n, logits);
  }
  thread_work().weight_bytes += n * n_embd_ * static_cast<int64_t>(sizeof(float));
}

void FastMoe::choose_rows(const Step& step, int thread) {
  const auto n_used = static_cast<size_t>(routing_.n_used);
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    const auto at = static_cast<size_t>(row);
    choose_experts(routing_, {step.mixed.data() + row * n_experts(), experts_.size()},
                   std::span(chosen_).subspan(at * n_used, n_used),
                   std::span(weights_).subspan(at * n_used, n_used));
    if (!shared_) continue;
    shared_weights_[at] = 1.0f;
    if (shared_gate_.empty()) continue;
    float logit = 0.0f;
    tensor::kernels().dots(step.normed.data() + row * n_embd_, shared_gate_.data(), 1, n_embd_,
                           &logit);
    shared_weights_[at] = shared_weight(logit);
  }
}

void FastMoe::sort_visits() {
  std::fill(first_visit_.begin(), first_visit_.end(), 0);
  for (const int32_t expert : chosen_) ++first_visit_[static_cast<size_t>(expert) + 1];
  for (size_t e = 1; e < first_visit_.size(); ++e) first_visit_[e] += first_visit_[e - 1];
  // From the end: each expert's last place is filled first, and its begin is where it stops.
  for (size_t i = chosen_.size(); i-- > 0;) {
    const int32_t expert = chosen_[i];
    const int64_t place = --first_visit_[static_cast<size_t>(expert) + 1];
    visits_[static_cast<size_t>(place)] = {
        static_cast<int32_t>(i / static_cast<size_t>(routing_.n_used)), expert, weights_[i]};
  }
  std::rotate(first_visit_.begin(), first_visit_.begin() + 1, first_visit_.end());
  first_visit_.back() = n_visits();
}

template <class F>
void FastMoe::for_each_used(const F& visit) const {
  for (size_t e = 0; e < experts_.size(); ++e) {
    const int64_t n = first_visit_[e + 1] - first_visit_[e];
    if (n > 0) visit(experts_[e], first_visit_[e], n);
  }
}

void FastMoe::gather_inputs(Step& step, int thread) const {
  const Share share = share_of(n_visits(), thread, step.team.size());
  for (int64_t i = share.begin; i < share.end; ++i) {
    const Visit& visit = visits_[static_cast<size_t>(i)];
    const float* input = step.normed.data() + visit.row * n_embd_;
    if (weighs_inputs_) {
      float* weighed = weighed_.data() + thread * n_embd_;
      std::copy_n(input, n_embd_, weighed);
      tensor::kernels().scale(visit.weight, n_embd_, weighed);
      input = weighed;
    }
    tensor::fill_row(input, step.inputs.at(input_), i);
  }
}

void FastMoe::activate(Step& step, int thread) const {
  const Share share = share_of(n_visits(), thread, step.team.size());
  for (int64_t i = share.begin; i < share.end; ++i) {
    float* hidden = step.wide.data() + i * hidden_width();
    experts_[static_cast<size_t>(visits_[static_cast<size_t>(i)].expert)].activate_row(hidden);
    tensor::fill_row(hidden, step.inputs.at(hidden_input_), i);
  }
}

// This thread's columns of step.delta: the shared expert, then the others in index order. No thread
// reads another's columns, so nothing waits between two experts.
void FastMoe::add_experts(Step& step, int thread) const {
  const auto& kernels = tensor::kernels();
  const Share blocks = share_of(experts_[0].down.matrix.n_row_blocks(), thread, step.team.size());
  const int64_t begin = blocks.begin * tensor::kRowBlock;
  const int64_t n_columns = std::min(blocks.end * tensor::kRowBlock, n_embd_) - begin;
  if (n_columns <= 0) return;
  for (int64_t row = 0; row < step.n_rows(); ++row) {
    float* delta = step.delta.data() + row * n_embd_ + begin;
    if (shared_) {
      kernels.scale(shared_weights_[static_cast<size_t>(row)], n_columns, delta);
    } else {
      std::fill_n(delta, n_columns, 0.0f);
    }
  }
  for_each_used([&](const PackedMlp& expert, int64_t first, int64_t n) {
    tensor::matmul(expert.down.matrix, step.inputs.at(hidden_input_), n, step.mixed.data(), n_embd_,
                   blocks.begin, blocks.end, tensor::Activation::none, first);
    for (int64_t i = 0; i < n; ++i) {
      const Visit& visit = visits_[static_cast<size_t>(first + i)];
      float* part = step.mixed.data() + i * n_embd_ + begin;
      if (!expert.down.bias.empty()) kernels.add(expert.down.bias.data() + begin, n_columns, part);
      if (!weighs_inputs_) kernels.scale(visit.weight, n_columns, part);
      kernels.add(part, n_columns, step.delta.data() + visit.row * n_embd_ + begin);
    }
  });
}

void FastMoe::run(Step& step, int thread) {
  Team& team = step.team;
  if (shared_) shared_->run(step, thread);
  compute_logits(step, thread);
  team.barrier();
  choose_rows(step, thread);
  team.barrier();
  if (thread == 0) sort_visits();
  team.barrier();
  gather_inputs(step, thread);
  team.barrier();
  for_each_used([&](const PackedMlp& expert, int64_t first, int64_t n) {
    tensor::matmul_share(expert.up.matrix, step.inputs.at(input_), n,
                         step.wide.data() + first * hidden_width(), hidden_width(), thread,
                         team.size(), expert.activation, first);
  });
  team.barrier();
  activate(step, thread);
  team.barrier();
  add_experts(step, thread);
}

}  // namespace strata::inference
