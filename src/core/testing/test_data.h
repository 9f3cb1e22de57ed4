// Where tests find the texts and models of others, which are not committed.
#pragma once

#include <filesystem>
#include <string_view>

namespace strata::testing {

// The file `name` (e.g. "models/smollm2-135m.gguf") below $STRATA_TEST_DATA, else below
// ~/.cache/strata/test-data. Error{not_found} that says which command fetches it.
std::filesystem::path test_data(std::string_view name);

}  // namespace strata::testing
