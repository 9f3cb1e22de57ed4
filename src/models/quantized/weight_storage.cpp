#include "models/quantized/weight_storage.h"

#include <algorithm>

#include "core/error.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::string_view kField = "quantization_config";

// Of a model with several parts it stands in either.
const json::value* settings_of(const json::object& config) {
  if (const json::value* own = config.if_contains(kField)) return own;
  const json::value* part = config.if_contains("text_config");
  return part != nullptr && part->is_object() ? part->get_object().if_contains(kField) : nullptr;
}

std::string known_methods() {
  std::vector<std::string_view> names;
  for (const auto& method : Registry<StorageMethod>::all()) names.push_back(method->name());
  std::ranges::sort(names);
  std::string list;
  for (const std::string_view name : names)
    list += fmt::format("{}{}", list.empty() ? "" : ", ", name);
  return list;
}

}  // namespace

std::unique_ptr<WeightStorage> open_storage(const HfFolder& folder) {
  const json::value* value = settings_of(folder.config());
  if (value == nullptr || value->is_null()) return nullptr;
  if (!value->is_object()) {
    throw Error(Code::invalid_argument, fmt::format("config.json: '{}' is no object", kField));
  }
  const Settings settings(value->get_object(), fmt::format("config.json: {}", kField));
  const std::string name = settings.text("quant_method").value_or("");
  for (const auto& method : Registry<StorageMethod>::all()) {
    if (method->name() == name) return method->open(settings, folder);
  }
  throw Error(Code::unimplemented,
              fmt::format("config.json: {}.quant_method is '{}', which is not supported", kField,
                          printable(name)),
              fmt::format("supported are {}; or fetch the model in BF16 and quantise it here: "
                          "strata quantize",
                          known_methods()));
}

}  // namespace strata::models
