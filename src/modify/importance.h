// The importance matrix: for each column of each matrix, the mean square of the activations that it
// is multiplied with, of experts each its own. An error of a weight counts that much in the output.
// Files: llama.cpp's imatrix as GGUF, and its older .dat.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/format/model_file.h"

namespace strata::modify {

struct Importance {
  struct Entry {
    std::vector<float> sums;    // of squares, [matrices x columns]
    std::vector<float> counts;  // rows seen, [matrices]
  };
  std::map<std::string, Entry, std::less<>> entries;  // by tensor name
  std::vector<std::string> texts;                     // names of what was run
  uint32_t n_chunks = 0;
  uint32_t chunk_tokens = 0;
};

// Errors: those of open_gguf; invalid_argument when it is no such file, when numbers are not finite
// or negative, or sums and counts do not fit together.
Importance read_importance(const std::filesystem::path& path);
void write_importance(const std::filesystem::path& path, const Importance& importance);

// What quantising wants of a tensor: [matrices x columns], each matrix's mean 1 and no column below
// 0.01, so that what was never seen is not lost; experts without rows are all alike. Empty when
// there is no entry. Error{invalid_argument} when the entry has another shape.
std::vector<float> column_importance(const Importance& importance,
                                     const models::TensorInfo& tensor);

}  // namespace strata::modify
