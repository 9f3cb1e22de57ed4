// Opens an engine for a model: how many positions fit this machine, and which executor.
#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "core/os.h"
#include "inference/defaults.h"
#include "inference/engine_thread.h"
#include "inference/fitting_advice.h"
#include "inference/kv_pool.h"
#include "inference/memory.h"

namespace strata::inference {
namespace {

struct Fitting {
  int64_t positions = 0;
  int64_t state_blocks = 0;
};

// Half of what the weights leave: the rest is the system's, and keeps the file in its cache. Of
// that recurrent layers have at most half, for every place of the batch and some beginnings.
Fitting what_fits(const models::Model& model, const EngineOptions& options) {
  const auto available = static_cast<int64_t>(available_memory_bytes());
  int64_t weights = 0;
  if (model.file) {
    weights = options.float32 ? 8 * static_cast<int64_t>(model.file->file_bytes())
                              : packed_weight_bytes(model.spec, *model.file);
  }
  // The plain executor keeps floats, twice of bf16.
  const int64_t position = options.float32
                               ? 2 * kv_bytes_per_position(model.spec, tensor::KvFormat::bf16)
                               : kv_bytes_per_position(model.spec, options.kv);
  int64_t bytes = std::max<int64_t>(0, available - weights) / 2;
  Fitting fitting;
  if (const int64_t block = state_block_bytes(model.spec); block > 0 && !options.float32) {
    constexpr int64_t kBeginnings = 16;
    const int64_t least = options.prefill_chunk / kBlockPositions + 4;
    fitting.state_blocks =
        std::clamp(bytes / 2 / block, least, least + 2 * int64_t{options.max_batch} + kBeginnings);
    bytes = std::max<int64_t>(0, bytes - fitting.state_blocks * block);
  }
  fitting.positions = bytes / std::max<int64_t>(1, position);
  return fitting;
}

std::string what_would_fit(const models::Model& model, const EngineOptions& options,
                           int32_t wanted) {
  if (!model.file || options.float32) {
    return "ask for a smaller context, or a smaller model, or free memory";
  }
  return to_text(advise_fitting(model.spec, *model.file, wanted,
                                static_cast<int64_t>(available_memory_bytes()), options.kv));
}

int32_t context_of(const models::Model& model, const EngineOptions& options, int64_t fitting) {
  const int32_t trained = model.spec.n_context;
  if (options.context < 0) {
    throw Error(Code::invalid_argument,
                fmt::format("the context is {}, it must not be negative", options.context));
  }
  const int32_t wanted = options.context == 0 ? trained : std::min(options.context, trained);
  if (wanted < options.context) {
    log_warn("{}: a context of {} was asked for, the model was trained for {}: using {}",
             model.name, options.context, trained, wanted);
  }
  if (wanted <= fitting) return wanted;
  const auto least = std::min(wanted, kDefaultContext);
  if (options.context == 0 && fitting >= least) {
    log_warn("{}: {} positions of context fit the memory, the model was trained for {}", model.name,
             fitting, trained);
    return static_cast<int32_t>(fitting);
  }
  throw Error(Code::resource_exhausted,
              fmt::format("a context of {} positions does not fit: there is memory for {}", wanted,
                          fitting),
              what_would_fit(model, options, wanted));
}

}  // namespace

std::unique_ptr<Engine> Engine::create(std::shared_ptr<const models::Model> model,
                                       const EngineOptions& options) {
  check_options(options);
  const Fitting fitting = what_fits(*model, options);
  const int32_t context = context_of(*model, options, fitting.positions);
  ExecutorOptions executor_options;
  executor_options.n_threads = options.n_threads;
  // Every place of the batch may fill its context, as far as memory goes.
  executor_options.n_positions_limit =
      std::clamp<int64_t>(int64_t{context} * options.max_batch, context, fitting.positions);
  executor_options.n_state_blocks_limit = fitting.state_blocks;
  executor_options.n_positions_kept = context;
  executor_options.disk = options.disk;
  executor_options.packed = options.packed;
  executor_options.kv = options.kv;
  auto executor = options.float32 ? make_float32_executor(model, executor_options)
                                  : make_fast_executor(model, executor_options);
  return make_engine(std::move(model), std::move(executor), options, context);
}

}  // namespace strata::inference
