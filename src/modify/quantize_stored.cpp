#include "modify/quantize_stored.h"

#include <system_error>

#include "core/cpu.h"
#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"
#include "core/random.h"
#include "models/family/family.h"
#include "models/model.h"
#include "modify/quantize.h"

namespace strata::modify {
namespace {

constexpr uint64_t kSpareDiskBytes = 16u << 20;  // for the file's head, manifests and the like

// Removed whatever happens.
class WorkFile {
 public:
  explicit WorkFile(const models::Store& store)
      : path_(store.partial_path(std::string(kTemporaryPrefix) + random_hex(8), ".gguf")) {
    make_directories(path_.parent_path());
  }
  ~WorkFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  WorkFile(const WorkFile&) = delete;
  WorkFile& operator=(const WorkFile&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void check_space(const models::Store& store, uint64_t bytes) {
  const uint64_t free = free_disk_bytes(store.root());
  if (bytes + kSpareDiskBytes <= free) return;
  throw Error(
      Code::resource_exhausted,
      fmt::format("the new model needs {}, {} is free", format_bytes(bytes), format_bytes(free)),
      "free some space, or choose a smaller type");
}

models::BlobRef quantized_blob(const models::Store& store, const models::ModelFile& file,
                               const Mix& mix, std::string_view name,
                               const QuantizeStoredOptions& options) {
  const auto report = [&](std::string stage, uint64_t done, uint64_t total) {
    if (options.progress) options.progress({std::move(stage), std::string(name), done, total});
    return !options.keep_going || options.keep_going();
  };
  const auto plan = plan_quantization(file, models::describe_model(file), mix, {});
  check_space(store, plan.bytes());
  const WorkFile work(store);
  QuantizeOptions how;
  how.n_threads = options.n_threads > 0 ? options.n_threads : usable_cores();
  how.progress = [&](uint64_t done, uint64_t total) { return report("quantizing", done, total); };
  quantize(file, plan, mix, work.path(), how);
  std::error_code ignored;
  const uint64_t size = fs::file_size(work.path(), ignored);
  const auto blob = store.put_file(work.path(), true,
                                   [&](uint64_t done) { return report("verifying", done, size); });
  report("writing manifest", 0, 0);
  return blob;
}

}  // namespace

void refuse_quantised(const models::ModelFile& file, std::string_view name) {
  uint64_t rounded = 0, all = 0;
  for (const auto& tensor : file.tensors()) {
    all += tensor.n_weights();
    if (tensor::dtype_info(tensor.type).block_weights > 1) rounded += tensor.n_weights();
  }
  if (2 * rounded <= all) return;
  throw Error(Code::failed_precondition,
              fmt::format("{} is quantised already: {:.0f} % of its weights", name,
                          100.0 * static_cast<double>(rounded) / static_cast<double>(all)),
              "begin with the model in F16 or BF16, for example hf:OWNER/REPO:safetensors");
}

void refuse_name_in_use(const models::Store& store, std::string_view name) {
  const std::string full = models::parse_model_name(name).full();
  if (!store.has(full)) return;
  throw Error(Code::already_exists, fmt::format("there is a model '{}' already", full),
              "choose another name, or remove that one");
}

models::Manifest quantize_files(const models::Store& store, models::Manifest manifest,
                                const Mix& mix, const QuantizeStoredOptions& options) {
  const auto file = models::open_whole_model_file(store.model_path(manifest), manifest.name);
  refuse_quantised(*file, manifest.name);
  manifest.model = {quantized_blob(store, *file, mix, manifest.name, options)};
  if (manifest.licence.empty()) manifest.licence = models::licence_of(manifest, *file);
  return manifest;
}

models::Manifest quantize_stored(const models::Store& store, std::string_view model, const Mix& mix,
                                 std::string_view name, const QuantizeStoredOptions& options) {
  if (!options.replace) refuse_name_in_use(store, name);
  return models::store_model(store, options.keep_going, [&] {
    models::Manifest manifest = quantize_files(store, store.find(model), mix, options);
    if (!options.replace) refuse_name_in_use(store, name);
    manifest.parent = manifest.name;
    manifest.name = models::parse_model_name(name).full();
    manifest.source = fmt::format("{} of {}", mix.name, manifest.source);
    manifest.created = 0;  // now
    return manifest;
  });
}

}  // namespace strata::modify
