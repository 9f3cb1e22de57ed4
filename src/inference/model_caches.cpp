#include "inference/model_caches.h"

#include "core/error.h"
#include "inference/packed_disk.h"
#include "inference/prefix_folder.h"

namespace strata::inference {
namespace {

std::string weights_of(const models::Store& store, const std::string& name) {
  try {
    const auto manifest = store.try_find(name);
    return manifest ? manifest->digest() : "";
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

ModelCaches::ModelCaches(const models::Store& store, std::string full_name)
    : store_(store), name_(std::move(full_name)), weights_(weights_of(store, name_)) {}

bool ModelCaches::remove() const {
  const bool prompts = PrefixFolder(store_).remove(name_);
  const bool weights = PackedFolder(store_).remove_of(name_, weights_);
  return prompts || weights;
}

}  // namespace strata::inference
