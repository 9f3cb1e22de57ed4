#include "models/testing/hf_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include <fmt/core.h>

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

namespace {

size_t bytes_of_dtype(std::string_view dtype) {
  if (dtype == "I64") return 8;
  if (dtype == "I32" || dtype == "F32") return 4;
  return dtype == "F16" || dtype == "BF16" ? 2 : 1;
}

void put_integer(int64_t value, std::span<std::byte> out) {
  std::memcpy(out.data(), &value, out.size());
}

void put_number(float value, std::string_view dtype, std::span<std::byte> out) {
  if (dtype == "F32") {
    std::memcpy(out.data(), &value, out.size());
  } else {
    put_integer(dtype == "F16" ? tensor::f32_to_f16(value) : tensor::f32_to_bf16(value), out);
  }
}

// From -1 to below 1.
std::vector<float> uniform(std::string_view name, uint64_t n) {
  return formula_weights(name, 3, (n + 2) / 3);
}

}  // namespace

SafeEntry quantized_entry(const std::string& name, const json::object& how) {
  SafeEntry entry{name,
                  json::value_to<std::string>(how.at("dtype")),
                  json::value_to<std::vector<uint64_t>>(how.at("shape")),
                  {}};
  const auto& shape = entry.shape;
  const uint64_t n = std::accumulate(shape.begin(), shape.end(), uint64_t{1}, std::multiplies<>());
  const size_t size = bytes_of_dtype(entry.dtype);
  entry.bytes.resize(n * size);
  const std::string_view fill = how.at("fill").as_string();
  if (fill == "bytes") {
    const std::vector<float> numbers = uniform(name, n * size);
    for (size_t i = 0; i < entry.bytes.size(); ++i) {
      auto byte = static_cast<uint8_t>(std::min((double{numbers[i]} + 1) * 128, 255.0));
      if (entry.dtype == "F8_E4M3" && (byte & 0x7F) == 0x7F) byte &= 0xFE;  // no NaN
      entry.bytes[i] = std::byte{byte};
    }
    return entry;
  }
  const std::vector<float> numbers = uniform(name, n);
  const double about = how.contains("about") ? how.at("about").to_number<double>() : 0.0;
  for (size_t i = 0; i < n; ++i) {
    const auto out = std::span(entry.bytes).subspan(i * size, size);
    const double number = double{numbers[i]};
    if (fill == "scales") {
      put_number(static_cast<float>(about * (1 + 0.5 * number)), entry.dtype, out);
    } else if (fill == "powers") {
      put_number(static_cast<float>(std::exp2(std::floor(number * 3 + about))), entry.dtype, out);
    } else if (fill == "exponents") {
      put_integer(static_cast<int64_t>(about + std::floor(number * 3)), out);
    } else if (fill == "word") {
      put_integer(how.at("word").to_number<int64_t>(), out);
    } else {
      put_integer(how.at("values").at(i).to_number<int64_t>(), out);
    }
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
    files[shard].push_back(shape.is_object()
                               ? quantized_entry(name, shape.get_object())
                               : formula_entry(name, json::value_to<std::vector<uint64_t>>(shape)));
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
