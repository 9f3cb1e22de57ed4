#include "modify/write_folder.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"
#include "core/threads.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/family/spec_equal.h"
#include "models/format/safetensors_writer.h"
#include "modify/folder_files.h"
#include "tensor/dequant.h"
#include "tensor/quantize.h"

namespace strata::modify {
namespace {

using models::Change;
using models::HfModel;
using models::HfPart;
using models::HfTensor;
using models::ModelFile;
using tensor::DType;

constexpr uint64_t kSlabWeights = 1u << 23;  // that are computed and written at once
constexpr double kSameNumber = 1e-5;         // of vectors that config.json's numbers make again

models::SafeType safe_type(DType type) {
  if (type == DType::f32) return models::SafeType::f32;
  return type == DType::f16 ? models::SafeType::f16 : models::SafeType::bf16;
}

DType type_of(const HfTensor& tensor, const FolderOptions& options) {
  const DType stored = tensor.parts[0].source->type;
  const bool quantised = tensor::dtype_info(stored).block_weights > 1;
  if (tensor.change == Change::one_plus) return DType::f32;
  if (tensor.shape.size() > 1 && options.type) return *options.type;
  return quantised ? options.type.value_or(DType::f16) : stored;
}

std::vector<models::SafeHead> heads_of(const HfModel& model, const FolderOptions& options) {
  std::vector<models::SafeHead> heads;
  for (const HfTensor& tensor : model.tensors) {
    heads.push_back({tensor.name, safe_type(type_of(tensor, options)), tensor.shape});
  }
  return heads;
}

// The type of most weights, as config.json names it.
std::string_view main_dtype(const HfModel& model, const FolderOptions& options) {
  std::map<DType, uint64_t> weights;
  for (const HfTensor& tensor : model.tensors) {
    uint64_t n = 1;
    for (const uint64_t dimension : tensor.shape) n *= dimension;
    weights[type_of(tensor, options)] += n;
  }
  const auto most =
      std::ranges::max_element(weights, {}, [](const auto& entry) { return entry.second; });
  if (most == weights.end() || most->first == DType::f32) return "float32";
  return most->first == DType::f16 ? "float16" : "bfloat16";
}

std::vector<float> floats(const ModelFile& file, const models::TensorInfo& tensor) {
  std::vector<float> out(tensor.n_weights());
  tensor::dequantize_row(tensor.type, file.bytes(tensor).view.data(), out.data(),
                         static_cast<int64_t>(out.size()));
  return out;
}

// What the folder, read as any other, has otherwise than the source; empty: nothing.
std::string difference(const ModelFile& source, const models::ModelSpec& spec,
                       const std::filesystem::path& folder) {
  const auto held = std::make_shared<models::HfFolder>(folder);
  const auto again = models::translate(held);
  const models::ModelSpec read = models::describe_model(*again);
  for (const auto& tensor : source.tensors()) {
    const auto* twin = again->find_tensor(tensor.name);
    if (twin == nullptr || twin->shape != tensor.shape) {
      return fmt::format("'{}' would be {}", tensor.name,
                         twin == nullptr ? "lost" : "of another shape");
    }
    if (held->find(again->stored_name(tensor.name)) != nullptr) continue;
    const std::vector<float> a = floats(source, tensor), b = floats(*again, *twin);
    for (size_t i = 0; i < a.size(); ++i) {
      if (std::abs(a[i] - b[i]) > kSameNumber * std::abs(double{a[i]})) {
        return fmt::format("'{}' would have {} in place of {}", tensor.name, b[i], a[i]);
      }
    }
  }
  if (models::same_model(read, spec)) return {};
  if (read.layers.size() != spec.layers.size()) return "the layers would be others";
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    if (!models::same_layer(read.layers[i], spec.layers[i])) {
      return fmt::format("layer {} would compute something else", i);
    }
  }
  return "embedding, head or context would be others";
}

// Rows of a tensor of the folder, of where they lie in the source.
class RowsOfTensor {
 public:
  RowsOfTensor(const HfTensor& tensor, const models::QkvGroups& heads)
      : tensor_(tensor), heads_(heads) {
    // A vector whose elements change places has one a row.
    by_element_ = tensor.shape.size() == 1 &&
                  (tensor.change == Change::pairs || tensor.change == Change::grouped_qkv);
    cols_ = by_element_ ? 1 : tensor.parts[0].source->cols();
    for (const HfPart& part : tensor.parts) n_rows_ += rows_of(part);
  }

  uint64_t cols() const { return cols_; }
  uint64_t n_rows() const { return n_rows_; }

  // Floats of row `row` as the folder has it.
  void read(const ModelFile& file, uint64_t row, float* out) const {
    size_t part = 0;
    while (row >= rows_of(tensor_.parts[part])) row -= rows_of(tensor_.parts[part++]);
    const HfPart& from = tensor_.parts[part];
    if (tensor_.change == Change::pairs) row = models::row_in_pairs(row, heads_.head_dim);
    if (tensor_.change == Change::grouped_qkv) row = models::row_in_qkv(row, heads_);
    const models::TensorInfo& source = *from.source;
    const uint64_t first = (from.matrix * rows_of(from) + row) * cols_;
    const auto bytes = file.bytes(source, tensor::bytes_of(source.type, first),
                                  tensor::bytes_of(source.type, cols_));
    tensor::dequantize_row(source.type, bytes.view.data(), out, static_cast<int64_t>(cols_));
    if (tensor_.change != Change::one_plus) return;
    for (uint64_t i = 0; i < cols_; ++i) out[i] -= 1.0f;
  }

 private:
  uint64_t rows_of(const HfPart& part) const {
    return by_element_ ? part.source->cols() : part.rows;
  }

  const HfTensor& tensor_;
  models::QkvGroups heads_;
  bool by_element_ = false;
  uint64_t cols_ = 0, n_rows_ = 0;
};

class FolderWriter {
 public:
  FolderWriter(const ModelFile& file, const HfModel& model, const std::filesystem::path& folder,
               const FolderOptions& options)
      : file_(file),
        model_(model),
        options_(options),
        writer_(folder, heads_of(model, options), options.shard_bytes),
        team_(options.n_threads) {}

  void run() {
    for (const HfTensor& tensor : model_.tensors) {
      if (tensor.change == Change::transposed && tensor.shape.size() > 1) {
        write_transposed(tensor);
      } else {
        write_rows(tensor);
      }
      for (const HfPart& part : tensor.parts) file_.release(*part.source);
    }
    writer_.finish();
  }

 private:
  void write(const HfTensor& tensor, DType type, std::span<const float> weights) {
    bytes_.resize(tensor::bytes_of(type, weights.size()));
    if (!tensor::quantize_row(type, weights.data(), bytes_.data(),
                              static_cast<int64_t>(weights.size()), nullptr)) {
      throw Error(Code::invalid_argument,
                  fmt::format("tensor '{}' has weights that are NaN, infinite or too large for {}",
                              tensor.name, tensor::dtype_info(type).name),
                  "--type BF16 or F32 has a wider range");
    }
    writer_.write(bytes_);
    done_ += bytes_.size();
    if (options_.progress && !options_.progress(done_, writer_.data_bytes())) {
      throw Error(Code::cancelled, "converting was cancelled");
    }
  }

  void write_rows(const HfTensor& tensor) {
    const RowsOfTensor rows(tensor, model_.heads);
    const uint64_t at_once = std::max<uint64_t>(1, kSlabWeights / rows.cols());
    for (uint64_t begin = 0; begin < rows.n_rows(); begin += at_once) {
      const uint64_t n = std::min(at_once, rows.n_rows() - begin);
      weights_.resize(n * rows.cols());
      std::atomic<uint64_t> next{0};
      team_.run([&](int) {
        for (uint64_t i = next++; i < n; i = next++) {
          rows.read(file_, begin + i, weights_.data() + i * rows.cols());
        }
      });
      write(tensor, type_of(tensor, options_), weights_);
    }
  }

  void write_transposed(const HfTensor& tensor) {
    const std::vector<float> stored = floats(file_, *tensor.parts[0].source);
    const uint64_t rows = tensor.shape[0], cols = tensor.shape[1];
    weights_.resize(stored.size());
    for (uint64_t row = 0; row < rows; ++row) {
      for (uint64_t col = 0; col < cols; ++col) {
        weights_[row * cols + col] = stored[col * rows + row];
      }
    }
    write(tensor, type_of(tensor, options_), weights_);
  }

  const ModelFile& file_;
  const HfModel& model_;
  const FolderOptions& options_;
  models::SafetensorsWriter writer_;
  Team team_;
  std::vector<float> weights_;
  std::vector<std::byte> bytes_;
  uint64_t done_ = 0;
};

// A folder beside the wished one, under its name only when it is whole.
class NewFolder {
 public:
  explicit NewFolder(std::filesystem::path path)
      : path_(std::filesystem::absolute(path).lexically_normal()) {
    if (!path_.has_filename()) path_ = path_.parent_path();
    temporary_ = path_.parent_path() / (std::string(kTemporaryPrefix) + path_.filename().string());
    if (std::filesystem::exists(path_)) {
      throw Error(Code::already_exists, fmt::format("{} is there already", path_.string()),
                  "name another folder");
    }
    make_directories(path_.parent_path());
    lock_ = FileLock::attempt(lock_path(), FileLock::Kind::exclusive);
    if (!lock_) {
      throw Error(Code::unavailable, fmt::format("{} is being written now", path_.string()),
                  "wait for the other process, or name another folder");
    }
    clear();  // what a crash left
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(temporary_, ignored);
    std::filesystem::remove(lock_path(), ignored);
  }

  const std::filesystem::path& path() const { return temporary_; }
  void clear() const {
    std::filesystem::remove_all(temporary_);
    make_directories(temporary_);
  }
  void finish() {
    sync_directory(temporary_);
    rename_durably(temporary_, path_);
  }

 private:
  std::filesystem::path lock_path() const { return temporary_.string() + ".lock"; }

  std::filesystem::path path_, temporary_;
  std::optional<FileLock> lock_;
};

void need_disk(const std::filesystem::path& folder, uint64_t bytes) {
  const uint64_t free = free_disk_bytes(folder);
  if (bytes <= free) return;
  throw Error(Code::resource_exhausted,
              fmt::format("the folder needs {}, its disk has {} free", format_bytes(bytes),
                          format_bytes(free)),
              "free some space, name a folder on another disk, or take --type F16");
}

}  // namespace

WrittenFolder write_folder(const std::shared_ptr<const ModelFile>& file,
                           const models::ModelSpec& spec, const std::filesystem::path& path,
                           const FolderOptions& options) {
  NewFolder folder(path);
  const std::filesystem::path& source = options.source_folder;
  const json::object said = source.empty() ? json::object() : models::HfFolder(source).config();
  const auto lay_out = [&](const HfModel& model) {
    folder.clear();  // of another class's files
    json::object config = model.config;
    keep_fields(said, config);
    write_file_atomic(folder.path() / "config.json", to_json(config));
    models::SafetensorsWriter(folder.path(), heads_of(model, options), options.shard_bytes)
        .lay_out();
    return difference(*file, spec, folder.path());
  };
  HfModel model = models::invert(*file, spec, lay_out);
  WrittenFolder written;
  written.hf_class = model.hf_class;
  written.n_tensors = model.tensors.size();
  keep_fields(said, model.config);
  if (source.empty()) {
    written.unplaced = write_small_files(file, folder.path(), model.config);
  } else {
    copy_small_files(source, folder.path());
  }
  model.config["torch_dtype"] = model.config["dtype"] = main_dtype(model, options);
  write_file_atomic(folder.path() / "config.json", to_json(model.config, {.indent = 2}) + "\n");
  const models::SafetensorsWriter sizes(folder.path(), heads_of(model, options),
                                        options.shard_bytes);
  written.data_bytes = sizes.data_bytes();
  written.n_shards = sizes.n_shards();
  need_disk(folder.path(), sizes.data_bytes());
  FolderWriter(*file, model, folder.path(), options).run();
  folder.finish();
  return written;
}

}  // namespace strata::modify
