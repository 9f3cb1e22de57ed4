#include "inference/packed_disk.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
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
constexpr uint32_t kVersion = 1;
constexpr size_t kContent = 4096;

struct Head {
  std::string model;
  std::string identity;        // what must be the same for the parts to be
  uint64_t content_bytes = 0;  // behind kContent
};

// The program packs, so another build may lay out the same weights in another way.
std::string identity_of(const PackedDisk& disk) {
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

// Where the system has the file in small pages only, reading weights through them costs a tenth of
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

void write_file(const fs::path& path, const Head& head, const Parts& parts) {
  const fs::path temporary =
      path.parent_path() / (std::string(kTemporaryPrefix) + path.filename().string());
  File file = File::open(temporary, File::Mode::truncate, 0600);
  try {
    PieceWriter writer(file);
    const std::string front = head_bytes(head);
    writer.write(std::as_bytes(std::span(front)));
    for (const auto& part : parts) writer.write(part);
    writer.flush();
    file.sync();
    rename_durably(temporary, path);
  } catch (...) {
    remove_durably(temporary);
    throw;
  }
}

void save(const PackedDisk& disk, const Parts& parts) {
  const PackedFolder folder(disk.folder);
  Head head{.model = disk.model, .identity = identity_of(disk), .content_bytes = 0};
  for (const auto& part : parts) head.content_bytes += part.size();
  const uint64_t bytes = kContent + head.content_bytes;
  const FileLock lock = folder.lock();
  if (disk.still_there && !disk.still_there()) return;
  // Half of what is free is left alone: this only saves time.
  if (bytes > disk.max_bytes || bytes > free_disk_bytes(disk.folder) / 2) {
    log_info("{}: its packed weights, {}, are not kept on disk: {} may be, {} are free", disk.model,
             format_bytes(bytes), format_bytes(disk.max_bytes),
             format_bytes(free_disk_bytes(disk.folder)));
    return;
  }
  folder.make_room(disk.weights, bytes, disk.max_bytes);
  const uint64_t start = monotonic_ns();
  write_file(folder.file_of(disk.weights), head, parts);
  log_info("{}: packed weights kept on disk, {} in {} ms", disk.model, format_bytes(bytes),
           (monotonic_ns() - start) / 1'000'000);
}

}  // namespace

std::vector<PackedFolder::Entry> PackedFolder::list() const {
  std::vector<Entry> entries;
  for (const File& file : files()) {
    Entry entry{.model = {}, .bytes = file.bytes, .last_use_s = file.last_use_s, .damage = {}};
    try {
      entry.model = models::parse_model_name(read_head(file.path).model).full();
    } catch (const Error& error) {
      entry.damage = fmt::format("{}: {}", file.path.string(), error.message());
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

tensor::Arena recall_packed(const PackedDisk& disk, Team& team) {
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
    return arena_of(std::move(file), team);
  } catch (const std::exception& error) {
    log_warn("{}: its packed weights in {} are not used: {}", disk.model, disk.folder.string(),
             error.what());
    return {};
  }
}

PackedWriter::PackedWriter(PackedDisk disk, const tensor::Arena& arena) {
  if (disk.max_bytes == 0 || arena.filled()) return;
  thread_ = std::jthread(
      [disk = std::move(disk), parts = Parts(arena.parts().begin(), arena.parts().end())] {
        lower_priority();
        try {
          save(disk, parts);
        } catch (const std::exception& error) {
          log_warn("{}: its packed weights are not kept on disk: {}", disk.model, error.what());
        }
      });
}

}  // namespace strata::inference
