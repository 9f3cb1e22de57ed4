// What the disk caches hold of one model.
#pragma once

#include <string>

#include "models/hub/store.h"

namespace strata::inference {

// Made before the model leaves the store, whose manifest tells which weights it has.
class ModelCaches {
 public:
  ModelCaches(const models::Store& store, std::string full_name);
  // Its prompts and its packed weights. False: there was nothing. Errors: those of
  // CacheFolder::remove.
  bool remove() const;

 private:
  const models::Store& store_;
  std::string name_;
  std::string weights_;  // "" when the manifest cannot be read
};

}  // namespace strata::inference
