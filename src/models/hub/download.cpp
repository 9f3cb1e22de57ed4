#include "models/hub/download.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/json.h"
#include "core/progress.h"

namespace strata::models {
namespace {

constexpr uint64_t kSpareDiskBytes = 16u << 20;  // for manifests, the database and the like
constexpr int kMaxAttempts = 6;                  // as long as each brings some bytes
constexpr size_t kChunk = 1u << 20;
constexpr size_t kMaxStateBytes = 1u << 16;

// partial/KEY.part, what is known about it in KEY.json, and a work folder KEY.d.
class Partial {
 public:
  Partial(const Store& store, const SourceFile& file)
      : key_(sha256_hex(file.url + "\n" + file.sha256.value_or(""))),
        part_(store.partial_path(key_, ".part")),
        state_(store.partial_path(key_, ".json")),
        work_(store.partial_path(key_, ".d")),
        url_(file.url) {}

  const std::string& key() const { return key_; }
  const fs::path& part() const { return part_; }
  const fs::path& work() const { return work_; }

  // The version of the bytes that are there; "" when they are of no use.
  std::string version() const {
    try {
      const json::value value = parse_json(read_file(state_, kMaxStateBytes));
      const auto* object = value.if_object();
      const auto* url = object == nullptr ? nullptr : object->if_contains("url");
      const auto* version = object == nullptr ? nullptr : object->if_contains("version");
      if (url == nullptr || *url != json::value(url_) || version == nullptr ||
          !version->is_string())
        return {};
      return std::string(version->get_string());
    } catch (const Error&) {
      return {};  // no state, or a damaged one: the download begins anew
    }
  }

  void write_version(const std::string& version) const {
    write_file_atomic(state_, to_json(json::object{{"url", url_}, {"version", version}}) + "\n");
  }

  void discard() const {
    std::error_code ignored;
    fs::remove(state_, ignored);
    fs::remove(part_, ignored);
    fs::remove_all(work_, ignored);
  }

 private:
  std::string key_;
  fs::path part_;
  fs::path state_;
  fs::path work_;
  std::string url_;
};

class Download {
 public:
  Download(const Store& store, const DownloadRequest& request, const PullOptions& options)
      : store_(store), request_(request), options_(options), partial_(store, request.file) {}

  BlobRef run() {
    if (const auto there = known_blob()) return *there;
    const FileLock lock = wait_for_turn();
    if (const auto there = known_blob()) return *there;
    if (waited_ && request_.already_there) {
      if (const auto there = request_.already_there()) return *there;
    }
    make_directories(partial_.part().parent_path());
    if (!request_.file.sha256) partial_.discard();
    fetch_with_retries();
    return adopt();
  }

 private:
  std::optional<BlobRef> known_blob() const {
    if (!request_.file.sha256) return std::nullopt;
    std::error_code error;
    const uint64_t size = fs::file_size(store_.blob_path(*request_.file.sha256), error);
    if (error || (request_.file.size && *request_.file.size != size)) return std::nullopt;
    return BlobRef{*request_.file.sha256, size};
  }

  void report(std::string_view stage, uint64_t done) const {
    if (!options_.progress) return;
    options_.progress({std::string(stage), request_.file.name, request_.before + done,
                       request_.total > 0 ? request_.total : total_.value_or(0),
                       request_.file.sha256.value_or(""), partial_.key()});
  }

  bool go_on() const { return !options_.keep_going || options_.keep_going(); }

  FileLock wait_for_turn() {
    const fs::path path = store_.lock_path(partial_.key());
    if (auto lock = FileLock::attempt(path, FileLock::Kind::exclusive)) return std::move(*lock);
    waited_ = true;
    return FileLock::wait(path, FileLock::Kind::exclusive, [&] {
      std::error_code error;
      const uint64_t size = fs::file_size(partial_.part(), error);
      report("waiting for another pull", error ? 0 : size);
      return go_on();
    });
  }

  void fetch_with_retries() {
    for (int attempt = 1;; ++attempt) {
      const uint64_t before = done_;
      try {
        fetch_once();
        return;
      } catch (const Error& error) {
        const bool cut = error.code() == Code::unavailable && done_ > before;
        if (!cut || attempt >= kMaxAttempts || !request_.file.sha256) throw;
      }
    }
  }

  void fetch_once() {
    FetchState state;
    state.version = partial_.version();
    file_.emplace(File::open(partial_.part(), File::Mode::append));
    if (!state.version.empty()) state.offset = file_->size();
    resumed_ = false;
    const FetchSink sink{
        [&](uint64_t offset, std::optional<uint64_t> total) { begin(offset, total, state); },
        [&](std::span<const std::byte> bytes) { write(bytes); }};
    FetchContext context;
    context.policy = options_.policy;
    context.work = partial_.work();
    context.cache = store_.cache_folder();
    context.keep_going = [&] { return go_on(); };
    context.note = [&](std::string_view stage, uint64_t done) {
      if (options_.progress) options_.progress({std::string(stage), "", done, 0});
    };
    request_.source->fetch(request_.file, state, sink, context);
    if (total_ && done_ != *total_) {
      throw Error(Code::data_loss,
                  fmt::format("{} ended after {} of {} bytes", request_.file.name, done_, *total_));
    }
  }

  void begin(uint64_t offset, std::optional<uint64_t> total, const FetchState& state) {
    const auto& expected = request_.file.size;
    if (total && expected && *total != *expected) {
      partial_.discard();
      throw Error(Code::data_loss,
                  fmt::format("the source says that {} has {} bytes, it must be {}",
                              request_.file.name, *total, *expected));
    }
    total_ = expected ? expected : total;
    hash_ = Sha256();
    done_ = 0;
    if (offset > 0) {
      resumed_ = true;
      hash_what_is_there(offset);
    } else {
      file_->truncate(0);
      partial_.write_version(state.version);
    }
    check_space(total_.value_or(0));
  }

  void hash_what_is_there(uint64_t size) {
    file_->seek(0);
    std::vector<std::byte> buffer(kChunk);
    while (done_ < size) {
      const size_t wanted = static_cast<size_t>(std::min<uint64_t>(buffer.size(), size - done_));
      const size_t got = file_->read(std::span(buffer).first(wanted));
      if (got == 0) throw Error(Code::internal, "a partial download became shorter");
      hash_.update(std::span<const std::byte>(buffer).first(got));
      done_ += got;
    }
  }

  void check_space(uint64_t total) const {
    const uint64_t needed = checked_add(total - std::min(total, done_), kSpareDiskBytes, "size");
    const uint64_t free = free_disk_bytes(store_.root());
    if (needed <= free) return;
    throw Error(Code::resource_exhausted,
                fmt::format("{} needs {} more, {} is free in {}", request_.file.name,
                            format_bytes(needed), format_bytes(free), store_.root().string()),
                "free some space, or set STRATA_HOME to a folder on a larger disk");
  }

  void write(std::span<const std::byte> bytes) {
    if (total_ && bytes.size() > *total_ - done_) {
      partial_.discard();
      throw Error(Code::data_loss, fmt::format("the source sends more than the {} bytes of {}",
                                               *total_, request_.file.name));
    }
    file_->write(bytes);
    hash_.update(bytes);
    done_ += bytes.size();
    report(request_.source->scheme() == "file" ? "copying" : "downloading", done_);
  }

  BlobRef adopt() {
    BlobRef blob{hash_.hex(), done_};
    const auto& expected = request_.file.sha256;
    if (expected && *expected != blob.sha256 && resumed_) {
      // The old half may have been damaged by a crash: once more, from the beginning.
      partial_.discard();
      fetch_with_retries();
      blob = {hash_.hex(), done_};
    }
    if (expected && *expected != blob.sha256) {
      partial_.discard();
      throw Error(Code::data_loss,
                  fmt::format("{} has the SHA-256 {}, it must be {}", request_.file.name,
                              blob.sha256, *expected),
                  "do not use this source; it does not give the file that it should");
    }
    report("verifying", done_);
    if (!request_.file.in_folder) require_gguf();
    file_->sync();
    store_.adopt(partial_.part(), blob);
    file_.reset();
    partial_.discard();
    return blob;
  }

  void require_gguf() {
    std::array<std::byte, 4> magic{};
    file_->seek(0);
    const size_t got = file_->read(magic);
    if (std::string_view(reinterpret_cast<const char*>(magic.data()), got) == "GGUF") return;
    partial_.discard();
    throw Error(
        Code::invalid_argument, fmt::format("{} is no GGUF file", request_.file.name),
        "a GGUF file begins with the letters GGUF; this may be a page, or weights in another "
        "format");
  }

  const Store& store_;
  const DownloadRequest& request_;
  const PullOptions& options_;
  Partial partial_;
  std::optional<File> file_;
  Sha256 hash_;
  uint64_t done_ = 0;
  std::optional<uint64_t> total_;
  bool resumed_ = false;
  bool waited_ = false;
};

}  // namespace

BlobRef download(const Store& store, const DownloadRequest& request, const PullOptions& options) {
  return Download(store, request, options).run();
}

void discard_partial(const Store& store, const std::string& part) {
  if (part.empty()) return;
  if (const auto lock = FileLock::attempt(store.lock_path(part), FileLock::Kind::exclusive)) {
    for (const char* extension : {".json", ".part", ".d"}) {
      std::error_code ignored;
      fs::remove_all(store.partial_path(part, extension), ignored);
    }
  }
  store.collect();
}

}  // namespace strata::models
