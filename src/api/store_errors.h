// Errors of the store as clients may hear them: where it lies on the server is not theirs to know.
#pragma once

#include <filesystem>

#include "core/error.h"
#include "models/hub/manifest.h"

namespace strata::api {

// The error with every path below the store's root as "a file of the store", "the store" for the
// root itself.
Error without_paths(const Error& error, const std::filesystem::path& root);

// Why a model of the store cannot be opened; the log has the whole of it. A file that is spoilt is
// not the request's fault: invalid_argument becomes data_loss.
Error unreadable_model(const Error& error, const models::Manifest& manifest,
                       const std::filesystem::path& root);

// Calls work(); what it throws is an error without paths.
template <typename Work>
auto telling_no_paths(const std::filesystem::path& root, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    throw without_paths(error, root);
  }
}

}  // namespace strata::api
