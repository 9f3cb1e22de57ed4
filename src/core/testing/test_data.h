// Where tests find the texts and models of others, which are not committed.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace strata::testing {

// The file `name` (e.g. "models/smollm2-135m.gguf") below $STRATA_TEST_DATA, else below
// ~/.cache/strata/test-data. Error{not_found} that says which command fetches it.
std::filesystem::path test_data(std::string_view name);
// Likewise, nullopt when the (fetched) folder has no such file. Error{not_found} when nothing was
// fetched at all.
std::optional<std::filesystem::path> find_test_data(std::string_view name);

}  // namespace strata::testing
