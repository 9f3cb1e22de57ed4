// A model of the store written again with its matrices in other types, as another model beside it.
#pragma once

#include <string>
#include <string_view>

#include "models/hub/pull.h"
#include "modify/mix.h"

namespace strata::modify {

// Licence, kind, template, system text, messages and parameters stay; the parent is `model`.
// Computes on all cores. options: progress ("quantizing", "verifying", "writing manifest") and
// keep_going. Errors: those of Store::find, plan_quantization and quantize; resource_exhausted
// (disk); already_exists, also where another process has made the name meanwhile; cancelled. None
// of them leaves a model, or a part of one.
models::Manifest quantize_stored(const models::Store& store, std::string_view model, const Mix& mix,
                                 std::string_view name, const models::PullOptions& options);

// Error{already_exists}.
void refuse_name_in_use(const models::Store& store, std::string_view name);

}  // namespace strata::modify
