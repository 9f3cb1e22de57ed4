#include "modify/write_folder.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <set>

#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"
#include "core/threads.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/family/spec_equal.h"
#include "models/format/safetensors_writer.h"
#include "modify/folder_files.h"
#include "modify/folder_rows.h"
#include "modify/new_folder.h"
#include "tensor/dequant.h"
#include "tensor/quantize.h"

namespace strata::modify {
namespace {

using models::Change;
using models::HfModel;
using models::HfTensor;
using models::ModelFile;
using tensor::DType;

constexpr uint64_t kSlabWeights = 1u << 23;  // that are computed and written at once
constexpr double kSameNumber = 1e-5;         // of vectors that config.json's numbers make again

models::SafeType safe_type(DType type) {
  if (type == DType::f32) return models::SafeType::f32;
  return type == DType::f16 ? models::SafeType::f16 : models::SafeType::bf16;
}

// Scales that are powers of two keep the range of BF16, in which each of these numbers is exact.
DType type_of(const HfTensor& tensor, const FolderOptions& options) {
  const auto& parts = tensor.blocks[0].parts;
  const auto held = std::ranges::find_if(parts, &models::HfPart::source);
  const DType stored = held->source->type;
  if (tensor.change == Change::one_plus || tensor.change == Change::minus_exp) return DType::f32;
  if (tensor.shape.size() > 1 && options.type) return *options.type;
  if (tensor::dtype_info(stored).block_weights == 1) return stored;
  return options.type.value_or(stored == DType::mxfp4 ? DType::bf16 : DType::f16);
}

std::vector<models::SafeHead> heads_of(std::span<const HfTensor> tensors,
                                       const FolderOptions& options) {
  std::vector<models::SafeHead> heads;
  for (const HfTensor& tensor : tensors) {
    heads.push_back({tensor.name, safe_type(type_of(tensor, options)), tensor.shape});
  }
  return heads;
}

// Calls visit(folder, tensors) for the folder itself and for each that it holds.
template <typename F>
void for_each_folder(const HfModel& model, const std::filesystem::path& folder, const F& visit) {
  visit(folder, model.tensors);
  for (const models::HfModule& module : model.modules) {
    visit(folder / module.folder, module.tensors);
  }
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

// What the tensors that will be written are called where they are stored; others are made.
std::set<std::string> stored_names(const HfModel& model) {
  std::set<std::string> names;
  for (const HfTensor& tensor : model.tensors) names.insert(tensor.name);
  for (const models::HfModule& module : model.modules) {
    for (const HfTensor& tensor : module.tensors) names.insert(module.folder + "/" + tensor.name);
  }
  return names;
}

// What the folder, read as any other, has otherwise than the source; empty: nothing.
std::string difference(const ModelFile& source, const models::ModelSpec& spec, const HfModel& model,
                       const std::filesystem::path& folder) {
  const auto again = models::translate(std::make_shared<models::HfFolder>(folder));
  models::ModelSpec read = models::describe_model(*again);
  read.family = spec.family;  // of which one may be a case of the other
  const std::set<std::string> stored = stored_names(model);
  for (const auto& tensor : source.tensors()) {
    const auto* twin = again->find_tensor(tensor.name);
    if (twin == nullptr || twin->shape != tensor.shape) {
      return fmt::format("'{}' would be {}", tensor.name,
                         twin == nullptr ? "lost" : "of another shape");
    }
    if (stored.contains(again->stored_name(tensor.name))) continue;
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
  if (read.pooling != spec.pooling) return "states would become a vector otherwise";
  return "embedding, head or context would be others";
}

class FolderWriter {
 public:
  FolderWriter(const ModelFile& file, const HfModel& model, const std::filesystem::path& folder,
               const FolderOptions& options)
      : file_(file), model_(model), folder_(folder), options_(options), team_(options.n_threads) {}

  void run() {
    for_each_folder(model_, folder_, [&](const auto&, const auto& tensors) {
      for (const auto& head : heads_of(tensors, options_)) total_ += head.size_bytes();
    });
    for_each_folder(model_, folder_,
                    [&](const auto& folder, const auto& tensors) { write(folder, tensors); });
  }

 private:
  void write(const std::filesystem::path& folder, std::span<const HfTensor> tensors) {
    writer_.emplace(folder, heads_of(tensors, options_), options_.shard_bytes);
    for (const HfTensor& tensor : tensors) {
      for (const models::HfBlock& block : tensor.blocks) {
        const RowsOfBlock rows(block, tensor.change, model_.heads);
        if (block.transposed) {
          write_transposed(tensor, rows);
        } else {
          write_rows(tensor, rows);
        }
      }
      for (const models::HfBlock& block : tensor.blocks) {
        for (const models::HfPart& part : block.parts) {
          if (part.source != nullptr) file_.release(*part.source);
        }
      }
    }
    writer_->finish();
  }

  void write(const HfTensor& tensor, DType type, std::span<const float> weights) {
    bytes_.resize(tensor::bytes_of(type, weights.size()));
    if (!tensor::quantize_row(type, weights.data(), bytes_.data(),
                              static_cast<int64_t>(weights.size()), nullptr)) {
      throw Error(Code::invalid_argument,
                  fmt::format("tensor '{}' has weights that are NaN, infinite or too large for {}",
                              tensor.name, tensor::dtype_info(type).name),
                  "--type BF16 or F32 has a wider range");
    }
    writer_->write(bytes_);
    done_ += bytes_.size();
    if (options_.progress && !options_.progress(done_, total_)) {
      throw Error(Code::cancelled, "converting was cancelled");
    }
  }

  void write_rows(const HfTensor& tensor, const RowsOfBlock& rows) {
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

  // Whole, since its first row has a number of each row of the block.
  void write_transposed(const HfTensor& tensor, const RowsOfBlock& rows) {
    constexpr uint64_t kStrip = 16;  // rows, so that a cache line of the result is written at once
    const uint64_t n = rows.n_rows(), cols = rows.cols();
    weights_.resize(n * cols);
    std::atomic<uint64_t> next{0};
    team_.run([&](int) {
      std::vector<float> strip(kStrip * cols);
      for (uint64_t begin = next.fetch_add(kStrip); begin < n; begin = next.fetch_add(kStrip)) {
        const uint64_t height = std::min(kStrip, n - begin);
        for (uint64_t i = 0; i < height; ++i) rows.read(file_, begin + i, &strip[i * cols]);
        for (uint64_t col = 0; col < cols; ++col) {
          for (uint64_t i = 0; i < height; ++i) {
            weights_[col * n + begin + i] = strip[i * cols + col];
          }
        }
      }
    });
    write(tensor, type_of(tensor, options_), weights_);
  }

  const ModelFile& file_;
  const HfModel& model_;
  const std::filesystem::path& folder_;
  const FolderOptions& options_;
  std::optional<models::SafetensorsWriter> writer_;
  Team team_;
  std::vector<float> weights_;
  std::vector<std::byte> bytes_;
  uint64_t done_ = 0, total_ = 0;  // bytes of all folders
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
  NewFolder folder = options.only_shown ? NewFolder::to_show(path, options.replace)
                                        : NewFolder(path, options.replace);
  const std::filesystem::path& source = options.source_folder;
  const json::object said = source.empty() ? json::object() : models::HfFolder(source).config();
  const auto config_of = [&](const HfModel& model) {
    json::object config = model.config;
    if (!source.empty() && model.hf_class == models::HfConfig(said).architecture()) {
      keep_fields(said, config);
    }
    return config;
  };
  const auto lay_out = [&](const HfModel& model) {
    folder.clear();  // of another class's files
    if (source.empty()) {
      write_json_files(model.files, folder.path());
    } else {
      copy_small_files(source, folder.path());
    }
    write_file_atomic(folder.path() / "config.json", to_json(config_of(model)));
    for_each_folder(model, folder.path(), [&](const auto& place, const auto& tensors) {
      make_directories(place);
      models::SafetensorsWriter(place, heads_of(tensors, options), options.shard_bytes).lay_out();
    });
    return difference(*file, spec, model, folder.path());
  };
  HfModel model = models::invert(*file, spec, said, lay_out);
  WrittenFolder written;
  written.hf_class = model.hf_class;
  model.config = config_of(model);
  if (source.empty()) {
    written.unplaced = write_small_files(file, spec, folder.path(), model.config);
  }
  model.config["torch_dtype"] = model.config["dtype"] = main_dtype(model, options);
  write_file_atomic(folder.path() / "config.json", to_json(model.config, {.indent = 2}) + "\n");
  for_each_folder(model, folder.path(), [&](const auto& place, const auto& tensors) {
    const models::SafetensorsWriter sizes(place, heads_of(tensors, options), options.shard_bytes);
    written.n_tensors += tensors.size();
    written.data_bytes += sizes.data_bytes();
    written.n_shards += sizes.n_shards();
  });
  if (options.only_shown) return written;
  need_disk(folder.path(), written.data_bytes);
  FolderWriter(*file, model, folder.path(), options).run();
  folder.finish();
  return written;
}

}  // namespace strata::modify
