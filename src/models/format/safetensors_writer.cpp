#include "models/format/safetensors_writer.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/check.h"
#include "core/json.h"

namespace strata::models {
namespace {

std::string file_name(size_t shard, size_t n_shards) {
  if (n_shards == 1) return "model.safetensors";
  return fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, n_shards);
}

// The header's length, then the header, padded so that the data is aligned.
std::string head_of(std::span<const SafeHead> tensors) {
  json::object header{{"__metadata__", json::object{{"format", "pt"}}}};
  uint64_t at = 0;
  for (const SafeHead& tensor : tensors) {
    const uint64_t size = tensor.size_bytes();
    header[tensor.name] = json::object{{"dtype", safe_type_name(tensor.type)},
                                       {"shape", json::value_from(tensor.shape)},
                                       {"data_offsets", json::array{at, at + size}}};
    at += size;
  }
  std::string text = to_json(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

uint64_t SafeHead::size_bytes() const {
  uint64_t n = safe_type_bytes(type);
  for (const uint64_t dimension : shape) n = checked_mul(n, dimension, name);
  return n;
}

SafetensorsWriter::SafetensorsWriter(std::filesystem::path folder, std::vector<SafeHead> tensors,
                                     uint64_t shard_bytes)
    : folder_(std::move(folder)) {
  std::vector<size_t> ends;
  uint64_t in_shard = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const uint64_t size = tensors[i].size_bytes();
    if (in_shard > 0 && checked_add(in_shard, size, "shard") > shard_bytes) {
      ends.push_back(i);
      in_shard = 0;
    }
    in_shard += size;
    data_bytes_ = checked_add(data_bytes_, size, "size of all tensors");
  }
  ends.push_back(tensors.size());
  json::object map;
  size_t begin = 0;
  for (const size_t end : ends) {
    const auto own = std::span(tensors).subspan(begin, end - begin);
    Shard shard{file_name(shards_.size(), ends.size()), head_of(own), 0};
    for (const SafeHead& tensor : own) {
      shard.data_bytes += tensor.size_bytes();
      map[tensor.name] = shard.file;
    }
    shards_.push_back(std::move(shard));
    begin = end;
  }
  if (shards_.size() == 1) return;
  index_ = to_json(
      json::object{{"metadata", json::object{{"total_size", data_bytes_}}}, {"weight_map", map}},
      {.indent = 2});
}

void SafetensorsWriter::lay_out() {
  for (const Shard& shard : shards_) {
    File file = File::open(folder_ / shard.file, File::Mode::truncate);
    file.write(bytes_of(shard.head));
    file.truncate(shard.head.size() + shard.data_bytes);
  }
  if (!index_.empty()) write_file_atomic(folder_ / "model.safetensors.index.json", index_);
}

void SafetensorsWriter::open(size_t shard) {
  file_ = File::open(folder_ / shards_[shard].file, File::Mode::truncate);
  file_->write(bytes_of(shards_[shard].head));
  shard_ = shard;
  written_ = 0;
}

void SafetensorsWriter::write(std::span<const std::byte> bytes) {
  if (!file_) open(0);
  while (!bytes.empty()) {
    if (written_ == shards_[shard_].data_bytes) {
      CHECK(shard_ + 1 < shards_.size());
      file_->sync();
      open(shard_ + 1);
    }
    const auto part = std::min<uint64_t>(bytes.size(), shards_[shard_].data_bytes - written_);
    file_->write(bytes.first(part));
    bytes = bytes.subspan(part);
    written_ += part;
  }
}

void SafetensorsWriter::finish() {
  CHECK(file_ && shard_ + 1 == shards_.size() && written_ == shards_.back().data_bytes);
  file_->sync();
  file_.reset();
}

}  // namespace strata::models
