#include "models/hub/pull.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "core/ascii.h"
#include "core/bytes.h"
#include "core/os.h"
#include "models/family/hf_model.h"
#include "models/format/gguf_part.h"
#include "models/hf_tokenizer.h"
#include "models/hub/catalog.h"
#include "models/hub/download.h"
#include "models/hub/known_names.h"
#include "models/hub/source.h"

namespace strata::models {
namespace {

struct Plan {
  ModelName name;
  std::vector<std::string> sources;
  const CatalogEntry* entry = nullptr;  // what the catalogue knows, or null
};

std::string clean_part(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool word = is_ascii_alnum(c);
    if (out.empty() && !word) continue;
    out += word || c == '.' || c == '_' || c == '-' ? c : '-';
    if (out.size() == kMaxNamePart) break;
  }
  return out.empty() ? "model" : out;
}

std::string without_extension(std::string_view file) {
  if (file.ends_with(".gguf")) file.remove_suffix(5);
  return std::string(file);
}

// "hf:OWNER/REPO:Q4_K_M" stays, "file:/a/b/Tiny.gguf" becomes "Tiny:latest".
ModelName name_from(std::string_view reference) {
  const size_t colon = reference.find(':');
  std::string_view rest = reference.substr(colon + 1);
  rest = rest.substr(0, rest.find('#'));
  if (reference.starts_with("hf:")) {
    const size_t selector = rest.find(':');
    std::string_view repository = rest.substr(0, selector);
    repository = repository.substr(0, repository.find('@'));
    std::string tag = "latest";
    if (selector != std::string_view::npos) {
      const std::string_view chosen = rest.substr(selector + 1);
      tag = clean_part(without_extension(chosen.substr(chosen.rfind('/') + 1)));
    }
    return parse_model_name(fmt::format("hf:{}:{}", repository, tag));
  }
  if (reference.starts_with("pypi:"))
    return parse_model_name(clean_part(rest.substr(0, rest.find('='))));
  rest = rest.substr(0, rest.find('?'));
  while (rest.ends_with('/')) rest.remove_suffix(1);
  return parse_model_name(clean_part(without_extension(rest.substr(rest.rfind('/') + 1))));
}

[[noreturn]] void refuse_unknown(const Store& store, std::string_view name) {
  std::string hint = did_you_mean_model(name, store.names());
  if (hint.empty()) {
    std::string known;
    for (const CatalogEntry& entry : catalog()) {
      known += (known.empty() ? "" : ", ") + entry.name;
    }
    hint = fmt::format("the catalogue has {}; others: hf:OWNER/REPO, https:…", known);
  }
  throw Error(Code::not_found, fmt::format("no model is known as '{}'", name), hint);
}

Plan make_plan(const Store& store, std::string_view what, const PullOptions& options) {
  Plan plan;
  if (is_source_reference(what)) {
    plan.name = name_from(what);
    plan.sources.push_back(whole_reference(what));
  } else {
    const std::string full = parse_model_name(what).full();
    plan.entry = find_in_catalog(what);
    if (plan.entry == nullptr) plan.entry = find_in_catalog(full);
    if (plan.entry != nullptr) {
      plan.name = parse_model_name(plan.entry->name);
      plan.sources = plan.entry->sources;
    } else if (const auto there = store.try_find(what)) {
      plan.name = parse_model_name(there->name);
      if (is_source_reference(there->source)) plan.sources.push_back(there->source);
    } else {
      refuse_unknown(store, what);
    }
  }
  if (!options.as.empty()) plan.name = parse_model_name(options.as);
  plan.name = spelling_in(store, plan.name.full());
  return plan;
}

// The manifest of that name when all that it needs is there.
std::optional<Manifest> whole(const Store& store, const ModelName& name) {
  try {
    auto manifest = store.try_find(name.full());
    if (!manifest || manifest->name != name.full()) return std::nullopt;
    const bool all = std::ranges::all_of(manifest->model,
                                         [&](const BlobRef& part) { return store.has_blob(part); });
    return all ? std::move(manifest) : std::nullopt;
  } catch (const Error& error) {
    if (error.code() == Code::data_loss) return std::nullopt;  // damaged: pulled again
    throw;
  }
}

std::vector<SourceFile> resolve(const Source& source, const std::string& reference,
                                const Plan& plan, const Store& store, const PullOptions& options) {
  FetchContext context;
  context.policy = options.policy;
  context.cache = store.cache_folder();
  context.keep_going = options.keep_going;
  if (options.progress) options.progress({"resolving", reference, 0, 0});
  auto files = source.resolve(reference, context);
  if (plan.entry == nullptr) return files;
  const CatalogEntry& entry = *plan.entry;
  if (files.size() != 1 || (files[0].sha256 && *files[0].sha256 != entry.sha256)) {
    throw Error(Code::data_loss,
                fmt::format("{} offers a file with the SHA-256 {}, '{}' must have {}", reference,
                            files[0].sha256.value_or("?"), entry.name, entry.sha256));
  }
  files[0].sha256 = entry.sha256;
  files[0].size = entry.size;
  return files;
}

[[noreturn]] void refuse_unreadable(std::string_view from, const Error& error, std::string why) {
  const std::string hint =
      error.hint().empty() ? std::string("get the whole file, or another one") : error.hint();
  throw Error(error.code(), fmt::format("{} is no model that can be read: {}", from, why),
              "nothing was stored: " + hint);
}

// Of a folder, before its weights are fetched.
void check_names(const std::vector<SourceFile>& files, const std::string& reference) {
  if (files.empty() || !files[0].in_folder) return;
  std::string all;
  for (const std::string_view one : tokenizer_files()) {
    if (std::ranges::find(files, one, &SourceFile::name) != files.end()) return;
    all += (all.empty() ? "" : ", ") + std::string(one);
  }
  const std::string why = "it holds no tokenizer that can be read; one of these is needed: " + all;
  refuse_unreadable(reference, Error(Code::invalid_argument, why), why);
}

// What the first of its files says.
void check_config(const Store& store, const BlobRef& blob, const std::string& reference) {
  try {
    const std::string text = read_file(store.blob_path(blob.sha256), kMaxHfConfig);
    refuse_unknown_folder(parse_hf_object(text, blob.file));
  } catch (const Error& error) {
    refuse_unreadable(reference, error, error.message());
  }
}

std::vector<BlobRef> fetch_all(const Store& store, const Source& source,
                               const std::vector<SourceFile>& files, const Plan& plan,
                               const std::string& reference, const PullOptions& options) {
  uint64_t total = 0;
  bool sized = true;
  for (const auto& file : files) {
    sized = sized && file.size;
    total = checked_add(total, file.size.value_or(0), "size of all parts");
  }
  check_names(files, reference);
  std::vector<BlobRef> blobs;
  uint64_t before = 0;
  for (const auto& file : files) {
    DownloadRequest request{&source, file, before, sized ? total : 0, {}};
    const size_t index = blobs.size();
    request.already_there = [&, index]() -> std::optional<BlobRef> {
      const auto there = whole(store, plan.name);
      if (!there || there->source != reference || there->model.size() != files.size()) {
        return std::nullopt;
      }
      return there->model[index];
    };
    blobs.push_back(download(store, request, options));
    if (file.in_folder) blobs.back().file = file.name;
    if (blobs.back().file == "config.json") check_config(store, blobs.back(), reference);
    before += blobs.back().size;
  }
  return blobs;
}

bool tries_next(Code code) {
  return code == Code::unavailable || code == Code::not_found || code == Code::unauthenticated ||
         code == Code::deadline_exceeded || code == Code::failed_precondition;
}

Manifest new_manifest(const Plan& plan, const std::string& reference, std::vector<BlobRef> blobs) {
  Manifest manifest;
  manifest.name = plan.name.full();
  manifest.model = std::move(blobs);
  manifest.source = reference;
  if (plan.entry != nullptr) {
    manifest.licence = plan.entry->licence;
    manifest.kind = plan.entry->kind;
  }
  manifest.created = unix_seconds();
  return manifest;
}

// Of a folder the vocabulary stands in a file of its own, which may be missing or of a kind
// unknown.
void open_for_check(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    const auto file = open_model_file(path);
    const auto type = file->text("general.type").value_or("model");
    if (type == "model") return;
    throw Error(Code::invalid_argument, fmt::format("it is of the type '{}'", printable(type)));
  }
  try {
    open_model(path);
  } catch (const Error& error) {
    if (error.code() != Code::not_found) throw;
    throw Error(Code::invalid_argument, fmt::format("{}; {}", error.message(), error.hint()));
  }
}

bool is_unreadable(const Error& error) {
  return error.code() == Code::invalid_argument || error.code() == Code::unimplemented;
}

// Where the hub cannot be reached, others of the catalogue may be.
Error naming_others(const Error& error, const Plan& plan) {
  const auto of_the_hub = [](const std::string& source) { return source.starts_with("hf:"); };
  if (error.code() != Code::unavailable || plan.entry == nullptr ||
      !std::ranges::all_of(plan.entry->sources, of_the_hub)) {
    return error;
  }
  std::string names;
  for (const CatalogEntry& entry : catalog()) {
    if (std::ranges::all_of(entry.sources, of_the_hub)) continue;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  return {error.code(), error.message(),
          fmt::format("{}{}from elsewhere come {}", error.hint(), error.hint().empty() ? "" : "; ",
                      names)};
}

Manifest fetch(const Store& store, const Plan& plan, const PullOptions& options) {
  if (plan.sources.empty()) {
    throw Error(
        Code::failed_precondition,
        fmt::format("'{}' was made here: there is no source to pull it from", plan.name.full()));
  }
  std::string reasons;
  for (const auto& reference : plan.sources) {
    try {
      const Source& source = source_for(reference);
      const auto files = resolve(source, reference, plan, store, options);
      Manifest manifest =
          new_manifest(plan, reference, fetch_all(store, source, files, plan, reference, options));
      check_readable(store, manifest, reference);
      return manifest;
    } catch (const Error& error) {
      if (!tries_next(error.code())) throw;
      if (plan.sources.size() == 1) throw naming_others(error, plan);
      if (options.skipped) options.skipped(reference, error.message());
      reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", error.message());
    }
  }
  // Offline it stays so, however often it is asked.
  throw Error(options.policy.offline ? Code::failed_precondition : Code::unavailable,
              fmt::format("no source of '{}' can be used: {}", plan.name.full(), reasons),
              options.policy.offline
                  ? "leave --offline (STRATA_OFFLINE, offline in strata.yaml) away to fetch it"
                  : "check the network connection, then pull again: what has come so far is kept");
}

// Whether files of this machine are newer than what was made of them, or of other sizes than what
// was stored as they are.
bool written_since(const std::vector<SourceFile>& files, const Manifest& made, bool as_they_are) {
  if (as_they_are && files.size() != made.model.size()) return true;
  for (size_t i = 0; i < files.size(); ++i) {
    if (as_they_are && files[i].size != made.model[i].size) return true;
    const auto written = std::chrono::file_clock::to_sys(fs::last_write_time(files[i].url));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(written.time_since_epoch());
    if (seconds.count() > made.created) return true;
  }
  return false;
}

}  // namespace

ModelName name_of_pull(const Store& store, std::string_view what, const PullOptions& options) {
  return make_plan(store, what, options).name;
}

bool is_current(const Manifest& there, std::string_view what, const PullOptions& options,
                std::string_view made) {
  const bool is_file = what.starts_with("file:");
  const bool may_be_another = is_file || what.starts_with("http");
  if (!is_source_reference(what) || (!may_be_another && options.as.empty())) return true;
  const std::string source = whole_reference(what);
  const auto files = is_file ? source_for(source).resolve(source, {}) : std::vector<SourceFile>();
  if (there.source != fmt::format("{}{}", made, source)) {
    const bool was_made = there.source.empty() || there.source == "create";
    throw Error(Code::already_exists,
                fmt::format("'{}' is another model: it was {}", there.name,
                            was_made ? "made here" : "made of " + there.source),
                fmt::format("strata pull {} --as NAME keeps both, --refresh replaces it", what));
  }
  return !written_since(files, there, is_file && made.empty());
}

Manifest fetch_model(const Store& store, std::string_view what, const PullOptions& options) {
  return fetch(store, make_plan(store, what, options), options);
}

PullResult pull(const Store& store, std::string_view what, const PullOptions& options) {
  const Plan plan = make_plan(store, what, options);
  if (!options.refresh) {
    auto there = whole(store, plan.name);
    if (there && is_current(*there, what, options)) return {std::move(*there), true};
  }
  Manifest manifest = store_model(store, options.keep_going, [&] {
    Manifest fetched = fetch(store, plan, options);
    if (options.progress) options.progress({"writing manifest", "", 0, 0});
    return fetched;
  });
  return {std::move(manifest), false};
}

// What was cut, or is of a kind that nobody here reads, gets no name.
void check_readable(const Store& store, const Manifest& manifest, std::string_view from) {
  const fs::path path = store.model_path(manifest);
  try {
    open_for_check(path);
  } catch (const Error& error) {
    if (!is_unreadable(error)) throw;
    std::string why = error.message();
    const std::string ours = path.string();  // which nobody but the store knows
    if (const size_t at = why.find(ours); at != std::string::npos) {
      why.replace(at, ours.size(), "it");
    }
    refuse_unreadable(from, error, why);
  }
}

Manifest store_model(const Store& store, const std::function<bool()>& keep_going,
                     const std::function<Manifest()>& make) {
  std::optional<Store::Hold> held(store.hold(keep_going));
  try {
    const Manifest manifest = make();
    store.put_manifest(manifest);
    return store.find(manifest.name);
  } catch (const Error& error) {
    held.reset();
    if (is_unreadable(error)) store.collect();
    throw;
  }
}

}  // namespace strata::models
