// docs/models.md says of every family by which fixture it was checked: none may be missing there.
#include <filesystem>

#include <gtest/gtest.h>

#include "core/os.h"

namespace strata::inference {
namespace {

TEST(ModelsPage, NamesEveryFixture) {
  const std::string page = read_file(STRATA_SOURCE_DIR "/docs/models.md");
  size_t n = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(STRATA_SOURCE_DIR "/src/inference/testdata")) {
    const std::string name = entry.path().stem().string();
    const size_t prefix = name.find('_') + 1;
    const bool is_model =
        name.starts_with("hf_") || name.starts_with("tiny_") || name.starts_with("encoder_");
    if (!is_model || entry.path().extension() != ".json") continue;
    EXPECT_NE(page.find("`" + name.substr(prefix) + "`"), std::string::npos) << name;
    ++n;
  }
  EXPECT_GT(n, 90u);
}

}  // namespace
}  // namespace strata::inference
