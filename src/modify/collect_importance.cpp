#include "modify/collect_importance.h"

#include <algorithm>

#include "core/error.h"
#include "inference/executor.h"
#include "modify/roles.h"

namespace strata::modify {
namespace {

using inference::Row;
using models::TensorId;
using models::TensorSlot;

constexpr int32_t kRowsPerStep = 128;

class Sums : public inference::InputObserver {
 public:
  explicit Sums(const models::ModelSpec& spec) : spec_(spec), places_(places_of(spec)) {}

  void observe(TensorId weight, const float* x, int64_t rows, int64_t cols) override {
    const TensorSlot& slot = spec_.tensors[static_cast<size_t>(weight)];
    // Slices of one matrix see the same rows.
    if (slot.row_begin != 0 || !places_.contains(slot.name)) return;
    Entry& entry = entries_[slot.name];
    const auto n = static_cast<size_t>(cols);
    if (entry.sums.empty()) {
      entry.sums.resize(slot.stored_matrices * n);
      entry.counts.resize(slot.stored_matrices);
    }
    double* sums = entry.sums.data() + slot.matrix * n;
    for (int64_t row = 0; row < rows; ++row, x += cols) {
      for (size_t i = 0; i < n; ++i)
        sums[i] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    entry.counts[slot.matrix] += static_cast<double>(rows);
  }

  Importance result() const {
    Importance result;
    for (const auto& [name, entry] : entries_) {
      auto& out = result.entries[name];
      for (const double sum : entry.sums) out.sums.push_back(static_cast<float>(sum));
      for (const double count : entry.counts) out.counts.push_back(static_cast<float>(count));
    }
    return result;
  }

 private:
  struct Entry {
    std::vector<double> sums, counts;
  };
  const models::ModelSpec& spec_;
  const Places places_;
  std::map<std::string, Entry, std::less<>> entries_;
};

// after_step hears how many of the tokens are done.
void run_chunk(inference::Executor& executor, std::span<const int32_t> tokens,
               std::optional<int32_t> bos, const std::function<void(size_t)>& after_step) {
  const auto sequence = executor.create_sequence(static_cast<int32_t>(tokens.size()));
  for (size_t begin = 0; begin < tokens.size(); begin += kRowsPerStep) {
    std::vector<Row> rows;
    const size_t end = std::min(tokens.size(), begin + kRowsPerStep);
    for (size_t i = begin; i < end; ++i) {
      rows.push_back({.token = i == 0 && bos ? *bos : tokens[i],
                      .position = static_cast<int32_t>(i),
                      .sequence = sequence});
    }
    executor.step(rows);
    after_step(end);
  }
  executor.remove_sequence(sequence);
}

}  // namespace

Importance collect_importance(std::shared_ptr<const models::Model> model,
                              std::span<const int32_t> tokens, const CollectOptions& options) {
  const auto context = static_cast<size_t>(std::max(options.context, 1));
  size_t n_chunks = tokens.size() / context;
  if (n_chunks == 0) {
    throw Error(Code::invalid_argument,
                fmt::format("the text has {} tokens, one chunk takes {}", tokens.size(), context),
                "give a longer text, or smaller chunks (--context)");
  }
  if (options.max_chunks > 0)
    n_chunks = std::min(n_chunks, static_cast<size_t>(options.max_chunks));
  Sums sums(model->spec);
  const auto executor = inference::make_observed_executor(
      model, {.n_threads = options.n_threads, .n_positions_limit = options.context}, sums);
  const auto report = [&](size_t done) {
    if (options.progress &&
        !options.progress(static_cast<int64_t>(done), static_cast<int64_t>(n_chunks * context))) {
      throw Error(Code::cancelled, "the importance matrix was cancelled");
    }
  };
  for (size_t chunk = 0; chunk < n_chunks; ++chunk) {
    const size_t before = chunk * context;
    run_chunk(*executor, tokens.subspan(before, context), options.bos,
              [&](size_t done) { report(before + done); });
  }
  Importance result = sums.result();
  result.n_chunks = static_cast<uint32_t>(n_chunks);
  result.chunk_tokens = static_cast<uint32_t>(context);
  return result;
}

}  // namespace strata::modify
