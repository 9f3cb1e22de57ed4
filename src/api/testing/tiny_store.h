// For tests: a store in a folder of its own with tiny models whose weights are a formula.
#pragma once

#include <string>

#include "core/testing/temp_folder.h"
#include "models/hub/store.h"
#include "models/testing/formula_model.h"

namespace strata::api::testing {

class TinyStore {
 public:
  const std::filesystem::path& path() const { return folder_.path(); }
  const models::Store& store() const { return store_; }

  static std::string model_bytes(uint32_t context = 128) {
    auto builder = models::tiny_llama();
    builder.set_u32("llama.context_length", context);
    builder.set_text("tokenizer.chat_template",
                     "{% for message in messages %}{{ message.content }} {% endfor %}");
    const auto bytes = builder.build();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  models::Manifest add(const std::string& name, const std::string& bytes = model_bytes()) {
    const auto held = store_.hold();
    models::Manifest manifest;
    manifest.name = models::parse_model_name(name).full();
    manifest.model = {store_.put_blob(bytes)};
    store_.put_manifest(manifest);
    return store_.find(name);
  }

 private:
  strata::testing::TempFolder folder_;
  models::Store store_{folder_.path()};
};

}  // namespace strata::api::testing
