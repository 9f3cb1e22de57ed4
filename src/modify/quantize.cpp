#include "modify/quantize.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <utility>

#include "core/error.h"
#include "core/threads.h"
#include "models/format/gguf_writer.h"
#include "tensor/dequant.h"
#include "tensor/quantize.h"

namespace strata::modify {
namespace {

using models::TensorInfo;

// Weights that a thread takes at once (a multiple of every block), and that are read at once.
constexpr uint64_t kPieceWeights = 1u << 15;
constexpr uint64_t kSlabWeights = 1u << 23;

// Where a thread works: a part of a row, or whole rows, as many as fit.
struct Piece {
  uint64_t begin = 0;  // weights of the tensor
  uint64_t size = 0;
};

// Pieces of a tensor in order; none crosses the end of a row unless it has whole rows.
class Pieces {
 public:
  explicit Pieces(const TensorInfo& tensor) : cols_(tensor.cols()), n_weights_(tensor.n_weights()) {
    whole_ = cols_ <= kPieceWeights ? kPieceWeights / std::max<uint64_t>(cols_, 1) * cols_ : 0;
    per_row_ = (cols_ + kPieceWeights - 1) / kPieceWeights;
  }
  uint64_t count() const {
    if (whole_ > 0) return (n_weights_ + whole_ - 1) / whole_;
    return cols_ == 0 ? 0 : n_weights_ / cols_ * per_row_;
  }
  Piece at(uint64_t i) const {
    if (whole_ > 0) return {i * whole_, std::min(whole_, n_weights_ - i * whole_)};
    const uint64_t in_row = i % per_row_ * kPieceWeights;
    return {i / per_row_ * cols_ + in_row, std::min(kPieceWeights, cols_ - in_row)};
  }

 private:
  uint64_t cols_, n_weights_;
  uint64_t whole_ = 0;    // weights of whole rows in a piece; 0: rows are cut
  uint64_t per_row_ = 0;  // pieces of a row that is cut
};

struct Errors {
  double squares = 0.0;  // of the errors
  double weights = 0.0;  // of the weights
  bool unfit = false;    // a weight that the type cannot hold

  void add(const Errors& other) {
    squares += other.squares;
    weights += other.weights;
  }
};

// What a thread needs for a piece.
struct Workplace {
  std::vector<float> weights = std::vector<float>(kPieceWeights);
  std::vector<float> counts = std::vector<float>(kPieceWeights);  // importance
  std::vector<float> back = std::vector<float>(kPieceWeights);    // as the blocks give them
};

class TensorWork {
 public:
  TensorWork(const PlannedTensor& planned, std::vector<float> importance, bool measures)
      : planned_(planned),
        importance_(std::move(importance)),
        measures_(measures),
        pieces_(*planned.source) {}

  const Pieces& pieces() const { return pieces_; }

  // Blocks of one piece from `from` to `to`.
  Errors convert(const Piece& piece, const std::byte* from, std::byte* to, Workplace& place) const {
    const auto n = static_cast<int64_t>(piece.size);
    tensor::dequantize_row(planned_.source->type, from, place.weights.data(), n);
    const float* counts = nullptr;
    if (!importance_.empty()) {
      fill_counts(piece, place.counts);
      counts = place.counts.data();
    }
    if (!tensor::quantize_row(planned_.type, place.weights.data(), to, n, counts)) {
      return {.unfit = true};
    }
    if (!measures_) return {};
    tensor::dequantize_row(planned_.type, to, place.back.data(), n);
    return compare(place, counts, piece.size);
  }

 private:
  void fill_counts(const Piece& piece, std::vector<float>& counts) const {
    const uint64_t cols = planned_.source->cols();
    const uint64_t matrix_rows = planned_.source->shape[1];
    for (uint64_t done = 0; done < piece.size;) {
      const uint64_t row = (piece.begin + done) / cols;
      const uint64_t col = (piece.begin + done) % cols;
      const uint64_t n = std::min(piece.size - done, cols - col);
      const float* from = importance_.data() + row / matrix_rows * cols + col;
      std::copy_n(from, n, counts.begin() + static_cast<int64_t>(done));
      done += n;
    }
  }

  static Errors compare(const Workplace& place, const float* counts, uint64_t n) {
    Errors errors;
    for (uint64_t i = 0; i < n; ++i) {
      const double count = counts == nullptr ? 1.0 : static_cast<double>(counts[i]);
      const double weight = static_cast<double>(place.weights[i]);
      const double off = weight - static_cast<double>(place.back[i]);
      errors.squares += count * off * off;
      errors.weights += count * weight * weight;
    }
    return errors;
  }

  const PlannedTensor& planned_;
  std::vector<float> importance_;
  bool measures_;
  Pieces pieces_;
};

class Quantizer {
 public:
  Quantizer(const models::ModelFile& file, const QuantizePlan& plan, const Mix& mix,
            const std::filesystem::path& path, const QuantizeOptions& options)
      : file_(file),
        plan_(plan),
        options_(options),
        writer_(path, head_of(file, plan, mix)),
        team_(options.n_threads),
        places_(static_cast<size_t>(options.n_threads)) {
    for (const auto& tensor : plan.tensors) total_ += tensor.source->size_bytes();
  }

  std::vector<QuantizedTensor> run() {
    writer_.begin();
    std::vector<QuantizedTensor> results;
    for (const auto& tensor : plan_.tensors) {
      results.push_back(tensor.type == tensor.source->type ? copy(tensor) : convert(tensor));
      file_.release(*tensor.source);
    }
    writer_.finish();
    return results;
  }

 private:
  void advance(uint64_t bytes) {
    done_ += bytes;
    if (options_.progress && !options_.progress(done_, total_)) {
      throw Error(Code::cancelled, "quantising was cancelled");
    }
  }

  QuantizedTensor copy(const PlannedTensor& tensor) {
    for (uint64_t at = 0; at < tensor.bytes;) {
      const uint64_t size = std::min<uint64_t>(tensor.bytes - at, kSlabWeights);
      writer_.write(file_.bytes(*tensor.source, at, size).view);
      at += size;
      advance(size);
    }
    return {};
  }

  // Slab after slab; while one is computed, the one before is written.
  QuantizedTensor convert(const PlannedTensor& tensor) {
    std::vector<float> importance;
    if (options_.importance != nullptr) {
      importance = column_importance(*options_.importance, *tensor.source);
    }
    const bool weighted = !importance.empty();
    const TensorWork work(tensor, std::move(importance), options_.measure_errors);
    const uint64_t n_pieces = work.pieces().count();
    std::vector<std::byte> computed, to_write;
    Errors errors;
    for (uint64_t first = 0; first < n_pieces;) {
      uint64_t end = first;
      uint64_t n_weights = 0;
      while (end < n_pieces && n_weights < kSlabWeights) n_weights += work.pieces().at(end++).size;
      computed.resize(tensor::bytes_of(tensor.type, n_weights));
      errors.add(convert_slab(tensor, work, first, end, n_weights, computed, to_write));
      std::swap(computed, to_write);
      advance(tensor::bytes_of(tensor.source->type, n_weights));
      first = end;
    }
    writer_.write(to_write);
    return {errors.weights > 0.0 ? std::sqrt(errors.squares / errors.weights) : 0.0, weighted};
  }

  Errors convert_slab(const PlannedTensor& tensor, const TensorWork& work, uint64_t first,
                      uint64_t end, uint64_t n_weights, std::vector<std::byte>& computed,
                      const std::vector<std::byte>& to_write) {
    const auto& source = *tensor.source;
    const uint64_t slab_begin = work.pieces().at(first).begin;
    const auto bytes = file_.bytes(source, tensor::bytes_of(source.type, slab_begin),
                                   tensor::bytes_of(source.type, n_weights));
    std::vector<Errors> errors(end - first);  // by piece, so that their sum has one order
    std::atomic<uint64_t> next{first};
    std::exception_ptr not_written;
    team_.run([&](int thread) {
      if (thread == 0) {
        try {
          writer_.write(to_write);
        } catch (...) {
          not_written = std::current_exception();
        }
      }
      for (uint64_t i = next++; i < end; i = next++) {
        const Piece piece = work.pieces().at(i);
        const uint64_t offset = piece.begin - slab_begin;
        errors[i - first] =
            work.convert(piece, bytes.view.data() + tensor::bytes_of(source.type, offset),
                         computed.data() + tensor::bytes_of(tensor.type, offset),
                         places_[static_cast<size_t>(thread)]);
      }
    });
    if (not_written) std::rethrow_exception(not_written);
    Errors total;
    for (uint64_t i = first; i < end; ++i) {
      if (errors[i - first].unfit) refuse(tensor, work.pieces().at(i));
      total.add(errors[i - first]);
    }
    return total;
  }

  [[noreturn]] static void refuse(const PlannedTensor& tensor, const Piece& piece) {
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' has weights from row {} on that are NaN, infinite or too "
                            "large for {}",
                            tensor.source->name, piece.begin / tensor.source->cols(),
                            tensor::dtype_info(tensor.type).name),
                "the file is damaged, or needs a type with a wider range: BF16 or F32");
  }

  const models::ModelFile& file_;
  const QuantizePlan& plan_;
  const QuantizeOptions& options_;
  models::GgufWriter writer_;
  Team team_;
  std::vector<Workplace> places_;
  uint64_t done_ = 0, total_ = 0;  // bytes of the source
};

}  // namespace

std::vector<QuantizedTensor> quantize(const models::ModelFile& file, const QuantizePlan& plan,
                                      const Mix& mix, const std::filesystem::path& path,
                                      const QuantizeOptions& options) {
  return Quantizer(file, plan, mix, path, options).run();
}

}  // namespace strata::modify
