// The fast executor: packed weights, int8 or bf16 activations, paged cache, one team run a
// step. Same ids whatever the threads, the batch and the pieces of a prompt: every row is computed
// from its own values in one order (tensor/kernels.h, tensor/attention.h).
#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "core/cpu.h"
#include "core/error.h"
#include "core/log.h"
#include "inference/executor.h"
#include "inference/fast_head.h"
#include "inference/fast_stack.h"
#include "inference/fast_step.h"
#include "inference/fast_weights.h"
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

class FastExecutor final : public Executor {
 public:
  FastExecutor(std::shared_ptr<const models::Model> model, const ExecutorOptions& options)
      : model_(std::move(model)),
        spec_((check_spec(model_->spec), model_->spec)),
        is_causal_(models::is_causal(spec_)),
        disk_(is_causal_ && !spec_.encoder ? options.disk : DiskCache{}),
        team_(options.n_threads > 0 ? options.n_threads : usable_cores()),
        step_(team_),
        layers_(spec_.n_embd, step_),
        head_(spec_, step_),
        sequences_(spec_),
        thread_works_(static_cast<size_t>(team_.size())) {
    tensor::Arena arena = recall_packed(options.packed, team_);
    Packer packer(*model_, team_, arena);
    if (spec_.encoder) {
      encoder_.emplace(spec_.n_embd, step_);
      load_layers(spec_.encoder->layers, options.kv, packer, *encoder_);
      encoder_norm_ = packer.norm(spec_.encoder->final_norm);
    }
    if (spec_.streams) streams_.emplace(spec_, packer, step_);
    load_layers(spec_.layers, options.kv, packer, layers_);
    if (layers_.keeps_latent() && options.kv != tensor::KvFormat::bf16) {
      log_warn("{}: its latent vectors are kept as bf16, not as {}", model_->name,
               tensor::kv_format_name(options.kv));
    }
    final_norm_ = packer.norm(spec_.final_norm);
    load_ends(packer);
    packer.release_all();
    arena.check_end();

    KvLimits limits{options.n_positions_limit > 0 ? options.n_positions_limit : spec_.n_context,
                    options.kv_bytes_limit, options.n_positions_kept, options.n_state_blocks_limit};
    if (spec_.encoder) {
      // The same tokens behind another source are another text: no sequence serves another one.
      limits.n_kept = 0;
      limits.bytes /= 2;
      source_cache_ = std::make_unique<KvCache>(layers_.source_caches(), limits);
    }
    cache_ = std::make_unique<KvCache>(layers_.caches(), limits);
    recall_prefixes(disk_, kernels(), *cache_);
    packed_writer_ = PackedWriter(options.packed, arena);
  }

  std::string_view kernels() const override { return tensor::kernels().name; }

  void save_prefixes() override { strata::inference::save_prefixes(disk_, kernels(), *cache_); }

  SequenceId create_sequence(int32_t n_tokens, int32_t n_prompt) override {
    const SequenceId id = sequences_.create(n_tokens, n_prompt);
    if (source_cache_) source_cache_->add(id, {}, {});
    if (is_causal_) cache_->add(id, {}, {0, sequences_.long_text(id)});
    return id;
  }

  SequenceId create_sequence_from(std::span<const int32_t> tokens, uint64_t scope,
                                  int32_t n_prompt) override {
    const auto n_tokens = static_cast<int32_t>(tokens.size());
    if (source_cache_ || !is_causal_) return create_sequence(n_tokens, n_prompt);
    const SequenceId id = sequences_.create(n_tokens, n_prompt);
    const PrefixScope own{scope, sequences_.long_text(id)};
    sequences_.set_length(id, cache_->add(id, tokens, own));
    return id;
  }

  void remove_sequence(SequenceId sequence) override {
    sequences_.remove(sequence);
    if (source_cache_) source_cache_->remove(sequence);
    if (is_causal_) cache_->remove(sequence);
  }

  int32_t length(SequenceId sequence) const override { return sequences_.length(sequence); }
  bool may_reach(SequenceId sequence, int32_t length) const override {
    return sequences_.may_reach(sequence, length);
  }

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

  void encode(std::span<const Source> sources) override {
    check_has_encoder(spec_);
    sequences_.check_sources(sources, spec_.n_vocab);
    if (sources.empty()) return;
    growth_.clear();
    for (const Source& source : sources) {
      growth_.push_back({source.sequence, static_cast<int32_t>(source.tokens.size())});
    }
    source_cache_->reserve(growth_);
    sequences_.set_sources(sources);
    source_rows_ = rows_of(sources);
    set_rows(source_rows_);
    encoder_->prepare();
    run_team([this](int thread) {
      embed(*encoder_, thread);
      encoder_->run(thread);
      layers_.read_states(encoder_norm_, thread);
    });
  }

  std::span<const float> step(std::span<const Row> rows) override {
    sequences_.check_rows(rows, spec_.n_vocab);
    if (spec_.encoder) sequences_.check_have_sources(rows);
    check_inputs(spec_, rows);
    if (!is_causal_) sequences_.check_whole(rows);
    n_states_ = 0;
    if (rows.empty()) return {};
    reserve(rows);
    prepare(rows);
    run_team([this](int thread) { run(thread); });
    sequences_.advance(rows);
    extend_cache(rows);
    return head_.logits();
  }

  std::span<const float> states() const override {
    return {states_.data(), n_states_ * static_cast<size_t>(spec_.n_embd)};
  }

  std::vector<std::vector<int32_t>> chosen_experts() const override {
    return layers_.chosen_experts();
  }

  ExecutorStats stats() const override {
    int64_t bytes = head_.weight_bytes() + layers_.weight_bytes();
    if (streams_) bytes += streams_->weight_bytes();
    ExecutorStats stats{.weight_bytes = bytes,
                        .kv_bytes_used = cache_->bytes_used(),
                        .kv_bytes_kept = cache_->bytes_kept(),
                        .kv_bytes_reserved = cache_->bytes_reserved(),
                        .n_positions_free = cache_->n_positions_free(),
                        .work = work_};
    if (source_cache_) {
      stats.weight_bytes += encoder_->weight_bytes();
      stats.kv_bytes_used += source_cache_->bytes_used();
      stats.kv_bytes_reserved += source_cache_->bytes_reserved();
      stats.n_positions_free = std::min(stats.n_positions_free, source_cache_->n_positions_free());
    }
    stats.weight_bytes_read =
        stats.weight_bytes - static_cast<int64_t>(head_.matrix().unread_bytes());
    return stats;
  }

 private:
  // Rows of the head that are tokens: there may be more to fill it up.
  int32_t n_choosable() const {
    const auto& tokenizer = model_->tokenizer;
    return tokenizer ? std::min(spec_.n_vocab, tokenizer->n_vocab()) : spec_.n_vocab;
  }

  void load_layers(std::span<const models::Layer> layers, tensor::KvFormat kv, Packer& packer,
                   FastStack& stack) const {
    for (size_t i = 0; i < layers.size(); ++i) {
      stack.add(layers[i], kv, packer);
      if (layers[i].mix) stack.add_mix(spec_, i, packer);
      packer.release();
    }
  }

  // What stands before the first block and behind the last.
  void load_ends(Packer& packer) {
    head_.load(packer, n_choosable());
    // Of vectors the embedding is read as it is stored: what is packed may be rounded.
    tied_ = spec_.head.weight == spec_.token_embedding && !spec_.masks;
    const auto mapped = [&](models::TensorId table) {
      return table == models::kNoTensor ? models::Weight{} : packer.mapped(table);
    };
    if (!tied_) embedding_ = mapped(spec_.token_embedding);
    positions_ = mapped(spec_.position_embedding);
    types_ = packer.vector(spec_.type_embedding);
    embedding_norm_ = packer.norm(spec_.embedding_norm);
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
    set_rows(rows);
    for (const Row& row : rows) n_states_ += row.wants_state;
    states_.resize(static_cast<int64_t>(n_states_) * spec_.n_embd);
    head_.prepare(rows);
    layers_.prepare();
  }

  // The rows of a step, their spans and the buffers that blocks share.
  void set_rows(std::span<const Row> rows) {
    step_.rows = rows;
    const int64_t n = step_.n_rows();
    step_.spans.clear();
    for (size_t i = 0; i < rows.size(); ++i) {
      const Row& row = rows[i];
      if (i > 0 && rows[i - 1].sequence == row.sequence) {
        ++step_.spans.back().n_rows;
        continue;
      }
      RowSpan span{static_cast<int32_t>(i), 1, row.position};
      if (is_causal_) span.pages = &cache_->pages(row.sequence);
      if (source_cache_) {
        span.source = &source_cache_->pages(row.sequence);
        span.n_source = sequences_.source(row.sequence);
      }
      step_.spans.push_back(span);
    }
    const int64_t wide = std::max(layers_.wide_width(), encoder_ ? encoder_->wide_width() : 0);
    const int64_t mixed = std::max(layers_.mixed_width(), encoder_ ? encoder_->mixed_width() : 0);
    step_.inputs.resize(n);
    step_.angles.resize(n);
    step_.stream.resize(n * spec_.n_embd);
    step_.delta.resize(n * spec_.n_embd);
    step_.wide.resize(n * wide);
    step_.mixed.resize(n * mixed);
    if (layers_.keeps_normed()) step_.normed.resize(n * spec_.n_embd);
    if (streams_) {
      step_.opened.resize(n * streams_->opened_width());
      step_.predicted.resize(n * spec_.n_embd);
    }
    step_.attention.begin_step();
    step_.source_attention.begin_step();
  }

  // `stages` on every thread.
  void run_team(const std::function<void(int)>& stages) {
    team_.run([&](int thread) {
      thread_work() = {};
      stages(thread);
      thread_works_[static_cast<size_t>(thread)] = thread_work();
    });
    for (const Work& work : thread_works_) work_ += work;
  }

  // The whole step, on every thread.
  void run(int thread) {
    embed(layers_, thread);
    layers_.run(thread);
    if (streams_) streams_->close(step_, thread);
    if (n_states_ > 0) keep_states(thread);
    if (head_.is_wanted()) head_.run(final_norm_, thread);
  }

  float* stream(int64_t row) { return step_.stream.data() + row * spec_.n_embd; }

  // The stream of this thread's rows and the first input of a stack; ends with a barrier.
  void embed(FastStack& stack, int thread) {
    const Share share = step_.rows_of(thread);
    for (int64_t row = share.begin; row < share.end; ++row) {
      const Row& r = step_.rows[static_cast<size_t>(row)];
      if (tied_) {
        head_.matrix().unpack_row(r.token, stream(row));
      } else {
        read_row(embedding_, r.token, stream(row));
      }
      if (spec_.embedding_scale != 1.0f) {
        tensor::kernels().scale(spec_.embedding_scale, spec_.n_embd, stream(row));
      }
      add_to_embedding(r, row);
      step_.angles.fill(row, r.position, sequences_.long_text(r.sequence));
      if (streams_) {
        streams_->take_embedding(step_, row);
      } else {
        stack.take_input(row);
      }
    }
    team_.barrier();
    if (!streams_) return;
    streams_->open(step_, thread);
    for (int64_t row = share.begin; row < share.end; ++row) stack.take_input(row);
    team_.barrier();
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

  std::shared_ptr<const models::Model> model_;
  const ModelSpec& spec_;
  const bool is_causal_;
  const DiskCache disk_;
  Team team_;
  Step step_;
  std::optional<FastStack> encoder_;
  PackedNorm encoder_norm_;
  std::optional<FastStreams> streams_;
  FastStack layers_;
  PackedNorm final_norm_;
  FastHead head_;
  bool tied_ = false;
  models::Weight embedding_;  // in the file, when not tied
  models::Weight positions_;  // in the file; no rows: none
  std::vector<float> types_;
  PackedNorm embedding_norm_;
  Sequences sequences_;
  std::unique_ptr<KvCache> cache_;
  std::unique_ptr<KvCache> source_cache_;  // of sources; null: the model reads none
  std::vector<Row> source_rows_;           // of the last encode()
  std::vector<KvCache::Growth> growth_;
  std::vector<int32_t> extension_;  // tokens of one sequence
  std::vector<Work> thread_works_;  // of the last step
  Work work_;
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
