// The plain executor: float32 weights, float32 cache, one readable operation after the other. It is
// the judge of the fast one.
#include <algorithm>
#include <cmath>
#include <map>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/overloaded.h"
#include "inference/block/attention.h"
#include "inference/block/cross_attention.h"
#include "inference/block/latent_attention.h"
#include "inference/block/mlp.h"
#include "inference/block/moe.h"
#include "inference/block/state_space.h"
#include "inference/block/streams.h"
#include "inference/executor.h"
#include "inference/float32_ops.h"
#include "inference/sequences.h"
#include "inference/weights.h"

namespace strata::inference {
namespace {

using models::Attention;
using models::Block;
using models::LatentAttention;
using models::ModelSpec;
using models::Norm;

// Floats of a position that a block keeps.
struct KvWidths {
  size_t keys = 0;
  size_t values = 0;
};
KvWidths kv_widths(const Attention& op) {
  if (op.kv_of >= 0) return {};
  const auto width = static_cast<size_t>(op.n_kv_heads) * static_cast<size_t>(op.head_dim);
  return {width, width};
}
KvWidths kv_widths(const LatentAttention& op) {
  return {static_cast<size_t>(op.n_latent + op.rope.n_dims), 0};
}

// Of all sequences, what each block keeps.
using KvOfSequences = std::map<SequenceId, std::vector<Float32Kv>>;

template <typename Op>
std::vector<const Op*> blocks_of(const ModelSpec& spec) {
  std::vector<const Op*> found;
  for (const auto& layer : spec.layers) {
    for (const auto& block : layer.blocks) {
      if (const auto* op = std::get_if<Op>(&block.op)) found.push_back(op);
    }
  }
  return found;
}

// Of each block that keeps any, in order.
std::vector<KvWidths> kv_widths(const ModelSpec& spec) {
  std::vector<KvWidths> widths;
  for (const auto& layer : spec.layers) {
    for (const auto& block : layer.blocks) {
      std::visit(
          [&](const auto& op) {
            if constexpr (requires { kv_widths(op); }) widths.push_back(kv_widths(op));
          },
          block.op);
    }
  }
  return widths;
}

class Float32Executor final : public Executor {
 public:
  Float32Executor(std::shared_ptr<const models::Model> model, const ExecutorOptions& options,
                  InputObserver* observer)
      : model_(std::move(model)),
        spec_(model_->spec),
        weights_((check_spec(spec_), *model_)),
        kv_widths_(kv_widths(spec_)),
        cross_attentions_(blocks_of<models::CrossAttention>(spec_)),
        state_spaces_(blocks_of<models::StateSpace>(spec_)),
        sequences_(spec_) {
    weights_.set_observer(observer);
    is_causal_ = models::is_causal(spec_);
    n_threads_ = options.n_threads > 0
                     ? options.n_threads
                     : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    if (spec_.streams) streams_.emplace(spec_, weights_, n_threads_);
    for (const KvWidths& widths : kv_widths_) {
      position_bytes_ += static_cast<int64_t>((widths.keys + widths.values) * sizeof(float));
    }
    for (const models::StateSpace* op : state_spaces_) {
      position_bytes_ += (2 * op->channels() + op->n_heads) * static_cast<int64_t>(sizeof(float));
    }
    for (const models::CrossAttention* op : cross_attentions_) {
      source_bytes_ += int64_t{2} * op->n_heads * op->head_dim * int64_t{sizeof(float)};
    }
    limit_ = options.n_positions_limit > 0 ? options.n_positions_limit : spec_.n_context;
    if (options.kv_bytes_limit > 0) {
      limit_ = std::min(
          limit_, options.kv_bytes_limit / std::max<int64_t>(1, position_bytes_ + source_bytes_));
    }
  }

  std::string_view kernels() const override { return "float32"; }

  SequenceId create_sequence(int32_t n_tokens, int32_t n_prompt) override {
    const SequenceId id = sequences_.create(n_tokens, n_prompt);
    auto& kv = kv_.emplace(id, std::vector<Float32Kv>(kv_widths_.size())).first->second;
    for (Float32Kv& of_block : kv) of_block.long_text = sequences_.long_text(id);
    recurrent_.emplace(id, std::vector<Float32State>(state_spaces_.size()));
    return id;
  }

  void remove_sequence(SequenceId sequence) override {
    used_ -= sequences_.length(sequence);
    used_by_sources_ -= sequences_.source(sequence);
    sequences_.remove(sequence);
    kv_.erase(sequence);
    source_kv_.erase(sequence);
    recurrent_.erase(sequence);
  }

  int32_t length(SequenceId sequence) const override { return sequences_.length(sequence); }
  bool may_reach(SequenceId sequence, int32_t length) const override {
    return sequences_.may_reach(sequence, length);
  }

  void truncate(SequenceId sequence, int32_t length) override {
    sequences_.check_truncation(sequence, length);
    cut(sequence, length);
    used_ -= sequences_.length(sequence) - length;
    sequences_.set_length(sequence, length);
  }

  bool fit(std::span<const Growth> more) const override {
    int64_t used = used_;
    for (const Growth& each : more) {
      (void)sequences_.length(each.sequence);
      used += each.n;
    }
    return used <= limit_;
  }

  void encode(std::span<const Source> sources) override {
    check_has_encoder(spec_);
    sequences_.check_sources(sources, spec_.n_vocab);
    const std::vector<Row> rows = rows_of(sources);
    check_room(used_by_sources_, static_cast<int64_t>(rows.size()));
    KvOfSequences kv;  // of the encoder's blocks, which nothing sees later
    size_t n_blocks = 0;
    for (const auto& layer : spec_.encoder->layers) n_blocks += layer.blocks.size();
    for (const Source& source : sources) kv[source.sequence].resize(n_blocks);
    embed(rows);
    run_layers(spec_.encoder->layers, rows, kv);
    norm_rows(spec_.encoder->final_norm, stream_, stream_);
    const float* states = stream_.data();
    for (const Source& source : sources) {
      const auto n_states = static_cast<int64_t>(source.tokens.size());
      for (const models::CrossAttention* op : cross_attentions_) {
        source_kv_[source.sequence].push_back(
            read_source_float32(*op, weights_, states, n_states, spec_.n_embd, n_threads_));
      }
      states += n_states * spec_.n_embd;
    }
    sequences_.set_sources(sources);
    used_by_sources_ += static_cast<int64_t>(rows.size());
  }

  std::span<const float> step(std::span<const Row> rows) override {
    sequences_.check_rows(rows, spec_.n_vocab);
    if (spec_.encoder) sequences_.check_have_sources(rows);
    check_inputs(spec_, rows);
    if (!is_causal_) sequences_.check_whole(rows);
    const auto n_new = static_cast<int64_t>(rows.size());
    check_room(used_, n_new);
    embed(rows);
    if (streams_) streams_->open(rows, stream_);
    chosen_experts_.clear();
    run_layers(spec_.layers, rows, kv_);
    if (streams_) streams_->close(stream_);
    sequences_.advance(rows);
    used_ += n_new;
    keep_states(rows);
    compute_logits(rows);
    return logits_;
  }

  std::span<const float> states() const override { return states_; }

  std::vector<std::vector<int32_t>> chosen_experts() const override { return chosen_experts_; }

  ExecutorStats stats() const override {
    return {.weight_bytes = weights_.bytes(),
            .weight_bytes_read = weights_.bytes(),
            .kv_bytes_used = used_ * position_bytes_ + used_by_sources_ * source_bytes_,
            .kv_bytes_reserved = limit_ * (position_bytes_ + source_bytes_),
            .n_positions_free = limit_ - std::max(used_, used_by_sources_)};
  }

 private:
  // Places of the blocks that keep something, among those of their kind.
  struct BlockIndex {
    size_t attention = 0;
    size_t cross = 0;
    size_t state = 0;
  };

  void check_room(int64_t n_used, int64_t n_new) const {
    if (n_used + n_new <= limit_) return;
    throw Error(Code::resource_exhausted,
                fmt::format("the cache holds {} of {} positions, {} more do not fit", n_used,
                            limit_, n_new));
  }

  // From the embedding in stream_ to what goes into the final norm.
  void run_layers(std::span<const models::Layer> layers, std::span<const Row> rows,
                  KvOfSequences& kv) {
    BlockIndex index;
    for (size_t i = 0; i < layers.size(); ++i) {
      const models::Layer& layer = layers[i];
      if (layer.mix) streams_->predict(*layer.mix, stream_);
      std::vector<float> before;
      for (const auto& block : layer.blocks) {
        std::vector<float> stream = stream_;
        add_block(block, rows, block.parallel_to_previous ? before : stream, kv, index);
        before = std::move(stream);
      }
      if (layer.mix) streams_->correct(*layer.mix, i, stream_);
    }
  }

  void cut(SequenceId sequence, int32_t length) {
    for (size_t i = 0; i < kv_widths_.size(); ++i) {
      Float32Kv& kv = kv_.at(sequence)[i];
      kv.keys.resize(static_cast<size_t>(length) * kv_widths_[i].keys);
      kv.values.resize(static_cast<size_t>(length) * kv_widths_[i].values);
    }
    for (size_t i = 0; i < state_spaces_.size(); ++i) {
      recurrent_.at(sequence)[i].cut(*state_spaces_[i], length);
    }
  }

  void embed(std::span<const Row> rows) {
    const auto width = static_cast<size_t>(spec_.n_embd);
    const float* table = weights_.data(spec_.token_embedding);
    stream_.resize(rows.size() * width);
    for (size_t i = 0; i < rows.size(); ++i) {
      const float* row = table + static_cast<size_t>(rows[i].token) * width;
      float* out = stream_.data() + i * width;
      for (size_t j = 0; j < width; ++j) out[j] = row[j] * spec_.embedding_scale;
      add_row(spec_.position_embedding, rows[i].position, out);
      add_row(spec_.type_embedding, rows[i].type, out);
    }
    norm_rows(spec_.embedding_norm, stream_, stream_);
  }

  // out += a row of the table, where the model has it.
  void add_row(models::TensorId table, int32_t row, float* out) const {
    if (table == models::kNoTensor) return;
    const auto width = static_cast<size_t>(spec_.n_embd);
    const float* values = weights_.data(table) + static_cast<size_t>(row) * width;
    for (size_t j = 0; j < width; ++j) out[j] += values[j];
  }

  void norm_rows(const Norm& norm, std::span<const float> x, std::span<float> y) const {
    const auto width = static_cast<size_t>(spec_.n_embd);
    for (size_t begin = 0; begin < x.size(); begin += width) {
      apply_norm(norm.kind, norm.epsilon, weights_.data(norm.weight), weights_.data(norm.bias),
                 x.subspan(begin, width), y.subspan(begin, width));
    }
  }

  // What the block of that index keeps of each row's sequence.
  template <typename Kv>
  static std::vector<Kv*> kv_of(std::span<const Row> rows, KvOfSequences& sequences, size_t index) {
    std::vector<Kv*> kv;
    for (const Row& row : rows) kv.push_back(&sequences.at(row.sequence)[index]);
    return kv;
  }

  std::vector<Float32State*> states_of(std::span<const Row> rows, size_t state_index) {
    std::vector<Float32State*> states;
    for (const Row& row : rows) states.push_back(&recurrent_.at(row.sequence)[state_index]);
    return states;
  }

  // stream_ = sum_norm(stream_ + scale * post_norm(op(pre_norm(input))))
  void add_block(const Block& block, std::span<const Row> rows, std::span<const float> input,
                 KvOfSequences& kv, BlockIndex& index) {
    std::vector<float> normed(input.size());
    std::vector<float> result(input.size());
    norm_rows(block.pre_norm, input, normed);
    const auto n_rows = static_cast<int64_t>(rows.size());
    std::visit(
        Overloaded{
            [&](const Attention& op) {
              const size_t own = index.attention++;
              const size_t seen = op.kv_of < 0 ? own : static_cast<size_t>(op.kv_of);
              attend_float32(op, weights_, rows, kv_of<Float32Kv>(rows, kv, seen), normed.data(),
                             spec_.n_embd, result.data(), n_threads_);
            },
            [&](const LatentAttention& op) {
              attend_latent_float32(op, weights_, rows,
                                    kv_of<Float32Kv>(rows, kv, index.attention++), normed.data(),
                                    spec_.n_embd, result.data(), n_threads_);
            },
            [&](const models::CrossAttention& op) {
              attend_source_float32(op, weights_,
                                    kv_of<const Float32Kv>(rows, source_kv_, index.cross++),
                                    normed.data(), spec_.n_embd, result.data(), n_threads_);
            },
            [&](const models::StateSpace& op) {
              mix_states_float32(op, weights_, rows, states_of(rows, index.state++), normed.data(),
                                 spec_.n_embd, result.data(), n_threads_);
            },
            [&](const models::LowRank& op) { add_low_rank(op, n_rows, normed, result); },
            [&](const models::Mlp& op) {
              mlp_float32(op, weights_, n_rows, normed.data(), spec_.n_embd, result.data(),
                          n_threads_);
            },
            [&](const models::Projection& op) {
              multiply(weights_, op.out, normed.data(), n_rows, spec_.n_embd, spec_.n_embd,
                       result.data(), n_threads_);
            },
            [&](const models::Moe& op) {
              chosen_experts_.push_back(moe_float32(op, weights_, n_rows, normed.data(),
                                                    spec_.n_embd, result.data(), n_threads_));
            },
        },
        block.op);
    norm_rows(block.post_norm, result, result);
    for (size_t i = 0; i < stream_.size(); ++i) {
      stream_[i] = (stream_[i] + block.scale * result[i]) * block.sum_scale;
    }
    norm_rows(block.sum_norm, stream_, stream_);
  }

  // y = x + norm(right(left(x)))
  void add_low_rank(const models::LowRank& op, int64_t n_rows, std::span<const float> x,
                    std::span<float> y) const {
    std::vector<float> narrow(static_cast<size_t>(n_rows * op.rank));
    multiply(weights_, op.left, x.data(), n_rows, op.rank, spec_.n_embd, narrow.data(), n_threads_);
    multiply(weights_, op.right, narrow.data(), n_rows, spec_.n_embd, op.rank, y.data(),
             n_threads_);
    norm_rows(op.norm, y, y);
    for (size_t i = 0; i < y.size(); ++i) y[i] += x[i];
  }

  // Behind the final norm.
  std::vector<float> rows_that(std::span<const Row> rows, bool Row::* want) const {
    const auto width = static_cast<size_t>(spec_.n_embd);
    std::vector<float> wanted;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!(rows[i].*want)) continue;
      const auto row = std::span(stream_).subspan(i * width, width);
      wanted.insert(wanted.end(), row.begin(), row.end());
    }
    norm_rows(spec_.final_norm, wanted, wanted);
    return wanted;
  }

  void keep_states(std::span<const Row> rows) { states_ = rows_that(rows, &Row::wants_state); }

  // rows = norm(activation(dense(rows)))
  void transform(const models::MaskHead& masks, std::span<float> rows) const {
    const int64_t width = spec_.n_embd;
    std::vector<float> hidden(rows.size());
    multiply(weights_, masks.dense, rows.data(), static_cast<int64_t>(rows.size()) / width, width,
             width, hidden.data(), n_threads_);
    for (float& value : hidden) value = activate(masks.activation, value);
    norm_rows(masks.norm, hidden, rows);
  }

  void compute_logits(std::span<const Row> rows) {
    std::vector<float> wanted = rows_that(rows, &Row::wants_logits);
    if (spec_.masks) transform(*spec_.masks, wanted);
    const size_t n_wanted = wanted.size() / static_cast<size_t>(spec_.n_embd);
    logits_.resize(n_wanted * static_cast<size_t>(spec_.n_vocab));
    if (n_wanted == 0) return;
    multiply(weights_, spec_.head, wanted.data(), static_cast<int64_t>(n_wanted), spec_.n_vocab,
             spec_.n_embd, logits_.data(), n_threads_);
    for (float& logit : logits_) {
      logit *= spec_.logit_scale;
      if (spec_.logit_soft_cap > 0.0f) {
        logit = spec_.logit_soft_cap * std::tanh(logit / spec_.logit_soft_cap);
      }
    }
  }

  std::shared_ptr<const models::Model> model_;
  const ModelSpec& spec_;
  Float32Weights weights_;
  const std::vector<KvWidths> kv_widths_;
  const std::vector<const models::CrossAttention*> cross_attentions_;
  const std::vector<const models::StateSpace*> state_spaces_;
  Sequences sequences_;
  KvOfSequences kv_;
  KvOfSequences source_kv_;
  std::map<SequenceId, std::vector<Float32State>> recurrent_;
  int n_threads_ = 1;
  bool is_causal_ = true;
  int64_t position_bytes_ = 0;
  int64_t source_bytes_ = 0;  // of a position of a source
  int64_t limit_ = 0;
  int64_t used_ = 0;
  int64_t used_by_sources_ = 0;
  std::optional<Float32Streams> streams_;
  std::vector<float> stream_;  // [rows x n_embd], the first of a row
  std::vector<float> logits_;
  std::vector<float> states_;
  std::vector<std::vector<int32_t>> chosen_experts_;
};

}  // namespace

std::unique_ptr<Executor> make_float32_executor(std::shared_ptr<const models::Model> model,
                                                const ExecutorOptions& options) {
  return std::make_unique<Float32Executor>(std::move(model), options, nullptr);
}

std::unique_ptr<Executor> make_observed_executor(std::shared_ptr<const models::Model> model,
                                                 const ExecutorOptions& options,
                                                 InputObserver& observer) {
  return std::make_unique<Float32Executor>(std::move(model), options, &observer);
}

}  // namespace strata::inference
