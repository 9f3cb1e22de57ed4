// Sentence Transformers' modules: modules.json names the folder of the pooling.
#include <array>

#include "core/error.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

struct Mode {
  std::string_view field;
  int64_t type;  // GGUF's pooling_type; 0: there is none
};
constexpr std::array kModes{
    Mode{"pooling_mode_mean_tokens", 1},
    Mode{"pooling_mode_cls_token", 2},
    Mode{"pooling_mode_lasttoken", 3},
    Mode{"pooling_mode_max_tokens", 0},
    Mode{"pooling_mode_mean_sqrt_len_tokens", 0},
    Mode{"pooling_mode_weightedmean_tokens", 0},
};

// The path of the first module of type Pooling; empty: none.
std::string pooling_folder(const HfFolder& folder) {
  const auto text = folder.text("modules.json");
  if (!text) return {};
  const json::value modules = parse_json(*text, {.max_bytes = kMaxHfConfig, .max_depth = 8});
  if (!modules.is_array()) throw Error(Code::invalid_argument, "modules.json is no list");
  for (const json::value& module : modules.get_array()) {
    if (!module.is_object()) continue;
    const auto type = text_in(module.get_object(), "type", "modules.json");
    if (!type || !type->ends_with(".Pooling")) continue;
    return text_in(module.get_object(), "path", "modules.json").value_or("");
  }
  return {};
}

}  // namespace

void Translation::pooling() {
  const std::string path = pooling_folder(*folder_);
  if (path.empty()) return;
  const std::string file = path + "/config.json";
  if (!is_plain_name(path)) {
    throw Error(Code::invalid_argument,
                fmt::format("modules.json: '{}' is no folder's name", printable(path)));
  }
  const auto settings = folder_->object(file);
  if (!settings) {
    throw Error(Code::not_found, fmt::format("modules.json names {}, which is missing", file));
  }
  std::optional<int64_t> chosen;
  for (const Mode& mode : kModes) {
    const json::value* value = settings->if_contains(mode.field);
    if (value == nullptr || *value != true) continue;
    if (chosen || mode.type == 0) {
      throw Error(Code::unimplemented, fmt::format("{}: '{}' is not supported yet{}", file,
                                                   mode.field, chosen ? " beside another" : ""));
    }
    chosen = mode.type;
  }
  if (chosen) set_integer("pooling_type", *chosen);
}

}  // namespace strata::models
