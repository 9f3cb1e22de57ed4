// The members of a zip archive in memory whose bytes lie in it as they are, which is how PyTorch
// writes: stored, not compressed (PKWARE APPNOTE 6.3 with zip64, one disk).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace strata::models {

struct StoredMember {
  std::string_view name;
  std::span<const std::byte> bytes;
};

bool is_zip(std::span<const std::byte> bytes);

// In the order of the directory; views into `bytes`. CRCs are not compared: tensors would have to
// be read whole, and PyTorch can leave them out. `file` names the file in errors.
// Error{invalid_argument}: no directory; one that does not agree with itself or with the members'
// own headers; members that overlap, lie outside or bear one name; more than kMaxZip…
// (hf_limits.h). Error{unimplemented}: a member is compressed or encrypted; several disks.
std::vector<StoredMember> read_stored_zip(std::span<const std::byte> bytes, std::string_view file);

}  // namespace strata::models
