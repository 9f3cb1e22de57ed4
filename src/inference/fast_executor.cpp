// The fast executor: packed weights, int8 or bf16 activations, paged cache, one team run a
// step. Same ids whatever the threads, the batch and the pieces of a prompt: every row is computed
// from its own values in one order (tensor/kernels.h, tensor/attention.h).
#include <algorithm>
#include <variant>
#include <vector>

#include "core/cpu.h"
#include "core/error.h"
#include "core/log.h"
#include "core/overloaded.h"
#include "inference/block/fast_attention.h"
#include "inference/block/fast_latent_attention.h"
#include "inference/block/fast_mlp.h"
#include "inference/block/fast_moe.h"
#include "inference/block/fast_sequence_attention.h"
#include "inference/block/fast_state_space.h"
#include "inference/executor.h"
#include "inference/fast_step.h"
#include "inference/fast_weights.h"
#include "inference/head_screen.h"
#include "inference/limits.h"
#include "inference/packed_disk.h"
#include "inference/sequences.h"
#include "inference/weights.h"
#include "tensor/dequant.h"

namespace strata::inference {
namespace {

using models::ModelSpec;

// What was guessed wrong can always be taken back, also where a window slides.
static_assert(kMaxGuesses < kWindowSlack);

struct FastBlock {
  PackedNorm pre_norm;
  std::variant<FastAttention, FastSequenceAttention, FastLatentAttention, FastStateSpace, FastMlp,
               FastMoe>
      op;
  PackedNorm post_norm;
  PackedNorm sum_norm;
  bool parallel_to_previous = false;
  float scale = 1.0f;

  const std::vector<float>& output_bias() const {
    return std::visit([](const auto& o) -> const std::vector<float>& { return o.output_bias(); },
                      op);
  }
};

class FastExecutor final : public Executor {
 public:
  FastExecutor(std::shared_ptr<const models::Model> model, const ExecutorOptions& options)
      : model_(std::move(model)),
        spec_((check_spec(model_->spec), model_->spec)),
        is_causal_(models::is_causal(spec_)),
        disk_(is_causal_ ? options.disk : DiskCache{}),
        team_(options.n_threads > 0 ? options.n_threads : usable_cores()),
        step_(team_),
        thread_works_(static_cast<size_t>(team_.size())) {
    tensor::Arena arena = recall_packed(options.packed, team_);
    Packer packer(*model_, team_, arena);
    for (const auto& layer : spec_.layers) {
      for (const auto& block : layer.blocks) load_block(block, options.kv, packer);
      packer.release();
    }
    if (keeps_latent_ && options.kv != tensor::KvFormat::bf16) {
      log_warn("{}: its latent vectors are kept as bf16, not as {}", model_->name,
               tensor::kv_format_name(options.kv));
    }
    final_norm_ = packer.norm(spec_.final_norm);
    load_ends(packer);
    packer.release_all();
    arena.check_end();

    std::vector<KvLayer> kv_layers;
    for (const FastBlock& block : blocks_) {
      std::visit(
          [&](const auto& op) {
            if constexpr (requires { op.cache(); }) kv_layers.push_back(op.cache());
          },
          block.op);
    }
    const int64_t n_positions =
        options.n_positions_limit > 0 ? options.n_positions_limit : spec_.n_context;
    cache_ = std::make_unique<KvCache>(
        std::move(kv_layers), KvLimits{n_positions, options.kv_bytes_limit,
                                       options.n_positions_kept, options.n_state_blocks_limit});
    recall_prefixes(disk_, kernels(), *cache_);
    packed_writer_ = PackedWriter(options.packed, arena);
  }

  std::string_view kernels() const override { return tensor::kernels().name; }

  void save_prefixes() override { strata::inference::save_prefixes(disk_, kernels(), *cache_); }

  SequenceId create_sequence() override { return create_sequence_from({}, 0); }

  SequenceId create_sequence_from(std::span<const int32_t> tokens, uint64_t scope) override {
    const SequenceId id = sequences_.create();
    if (is_causal_) sequences_.set_length(id, cache_->add(id, tokens, scope));
    return id;
  }

  void remove_sequence(SequenceId sequence) override {
    sequences_.remove(sequence);
    if (is_causal_) cache_->remove(sequence);
  }

  int32_t length(SequenceId sequence) const override { return sequences_.length(sequence); }

  void truncate(SequenceId sequence, int32_t length) override {
    sequences_.check_truncation(sequence, length);
    if (is_causal_) cache_->truncate(sequence, length);
    sequences_.set_length(sequence, length);
  }

  bool fit(std::span<const Growth> more) const override {
    std::vector<KvCache::Growth> growth;
    for (const Growth& each : more) {
      const int64_t length = int64_t{sequences_.length(each.sequence)} + each.n;
      if (length > INT32_MAX) return false;
      growth.push_back({each.sequence, static_cast<int32_t>(length)});
    }
    return !is_causal_ || cache_->fits(growth);
  }

  std::span<const float> step(std::span<const Row> rows) override {
    sequences_.check_rows(rows, spec_.n_vocab);
    check_inputs(spec_, rows);
    if (!is_causal_) sequences_.check_whole(rows);
    n_states_ = 0;
    if (rows.empty()) return {};
    reserve(rows);
    prepare(rows);
    team_.run([this](int thread) {
      thread_work() = {};
      run(thread);
      thread_works_[static_cast<size_t>(thread)] = thread_work();
    });
    for (const Work& work : thread_works_) work_ += work;
    sequences_.advance(rows);
    extend_cache(rows);
    return {logits_.data(), wanted_.size() * static_cast<size_t>(spec_.n_vocab)};
  }

  std::span<const float> states() const override {
    return {states_.data(), n_states_ * static_cast<size_t>(spec_.n_embd)};
  }

  std::vector<std::vector<int32_t>> chosen_experts() const override {
    std::vector<std::vector<int32_t>> chosen;
    for (const FastBlock& block : blocks_) {
      const auto* moe = std::get_if<FastMoe>(&block.op);
      if (moe != nullptr) chosen.emplace_back(moe->chosen().begin(), moe->chosen().end());
    }
    return chosen;
  }

  ExecutorStats stats() const override {
    int64_t bytes = head_.matrix.empty() ? 0 : static_cast<int64_t>(head_.matrix.bytes());
    for (const FastBlock& block : blocks_) {
      bytes += std::visit([](const auto& op) { return op.weight_bytes(); }, block.op);
    }
    return {.weight_bytes = bytes,
            .kv_bytes_used = cache_->bytes_used(),
            .kv_bytes_kept = cache_->bytes_kept(),
            .kv_bytes_reserved = cache_->bytes_reserved(),
            .n_positions_free = cache_->n_positions_free(),
            .work = work_};
  }

 private:
  // Rows of the head that are tokens: there may be more to fill it up.
  int32_t n_choosable() const {
    const auto& tokenizer = model_->tokenizer;
    return tokenizer ? std::min(spec_.n_vocab, tokenizer->n_vocab()) : spec_.n_vocab;
  }

  // What stands before the first block and behind the last.
  void load_ends(Packer& packer) {
    if (spec_.head.weight != models::kNoTensor) {
      head_ = packer.head();
      screen_ = HeadScreen(head_.matrix, n_choosable(), team_);
      head_inputs_.add(head_.matrix);
    }
    tied_ = spec_.head.weight == spec_.token_embedding;
    const auto mapped = [&](models::TensorId table) {
      return table == models::kNoTensor ? models::Weight{} : packer.mapped(table);
    };
    if (!tied_) embedding_ = mapped(spec_.token_embedding);
    positions_ = mapped(spec_.position_embedding);
    types_ = packer.vector(spec_.type_embedding);
    embedding_norm_ = packer.norm(spec_.embedding_norm);
  }

  void load_block(const models::Block& block, tensor::KvFormat kv, Packer& packer) {
    PackedNorm pre_norm = packer.norm(block.pre_norm);
    PackedNorm post_norm = packer.norm(block.post_norm);
    PackedNorm sum_norm = packer.norm(block.sum_norm);
    const auto add = [&](auto op) {
      wide_width_ = std::max(wide_width_, op.wide_width());
      mixed_width_ = std::max(mixed_width_, op.mixed_width());
      blocks_.emplace_back(FastBlock{std::move(pre_norm), std::move(op), std::move(post_norm),
                                     std::move(sum_norm), block.parallel_to_previous, block.scale});
    };
    std::visit(Overloaded{
                   [&](const models::Attention& a) {
                     if (a.causal) {
                       add(FastAttention(a, n_cache_layers_++, kv, packer, step_));
                     } else {
                       add(FastSequenceAttention(a, packer, step_));
                     }
                   },
                   [&](const models::LatentAttention& a) {
                     keeps_latent_ = true;
                     add(FastLatentAttention(a, n_cache_layers_++, packer, step_));
                   },
                   [&](const models::StateSpace& s) {
                     add(FastStateSpace(s, n_cache_layers_++, packer, step_));
                   },
                   [&](const models::Mlp& m) { add(FastMlp(m, packer, step_)); },
                   [&](const models::Moe& m) {
                     add(FastMoe(m, spec_.n_embd, packer, step_));
                     has_experts_ = true;
                   },
               },
               block.op);
  }

  void reserve(std::span<const Row> rows) {
    if (!is_causal_) return;  // nothing is kept of a sequence
    growth_.clear();
    for (const Row& row : rows) {
      if (!growth_.empty() && growth_.back().sequence == row.sequence) {
        growth_.back().length = row.position + 1;
        continue;
      }
      const auto known = std::find_if(growth_.begin(), growth_.end(),
                                      [&](const auto& g) { return g.sequence == row.sequence; });
      if (known == growth_.end()) {
        growth_.push_back({row.sequence, row.position + 1});
      } else {
        known->length = row.position + 1;
      }
    }
    cache_->reserve(growth_);
  }

  void extend_cache(std::span<const Row> rows) {
    if (!is_causal_) return;
    extension_.clear();
    for (size_t i = 0; i < rows.size(); ++i) {
      extension_.push_back(rows[i].token);
      if (i + 1 < rows.size() && rows[i + 1].sequence == rows[i].sequence) continue;
      cache_->extend(rows[i].sequence, extension_);
      extension_.clear();
    }
  }

  // Everything that needs memory or one thread only.
  void prepare(std::span<const Row> rows) {
    step_.rows = rows;
    const int64_t n = step_.n_rows();
    step_.spans.clear();
    wanted_.clear();
    n_likeliest_.clear();
    for (size_t i = 0; i < rows.size(); ++i) {
      const Row& row = rows[i];
      n_states_ += row.wants_state;
      if (row.wants_logits) {
        wanted_.push_back(static_cast<int64_t>(i));
        n_likeliest_.push_back(row.n_likeliest);
      }
      if (i > 0 && rows[i - 1].sequence == row.sequence) {
        ++step_.spans.back().n_rows;
      } else {
        const KvCache::Pages* pages = is_causal_ ? &cache_->pages(row.sequence) : nullptr;
        step_.spans.push_back({static_cast<int32_t>(i), 1, row.position, pages});
      }
    }
    step_.inputs.resize(n);
    step_.angles.resize(n);
    step_.stream.resize(n * spec_.n_embd);
    step_.delta.resize(n * spec_.n_embd);
    step_.wide.resize(n * wide_width_);
    step_.mixed.resize(n * mixed_width_);
    if (has_experts_) step_.normed.resize(n * spec_.n_embd);
    const auto n_wanted = static_cast<int64_t>(wanted_.size());
    head_inputs_.resize(std::max<int64_t>(n_wanted, 1));
    states_.resize(static_cast<int64_t>(n_states_) * spec_.n_embd);
    logits_.resize(n_wanted * spec_.n_vocab);
    screen_.prepare(n_likeliest_);
    step_.attention.begin_step();
    for (FastBlock& block : blocks_) {
      std::visit([&](auto& op) { op.prepare(step_); }, block.op);
    }
  }

  // The whole step, on every thread.
  void run(int thread) {
    embed(thread);
    team_.barrier();
    for (size_t i = 0; i < blocks_.size(); ++i) {
      std::visit([&](auto& op) { op.run(step_, thread); }, blocks_[i].op);
      team_.barrier();
      add_block(i, thread);
      team_.barrier();
    }
    if (n_states_ > 0) keep_states(thread);
    if (!wanted_.empty()) compute_logits(thread);
  }

  float* stream(int64_t row) { return step_.stream.data() + row * spec_.n_embd; }

  void embed(int thread) {
    const Share share = step_.rows_of(thread);
    for (int64_t row = share.begin; row < share.end; ++row) {
      const Row& r = step_.rows[static_cast<size_t>(row)];
      if (tied_) {
        head_.matrix.unpack_row(r.token, stream(row));
      } else {
        read_row(embedding_, r.token, stream(row));
      }
      if (spec_.embedding_scale != 1.0f) {
        tensor::kernels().scale(spec_.embedding_scale, spec_.n_embd, stream(row));
      }
      add_to_embedding(r, row);
      step_.angles.fill(row, r.position);
      if (!blocks_.empty()) norm_input(0, row);
    }
  }

  void read_row(const models::Weight& table, int32_t index, float* out) const {
    const auto row_bytes = table.bytes.size() / table.place.rows;
    tensor::dequantize_row(table.place.type(),
                           table.bytes.data() + static_cast<size_t>(index) * row_bytes, out,
                           spec_.n_embd);
  }

  // Position, type and norm; delta is free to hold the position's row.
  void add_to_embedding(const Row& r, int64_t row) {
    const auto& kernels = tensor::kernels();
    const int64_t width = spec_.n_embd;
    if (positions_.place.rows > 0) {
      float* position = step_.delta.data() + row * width;
      read_row(positions_, r.position, position);
      kernels.add(position, width, stream(row));
    }
    if (!types_.empty()) kernels.add(types_.data() + r.type * width, width, stream(row));
    if (embedding_norm_.kind != tensor::NormKind::none) {
      embedding_norm_.apply(stream(row), width, stream(row));
    }
  }

  void norm_input(size_t block, int64_t row) {
    const FastBlock& b = blocks_[block];
    std::visit([&](const auto& op) { op.take_input(b.pre_norm, stream(row), step_, row); }, b.op);
  }

  // stream = sum_norm(stream + scale * post_norm(delta + bias)) on this thread's rows, and the next
  // block's input.
  void add_block(size_t index, int thread) {
    const FastBlock& block = blocks_[index];
    const auto& kernels = tensor::kernels();
    const bool has_next = index + 1 < blocks_.size();
    const bool next_is_parallel = has_next && blocks_[index + 1].parallel_to_previous;
    const int64_t width = spec_.n_embd;
    const Share share = step_.rows_of(thread);
    for (int64_t row = share.begin; row < share.end; ++row) {
      float* delta = step_.delta.data() + row * width;
      if (!block.output_bias().empty()) kernels.add(block.output_bias().data(), width, delta);
      if (block.post_norm.kind != tensor::NormKind::none) {
        block.post_norm.apply(delta, width, delta);
      }
      if (block.scale != 1.0f) kernels.scale(block.scale, width, delta);
      if (next_is_parallel) norm_input(index + 1, row);
      kernels.add(delta, width, stream(row));
      if (block.sum_norm.kind != tensor::NormKind::none) {
        block.sum_norm.apply(stream(row), width, stream(row));
      }
      if (has_next && !next_is_parallel) norm_input(index + 1, row);
    }
  }

  // Each thread writes those among its rows.
  void keep_states(int thread) {
    const Share share = step_.rows_of(thread);
    int64_t at = 0;
    for (int64_t row = 0; row < share.end; ++row) {
      if (!step_.rows[static_cast<size_t>(row)].wants_state) continue;
      if (row >= share.begin) {
        final_norm_.apply(stream(row), spec_.n_embd, states_.data() + at * spec_.n_embd);
      }
      ++at;
    }
  }

  void compute_logits(int thread) {
    const auto n_wanted = static_cast<int64_t>(wanted_.size());
    const int64_t n_vocab = spec_.n_vocab;
    tensor::InputRows& input = head_inputs_.at(0);
    const Share share = share_of(n_wanted, thread, team_.size());
    for (int64_t i = share.begin; i < share.end; ++i) {
      final_norm_.apply_into(stream(wanted_[static_cast<size_t>(i)]), input, i);
      screen_.input_is_ready(input, i);
    }
    team_.barrier();
    if (screen_.used()) {
      screen_.run(head_.matrix, input, logits_.data(), team_, thread);
    } else {
      tensor::matmul_share(head_.matrix, input, n_wanted, logits_.data(), n_vocab, thread,
                           team_.size());
    }
    const bool scaled = spec_.logit_scale != 1.0f;
    const bool capped = spec_.logit_soft_cap > 0.0f;
    if (head_.bias.empty() && !scaled && !capped) return;
    team_.barrier();
    const Share columns = share_of(n_vocab, thread, team_.size());
    const int64_t n = columns.end - columns.begin;
    const auto& kernels = tensor::kernels();
    for (int64_t i = 0; i < n_wanted; ++i) {
      float* part = logits_.data() + i * n_vocab + columns.begin;
      if (!head_.bias.empty()) kernels.add(head_.bias.data() + columns.begin, n, part);
      if (scaled) kernels.scale(spec_.logit_scale, n, part);
      if (capped) kernels.soft_cap(spec_.logit_soft_cap, n, part);
    }
  }

  std::shared_ptr<const models::Model> model_;
  const ModelSpec& spec_;
  const bool is_causal_;
  const DiskCache disk_;
  Team team_;
  Step step_;
  std::vector<FastBlock> blocks_;
  size_t n_cache_layers_ = 0;
  int64_t wide_width_ = 0;
  int64_t mixed_width_ = 0;
  bool has_experts_ = false;
  bool keeps_latent_ = false;
  PackedNorm final_norm_;
  PackedLinear head_;
  InputPool head_inputs_;
  HeadScreen screen_;
  bool tied_ = false;
  models::Weight embedding_;  // in the file, when not tied
  models::Weight positions_;  // in the file; no rows: none
  std::vector<float> types_;
  PackedNorm embedding_norm_;
  Sequences sequences_;
  std::unique_ptr<KvCache> cache_;
  std::vector<KvCache::Growth> growth_;
  std::vector<int32_t> extension_;    // tokens of one sequence
  std::vector<int64_t> wanted_;       // rows
  std::vector<int32_t> n_likeliest_;  // of the wanted ones
  std::vector<Work> thread_works_;    // of the last step
  Work work_;
  FloatBuffer logits_;
  size_t n_states_ = 0;  // rows of the last step that want them
  FloatBuffer states_;
  PackedWriter packed_writer_;  // last: it reads the weights
};

}  // namespace

std::unique_ptr<Executor> make_fast_executor(std::shared_ptr<const models::Model> model,
                                             const ExecutorOptions& options) {
  try {
    return std::make_unique<FastExecutor>(model, options);
  } catch (const Error& error) {
    if (error.code() != Code::data_loss || options.packed.max_bytes == 0) throw;
    log_warn("{}: its packed weights on disk are removed: {}", model->name, error.message());
    PackedFolder(options.packed.folder).remove(options.packed.weights);
    ExecutorOptions from_model = options;
    from_model.packed = {};
    return std::make_unique<FastExecutor>(std::move(model), from_model);
  }
}

}  // namespace strata::inference
