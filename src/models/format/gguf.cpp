#include "models/format/gguf.h"

#include <algorithm>

#include "core/error.h"
#include "core/mapped_file.h"
#include "models/format/gguf_limits.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

class File final : public ModelFile {
 public:
  void add_mapped(std::unique_ptr<MappedFile> mapped) {
    add(mapped->bytes());
    mapped_.push_back(std::move(mapped));
  }

  void add(std::span<const std::byte> bytes) {
    GgufPart part = parse_gguf_part(bytes);
    last_values_ = std::move(part.values);
    if (n_parts_++ == 0) {
      version_ = part.version;
      values_ = last_values_;
    }
    tensors_.insert(tensors_.end(), part.tensors.begin(), part.tensors.end());
    file_bytes_ += bytes.size();
  }

  // The split.* keys of the part added last.
  std::optional<int64_t> split_number(std::string_view key) const {
    for (const auto& value : last_values_) {
      if (value.key == key) return integer_of(value);
    }
    return std::nullopt;
  }

  void finish() {
    last_values_.clear();
    value_order_ = order(values_, &MetaValue::key);
    tensor_order_ = order(tensors_, &TensorInfo::name);
    for (size_t i = 1; i < tensor_order_.size(); ++i) {
      const auto name = tensors_[tensor_order_[i]].name;
      if (name == tensors_[tensor_order_[i - 1]].name) {
        throw Error(Code::invalid_argument,
                    fmt::format("tensor '{}' stands in two parts of the model", name));
      }
    }
  }

  std::string format() const override { return fmt::format("GGUF {}", version_); }
  uint64_t file_bytes() const override { return file_bytes_; }
  std::span<const MetaValue> values() const override { return values_; }
  std::span<const TensorInfo> tensors() const override { return tensors_; }

  const MetaValue* find(std::string_view key) const override {
    return look_up(values_, value_order_, &MetaValue::key, key);
  }
  const TensorInfo* find_tensor(std::string_view name) const override {
    return look_up(tensors_, tensor_order_, &TensorInfo::name, name);
  }

  void release(const TensorInfo& tensor) const override {
    for (const auto& mapped : mapped_) {
      const auto all = mapped->bytes();
      if (tensor.mapped.data() >= all.data() && tensor.mapped.data() < all.data() + all.size()) {
        mapped->release(tensor.mapped);
      }
    }
  }

 private:
  template <typename T>
  static std::vector<uint32_t> order(const std::vector<T>& items, std::string_view T::* name) {
    std::vector<uint32_t> indices(items.size());
    for (uint32_t i = 0; i < indices.size(); ++i) indices[i] = i;
    std::ranges::sort(indices, {}, [&](uint32_t i) { return items[i].*name; });
    return indices;
  }

  template <typename T>
  static const T* look_up(const std::vector<T>& items, const std::vector<uint32_t>& order,
                          std::string_view T::* name, std::string_view wanted) {
    const auto found =
        std::ranges::lower_bound(order, wanted, {}, [&](uint32_t i) { return items[i].*name; });
    if (found == order.end() || items[*found].*name != wanted) return nullptr;
    return &items[*found];
  }

  int n_parts_ = 0;
  uint32_t version_ = 0;
  uint64_t file_bytes_ = 0;
  std::vector<std::unique_ptr<MappedFile>> mapped_;
  std::vector<MetaValue> values_;       // of the first part
  std::vector<MetaValue> last_values_;  // of the part added last
  std::vector<TensorInfo> tensors_;
  std::vector<uint32_t> value_order_, tensor_order_;  // indices, ascending by name
};

// NAME-00001-of-00003.gguf: the name of part `index` (0-based) of `count`.
std::filesystem::path part_path(const std::filesystem::path& prefix, int64_t index, int64_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix.string(), index + 1, count);
}

// NAME of NAME-00001-of-00003.gguf; empty when the name has another form.
std::filesystem::path split_prefix(const std::filesystem::path& path, int64_t index,
                                   int64_t count) {
  const std::string whole = path.string();
  const std::string ending = part_path("", index, count).string();
  if (!whole.ends_with(ending) || whole.size() == ending.size()) return {};
  return whole.substr(0, whole.size() - ending.size());
}

void check_part(const File& file, int64_t index, int64_t count, std::string_view path) {
  const auto number = file.split_number("split.no");
  const auto of = file.split_number("split.count");
  if (number != index || of != count) {
    throw Error(Code::invalid_argument,
                fmt::format("{} says it is part {} of {}, not part {} of {}", path,
                            number.value_or(0) + 1, of.value_or(1), index + 1, count),
                "the parts belong to different models: fetch them again");
  }
}

void open_other_parts(File& file, const std::filesystem::path& path, int64_t count) {
  if (count > static_cast<int64_t>(kMaxGgufParts)) {
    throw Error(Code::invalid_argument,
                fmt::format("split.count {}, the limit is {}", count, kMaxGgufParts));
  }
  const int64_t number = file.split_number("split.no").value_or(0);
  if (number < 0 || number >= count) {
    throw Error(Code::invalid_argument,
                fmt::format("split.no {} is not below split.count {}", number, count));
  }
  const auto prefix = split_prefix(path, number, count);
  if (prefix.empty()) {
    throw Error(Code::invalid_argument,
                fmt::format("{} is part {} of {}, but its name does not end in {}",
                            path.filename().string(), number + 1, count,
                            part_path("", number, count).string()),
                "the parts must have their original names and lie in one folder");
  }
  if (number != 0) {
    throw Error(Code::invalid_argument,
                fmt::format("{} is part {} of {}", path.filename().string(), number + 1, count),
                "open the first part: " + part_path(prefix, 0, count).string());
  }
  for (int64_t i = 1; i < count; ++i) {
    const auto name = part_path(prefix, i, count);
    file.add_mapped(std::make_unique<MappedFile>(name));
    check_part(file, i, count, name.string());
  }
}

void check_tensor_count(const File& file) {
  const auto wanted = file.integer("split.tensors.count");
  const auto found = static_cast<int64_t>(file.tensors().size());
  if (wanted && *wanted != found) {
    throw Error(
        Code::invalid_argument,
        fmt::format("the parts have {} tensors, split.tensors.count says {}", found, *wanted));
  }
}

}  // namespace

std::shared_ptr<const ModelFile> open_gguf(const std::filesystem::path& path) {
  auto file = std::make_shared<File>();
  file->add_mapped(std::make_unique<MappedFile>(path));
  const int64_t count = file->split_number("split.count").value_or(1);
  if (count > 1) open_other_parts(*file, path, count);
  file->finish();
  check_tensor_count(*file);
  return file;
}

std::shared_ptr<const ModelFile> parse_gguf(std::span<const std::byte> bytes) {
  auto file = std::make_shared<File>();
  file->add(bytes);
  if (const int64_t count = file->split_number("split.count").value_or(1); count > 1) {
    throw Error(Code::invalid_argument,
                fmt::format("one of {} parts: a split model is opened from its files", count));
  }
  file->finish();
  check_tensor_count(*file);
  return file;
}

}  // namespace strata::models
