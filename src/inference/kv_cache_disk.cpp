// The cache's beginnings to and from disk (docs/engine/prefixes.md).
#include "core/check.h"
#include "core/error.h"
#include "core/log.h"
#include "inference/kv_cache.h"

namespace strata::inference {

std::string KvCache::layout() const {
  std::string text = fmt::format("blocks of {}", kBlockPositions);
  for (const KvLayer& layer : layers_) {
    if (layer.recurrent()) {
      text += fmt::format("; a state and positions in {} bytes", 2 * layer.state_words);
      continue;
    }
    text += fmt::format("; {} x {} of window {} in {} pages of {}", layer.n_kv_heads,
                        layer.shape.head_dim, layer.window,
                        tensor::kv_format_name(layer.shape.format), layer.shape.page_positions());
    if (layer.shape.shared_dims > 0) text += fmt::format(", {} shared", layer.shape.shared_dims);
  }
  return text;
}

std::vector<uint64_t> KvCache::block_bytes() const {
  std::vector<uint64_t> bytes;
  for (const KvPool& pool : pools_) bytes.push_back(static_cast<uint64_t>(pool.block_bytes()));
  return bytes;
}

void KvCache::recall_from(PrefixFile file) {
  CHECK(file.index().block_bytes == block_bytes());
  if (max_kept_bytes_ > 0) recall_ = std::make_unique<PrefixRecall>(std::move(file), pools_, tree_);
}

PrefixSave KvCache::plan_save(PrefixIndex head, PrefixFile* old, uint64_t max_bytes) {
  CHECK(sequences_.empty() && head.block_bytes == block_bytes());
  return {std::move(head), tree_, old, max_bytes};
}

// Whether the tree may have changed. A file that turns out to be damaged is removed; it, or one
// that was removed, is asked no more.
bool KvCache::recall(const Pages& pages, std::span<const int32_t> tokens, const PrefixScope& scope,
                     int32_t known) {
  if (recall_ == nullptr || scope.long_text > 0) return false;  // a file holds short texts
  if (recall_->length(scope.id, tokens) <= known) return false;
  try {
    std::error_code unknown;
    if (fs::exists(recall_->path(), unknown)) {
      recall_->recall(scope.id, pages.root_, tokens);
      return true;
    }
    log_info("{} was removed", recall_->path().string());
  } catch (const std::exception& error) {
    log_warn("what was computed before is computed again: {}", error.what());
    const auto* known_error = dynamic_cast<const Error*>(&error);
    std::error_code ignored;
    if (known_error != nullptr && known_error->code() == Code::data_loss) {
      fs::remove(recall_->path(), ignored);
    }
  }
  recall_.reset();
  return true;
}

}  // namespace strata::inference
