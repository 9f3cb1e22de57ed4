// Names, manifests and collection. The blobs themselves: store_blobs.cpp.
#include "models/hub/store.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "models/hub/known_names.h"

namespace strata::models {
namespace {

constexpr std::string_view kBlobPrefix = "sha256-";

// Files below a folder; an absent folder has none. What vanishes meanwhile is passed over.
std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored)) out.push_back(at->path());
  }
  std::ranges::sort(out);
  return out;
}

// A store that is not there yet is empty; where none can be, nothing is.
void check_folder(const fs::path& root) {
  fs::path at = root;
  std::error_code error;
  while (at.has_relative_path() && !fs::exists(at, error)) at = at.parent_path();
  if (error || fs::is_directory(at, error)) return;
  throw Error(Code::failed_precondition,
              fmt::format("the store cannot be in {}: {} is no folder", root.string(), at.string()),
              "set STRATA_HOME to a folder");
}

bool is_temporary(const fs::path& path) {
  return path.filename().string().starts_with(kTemporaryPrefix);
}

uint64_t remove_counted(const fs::path& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  return fs::remove(path, error) && size != static_cast<uint64_t>(-1) ? size : 0;
}

}  // namespace

Store::Store() : Store(directories().data) {}

Store::Store(fs::path root) : root_(fs::absolute(std::move(root))) {}

fs::path Store::manifest_file(const ModelName& name) const {
  return root_ / "manifests" / name.manifest_path();
}

fs::path Store::partial_path(std::string_view key, std::string_view extension) const {
  return root_ / "partial" / fmt::format("{}{}", key, extension);
}

fs::path Store::lock_path(std::string_view key) const {
  return root_ / "locks" / fmt::format("{}.lock", key);
}

std::vector<Manifest> Store::list(std::vector<std::string>* damaged) const {
  check_folder(root_);
  std::vector<Manifest> out;
  for (const auto& path : files_below(root_ / "manifests")) {
    if (path.extension() != ".json" || is_temporary(path)) continue;
    try {
      Manifest manifest = parse_manifest(read_file(path, kMaxManifestBytes));
      if (manifest_file(parse_model_name(manifest.name)) != path) {
        throw Error(Code::data_loss, fmt::format("it says that it is '{}'", manifest.name));
      }
      out.push_back(std::move(manifest));
    } catch (const Error& error) {
      if (error.code() == Code::not_found) continue;  // removed by another process meanwhile
      if (damaged != nullptr) damaged->push_back(path.string() + ": " + error.message());
    }
  }
  std::ranges::sort(out, {}, &Manifest::name);
  return out;
}

bool Store::has(std::string_view name) const {
  std::error_code error;
  return fs::exists(manifest_file(parse_model_name(name)), error);
}

std::vector<std::string> Store::names() const {
  std::vector<std::string> names;
  for (const auto& manifest : list()) names.push_back(manifest.name);
  return names;
}

ModelName Store::resolve(std::string_view name) const {
  parse_model_name(name);  // refuses what is none
  return parse_model_name(resolve_name(
      name, {[this](std::string_view each) { return has(each); }, [this] { return names(); }}));
}

std::optional<Manifest> Store::try_find(std::string_view name) const {
  const ModelName wanted = resolve(name);
  std::string content;
  try {
    content = read_file(manifest_file(wanted), kMaxManifestBytes);
  } catch (const Error& error) {
    if (error.code() == Code::not_found) return std::nullopt;
    throw;
  }
  Manifest manifest = parse_manifest(content);
  if (manifest.name != wanted.full()) {
    throw Error(Code::data_loss,
                fmt::format("the manifest of '{}' says '{}'", wanted.full(), manifest.name),
                "pull or create the model again");
  }
  return manifest;
}

Manifest Store::find(std::string_view name) const {
  if (auto manifest = try_find(name)) return std::move(*manifest);
  throw model_not_found(name, names());
}

Store Store::waiting_while(std::function<bool()> keep_waiting) && {
  keep_waiting_ = std::move(keep_waiting);
  return std::move(*this);
}

Store::Hold Store::hold(const std::function<bool()>& keep_going) const {
  if (!keep_going && !keep_waiting_) {
    return Hold(FileLock::wait(lock_path("store"), FileLock::Kind::shared));
  }
  return Hold(FileLock::wait(lock_path("store"), FileLock::Kind::shared, [&] {
    return (!keep_going || keep_going()) && (!keep_waiting_ || keep_waiting_());
  }));
}

void Store::refuse_other_case(const ModelName& name) const {
  if (has(name.full())) return;
  const std::string other = same_but_case(name.full(), names());
  if (other.empty()) return;
  throw Error(
      Code::already_exists,
      fmt::format("'{}' differs in case alone from '{}', which is here", name.full(), other),
      "write it as it is here, or choose another name");
}

void Store::put_manifest(Manifest manifest) const {
  const ModelName name = parse_model_name(manifest.name);
  manifest.name = name.full();
  if (manifest.created == 0) manifest.created = unix_seconds();
  const std::string content = to_text(manifest);
  parse_manifest(content);  // what is written can be read
  const Hold held = hold();
  for (const auto& part : manifest.model) {
    if (has_blob(part)) continue;
    throw Error(
        Code::failed_precondition,
        fmt::format("the blob sha256-{} of '{}' is not in the store", part.sha256, manifest.name));
  }
  // One at a time: each sees the names that are there.
  const auto alone = FileLock::wait(lock_path("names"), FileLock::Kind::exclusive);
  refuse_other_case(name);
  write_file_atomic(manifest_file(name), content);
}

void Store::copy(std::string_view from, std::string_view to) const {
  const Hold held = hold();
  Manifest manifest = find(from);
  manifest.name = parse_model_name(to).full();
  put_manifest(std::move(manifest));
}

void Store::remove(std::string_view name) const {
  const ModelName wanted = resolve(name);
  if (!has(wanted.full())) find(name);  // throws, with "did you mean"
  remove_durably(manifest_file(wanted));
  collect();
}

Store::Collected Store::collect() const {
  Collected out;
  const auto alone = FileLock::attempt(lock_path("store"), FileLock::Kind::exclusive);
  if (!alone) {
    out.deferred = true;
    return out;
  }
  std::vector<std::string> damaged;
  std::set<std::string> wanted;
  std::set<std::string> views;
  for (const auto& manifest : list(&damaged)) {
    for (const auto& part : manifest.model) wanted.insert(part.sha256);
    if (manifest.model.size() > 1 || !manifest.model[0].file.empty()) {
      views.insert(manifest.digest());
    }
  }
  for (const auto& folder : {"blobs", "manifests", "partial"}) {
    for (const auto& path : files_below(root_ / folder)) {
      if (is_temporary(path)) out.bytes += remove_counted(path);
    }
  }
  // A manifest that cannot be read may still name blobs: nothing is thrown away then.
  if (!damaged.empty()) return out;
  for (const auto& path : files_below(root_ / "views")) {
    const fs::path view = *path.lexically_relative(root_ / "views").begin();
    if (!views.contains(view.string())) remove_counted(path);
  }
  for (const auto& path : files_below(root_ / "blobs")) {
    const std::string name = path.filename().string();
    if (!name.starts_with(kBlobPrefix) || wanted.contains(name.substr(kBlobPrefix.size())))
      continue;
    out.bytes += remove_counted(path);
    ++out.blobs;
  }
  return out;
}

}  // namespace strata::models
