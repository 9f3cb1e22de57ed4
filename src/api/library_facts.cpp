#include "api/library_facts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "api/library.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

using models::MetaType;
using models::MetaValue;
using models::ModelFile;

struct FileType {
  int64_t id;
  std::string_view name;
};

// general.file_type of the GGUF specification: the mixtures whose name says more than a type's.
constexpr std::array kFileTypes{
    FileType{0, "F32"},     FileType{1, "F16"},     FileType{2, "Q4_0"},    FileType{3, "Q4_1"},
    FileType{7, "Q8_0"},    FileType{8, "Q5_0"},    FileType{9, "Q5_1"},    FileType{10, "Q2_K"},
    FileType{11, "Q3_K_S"}, FileType{12, "Q3_K_M"}, FileType{13, "Q3_K_L"}, FileType{14, "Q4_K_S"},
    FileType{15, "Q4_K_M"}, FileType{16, "Q5_K_S"}, FileType{17, "Q5_K_M"}, FileType{18, "Q6_K"},
    FileType{32, "BF16"}};

json::value text_value(std::string_view text) {
  if (text.size() > kMaxShownText || !is_valid_utf8(text)) return nullptr;
  return json::value(json::string(text));
}

// JSON has no infinities and no NaN.
json::value number_value(double number) {
  return std::isfinite(number) ? json::value(number) : json::value(nullptr);
}

json::value array_value(const ModelFile& file, const MetaValue& value, size_t max_items) {
  json::array out;
  if (value.count > max_items) return nullptr;
  switch (value.element) {
    case MetaType::string: {
      const auto texts = file.texts(value.key);
      for (const auto text : *texts) out.push_back(text_value(text));
      return out;
    }
    case MetaType::f32:
    case MetaType::f64: {
      const auto numbers = file.numbers(value.key);
      for (const float number : *numbers) out.push_back(number_value(number));
      return out;
    }
    case MetaType::array:
    case MetaType::boolean:
    case MetaType::u64:
      return nullptr;
    default: {
      const auto integers = file.integers(value.key);
      for (const int64_t number : *integers) out.push_back(number);
      return out;
    }
  }
}

json::value value_of(const ModelFile& file, const MetaValue& value, size_t max_items) {
  switch (value.type) {
    case MetaType::string:
      return text_value(*file.text(value.key));
    case MetaType::boolean:
      return *file.boolean(value.key);
    case MetaType::f32:
    case MetaType::f64:
      return number_value(*file.number(value.key));
    case MetaType::array:
      return array_value(file, value, max_items);
    default:
      return *file.integer(value.key);
  }
}

}  // namespace

int64_t count_weights(const ModelFile& file) {
  uint64_t sum = 0;
  for (const auto& tensor : file.tensors()) sum += tensor.n_weights();
  return static_cast<int64_t>(sum);
}

std::string parameter_size(int64_t n_weights) {
  const auto n = static_cast<double>(n_weights);
  if (n >= 1e9) return fmt::format("{:.1f}B", n / 1e9);
  if (n >= 1e6) return fmt::format("{:.0f}M", n / 1e6);
  if (n >= 1e3) return fmt::format("{:.0f}K", n / 1e3);
  return fmt::format("{}", n_weights);
}

std::string quantization(const ModelFile& file) {
  const int64_t id = file.integer("general.file_type").value_or(-1);
  for (const auto& type : kFileTypes) {
    if (type.id == id) return std::string(type.name);
  }
  const auto shares = weight_shares(file);
  return shares.empty() ? "" : std::string(shares.front().type);
}

std::vector<WeightShare> weight_shares(const ModelFile& file) {
  std::map<tensor::DType, uint64_t> weights;
  for (const auto& tensor : file.tensors()) weights[tensor.type] += tensor.n_weights();
  std::vector<WeightShare> shares;
  const auto all = static_cast<double>(std::max<int64_t>(count_weights(file), 1));
  for (const auto& [type, n] : weights) {
    shares.push_back({tensor::dtype_info(type).name, static_cast<double>(n) / all});
  }
  std::ranges::stable_sort(shares, std::ranges::greater(), &WeightShare::share);
  return shares;
}

json::object file_info(const ModelFile& file, size_t max_items) {
  json::object info;
  for (const auto& value : file.values()) {
    json::value shown = nullptr;
    try {
      shown = value_of(file, value, max_items);
    } catch (const Error&) {
      // A number beyond 64 signed bits: told as null, as what is too long.
    }
    if (is_valid_utf8(value.key)) info[value.key] = std::move(shown);
  }
  return info;
}

json::array tensor_list(const ModelFile& file) {
  json::array list;
  for (const auto& tensor : file.tensors()) {
    json::array shape;
    for (uint32_t i = 0; i < tensor.n_dims; ++i) shape.push_back(tensor.shape[i]);
    list.push_back(json::object{{"name", text_value(tensor.name)},
                                {"type", tensor::dtype_info(tensor.type).name},
                                {"shape", std::move(shape)}});
  }
  return list;
}

}  // namespace strata::api
