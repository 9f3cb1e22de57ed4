#include "modify/importance.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/bytes.h"
#include "core/error.h"
#include "core/mapped_file.h"
#include "core/os.h"
#include "models/format/gguf.h"
#include "models/format/gguf_builder.h"

namespace strata::modify {
namespace {

using models::TensorInfo;

constexpr std::string_view kSums = ".in_sum2";
constexpr std::string_view kCounts = ".counts";
constexpr uint64_t kMaxEntries = 1u << 17;  // as tensors of a model
constexpr uint64_t kMaxNameBytes = 63;      // of a tensor
constexpr float kLeastImportance = 1e-2f;   // of a column, of its matrix's mean

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Code::invalid_argument, "importance matrix: " + message,
              "make one with strata imatrix, or with llama.cpp's llama-imatrix");
}

std::vector<float> floats_of(const models::ModelFile& file, const TensorInfo& tensor) {
  if (tensor.type != tensor::DType::f32) {
    refuse(fmt::format("{} is {}, not F32", tensor.name, tensor::dtype_info(tensor.type).name));
  }
  std::vector<float> values(tensor.n_weights());
  const auto bytes = file.bytes(tensor);
  if (!values.empty()) std::memcpy(values.data(), bytes.view.data(), bytes.view.size());
  return values;
}

void check(const std::string& name, const Importance::Entry& entry) {
  if (entry.counts.empty() || entry.sums.empty() || entry.sums.size() % entry.counts.size() != 0) {
    refuse(
        fmt::format("{} has {} sums and {} counts", name, entry.sums.size(), entry.counts.size()));
  }
  const auto is_sum = [](float x) { return std::isfinite(x) && x >= 0.0f; };
  if (!std::ranges::all_of(entry.sums, is_sum) || !std::ranges::all_of(entry.counts, is_sum)) {
    refuse(fmt::format("{} has a number that no sum of squares can be", name));
  }
}

Importance read_gguf(const std::filesystem::path& path) {
  const auto file = models::open_gguf(path);
  Importance result;
  for (const TensorInfo& tensor : file->tensors()) {
    if (!tensor.name.ends_with(kSums)) continue;
    const std::string name(tensor.name.substr(0, tensor.name.size() - kSums.size()));
    const TensorInfo* counts = file->find_tensor(name + std::string(kCounts));
    if (counts == nullptr) refuse(name + " has no counts");
    auto& entry = result.entries[name];
    entry.sums = floats_of(*file, tensor);
    entry.counts = floats_of(*file, *counts);
    check(name, entry);
  }
  if (result.entries.empty()) refuse(path.string() + " has no entries");
  for (const auto text :
       file->texts("imatrix.datasets").value_or(std::vector<std::string_view>{})) {
    result.texts.emplace_back(text);
  }
  result.n_chunks = static_cast<uint32_t>(file->integer("imatrix.chunk_count").value_or(0));
  result.chunk_tokens = static_cast<uint32_t>(file->integer("imatrix.chunk_size").value_or(0));
  return result;
}

// llama.cpp's format before 2025: the number of entries; for each the length of the name, the name,
// calls, the number of values, and the values: mean squares times calls.
Importance read_dat(std::span<const std::byte> bytes) {
  Importance result;
  ByteReader reader(bytes);
  const auto n_entries = reader.read<uint32_t>("number of entries");
  if (n_entries == 0 || n_entries > kMaxEntries) refuse(fmt::format("{} entries", n_entries));
  for (uint32_t i = 0; i < n_entries; ++i) {
    const auto length = reader.read<uint32_t>("length of a name");
    if (length == 0 || length > kMaxNameBytes) {
      refuse(fmt::format("entry {} has a name of {} bytes", i, length));
    }
    const std::string name(reader.take_text(length, "name"));
    const auto calls = reader.read<uint32_t>("calls");
    const auto n = reader.read<uint32_t>("number of values");
    const auto values = reader.take(uint64_t{n} * sizeof(float), "values");
    auto& entry = result.entries[name];
    entry.sums.resize(n);
    if (n > 0) std::memcpy(entry.sums.data(), values.data(), values.size());
    entry.counts = {static_cast<float>(std::max(calls, 1u))};
    check(name, entry);
  }
  if (reader.remaining() >= sizeof(uint32_t)) result.n_chunks = reader.read<uint32_t>("chunks");
  if (reader.remaining() >= sizeof(uint32_t)) {
    const auto length = reader.read<uint32_t>("length of the text's name");
    result.texts.emplace_back(reader.take_text(length, "the text's name"));
  }
  return result;
}

// One matrix: its mean 1, no column near 0; all alike where nothing was seen.
void normalise(std::span<float> columns) {
  double mean = 0.0;
  for (const float x : columns) mean += static_cast<double>(x);
  mean /= static_cast<double>(columns.size());
  for (float& x : columns) {
    x = mean > 0.0 ? std::max(kLeastImportance, static_cast<float>(static_cast<double>(x) / mean))
                   : 1.0f;
  }
}

}  // namespace

Importance read_importance(const std::filesystem::path& path) {
  const MappedFile mapped(path);
  const auto bytes = mapped.bytes();
  const bool is_gguf = bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
  if (is_gguf) return read_gguf(path);
  try {
    return read_dat(bytes);
  } catch (const Error& error) {
    throw Error(error.code(),
                fmt::format("{} is no importance matrix: {}", path.string(), error.message()),
                "strata imatrix makes one of a text");
  }
}

void write_importance(const std::filesystem::path& path, const Importance& importance) {
  models::GgufBuilder builder;
  builder.set_text("general.type", "imatrix");
  builder.set_texts("imatrix.datasets", importance.texts);
  builder.set_u32("imatrix.chunk_count", importance.n_chunks);
  builder.set_u32("imatrix.chunk_size", importance.chunk_tokens);
  for (const auto& [name, entry] : importance.entries) {
    const uint64_t matrices = entry.counts.size();
    builder.add_f32(name + std::string(kSums), {entry.sums.size() / matrices, matrices},
                    entry.sums);
    builder.add_f32(name + std::string(kCounts), {1, matrices}, entry.counts);
  }
  const auto bytes = builder.build();
  write_file_atomic(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::vector<float> column_importance(const Importance& importance, const TensorInfo& tensor) {
  const auto found = importance.entries.find(tensor.name);
  if (found == importance.entries.end()) return {};
  const auto& entry = found->second;
  const uint64_t matrices = tensor.shape[2] * tensor.shape[3];
  const bool one_for_all = entry.counts.size() == 1 && entry.sums.size() == tensor.cols();
  if (!one_for_all && entry.sums.size() != tensor.cols() * matrices) {
    refuse(fmt::format("{} has {} columns there, {} x {} in the model", tensor.name,
                       entry.sums.size(), tensor.cols(), matrices));
  }
  std::vector<float> result;
  result.reserve(tensor.cols() * matrices);
  const uint64_t stride = one_for_all ? 0 : tensor.cols();
  for (uint64_t matrix = 0; matrix < matrices; ++matrix) {
    const auto from = std::span(entry.sums).subspan(matrix * stride, tensor.cols());
    result.insert(result.end(), from.begin(), from.end());
    normalise(std::span(result).last(tensor.cols()));
  }
  return result;
}

}  // namespace strata::modify
