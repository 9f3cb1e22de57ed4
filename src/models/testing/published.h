// The files that tests/oracle/published_weights.py wrote, and what every reader of such files must
// stand: each of its beginnings, each byte changed.
#pragma once

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/os.h"
#include "models/format/safetensors.h"

namespace strata::models {

inline const std::filesystem::path kPublished =
    STRATA_SOURCE_DIR "/src/models/format/testdata/published";

inline std::string published(const std::string& path) {
  return read_file(kPublished / path);
}

using ReadBytes = std::function<void(std::span<const std::byte>)>;

// The error's message; "" when it ends well.
inline std::string message_of(std::string_view bytes, const ReadBytes& read) {
  // An exact copy on the heap, so that the address sanitizer sees a read beyond the end.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  try {
    read(std::as_bytes(std::span(exact)));
  } catch (const Error& error) {
    return error.message().empty() ? "an error without a message" : error.message();
  }
  return "";
}

// Cut anywhere, it is refused by name.
inline void expect_cuts_refused(std::string_view bytes, const ReadBytes& read) {
  EXPECT_EQ(message_of(bytes, read), "");
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THAT(message_of(bytes.substr(0, n), read), ::testing::StartsWith("file"))
        << "the first " << n << " bytes";
  }
}

// Any byte may be another one: read or refused, no more (the sanitizers see the rest).
inline void expect_changes_survived(std::string bytes, const ReadBytes& read) {
  for (char& c : bytes) {
    for (const unsigned change : {0xffu, 0x80u, 1u}) {
      const char before = c;
      c = static_cast<char>(static_cast<unsigned char>(c) ^ change);
      message_of(bytes, read);
      c = before;
    }
  }
}

template <typename T>
std::string as_bytes_text(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
std::string with(std::string bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}

}  // namespace strata::models
