// Reads one member of a zip archive (a Python wheel), checking everything. Nothing is written: the
// member's bytes go to a sink, so that no name inside the archive can reach the file system.
// Format: PKWARE APPNOTE 6.3, without zip64, encryption and several disks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/net.h"
#include "core/os.h"

namespace strata::models {

struct ZipMember {
  std::string name;
  uint16_t method = 0;  // 0 stored, 8 deflated
  uint32_t crc = 0;
  uint64_t packed = 0;
  uint64_t size = 0;
  uint64_t data_offset = 0;
};

// Errors: not_found (no such member; the message names the archive), data_loss (malformed,
// truncated, member twice), unimplemented (zip64, encryption, another method).
ZipMember find_in_zip(File& archive, std::string_view name, std::string_view archive_name);
// Exactly member.size bytes reach the sink, or an Error{data_loss}: truncated, longer or shorter
// than it says, CRC wrong.
void read_zip_member(File& archive, const ZipMember& member, const ByteSink& sink);

}  // namespace strata::models
