#include "modify/quantized_model.h"

#include "core/error.h"
#include "core/hash.h"
#include "models/family/family.h"
#include "models/hub/pull.h"
#include "models/model.h"
#include "modify/quantize.h"

namespace strata::modify {
namespace {

// Half of the weights or more are floats: else another rounding would lose more than it says.
void refuse_quantised(const models::ModelFile& file, const std::string& name) {
  uint64_t rounded = 0, all = 0;
  for (const auto& tensor : file.tensors()) {
    all += tensor.n_weights();
    if (tensor::dtype_info(tensor.type).block_weights > 1) rounded += tensor.n_weights();
  }
  if (2 * rounded <= all) return;
  throw Error(Code::failed_precondition, fmt::format("{} is quantised already", name),
              "leave --quant away, or pull it in F16 or BF16 (hf:OWNER/REPO:safetensors)");
}

models::BlobRef hashed(const fs::path& path, const QuantizedModelOptions& options) {
  File file = File::open(path, File::Mode::read);
  const uint64_t size = file.size();
  std::vector<std::byte> buffer(1u << 20);
  Sha256 hash;
  for (uint64_t done = 0; const size_t got = file.read(buffer);) {
    hash.update(std::span(buffer).first(got));
    done += got;
    if (options.progress && !options.progress("hashing", done, size)) {
      throw Error(Code::cancelled, "quantising was cancelled");
    }
  }
  return {hash.hex(), size};
}

// Removed again unless it was adopted as a blob.
struct PartialFile {
  fs::path path;
  ~PartialFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

models::BlobRef write_blob(const models::Store& store, const models::Manifest& source,
                           const Mix& mix, const QuantizedModelOptions& options) {
  const auto file = models::open_whole_model_file(store.model_path(source));
  refuse_quantised(*file, source.name);
  const models::ModelSpec spec = models::describe_model(*file);
  const QuantizePlan plan = plan_quantization(*file, spec, mix, {});
  const PartialFile partial{
      store.partial_path(fmt::format("{}-{}", source.digest(), mix.name), "gguf")};
  make_directories(partial.path.parent_path());
  QuantizeOptions work;
  work.n_threads = options.n_threads;
  work.progress = [&](uint64_t done, uint64_t total) {
    return !options.progress || options.progress("quantising", done, total);
  };
  quantize(*file, plan, mix, partial.path, work);
  const models::BlobRef blob = hashed(partial.path, options);
  store.adopt(partial.path, blob);
  return blob;
}

}  // namespace

models::Manifest store_quantized(const models::Store& store, const models::Manifest& source,
                                 const Mix& mix, const std::string& name,
                                 const QuantizedModelOptions& options) {
  return models::store_model(store, {}, [&] {
    models::Manifest manifest = source;
    manifest.model = {write_blob(store, source, mix, options)};
    manifest.name = name;
    manifest.parent = source.name;
    manifest.source = fmt::format("{} of {}", mix.name, source.source);
    manifest.created = 0;  // now
    return manifest;
  });
}

}  // namespace strata::modify
