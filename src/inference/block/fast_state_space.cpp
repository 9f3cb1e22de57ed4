#include "inference/block/fast_state_space.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/work.h"
#include "inference/block/state_space.h"
#include "inference/lanes.h"

namespace strata::inference {
namespace {

constexpr int64_t kPositions = kBlockPositions;
constexpr int64_t kAlignment = 64;

// Where the parts of a page begin, in bytes.
struct PageLayout {
  int64_t steps = 0, b = 0, u = 0, x = 0, end = 0;
};
PageLayout layout_of(const models::StateSpace& op) {
  const auto behind = [](int64_t begin, int64_t n, int64_t size) {
    return (begin + n * size + kAlignment - 1) / kAlignment * kAlignment;
  };
  PageLayout layout;
  layout.steps = behind(0, op.inner() * op.n_state, 4);
  layout.b = behind(layout.steps, kPositions * op.n_heads, 4);
  layout.u = behind(layout.b, kPositions * op.n_groups * op.n_state, 4);
  layout.x = behind(layout.u, kPositions * op.channels(), 2);
  layout.end = behind(layout.x, kPositions * op.inner(), 2);
  return layout;
}

// out[i] = exp(last - sums[i]) of sums that fall; whole groups of lanes are written.
void decays_to(const float* sums, float last, int32_t n, float* out) {
  for (int32_t i = 0; i < n; i += static_cast<int32_t>(kLanes)) {
    const Lanes e = exp_nonpositive(last - load_lanes(sums + i));
    std::memcpy(out + i, &e, sizeof e);
  }
}

float decay(float sum) {
  return exp_nonpositive(fill_lanes(sum))[0];
}

std::vector<float> transposed(const std::vector<float>& taps, size_t n_taps) {
  std::vector<float> result(taps.size());
  const size_t channels = taps.size() / n_taps;
  for (size_t i = 0; i < taps.size(); ++i) {
    result[i % n_taps * channels + i / n_taps] = taps[i];
  }
  return result;
}

void refuse_growth(const std::vector<float>& a) {
  for (const float rate : a) {
    if (rate < 0.0f && std::isfinite(rate)) continue;
    throw Error(Code::invalid_argument,
                fmt::format("the rate of a state is {}, not a negative number", rate),
                "the file is damaged or was converted wrongly: fetch it again");
  }
}

}  // namespace

// One head of one block.
struct FastStateSpace::Scratch {
  std::vector<float> x;                  // [positions x head_dim]
  std::vector<float> convolved;          // [channels]
  std::vector<float> projected;          // [channels]
  std::array<float, kPositions> sums{};  // of a * step, up to each position
  std::array<float, kPositions> decays{};
  std::array<float, kPositions> weights{};
};

FastStateSpace::Scratch& FastStateSpace::scratch_for(const models::StateSpace& op) {
  thread_local Scratch scratch;
  const auto channels = static_cast<size_t>(op.channels());
  scratch.x.resize(std::max(scratch.x.size(), static_cast<size_t>(kPositions * op.head_dim)));
  scratch.convolved.resize(std::max(scratch.convolved.size(), channels));
  scratch.projected.resize(std::max(scratch.projected.size(), channels));
  return scratch;
}

KvLayer kv_layer(const models::StateSpace& op) {
  return {.n_kv_heads = 1,
          .shape = {},
          .window = std::max(2, op.n_taps),
          .state_words = layout_of(op).end / 2};
}

FastStateSpace::FastStateSpace(const models::StateSpace& op, size_t cache_layer, Packer& packer,
                               Step& step)
    : op_(op),
      in_(packer.linear(std::array{op.in})),
      out_(packer.linear(std::array{op.out})),
      taps_(transposed(packer.vector(op.taps), static_cast<size_t>(op.n_taps))),
      tap_bias_(packer.vector(op.tap_bias)),
      a_(packer.vector(op.a)),
      d_(packer.vector(op.d)),
      step_bias_(packer.vector(op.step_bias)),
      norm_(packer.norm(op.norm)),
      cache_layer_(cache_layer),
      input_(step.inputs.add(in_.matrix)),
      out_input_(step.inputs.add(out_.matrix)) {
  refuse_growth(a_);
}

void FastStateSpace::take_input(const PackedNorm& norm, const float* stream, Step& step,
                                int64_t row) const {
  norm.apply_into(stream, step.inputs.at(input_), row);
}

int64_t FastStateSpace::weight_bytes() const {
  size_t n_floats = 0;
  for (const auto* vector : {&taps_, &tap_bias_, &a_, &d_, &step_bias_, &norm_.weight}) {
    n_floats += vector->size();
  }
  return static_cast<int64_t>(in_.matrix.bytes() + out_.matrix.bytes() + n_floats * sizeof(float));
}

int64_t FastStateSpace::mixed_width() const {
  return op_.n_groups * (op_.n_state + kPositions) + op_.inner();
}

float* FastStateSpace::c_of(const Step& step, int64_t row) const {
  return step.mixed.data() + row * op_.n_groups * op_.n_state;
}

float* FastStateSpace::scores_of(const Step& step, int64_t row) const {
  return c_of(step, step.n_rows()) + row * op_.n_groups * kPositions;
}

float* FastStateSpace::y_of(const Step& step, int64_t row) const {
  return scores_of(step, step.n_rows()) + row * op_.inner();
}

FastStateSpace::Page FastStateSpace::page(const RowSpan& span, int32_t position) const {
  const PageLayout layout = layout_of(op_);
  auto* bytes =
      reinterpret_cast<uint8_t*>(span.pages->page(cache_layer_, 0, position / kBlockPositions));
  return {reinterpret_cast<float*>(bytes), reinterpret_cast<float*>(bytes + layout.steps),
          reinterpret_cast<float*>(bytes + layout.b), reinterpret_cast<uint16_t*>(bytes + layout.u),
          reinterpret_cast<uint16_t*>(bytes + layout.x)};
}

// Of this thread's rows: what is convolved, and the lengths of steps.
void FastStateSpace::write_inputs(Step& step, int thread) const {
  const Share share = step.rows_of(thread);
  auto span = step.spans.begin();
  for (int64_t row = share.begin; row < share.end; ++row) {
    while (row >= span->first_row + span->n_rows) ++span;
    float* projected = step.wide.data() + row * op_.projected();
    if (!in_.bias.empty()) tensor::kernels().add(in_.bias.data(), op_.projected(), projected);
    const int32_t position = step.rows[static_cast<size_t>(row)].position;
    const int64_t slot = position % kPositions;
    const Page to = page(*span, position);
    const float* u = projected + op_.inner();
    tensor::kernels().to_bf16(u, op_.channels(), to.u + slot * op_.channels());
    for (int32_t head = 0; head < op_.n_heads; ++head) {
      to.steps[slot * op_.n_heads + head] =
          softplus(u[op_.channels() + head] + step_bias_[static_cast<size_t>(head)]);
    }
  }
}

void FastStateSpace::convolve(Step& step, int thread) const {
  const Share share = step.rows_of(thread);
  auto span = step.spans.begin();
  for (int64_t row = share.begin; row < share.end; ++row) {
    while (row >= span->first_row + span->n_rows) ++span;
    convolve_row(step, *span, row);
  }
}

void FastStateSpace::convolve_row(Step& step, const RowSpan& span, int64_t row) const {
  const auto& kernels = tensor::kernels();
  Scratch& scratch = scratch_for(op_);
  const int64_t channels = op_.channels();
  const int32_t position = step.rows[static_cast<size_t>(row)].position;
  float* out = scratch.convolved.data();
  if (tap_bias_.empty()) {
    std::fill_n(out, channels, 0.0f);
  } else {
    std::copy_n(tap_bias_.data(), channels, out);
  }
  for (int32_t tap = 0; tap < op_.n_taps; ++tap) {
    const int32_t from = position - op_.n_taps + 1 + tap;
    if (from < 0) continue;  // before the sequence
    float* u = scratch.projected.data();
    kernels.from_bf16(page(span, from).u + from % kPositions * channels, channels, u);
    const float* weights = taps_.data() + tap * channels;
    for (int64_t i = 0; i < channels; ++i) out[i] += weights[i] * u[i];
  }
  kernels.activate(tensor::Activation::silu, channels, out);
  const Page to = page(span, position);
  const int64_t slot = position % kPositions;
  kernels.to_bf16(out, op_.inner(), to.x + slot * op_.inner());
  const float* b = out + op_.inner();
  for (int64_t group = 0; group < op_.n_groups; ++group) {
    std::copy_n(b + group * op_.n_state, op_.n_state,
                to.b + (group * kPositions + slot) * op_.n_state);
  }
  std::copy_n(b + op_.n_groups * op_.n_state, op_.n_groups * op_.n_state, c_of(step, row));
}

// c of each row times b of the positions of its block up to its own.
void FastStateSpace::score(Step& step, int thread) const {
  const Share share = step.rows_of(thread);
  auto span = step.spans.begin();
  for (int64_t row = share.begin; row < share.end; ++row) {
    while (row >= span->first_row + span->n_rows) ++span;
    const int32_t position = step.rows[static_cast<size_t>(row)].position;
    const Page block = page(*span, position);
    for (int64_t group = 0; group < op_.n_groups; ++group) {
      tensor::kernels().dots(c_of(step, row) + group * op_.n_state,
                             block.b + group * kPositions * op_.n_state, position % kPositions + 1,
                             op_.n_state, scores_of(step, row) + group * kPositions);
    }
  }
}

// The first n positions of a block, as one head sees them.
void FastStateSpace::load_block(const Page& page, int32_t head, int32_t n, Scratch& scratch) const {
  const float a = a_[static_cast<size_t>(head)];
  float sum = 0.0f;
  for (int32_t i = 0; i < n; ++i) {
    sum += a * page.steps[int64_t{i} * op_.n_heads + head];
    scratch.sums[static_cast<size_t>(i)] = sum;
    tensor::kernels().from_bf16(page.x + i * op_.inner() + int64_t{head} * op_.head_dim,
                                op_.head_dim, scratch.x.data() + int64_t{i} * op_.head_dim);
  }
  // What a group of lanes reads behind the last.
  const auto end = (static_cast<size_t>(n) + kLanes - 1) / kLanes * kLanes;
  for (size_t i = static_cast<size_t>(n); i < end; ++i) scratch.sums[i] = sum;
}

// The state behind a whole block, which is that before the next.
void FastStateSpace::advance_state(const Page& from, const Page& to, int32_t head) const {
  Scratch& scratch = scratch_for(op_);
  load_block(from, head, kBlockPositions, scratch);
  const float last = scratch.sums.back();
  decays_to(scratch.sums.data(), last, kBlockPositions, scratch.decays.data());
  for (int64_t i = 0; i < kPositions; ++i) {
    scratch.decays[static_cast<size_t>(i)] *= from.steps[i * op_.n_heads + head];
  }
  const int64_t group = head / (op_.n_heads / op_.n_groups);
  const float* b = from.b + group * kPositions * op_.n_state;
  const int64_t begin = int64_t{head} * op_.head_dim * op_.n_state;
  const int64_t size = int64_t{op_.head_dim} * op_.n_state;
  std::copy_n(from.state + begin, size, to.state + begin);
  tensor::kernels().scale(decay(last), size, to.state + begin);
  for (int64_t dim = 0; dim < op_.head_dim; ++dim) {
    for (int64_t i = 0; i < kPositions; ++i) {
      scratch.weights[static_cast<size_t>(i)] =
          scratch.decays[static_cast<size_t>(i)] *
          scratch.x[static_cast<size_t>(i * op_.head_dim + dim)];
    }
    tensor::kernels().add_weighted(scratch.weights.data(), b, kPositions, op_.n_state, op_.n_state,
                                   to.state + begin + dim * op_.n_state);
  }
}

// y of one head: what the state holds for c, what the positions of the block add, and x itself.
void FastStateSpace::mix_row(const Page& page, const float* c, const float* scores, int32_t head,
                             int32_t slot, float* y) const {
  const auto& kernels = tensor::kernels();
  Scratch& scratch = scratch_for(op_);
  const float sum = scratch.sums[static_cast<size_t>(slot)];
  kernels.dots(c, page.state + int64_t{head} * op_.head_dim * op_.n_state, op_.head_dim,
               op_.n_state, y);
  kernels.scale(decay(sum), op_.head_dim, y);
  decays_to(scratch.sums.data(), sum, slot + 1, scratch.weights.data());
  for (int32_t i = 0; i <= slot; ++i) {
    scratch.weights[static_cast<size_t>(i)] *=
        scores[i] * page.steps[int64_t{i} * op_.n_heads + head];
  }
  kernels.add_weighted(scratch.weights.data(), scratch.x.data(), slot + 1, op_.head_dim,
                       op_.head_dim, y);
  kernels.add_weighted(&d_[static_cast<size_t>(head)],
                       scratch.x.data() + int64_t{slot} * op_.head_dim, 1, op_.head_dim,
                       op_.head_dim, y);
}

// Rows of a span, in order: at the first position of a block its state is made.
void FastStateSpace::mix_head(Step& step, const RowSpan& span, int32_t head) const {
  const int64_t group = head / (op_.n_heads / op_.n_groups);
  const int32_t end = span.first_position + span.n_rows;
  for (int32_t position = span.first_position; position < end;) {
    const int32_t first = position / kBlockPositions * kBlockPositions;
    const int32_t last = std::min(first + kBlockPositions, end);
    const Page block = page(span, position);
    if (position == first && first > 0) advance_state(page(span, first - 1), block, head);
    load_block(block, head, last - first, scratch_for(op_));
    for (; position < last; ++position) {
      const int64_t row = span.first_row + (position - span.first_position);
      mix_row(block, c_of(step, row) + group * op_.n_state,
              scores_of(step, row) + group * kPositions, head, position - first,
              y_of(step, row) + int64_t{head} * op_.head_dim);
    }
    thread_work().kv_bytes += int64_t{op_.head_dim} * op_.n_state * int64_t{sizeof(float)};
  }
}

// A state is made from the one before, so all spans of a sequence are one thread's.
void FastStateSpace::mix(Step& step, int thread) const {
  const auto n_items = static_cast<int64_t>(step.spans.size()) * op_.n_heads;
  const Share share = share_of(n_items, thread, step.team.size());
  for (int64_t i = share.begin; i < share.end; ++i) {
    const auto first = step.spans.begin() + i / op_.n_heads;
    const auto of_sequence = [&](const RowSpan& span) { return span.pages == first->pages; };
    if (std::any_of(step.spans.begin(), first, of_sequence)) continue;
    for (auto span = first; span != step.spans.end(); ++span) {
      if (of_sequence(*span)) mix_head(step, *span, static_cast<int32_t>(i % op_.n_heads));
    }
  }
}

// y *= silu(z), normed in groups, to out's input.
void FastStateSpace::gate(Step& step, int thread) const {
  const int64_t inner = op_.inner();
  const int64_t width = inner / op_.n_groups;
  const Share share = step.rows_of(thread);
  for (int64_t row = share.begin; row < share.end; ++row) {
    float* y = y_of(step, row);
    const float* z = step.wide.data() + row * op_.projected();
    tensor::kernels().gate(tensor::Activation::silu, z, y, inner, y);
    for (int64_t begin = 0; begin < inner; begin += width) {
      const float* weight = norm_.weight.empty() ? nullptr : norm_.weight.data() + begin;
      tensor::norm_row(norm_.kind, y + begin, weight, nullptr, width, norm_.epsilon, y + begin);
    }
    tensor::fill_row(y, step.inputs.at(out_input_), row);
  }
}

void FastStateSpace::run(Step& step, int thread) {
  Team& team = step.team;
  tensor::matmul_share(in_.matrix, step.inputs.at(input_), step.n_rows(), step.wide.data(),
                       wide_width(), thread, team.size());
  team.barrier();
  write_inputs(step, thread);
  team.barrier();
  convolve(step, thread);
  team.barrier();
  score(step, thread);
  team.barrier();
  mix(step, thread);
  team.barrier();
  gate(step, thread);
  team.barrier();
  tensor::matmul_share(out_.matrix, step.inputs.at(out_input_), step.n_rows(), step.delta.data(),
                       out_.matrix.rows(), thread, team.size());
}

}  // namespace strata::inference
