#include "models/format/hf_folder.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/error.h"
#include "core/os.h"
#include "models/format/gguf_part.h"
#include "models/format/hdf5.h"
#include "models/format/pytorch_names.h"
#include "models/format/tensor_bundle.h"
#include "models/format/torch_file.h"

namespace strata::models {
namespace {

namespace fs = std::filesystem;

// Python writes the numbers that JSON has no word for bare; newer programs write
// {"__float__": "Infinity"}, which this makes of them.
std::string with_named_floats(std::string_view text) {
  constexpr std::array<std::string_view, 3> kWords{"-Infinity", "Infinity", "NaN"};
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  while (!text.empty()) {
    const auto word =
        std::ranges::find_if(kWords, [&](auto one) { return !in_string && text.starts_with(one); });
    if (word != kWords.end()) {
      out += fmt::format(R"({{"__float__":"{}"}})", *word);
      text.remove_prefix(word->size());
      continue;
    }
    if (text[0] == '"') in_string = !in_string;
    const size_t n = text[0] == '\\' ? std::min<size_t>(2, text.size()) : 1;  // an escaped quote
    out += text.substr(0, n);
    text.remove_prefix(n);
  }
  return out;
}

// What a clone without Git LFS has in the place of large files.
void refuse_lfs_pointer(std::string_view content, std::string_view file) {
  if (!content.starts_with("version https://git-lfs")) return;
  throw Error(Code::invalid_argument,
              fmt::format("{} is a Git LFS pointer, which stands for the real file", file),
              "fetch it: git lfs pull, in the folder");
}

}  // namespace

json::object parse_hf_object(std::string_view text, std::string_view file) {
  try {
    json::value value =
        parse_json(with_named_floats(text), {.max_bytes = kMaxHfConfig, .max_depth = 64});
    if (value.is_object()) return std::move(value.get_object());
  } catch (const Error& error) {
    throw Error(Code::invalid_argument, fmt::format("{}: {}", file, error.message()),
                "the file is damaged: fetch the model again");
  }
  throw Error(Code::invalid_argument, fmt::format("{} is no JSON object", file));
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

HfFolder::HfFolder(fs::path path) : path_(std::move(path)) {
  const auto config = object("config.json");
  if (!config) {
    throw Error(Code::not_found, fmt::format("{} has no config.json", path_.string()),
                "a model's folder holds config.json, *.safetensors and tokenizer.json");
  }
  config_ = *config;
  weights_ = find_weights();
  json::object weight_map;
  if (weights_.format == WeightFormat::bundle) {
    read_bundle();
  } else {
    for (const std::string& file : weight_files(weight_map)) read(file);
  }
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (by_name_.emplace(tensors_[i].name, i).second) continue;
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' stands in two files", printable(tensors_[i].name)));
  }
  check_index(weight_map);
}

bool HfFolder::has(std::string_view file) const {
  std::error_code ignored;
  return !path_.empty() && fs::is_regular_file(path_ / file, ignored);
}

std::optional<std::string> HfFolder::text(std::string_view file, size_t max_bytes) const {
  if (!has(file)) return std::nullopt;
  std::string content = read_file(path_ / file, max_bytes);
  refuse_lfs_pointer(content, file);
  return content;
}

std::optional<json::object> HfFolder::object(std::string_view file) const {
  const auto content = text(file);
  if (!content) return std::nullopt;
  return parse_hf_object(*content, file);
}

WeightFiles HfFolder::find_weights() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (has(entry.path().filename().string())) names.push_back(entry.path().filename().string());
  }
  if (auto found = find_weight_files(names)) return std::move(*found);
  for (const std::string& name : names) {
    if (!name.starts_with("model-0") || !name.ends_with(".safetensors")) continue;
    throw Error(Code::not_found,
                fmt::format("{} holds {}, a part of the weights, and no index of the parts",
                            path_.string(), name),
                "fetch model.safetensors.index.json, which names them all");
  }
  throw Error(Code::not_found,
              fmt::format("{} has neither model.safetensors nor its index, nor weights of PyTorch, "
                          "Keras or TensorFlow",
                          path_.string()),
              "fetch the model's model.safetensors, pytorch_model.bin, tf_model.h5, or one "
              "checkpoint (NAME.index with NAME.data-00000-of-00001)");
}

// `weight_map` becomes the index's; it stays empty where there is none.
std::vector<std::string> HfFolder::weight_files(json::object& weight_map) const {
  const std::string& index_file = weights_.index;
  if (index_file.empty()) return weights_.files;
  if (weights_.format == WeightFormat::keras) {
    throw Error(Code::unimplemented,
                fmt::format("{}: Keras weights in several files are not read", index_file),
                "take the model's safetensors or pytorch_model.bin");
  }
  const auto index = object(index_file);
  if (!index) throw Error(Code::not_found, fmt::format("{} is not in the folder", index_file));
  const json::value* map = index->if_contains("weight_map");
  if (map == nullptr || !map->is_object()) {
    throw Error(Code::invalid_argument,
                fmt::format("{} has no object 'weight_map'", weights_.index));
  }
  weight_map = map->get_object();
  std::set<std::string> files;
  for (const auto& [name, file] : weight_map) {
    if (!file.is_string() || !is_plain_name(file.get_string())) {
      throw Error(Code::invalid_argument, fmt::format("{}: weight_map of '{}' is no file's name",
                                                      weights_.index, printable(name)));
    }
    files.insert(std::string(file.get_string()));
  }
  if (files.size() > kMaxHfShards) {
    throw Error(Code::invalid_argument, fmt::format("{} names {} files, the limit is {}",
                                                    weights_.index, files.size(), kMaxHfShards));
  }
  for (const std::string& file : files) {
    if (has(file)) continue;
    throw Error(
        Code::not_found,
        fmt::format("{} names {}, which is not in the folder", weights_.index, printable(file)),
        "fetch the missing file");
  }
  return {files.begin(), files.end()};
}

std::span<const std::byte> HfFolder::map(const std::string& file) {
  mapped_.push_back(std::make_unique<MappedFile>(path_ / file));
  mapped_names_.push_back(file);
  const auto bytes = mapped_.back()->bytes();
  refuse_lfs_pointer({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file);
  return bytes;
}

void HfFolder::add(std::vector<SafeTensor> tensors) {
  for (SafeTensor& tensor : tensors) {
    tensor.name = current_name(std::move(tensor.name));
    tensors_.push_back(std::move(tensor));
    files_.push_back(mapped_.size() - 1);
  }
}

void HfFolder::read(const std::string& file) {
  const auto bytes = map(file);
  switch (weights_.format) {
    case WeightFormat::torch:
      return add(parse_torch_file(bytes, file));
    case WeightFormat::keras:
      return add(with_pytorch_names(parse_hdf5(bytes, file), pytorch_name_of_keras, file));
    default:
      return add(parse_safetensors(bytes, file));
  }
}

// The first of its files says what lies where in the others.
void HfFolder::read_bundle() {
  std::vector<BundleFile> files;
  for (const std::string& file : weights_.files) files.push_back({file, map(file)});
  auto tensors = parse_tensor_bundle(files[0], std::span(files).subspan(1));
  add(with_pytorch_names(std::move(tensors), pytorch_name_of_variable, files[0].name));
}

// Each tensor lies where the index says.
void HfFolder::check_index(const json::object& weight_map) const {
  for (const auto& [name, file] : weight_map) {
    const auto found = by_name_.find(current_name(name));
    if (found != by_name_.end() &&
        mapped_names_[files_[found->second]] == std::string_view(file.get_string())) {
      continue;
    }
    throw Error(Code::invalid_argument,
                fmt::format("{}: tensor '{}' is not in {}", weights_.index, printable(name),
                            printable(file.get_string())),
                "index and files belong to different models: fetch them again");
  }
}

const SafeTensor* HfFolder::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const std::string& HfFolder::file_of(const SafeTensor& tensor) const {
  return mapped_names_[files_[static_cast<size_t>(&tensor - tensors_.data())]];
}

uint64_t HfFolder::file_bytes() const {
  uint64_t bytes = 0;
  for (const auto& mapped : mapped_) bytes += mapped->bytes().size();
  return bytes;
}

void HfFolder::release(std::span<const std::byte> bytes) const {
  for (const auto& mapped : mapped_) {
    const auto all = mapped->bytes();
    if (bytes.data() >= all.data() && bytes.data() < all.data() + all.size()) {
      mapped->release(bytes);
    }
  }
}

}  // namespace strata::models
