// A model of the store written again with its matrices in other types, as another model beside it.
#pragma once

#include <string_view>

#include "models/hub/pull.h"
#include "modify/mix.h"

namespace strata::modify {

struct QuantizeStoredOptions {
  bool replace = false;  // what `name` stands for, which stays until the new file is whole
  int n_threads = 0;     // 0: all cores
  // "quantizing", "verifying", "writing manifest"; bytes.
  std::function<void(const models::PullProgress&)> progress{};
  std::function<bool()> keep_going{};  // false: Error{cancelled}
};

// One GGUF. Licence, kind, template, system text, messages and parameters stay; the parent is
// `model`, the source says of what it was made. Memory does not grow with the model. Errors: those
// of Store::find, open_whole_model_file, plan_quantization and quantize; failed_precondition (most
// of the weights are quantised already); resource_exhausted (disk); already_exists without
// `replace`, also where another process has made the name meanwhile; cancelled. None of them
// leaves a model, or a part of one.
models::Manifest quantize_stored(const models::Store& store, std::string_view model, const Mix& mix,
                                 std::string_view name, const QuantizeStoredOptions& options = {});

// The same of a manifest that need not be in the store, whose files are: what it is called, made of
// and says otherwise stays. To be called in a models::store_model(), which writes it; `replace` is
// that one's.
models::Manifest quantize_files(const models::Store& store, models::Manifest manifest,
                                const Mix& mix, const QuantizeStoredOptions& options);

// Error{failed_precondition} with `name`: more than half of the weights are quantised. Rounding
// them again would lose more than the type says.
void refuse_quantised(const models::ModelFile& file, std::string_view name);

// Error{already_exists}.
void refuse_name_in_use(const models::Store& store, std::string_view name);

}  // namespace strata::modify
