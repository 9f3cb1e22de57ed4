// The lock of the one server that does for a store what must be done once.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "core/error.h"
#include "core/os.h"

namespace strata::api {

// A supervisor starts the next server in the moment in which one was killed; the kernel may still
// be letting go of what that one held.
constexpr std::chrono::milliseconds kKilledServerLingers{1000};

// nullopt: another server held it for as long as `patience`, so it lives.
inline std::optional<FileLock> only_server(
    const std::filesystem::path& path, std::chrono::milliseconds patience = kKilledServerLingers) {
  const auto end = std::chrono::steady_clock::now() + patience;
  try {
    return FileLock::wait(path, FileLock::Kind::exclusive,
                          [&] { return std::chrono::steady_clock::now() < end; });
  } catch (const Error& error) {
    if (error.code() != Code::cancelled) throw;
    return std::nullopt;
  }
}

}  // namespace strata::api
