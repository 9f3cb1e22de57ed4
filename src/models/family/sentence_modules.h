// Sentence Transformers' files of a folder: modules.json names the folders of the pooling and of
// dense layers behind it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/format/model_file.h"

namespace strata::models {

constexpr const char* kModulesFile = "modules.json";
constexpr const char* kTextFile = "sentence_bert_config.json";
constexpr const char* kPromptFile = "config_sentence_transformers.json";

// The first module behind a transformer and its pooling has the number 2.
constexpr size_t kFirstDense = 2;
std::string dense_name(size_t index);  // "dense_2" is that of 0

// What transformers calls scores that nobody named, a number behind it.
constexpr std::string_view kMadeUpLabel = "LABEL_";

// What stands in modules.json; a vector is made of length 1 when it is asked for, with or without
// the module of that name.
struct SentenceModules {
  std::string pooling;               // its folder; empty: none
  std::vector<std::string> dense;    // theirs
  std::vector<std::string> folders;  // of all modules that have one
};

// Error{invalid_argument}: no list of modules, or a path that is no folder's name.
// Error{unimplemented}: a module without which vectors would be others.
SentenceModules sentence_modules_of(std::string_view modules_json);

// Whether a model was published for vectors: its file says how states become one.
bool has_pooling(const ModelFile& file);

}  // namespace strata::models
