// What a key carries besides its scopes: a system text, settings, the models that it may ask.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/json_fields.h"
#include "api/request.h"
#include "models/parameters.h"

namespace strata::api {

constexpr size_t kMaxKeySystemBytes = 64u << 10;
constexpr size_t kMaxKeyModels = 64;

struct KeySettings {
  std::string system = {};                 // stands before the system text of every request
  models::Parameters parameters = {};      // where a request says nothing
  std::vector<std::string> models = {};    // that it may ask; empty: all
  std::optional<int32_t> max_tokens = {};  // of an answer, whatever a request asks
};

// Error{invalid_argument}: text that is no UTF-8 or too long, a parameter that is none.
void check(const KeySettings& settings);
// Of an object's members system, settings, models, max_tokens, and back. Errors: those of check().
KeySettings read_key_settings(Fields& fields);
json::object as_json(const KeySettings& settings);

// Whether it may ask the model of this whole name. What the key calls a model is its name as it is
// written, or another name of the catalogue's ("smollm2").
bool may_ask(const KeySettings& settings, std::string_view model);
// Error{permission_denied}: the key may not ask this model.
void check_model(const KeySettings& settings, std::string_view key_name, std::string_view model);
// Puts what the key carries into a request; answers what is done otherwise than that asks.
// Error{permission_denied}: a model that it may not ask, or, where it has a system text, a prompt
// that leaves no place for one.
std::vector<std::string> put_into(const KeySettings& settings, std::string_view key_name,
                                  ChatRequest& request);

}  // namespace strata::api
