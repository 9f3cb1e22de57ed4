// Blobs: written while hashed, adopted, verified, and shown to readers as files.
#include <algorithm>
#include <atomic>
#include <set>

#include <unistd.h>

#include "core/error.h"
#include "models/hub/store.h"

namespace strata::models {
namespace {

constexpr size_t kChunk = 1u << 20;

uint64_t size_or_none(const fs::path& path) {
  std::error_code error;
  return fs::file_size(path, error);
}

// Makes `to` the same file as `from`: a hard link, or a symbolic one where links are not possible.
void link_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (fs::exists(to, error)) return;
  fs::create_hard_link(from, to, error);
  if (!error || fs::exists(to)) return;
  fs::create_symlink(from, to, error);
  if (error && !fs::exists(to)) {
    throw Error(Code::internal, fmt::format("cannot link {} to {}: {}", to.string(), from.string(),
                                            error.message()));
  }
}

void make_read_only(const fs::path& path) {
  std::error_code ignored;
  fs::permissions(path, static_cast<fs::perms>(0444), ignored);
}

}  // namespace

fs::path Store::blob_path(std::string_view sha256) const {
  if (!is_sha256_hex(sha256)) {
    throw Error(Code::invalid_argument, "a blob's name must be 64 lower-case hex digits");
  }
  return root_ / "blobs" / fmt::format("sha256-{}", sha256);
}

bool Store::has_blob(const BlobRef& blob) const {
  return size_or_none(blob_path(blob.sha256)) == blob.size;
}

fs::path Store::model_path(const Manifest& manifest) const {
  for (const auto& part : manifest.model) {
    if (has_blob(part)) continue;
    throw Error(Code::data_loss,
                fmt::format("the blob sha256-{} of '{}' is missing or has not {} bytes",
                            part.sha256, manifest.name, part.size),
                fmt::format("get it again with: strata pull {}", manifest.name));
  }
  const bool is_folder = !manifest.model[0].file.empty();
  if (manifest.model.size() == 1 && !is_folder) return blob_path(manifest.model[0].sha256);
  const Hold held = hold();
  const fs::path folder = root_ / "views" / manifest.digest();
  const auto named = [&](size_t i) {
    if (is_folder) return folder / manifest.model[i].file;
    return folder / fmt::format("model-{:05}-of-{:05}.gguf", i + 1, manifest.model.size());
  };
  for (size_t i = 0; i < manifest.model.size(); ++i) {
    make_directories(named(i).parent_path());
    link_file(blob_path(manifest.model[i].sha256), named(i));
  }
  return is_folder ? folder : named(0);
}

Store::BlobWriter::BlobWriter(const Store& store, fs::path temporary)
    : store_(&store),
      temporary_(std::move(temporary)),
      file_(File::open(temporary_, File::Mode::truncate)) {}

Store::BlobWriter::~BlobWriter() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove(temporary_, ignored);
}

void Store::BlobWriter::write(std::span<const std::byte> bytes) {
  file_.write(bytes);
  hash_.update(bytes);
  size_ += bytes.size();
}

BlobRef Store::BlobWriter::commit(std::string_view expected_sha256) {
  BlobRef blob{hash_.hex(), size_};
  if (!expected_sha256.empty() && blob.sha256 != expected_sha256) {
    throw Error(Code::data_loss,
                fmt::format("the SHA-256 is {}, it should be {}", blob.sha256, expected_sha256));
  }
  file_.sync();
  store_->adopt(temporary_, blob);
  temporary_.clear();
  return blob;
}

Store::BlobWriter Store::new_blob() const {
  static std::atomic<uint64_t> counter{0};
  make_directories(root_ / "blobs");
  return {*this, root_ / "blobs" /
                     fmt::format("{}{}-b{}", kTemporaryPrefix, ::getpid(), counter.fetch_add(1))};
}

BlobRef Store::put_blob(std::string_view content) const {
  auto writer = new_blob();
  writer.write(std::as_bytes(std::span(content)));
  return writer.commit();
}

void Store::adopt(const fs::path& file, const BlobRef& blob) const {
  make_directories(root_ / "blobs");
  const fs::path target = blob_path(blob.sha256);
  make_read_only(file);
  rename_durably(file, target);
}

BlobRef Store::put_file(const fs::path& path, bool link,
                        const std::function<bool(uint64_t)>& progress) const {
  File in = File::open(path, File::Mode::read);
  std::vector<std::byte> buffer(kChunk);
  const auto pass = [&](auto&& take) {
    uint64_t done = 0;
    while (const size_t got = in.read(buffer)) {
      take(std::span<const std::byte>(buffer).first(got));
      done += got;
      if (progress && !progress(done)) throw Error(Code::cancelled, "cancelled");
    }
    return done;
  };
  if (link) {
    Sha256 hash;
    BlobRef blob;
    blob.size = pass([&](auto bytes) { hash.update(bytes); });
    blob.sha256 = hash.hex();
    if (has_blob(blob)) return blob;
    make_directories(root_ / "blobs");
    std::error_code error;
    fs::create_hard_link(path, blob_path(blob.sha256), error);
    if (!error) {
      sync_directory(root_ / "blobs");
      return blob;
    }
    in.seek(0);
  }
  auto writer = new_blob();
  pass([&](auto bytes) { writer.write(bytes); });
  return writer.commit();
}

std::vector<Store::Damage> Store::verify(
    std::string_view name, const std::function<bool(uint64_t, uint64_t)>& progress) const {
  std::vector<Damage> out;
  std::vector<std::string> damaged;
  std::vector<Manifest> manifests;
  if (name.empty()) {
    manifests = list(&damaged);
    for (const auto& what : damaged) out.push_back({"", what});
  } else {
    manifests.push_back(find(name));
  }
  uint64_t total = 0;
  for (const auto& manifest : manifests) total += manifest.size_bytes();
  uint64_t done = 0;
  std::vector<std::byte> buffer(kChunk);
  for (const auto& manifest : manifests) {
    for (const auto& part : manifest.model) {
      if (!has_blob(part)) {
        out.push_back(
            {manifest.name, fmt::format("the blob sha256-{} is missing or has not {} bytes",
                                        part.sha256, part.size)});
        continue;
      }
      File in = File::open(blob_path(part.sha256), File::Mode::read);
      Sha256 hash;
      while (const size_t got = in.read(buffer)) {
        hash.update(std::span<const std::byte>(buffer).first(got));
        done += got;
        if (progress && !progress(done, total)) throw Error(Code::cancelled, "cancelled");
      }
      if (hash.hex() != part.sha256) {
        out.push_back({manifest.name, fmt::format("the content of the blob sha256-{} has changed: "
                                                  "it hashes to {}",
                                                  part.sha256, hash.hex())});
      }
    }
  }
  return out;
}

}  // namespace strata::models
