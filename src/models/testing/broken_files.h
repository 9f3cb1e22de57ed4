// The tiny models of src/inference/testdata as files, one thing changed, for tests of what families
// read and refuse.
#pragma once

#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/json.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"

namespace strata::models {

inline ModelSpec describe(const GgufBuilder& builder) {
  const auto bytes = builder.build();
  return describe_model(*parse_gguf(bytes));
}

// The message of the refusal; empty when there is none.
inline std::string describe_error(const GgufBuilder& builder) {
  try {
    describe(builder);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

// src/inference/testdata/tiny_NAME.json
inline GgufBuilder fixture(const std::string& name) {
  std::ifstream file(STRATA_SOURCE_DIR "/src/inference/testdata/tiny_" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return formula_model(parse_json(text.str()).as_object());
}

inline void erase_tensor(GgufBuilder& builder, std::string_view name) {
  std::erase_if(builder.tensors, [&](const auto& tensor) { return tensor.name == name; });
}

inline void replace_shape(GgufBuilder& builder, std::string_view name, uint64_t cols,
                          uint64_t rows) {
  erase_tensor(builder, name);
  add_formula_tensor(builder, name, cols, rows);
}

struct Broken {
  std::string name;
  std::function<void(GgufBuilder&)> breaks;
  std::string message;  // part of it
};

inline void expect_fixture_refused(const std::string& name, const std::vector<Broken>& cases) {
  for (const Broken& entry : cases) {
    GgufBuilder builder = fixture(name);
    entry.breaks(builder);
    EXPECT_THAT(describe_error(builder), ::testing::HasSubstr(entry.message)) << entry.name;
  }
}

}  // namespace strata::models
