// A file mapped into memory for reading.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace strata {

// Owns the mapping; the bytes stay valid until it is destroyed. The page cache shares the pages
// between processes. A file that another program shortens meanwhile raises SIGBUS on access, so
// model files are replaced by rename, never rewritten in place.
class MappedFile {
 public:
  // Errors: not_found, permission_denied, invalid_argument (not a regular file, or empty),
  // unavailable (the system refuses to map it).
  explicit MappedFile(const std::filesystem::path& path) : MappedFile(path, Pages::any) {}
  // With Pages::huge it is mapped where huge pages fit, and read whole at once.
  enum class Pages { any, huge };
  MappedFile(const std::filesystem::path& path, Pages pages);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

  // Tells the system that these bytes will not be read again soon: whole pages inside the slice
  // leave the resident set (reading them again is still valid, from the file).
  void release(std::span<const std::byte> slice) const;

  // How much of it the system has mapped by huge pages: none where its page cache has only small
  // ones (Linux before 6.16 on ext4).
  size_t huge_bytes() const;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace strata
