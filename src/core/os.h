// The operating system: folders, files that survive a crash, locks, processes, memory, time.
// System calls stand here and in core/net only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

namespace fs = std::filesystem;

// --- environment and folders ---

std::optional<std::string> environment(const std::string& name);  // nullopt: unset or empty

// Where things live (XDG Base Directory specification), each ending in "/strata".
// With STRATA_HOME set, data and config are that folder itself, state and cache lie inside it.
// Nothing is created. Error{failed_precondition} when neither HOME nor STRATA_HOME tells.
struct Directories {
  fs::path config;
  fs::path data;  // the store
  fs::path state;
  fs::path cache;
};
Directories directories();

// --- files ---

// Whole content; Error{not_found}, {permission_denied}, {resource_exhausted} beyond max_bytes.
std::string read_file(const fs::path& path, uint64_t max_bytes = 256u << 20);

// Temporary file beside it, fsync, rename, fsync of the folder: whoever reads sees the old content
// or the new one, after a crash too. Creates missing parents. Errors as File::write.
void write_file_atomic(const fs::path& path, std::string_view content, unsigned mode = 0644);
// The temporary files of write_file_atomic begin with this; a crash may leave one behind.
constexpr std::string_view kTemporaryPrefix = ".tmp-";

void make_directories(const fs::path& path, unsigned mode = 0755);
void sync_directory(const fs::path& path);
// rename(2) and fsync of the target's folder. Both must be on one file system.
void rename_durably(const fs::path& from, const fs::path& to);
void remove_durably(const fs::path& path);  // no error when it is not there

// An open file of bytes. Movable; closed when destroyed.
class File {
 public:
  enum class Mode { read, append, truncate };
  // Errors: not_found, permission_denied, resource_exhausted (disk full), internal.
  static File open(const fs::path& path, Mode mode, unsigned permissions = 0644);
  // A file of these bytes in memory, at its beginning.
  static File in_memory(std::string_view content);
  static File standard_input();  // another descriptor of it
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  size_t read(std::span<std::byte> into);  // 0 at the end
  void seek(uint64_t offset);
  uint64_t size() const;
  // All of it or an error: a full disk or a file size limit is Error{resource_exhausted} with the
  // path and the free space.
  void write(std::span<const std::byte> bytes);
  void truncate(uint64_t size);
  void sync();
  int descriptor() const { return descriptor_; }

 private:
  File(int descriptor, fs::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_ = -1;
  fs::path path_;
};

// Free for this user on the file system that holds path or its nearest existing parent.
uint64_t free_disk_bytes(const fs::path& path);

// --- locks between processes (flock(2)); released when destroyed or when the process dies ---

class FileLock {
 public:
  enum class Kind { shared, exclusive };
  // nullopt when another process (or another lock of this process) holds it.
  static std::optional<FileLock> attempt(const fs::path& path, Kind kind);
  // Waits. `keep_waiting`, when given, is asked about five times a second; false ends the wait
  // with Error{cancelled}.
  static FileLock wait(const fs::path& path, Kind kind,
                       const std::function<bool()>& keep_waiting = {});

 private:
  explicit FileLock(File file) : file_(std::move(file)) {}
  File file_;
};

// --- processes ---

struct ProcessOptions {
  std::map<std::string, std::string> environment;  // added to or replacing ours
  bool inherits_environment = true;                // false: nothing of ours
  const File* input = nullptr;                     // from where it stands; null: empty
  fs::path directory;                              // empty: ours
  size_t max_output_bytes = 1u << 20;              // of each stream; the rest is read and dropped
  uint64_t timeout_ms = 0;                         // 0: none; then Error{deadline_exceeded}
  // Called about five times a second; false kills the child: Error{cancelled}.
  std::function<bool()> keep_running;
};

struct ProcessResult {
  int exit_code = 0;  // 128 + signal when a signal ended it
  std::string output;
  std::string errors;
};

// Starts words[0] (looked up in PATH) without a shell and waits for it. The child is in a process
// group of its own, which is killed with it.
// Error{not_found} when there is no such program.
ProcessResult run_process(const std::vector<std::string>& words,
                          const ProcessOptions& options = {});

// --- terminal, memory, time ---

// The calling thread gives way to the others of the machine.
void lower_priority();

bool is_terminal(int descriptor);
int terminal_columns(int descriptor);  // 80 when it is no terminal or does not tell

uint64_t resident_bytes();          // of this process
uint64_t total_memory_bytes();      // of the machine, or the cgroup's limit when smaller
uint64_t available_memory_bytes();  // what can be used without swapping

uint64_t monotonic_ns();
int64_t unix_seconds();
std::string utc_timestamp(int64_t unix_seconds);  // "2026-11-24T00:33:00Z"

}  // namespace strata
