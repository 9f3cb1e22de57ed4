// Writes a model as a folder in Hugging Face's layout: config.json, safetensors, tokenizer.json and
// what else programs that read such folders look for. Weights that are quantised become floats.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/family/inverse_translation.h"
#include "models/family/spec.h"
#include "models/format/model_file.h"

namespace strata::modify {

// As the hub's programs write them.
constexpr uint64_t kShardBytes = 5'000'000'000;

struct FolderOptions {
  std::optional<tensor::DType> type{};  // F32, F16, BF16 of all matrices; none: as they are, but
                                        // F16, or BF16 of MXFP4, where they are quantised
  // Where the file is a folder's: that folder, whose tokenizer, template, licence and other small
  // files are copied as they are, and what else its config.json says is kept. Empty: they are made
  // of the file's keys.
  std::filesystem::path source_folder{};
  uint64_t shard_bytes = kShardBytes;
  int n_threads = 1;
  bool replace = false;     // a model's folder that is there
  bool only_shown = false;  // all but the weights is made, and nothing stays
  // Bytes written of all; false ends the work with Error{cancelled}. Called by the calling thread.
  std::function<bool(uint64_t done, uint64_t total)> progress{};
};

struct WrittenFolder {
  std::string hf_class;
  uint64_t data_bytes = 0;
  size_t n_tensors = 0;
  size_t n_shards = 0;
  std::vector<std::string> unplaced;  // keys of the file that only strata.json keeps
};

// `path` must not be there, unless it is to be replaced. Before any weight is written the new
// folder's head is read again and must describe the same model, and its tokenizer must give the
// same ids. What a crash, an error or a cancellation leaves is nothing under that name. Errors:
// those of models::invert and models::tokenizer_json_of; already_exists; resource_exhausted (disk);
// unavailable (another process writes it); invalid_argument for weights that are too large for the
// type.
WrittenFolder write_folder(const std::shared_ptr<const models::ModelFile>& file,
                           const models::ModelSpec& spec, const std::filesystem::path& path,
                           const FolderOptions& options);

}  // namespace strata::modify
