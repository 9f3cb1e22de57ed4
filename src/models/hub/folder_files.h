// Which files of a folder or repository in Hugging Face's layout make up the model.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::models {

// `paths`: of all files there, '/' between folders. The tensors (safetensors; where there are none,
// PyTorch's, Keras's or TensorFlow's, format/weight_files.h), configuration, tokenizer, template,
// pooling and licence; config.json first. Empty: no such folder.
// `read_index` gives the text of model.safetensors.index.json; called when it is there: of the
// safetensors only those that it names are the model's. Errors: not_found (it names a file that is
// not there), invalid_argument (it is no index), those of `read_index`.
std::vector<std::string> folder_files(
    std::span<const std::string> paths,
    const std::function<std::string(const std::string& path)>& read_index);

// A path that stays in the folder: one or two plain names.
bool is_folder_path(std::string_view path);

}  // namespace strata::models
