#include "models/testing/hf_model.h"

#include <cstring>
#include <functional>
#include <numeric>

#include "core/os.h"
#include "models/testing/formula_model.h"
#include "tensor/half.h"

namespace strata::models {

std::string safetensors_bytes(const std::vector<SafeEntry>& entries) {
  json::object header;
  header["__metadata__"] = {{"format", "pt"}};
  uint64_t at = 0;
  for (const SafeEntry& entry : entries) {
    json::object& tensor = header[entry.name].emplace_object();
    tensor["dtype"] = entry.dtype;
    tensor["shape"] = json::value_from(entry.shape);
    tensor["data_offsets"] = json::array{at, at + entry.bytes.size()};
    at += entry.bytes.size();
  }
  std::string text = to_json(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::string out(reinterpret_cast<const char*>(&length), sizeof length);
  out += text;
  for (const SafeEntry& entry : entries) {
    out.append(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size());
  }
  return out;
}

SafeEntry formula_entry(std::string name, std::vector<uint64_t> shape) {
  const bool is_norm = shape.size() == 1 && name.ends_with(".weight");
  const uint64_t cols = shape.empty() ? 1 : shape.back();
  const uint64_t n = std::accumulate(shape.begin(), shape.end(), uint64_t{1}, std::multiplies<>());
  const std::vector<float> weights =
      formula_weights(is_norm ? name + "/norm.weight" : name, cols, cols == 0 ? 0 : n / cols);
  SafeEntry entry{std::move(name), "BF16", std::move(shape), {}};
  entry.bytes.resize(2 * weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    const uint16_t half = tensor::f32_to_bf16(weights[i]);
    std::memcpy(entry.bytes.data() + 2 * i, &half, 2);
  }
  return entry;
}

void write_hf_folder(const std::filesystem::path& folder, const json::object& config,
                     const json::object& tensors, size_t shards) {
  write_file_atomic(folder / "config.json", to_json(config));
  std::vector<std::vector<SafeEntry>> files(shards);
  json::object map;
  size_t i = 0;
  const auto file_name = [&](size_t shard) {
    return shards == 1 ? std::string("model.safetensors")
                       : fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, shards);
  };
  for (const auto& [name, shape] : tensors) {
    const size_t shard = i++ % shards;
    files[shard].push_back(formula_entry(name, json::value_to<std::vector<uint64_t>>(shape)));
    map[name] = file_name(shard);
  }
  for (size_t shard = 0; shard < shards; ++shard) {
    write_file_atomic(folder / file_name(shard), safetensors_bytes(files[shard]));
  }
  if (shards == 1) return;
  write_file_atomic(folder / "model.safetensors.index.json",
                    to_json(json::object{{"weight_map", map}}));
}

}  // namespace strata::models
