// What the store and a model's file say about it before it is loaded, for chats, lists and clients.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "api/gateway/backend.h"
#include "models/hub/store.h"

namespace strata::api {

// Reads the head of the model's file. Errors: those of open_model_file.
ModelTraits traits_of(const models::Store& store, const models::Manifest& manifest);

// The same, of which each model's head is read once. Safe from any thread.
class KnownTraits {
 public:
  ModelTraits of(const models::Store& store, const models::Manifest& manifest);

 private:
  std::mutex mutex_;
  std::map<std::string, ModelTraits> by_manifest_;  // its text, which names the weights' hashes
};

// As they go over the wire, and back. Error{data_loss} where a part is missing.
json::object to_json_object(const ModelTraits& traits);
ModelTraits parse_traits(const json::value& value);

}  // namespace strata::api
