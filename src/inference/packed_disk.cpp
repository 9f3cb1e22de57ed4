#include "inference/packed_disk.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "core/bytes.h"
#include "core/error.h"
#include "core/log.h"
#include "core/mapped_file.h"
#include "core/progress.h"
#include "core/version.h"

namespace strata::inference {
namespace {

// The file: this head, zeros up to kContent, then the arena's parts, one behind the other.
constexpr std::string_view kMagic = "strataPW";
constexpr uint32_t kVersion = 2;
constexpr size_t kContent = 4096;

struct Head {
  std::string model;
  std::string identity;        // what must be the same for the parts to be
  uint64_t content_bytes = 0;  // behind kContent
};

// The program packs, so another build may lay out the same weights in another way.
std::string identity_of(const DiskCache& disk) {
  return fmt::format("weights {}\nprogram {}", disk.weights, program_identity());
}

template <class T>
void append(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::string head_bytes(const Head& head) {
  std::string out(kMagic);
  append(out, kVersion);
  append(out, head.content_bytes);
  for (const std::string& text : {head.model, head.identity}) {
    append(out, static_cast<uint32_t>(text.size()));
    out += text;
  }
  if (out.size() > kContent) throw Error(Code::invalid_argument, "the model's name is too long");
  out.resize(kContent, '\0');
  return out;
}

Head read_head(std::span<const std::byte> bytes, uint64_t file_bytes) {
  const auto damaged = [](std::string_view why) {
    return Error(Code::data_loss, fmt::format("damaged: {}", why));
  };
  if (bytes.size() < kContent) throw damaged("it is too short");
  ByteReader reader(bytes.first(kContent));
  if (reader.take_text(kMagic.size(), "magic") != kMagic) throw damaged("it is no such file");
  if (const auto version = reader.read<uint32_t>("version"); version != kVersion) {
    throw Error(Code::failed_precondition, fmt::format("version {} of the format", version));
  }
  Head head;
  head.content_bytes = reader.read<uint64_t>("size");
  head.model = reader.take_text(reader.read<uint32_t>("length of the name"), "name");
  head.identity = reader.take_text(reader.read<uint32_t>("length of the identity"), "identity");
  if (head.content_bytes != file_bytes - kContent) {
    throw damaged(fmt::format("{} bytes of weights are announced, {} are there", head.content_bytes,
                              file_bytes - kContent));
  }
  return head;
}

Head read_head(const fs::path& path) {
  File file = File::open(path, File::Mode::read);
  std::vector<std::byte> bytes(kContent);
  bytes.resize(file.read(bytes));
  return read_head(bytes, file.size());
}

// Where the system has the file in small pages only, reading weights through them costs a fifth of
// the speed of writing: they are copied into memory that has huge ones.
tensor::Arena arena_of(std::shared_ptr<const MappedFile> file, Team& team) {
  const auto content = file->bytes().subspan(kContent);
  if (content.size() < 2 * (size_t{4} << 20) || file->huge_bytes() > content.size() / 2) {
    return {std::move(file), content};
  }
  auto memory = std::make_shared<const tensor::Buffer>(content.size());
  team.run([&](int thread) {
    const Share share = share_of(static_cast<int64_t>(content.size()), thread, team.size());
    const auto own = content.subspan(static_cast<size_t>(share.begin),
                                     static_cast<size_t>(share.end - share.begin));
    std::memcpy(memory->data() + share.begin, own.data(), own.size());
  });
  const std::span<const std::byte> copy(memory->data(), content.size());
  return {std::move(memory), copy};
}

// In pieces of whole huge pages, which the page cache then has too.
class PieceWriter {
 public:
  explicit PieceWriter(File& file) : file_(file) { piece_.reserve(kPiece); }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const size_t n = std::min(bytes.size(), kPiece - piece_.size());
      piece_.insert(piece_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      bytes = bytes.subspan(n);
      if (piece_.size() == kPiece) flush();
    }
  }
  void flush() {
    file_.write(piece_);
    piece_.clear();
  }

 private:
  static constexpr size_t kPiece = size_t{4} << 20;
  File& file_;
  std::vector<std::byte> piece_;
};

using Parts = std::vector<std::span<const std::byte>>;

// Lets go on, and for a while after the executor's end: what is nearly written is not thrown away.
class Patience {
 public:
  explicit Patience(std::stop_token stop) : stop_(std::move(stop)) {}

  // Error{cancelled} when it is at its end.
  void ask() {
    if (!stop_.stop_requested()) return;
    if (end_ns_ == 0) end_ns_ = monotonic_ns() + kAfterTheEnd_ns;
    if (monotonic_ns() < end_ns_) return;
    throw Error(Code::cancelled, "the disk is too slow to wait for it");
  }

 private:
  static constexpr uint64_t kAfterTheEnd_ns = 2'000'000'000;
  std::stop_token stop_;
  uint64_t end_ns_ = 0;
};

void write_file(const fs::path& path, const Head& head, const Parts& parts, Patience& patience) {
  // So often what was written is waited for, so that no end waits longer than for so much.
  constexpr size_t kSyncBytes = size_t{64} << 20;
  File file = File::open(path, File::Mode::truncate, 0600);
  PieceWriter writer(file);
  const std::string front = head_bytes(head);
  writer.write(std::as_bytes(std::span(front)));
  size_t unsynced = 0;
  for (std::span<const std::byte> part : parts) {
    while (!part.empty()) {
      const auto piece = part.first(std::min(part.size(), kSyncBytes));
      writer.write(piece);
      part = part.subspan(piece.size());
      patience.ask();
      unsynced += piece.size();
      if (unsynced < kSyncBytes) continue;
      file.sync();
      unsynced = 0;
    }
  }
  writer.flush();
  file.sync();
}

// The setting may have become smaller since.
void trim(const DiskCache& disk) {
  const PackedFolder folder(disk.folder);
  uint64_t total = 0;
  for (const auto& file : folder.files()) total += file.bytes;
  if (total <= disk.max_bytes) return;
  const FileLock lock = folder.lock();
  folder.make_room("", 0, disk.max_bytes);
}

bool is_there(const fs::path& path, const Head& head) {
  try {
    const Head old = read_head(path);
    return old.identity == head.identity && old.content_bytes == head.content_bytes;
  } catch (const Error&) {
    return false;
  }
}

// Files that were used within a day stay: two models that do not fit together would else push each
// other out at every start.
uint64_t bytes_in_use(const PackedFolder& folder, const fs::path& own) {
  const auto yesterday = fs::file_time_type::clock::now() - std::chrono::hours(24);
  uint64_t bytes = 0;
  for (const auto& file : folder.files()) {
    if (file.path != own && file.last_use > yesterday) bytes += file.bytes;
  }
  return bytes;
}

void save(const DiskCache& disk, const Parts& parts, Patience patience) {
  const PackedFolder folder(disk.folder);
  const fs::path path = folder.file_of(disk.weights);
  Head head{.model = disk.model, .identity = identity_of(disk), .content_bytes = 0};
  for (const auto& part : parts) head.content_bytes += part.size();
  const uint64_t bytes = kContent + head.content_bytes;
  std::optional<CacheFolder::Temporary> temporary;
  {
    const FileLock lock = folder.lock();
    if (is_there(path, head)) return;  // another process was faster
    if (disk.still_there && !disk.still_there()) return;
    if (bytes + bytes_in_use(folder, path) > disk.max_bytes) {
      log_info(
          "{}: its packed weights, {}, are not kept on disk: {} may be (cache.packed), {} are "
          "in use",
          disk.model, format_bytes(bytes), format_bytes(disk.max_bytes),
          format_bytes(bytes_in_use(folder, path)));
      return;
    }
    folder.make_room(disk.weights, bytes, disk.max_bytes);
    // Half of what is free is left alone: this only saves time.
    if (const uint64_t free = free_disk_bytes(disk.folder); bytes > free / 2) {
      log_info("{}: its packed weights, {}, are not kept on disk: {} are free", disk.model,
               format_bytes(bytes), format_bytes(free));
      return;
    }
    temporary = folder.temporary_of(disk.weights);
  }
  const uint64_t start = monotonic_ns();
  try {
    write_file(temporary->path, head, parts, patience);
    const FileLock lock = folder.lock();
    if (disk.still_there && !disk.still_there()) {
      remove_durably(temporary->path);
      return;
    }
    rename_durably(temporary->path, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary->path, ignored);
    throw;
  }
  log_info("{}: packed weights kept on disk, {} in {} ms", disk.model, format_bytes(bytes),
           (monotonic_ns() - start) / 1'000'000);
}

}  // namespace

std::vector<PackedFolder::Entry> PackedFolder::list() const {
  std::vector<Entry> entries;
  for (const File& file : files()) {
    Entry entry{.model = {},
                .path = file.path,
                .bytes = file.bytes,
                .last_use_s = file.last_use_s(),
                .damage = {}};
    try {
      entry.model = models::parse_model_name(read_head(file.path).model).full();
    } catch (const Error& error) {
      entry.damage = fmt::format("{}: {}", file.path.string(), error.message());
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

bool PackedFolder::remove_of(const std::string& model, const std::string& weights) const {
  bool any = !weights.empty() && remove(weights);
  for (const Entry& entry : list()) {
    if (entry.model != model) continue;
    remove_durably(entry.path);
    any = true;
  }
  return any;
}

tensor::Arena recall_packed(const DiskCache& disk, Team& team) {
  if (disk.max_bytes == 0) return {};
  try {
    const fs::path path = PackedFolder(disk.folder).file_of(disk.weights);
    if (!fs::exists(path)) return {};
    const auto is_ours = [&](const Head& head) { return head.identity == identity_of(disk); };
    if (!is_ours(read_head(path))) {
      log_info("{}: its packed weights on disk are of another build: packed anew", disk.model);
      return {};
    }
    auto file = std::make_shared<const MappedFile>(path, MappedFile::Pages::huge);
    // It may have been replaced meanwhile.
    if (!is_ours(read_head(file->bytes(), file->bytes().size()))) return {};
    touch(path);
    trim(disk);
    return arena_of(std::move(file), team);
  } catch (const std::exception& error) {
    log_warn("{}: its packed weights in {} are not used: {}", disk.model, disk.folder.string(),
             error.what());
    return {};
  }
}

PackedWriter::PackedWriter(DiskCache disk, const tensor::Arena& arena) {
  if (disk.max_bytes == 0 || arena.filled()) return;
  const auto not_kept = [model = disk.model](const std::exception& error) {
    log_warn("{}: its packed weights are not kept on disk: {}", model, error.what());
  };
  const auto write = [not_kept, disk = std::move(disk),
                      parts =
                          Parts(arena.parts().begin(), arena.parts().end())](std::stop_token stop) {
    lower_priority();
    try {
      save(disk, parts, Patience(std::move(stop)));
    } catch (const std::exception& error) {
      not_kept(error);
    }
  };
  try {
    thread_ = std::jthread(write);
  } catch (const std::system_error& error) {
    not_kept(error);
  }
}

}  // namespace strata::inference
