// The store: content-addressed blobs, a manifest a name, locks. Safe with several processes at
// once; a crash at any byte leaves the old state or the new one.
//
//   blobs/sha256-HEX          a file by the hash of its content; read-only
//   manifests/NAME/TAG.json   what a name stands for (models/hub/manifest.h)
//   partial/KEY.part          a download that is not complete yet, KEY.json its state
//   views/HEX/…               a split model's blobs under the names that its reader expects
//   locks/…                   flock(2) files
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/os.h"
#include "models/hub/manifest.h"
#include "models/hub/name.h"

namespace strata::models {

class Store {
 public:
  // The default folder: directories().data.
  Store();
  explicit Store(fs::path root);

  // The same store for somebody who may have to stop: where `keep_waiting` returns false, waiting
  // for the lock of another process ends with Error{cancelled}. It is asked from any thread.
  Store waiting_while(std::function<bool()> keep_waiting) &&;

  const fs::path& root() const { return root_; }

  // --- reading ---
  // All names, sorted. A manifest that cannot be read is passed over and put into `damaged`
  // (its path and why), when given. Error{failed_precondition} where something that is no folder
  // stands in the store's place.
  std::vector<Manifest> list(std::vector<std::string>* damaged = nullptr) const;
  std::vector<std::string> names() const;  // of list()
  bool has(std::string_view name) const;   // of exactly that name
  // What a caller's name stands for (resolve_name() in models/hub/known_names.h).
  ModelName resolve(std::string_view name) const;
  // The model that resolve() names. Errors: those of model_not_found(); data_loss when damaged.
  Manifest find(std::string_view name) const;
  std::optional<Manifest> try_find(std::string_view name) const;  // nullopt when there is none
  // What open_model_file opens: the blob, the first part of a split model's view, or a folder.
  // Error{data_loss} when a blob is missing or has another size.
  fs::path model_path(const Manifest& manifest) const;
  fs::path blob_path(std::string_view sha256) const;
  bool has_blob(const BlobRef& blob) const;

  // --- writing ---
  // While a Hold lives no blob is collected: take one before putting the first blob and keep it
  // until the manifest is written.
  class Hold {
   public:
    explicit Hold(FileLock lock) : lock_(std::move(lock)) {}

   private:
    FileLock lock_;
  };
  // Waits while another process collects. Error{cancelled} where `keep_going`, when given, or the
  // store's own waiting_while() ends the wait.
  Hold hold(const std::function<bool()>& keep_going = {}) const;

  // Streams: write() as often as needed, then commit(). Without commit nothing stays.
  class BlobWriter {
   public:
    BlobWriter(const Store& store, fs::path temporary);
    BlobWriter(BlobWriter&&) noexcept = default;
    ~BlobWriter();
    void write(std::span<const std::byte> bytes);
    // fsync, rename. Error{data_loss} when `expected` is given and another hash came out.
    BlobRef commit(std::string_view expected_sha256 = {});

   private:
    const Store* store_;
    fs::path temporary_;
    File file_;
    Sha256 hash_;
    uint64_t size_ = 0;
  };
  BlobWriter new_blob() const;
  BlobRef put_blob(std::string_view content) const;
  // Copies (or hard-links, when asked and possible) a file into the store.
  // Progress: bytes read so far; false cancels.
  BlobRef put_file(const fs::path& path, bool link,
                   const std::function<bool(uint64_t done)>& progress = {}) const;

  // Replaces what the name stood for. The blobs must be there: Error{failed_precondition}. Of two
  // names that differ in case alone neither could be meant by a third spelling:
  // Error{already_exists} (spelling_in() in models/hub/known_names.h has the one that is here).
  void put_manifest(Manifest manifest) const;
  void copy(std::string_view from, std::string_view to) const;
  // Removes what resolve() names, then collects. Error{not_found} as find().
  void remove(std::string_view name) const;
  struct Collected {
    uint64_t blobs = 0;
    uint64_t bytes = 0;
    bool deferred = false;  // another process holds the store; the next collection does it
  };
  // Deletes blobs that no manifest names, and what a crash left behind. Partial downloads stay.
  Collected collect() const;

  // Reads and hashes every blob that the names (all when empty) need.
  struct Damage {
    std::string name;
    std::string what;
  };
  std::vector<Damage> verify(
      std::string_view name = {},
      const std::function<bool(uint64_t done, uint64_t total)>& progress = {}) const;

  fs::path partial_path(std::string_view key, std::string_view extension) const;
  fs::path lock_path(std::string_view key) const;
  fs::path cache_folder() const { return root_ / "cache"; }
  // Moves a complete, hashed file (on this file system) into its place as a blob.
  void adopt(const fs::path& file, const BlobRef& blob) const;

 private:
  fs::path manifest_file(const ModelName& name) const;
  void refuse_other_case(const ModelName& name) const;
  fs::path root_;
  std::function<bool()> keep_waiting_{};
};

}  // namespace strata::models
