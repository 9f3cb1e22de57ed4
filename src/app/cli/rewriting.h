// A model written again as one GGUF file with its matrices in other types: what quantize and
// convert share.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/measuring.h"
#include "core/json.h"
#include "inference/perplexity.h"
#include "models/model.h"
#include "modify/quantize.h"

namespace strata::app {

struct RewritingRequest {
  std::string model;                 // a name, a .gguf file or a folder
  const modify::Mix* mix = nullptr;  // none: all as stored
  std::filesystem::path target;      // empty: NAME-TYPE.gguf here
  std::filesystem::path imatrix;     // empty: none
  modify::MixOptions options;
  bool force = false;  // replaces the target
};

struct Rewriting {
  std::filesystem::path source, target;
  std::shared_ptr<const models::ModelFile> file;
  models::ModelSpec spec;
  const modify::Mix* mix = nullptr;
  std::optional<modify::Importance> importance;
  modify::QuantizePlan plan;
};

// Of a name in the store, or a path itself.
std::filesystem::path path_of_model(const std::string& name_or_file);
// "smollm2-135m" of "smollm2:135m", "model" of "a/model.gguf", "Llama-3.2-1B" of that folder.
std::string stem_of_model(const std::string& name_or_file);

// Errors: those of open_whole_model_file and plan_quantization; already_exists without force.
Rewriting prepare_rewriting(const RewritingRequest& request);
// What a reader may not expect, on stderr.
void tell_rewriting(const Rewriting& job);
std::vector<modify::QuantizedTensor> write_rewriting(const Rewriting& job,
                                                     const Arguments& arguments, int n_threads);
// What the check of a rewriting runs through source and result. To be asked before the work: Error
// {failed_precondition}: of such a model there is no perplexity; {invalid_argument}: the text is
// too short; {resource_exhausted}: both do not fit the memory.
ChunkedText text_of_check(const Rewriting& job, const std::string& text);
// Perplexity and KL divergence of what was written to its source.
inference::Divergence check_rewriting(const Rewriting& job, const Arguments& arguments,
                                      const ChunkedText& text);
void print_rewriting(const Rewriting& job, const std::optional<inference::Divergence>& checked);
json::object rewriting_json(const Rewriting& job,
                            const std::vector<modify::QuantizedTensor>& results,
                            const std::optional<inference::Divergence>& checked);

}  // namespace strata::app
