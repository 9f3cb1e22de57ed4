// Runs rows of many sequences through a model: token ids in, logits out. Two bricks: the float32
// executor, plain and the judge, and the fast one. An executor belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/work.h"
#include "inference/constraint/token_mask.h"
#include "inference/input_observer.h"
#include "inference/packed_disk.h"
#include "inference/prefix_disk.h"
#include "models/model.h"
#include "tensor/kv_page.h"

namespace strata::inference {

using SequenceId = int32_t;

// Which logits of a row must be right. The others of the allowed tokens may be -inf; those of
// tokens that are not allowed say nothing.
struct WantedLogits {
  int32_t n_likeliest = 0;             // so many of the greatest; 0: all
  const TokenMask* allowed = nullptr;  // of these tokens; null: of all. Lives as long as the step
};

// One row of a step. Rows of one sequence stand in ascending, consecutive positions, the first
// being the sequence's current length.
struct Row {
  int32_t token = 0;
  int32_t position = 0;
  SequenceId sequence = 0;
  bool wants_logits = false;
  WantedLogits wanted{};
  bool wants_state = false;
  int32_t type = 0;  // row of the spec's type_embedding, for models that have one
};

// What a sequence of a model with an encoder (models/family/spec.h) is about.
struct Source {
  SequenceId sequence = 0;
  std::span<const int32_t> tokens;
};

struct ExecutorOptions {
  int32_t n_threads = 0;          // 0: the cores this process may use
  int64_t kv_bytes_limit = 0;     // 0: what n_positions_limit needs
  int64_t n_positions_limit = 0;  // positions of all sequences together that must fit; 0: n_context
  int64_t n_state_blocks_limit = 64;  // blocks of recurrent layers (kv_pool.h)
  int64_t n_positions_kept = 0;       // positions of removed sequences that may stay for new ones
  DiskCache disk{};                   // where they stay when the executor goes
  DiskCache packed{};                 // where packed weights are kept
  tensor::KvFormat kv = tensor::KvFormat::bf16;  // of the fast executor's keys and values
};

struct ExecutorStats {
  int64_t weight_bytes = 0;       // resident, packed
  int64_t weight_bytes_read = 0;  // of them, by a step that wants all logits of a row
  int64_t kv_bytes_used = 0;      // by sequences
  int64_t kv_bytes_kept = 0;      // of removed ones
  int64_t kv_bytes_reserved = 0;
  int64_t n_positions_free = 0;  // positions that still fit, all sequences together
  Work work{};                   // of all steps, all threads together
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual std::string_view kernels() const = 0;  // "float32", "avx512-vnni-bf16", …

  // For a text that has so many tokens to begin with, of which the first n_prompt (0: all) came at
  // once: what is computed of a model that tells long texts from short ones depends on the one
  // (models::ModelSpec::short_context) or the other (growing_from).
  virtual SequenceId create_sequence(int32_t n_tokens = 0, int32_t n_prompt = 0) = 0;
  // A sequence that holds as many of the first positions of `tokens` as are still known of
  // sequences of the same scope, fewer than all: length() says how many. The logits of what follows
  // are the same, bit for bit.
  virtual SequenceId create_sequence_from(std::span<const int32_t> tokens, uint64_t /*scope*/,
                                          int32_t n_prompt = 0) {
    return create_sequence(static_cast<int32_t>(tokens.size()), n_prompt);
  }
  // Whether the sequence may have so many positions. One that may not is a short text that becomes
  // a long one: a new sequence takes its place, created for all of its tokens.
  virtual bool may_reach(SequenceId /*sequence*/, int32_t /*length*/) const { return true; }
  virtual void remove_sequence(SequenceId sequence) = 0;  // its pages are free, or kept for others
  virtual int32_t length(SequenceId sequence) const = 0;  // positions held
  // Forgets the positions from `length` on. Error{failed_precondition} where a window has already
  // dropped what would be needed.
  virtual void truncate(SequenceId sequence, int32_t length) = 0;
  struct Growth {
    SequenceId sequence = 0;
    int32_t n = 0;  // more positions
  };
  // Whether all of them fit the cache together now.
  virtual bool fit(std::span<const Growth> more) const = 0;
  bool fits(SequenceId sequence, int32_t n) const {
    const Growth more{sequence, n};
    return fit(std::span(&more, 1));
  }

  // Of a model with an encoder: reads the sources of sequences, once each and before their first
  // row. The sequences see them until they are removed, and count to n_positions_limit twice, by
  // their source and by their text. Error{failed_precondition}: the model has no encoder, or the
  // sequence a source; {resource_exhausted}: the cache is full. Then none was read.
  virtual void encode(std::span<const Source> /*sources*/) {}

  // Runs all rows. Of a model whose attention looks both ways (models::is_causal) a sequence comes
  // whole, in one step, and nothing follows it: Error{failed_precondition} otherwise. Returns the
  // logits of the rows that want them, in row order, [rows x n_vocab], valid until the next call.
  // Error{resource_exhausted} when the cache is full; then nothing of this step was kept.
  virtual std::span<const float> step(std::span<const Row> rows) = 0;

  // What the last step left of the rows that want it, in row order, behind the final norm:
  // [rows x n_embd], valid until the next call.
  virtual std::span<const float> states() const { return {}; }

  // Where the rows of the last step went: for each mixture of experts of the model, in order, the
  // experts of each row, [rows x n_used], ascending in a row.
  virtual std::vector<std::vector<int32_t>> chosen_experts() const { return {}; }

  // Writes what stays of removed sequences to ExecutorOptions::disk, for the next executor. Does
  // not throw: what goes wrong stands in the log. Precondition: no sequence lives.
  virtual void save_prefixes() {}

  virtual ExecutorStats stats() const = 0;
};

std::unique_ptr<Executor> make_float32_executor(std::shared_ptr<const models::Model> model,
                                                const ExecutorOptions& options);
// The same; `observer` is told of every product of activations with a matrix and must outlive it.
std::unique_ptr<Executor> make_observed_executor(std::shared_ptr<const models::Model> model,
                                                 const ExecutorOptions& options,
                                                 InputObserver& observer);
std::unique_ptr<Executor> make_fast_executor(std::shared_ptr<const models::Model> model,
                                             const ExecutorOptions& options);

}  // namespace strata::inference
