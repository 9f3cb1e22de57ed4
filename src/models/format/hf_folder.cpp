#include "models/format/hf_folder.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/os.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::string_view kSingle = "model.safetensors";

json::object parse_object(std::string_view text, std::string_view file) {
  try {
    json::value value = parse_json(text, {.max_bytes = kMaxHfConfig, .max_depth = 64});
    if (value.is_object()) return std::move(value.get_object());
  } catch (const Error& error) {
    throw Error(Code::invalid_argument, fmt::format("{}: {}", file, error.message()),
                "the file is damaged: fetch the model again");
  }
  throw Error(Code::invalid_argument, fmt::format("{} is no JSON object", file));
}

}  // namespace

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
  json::object weight_map;
  for (const std::string& file : weight_files(weight_map)) map(file);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (by_name_.emplace(tensors_[i].name, i).second) continue;
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}' stands in two files", printable(tensors_[i].name)));
  }
  check_index(weight_map);
}

bool HfFolder::has(std::string_view file) const {
  std::error_code ignored;
  return fs::is_regular_file(path_ / file, ignored);
}

std::optional<std::string> HfFolder::text(std::string_view file, size_t max_bytes) const {
  if (!has(file)) return std::nullopt;
  return read_file(path_ / file, max_bytes);
}

std::optional<json::object> HfFolder::object(std::string_view file) const {
  const auto content = text(file);
  if (!content) return std::nullopt;
  return parse_object(*content, file);
}

// `weight_map` becomes the index's; it stays empty where there is none.
std::vector<std::string> HfFolder::weight_files(json::object& weight_map) const {
  const auto index = object(kIndex);
  if (!index) {
    if (has(kSingle)) return {std::string(kSingle)};
    throw Error(Code::not_found,
                fmt::format("{} has neither {} nor {}", path_.string(), kSingle, kIndex),
                "only tensors in safetensors files are read; fetch those of the model");
  }
  const json::value* map = index->if_contains("weight_map");
  if (map == nullptr || !map->is_object()) {
    throw Error(Code::invalid_argument, fmt::format("{} has no object 'weight_map'", kIndex));
  }
  weight_map = map->get_object();
  std::set<std::string> files;
  for (const auto& [name, file] : weight_map) {
    if (!file.is_string() || !is_plain_name(file.get_string())) {
      throw Error(Code::invalid_argument,
                  fmt::format("{}: weight_map of '{}' is no file's name", kIndex, printable(name)));
    }
    files.insert(std::string(file.get_string()));
  }
  if (files.size() > kMaxHfShards) {
    throw Error(Code::invalid_argument, fmt::format("{} names {} files, the limit is {}", kIndex,
                                                    files.size(), kMaxHfShards));
  }
  for (const std::string& file : files) {
    if (has(file)) continue;
    throw Error(Code::not_found,
                fmt::format("{} names {}, which is not in the folder", kIndex, printable(file)),
                "fetch the missing file");
  }
  return {files.begin(), files.end()};
}

void HfFolder::map(const std::string& file) {
  mapped_.push_back(std::make_unique<MappedFile>(path_ / file));
  mapped_names_.push_back(file);
  for (SafeTensor& tensor : parse_safetensors(mapped_.back()->bytes(), file)) {
    tensors_.push_back(std::move(tensor));
    files_.push_back(mapped_.size() - 1);
  }
}

// Each tensor lies where the index says.
void HfFolder::check_index(const json::object& weight_map) const {
  for (const auto& [name, file] : weight_map) {
    const auto found = by_name_.find(std::string_view(name));
    if (found != by_name_.end() &&
        mapped_names_[files_[found->second]] == std::string_view(file.get_string())) {
      continue;
    }
    throw Error(Code::invalid_argument,
                fmt::format("{}: tensor '{}' is not in {}", kIndex, printable(name),
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
