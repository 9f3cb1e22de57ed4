// Models in several files.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "core/error.h"
#include "models/format/gguf.h"
#include "models/format/gguf_builder.h"

namespace strata::models {
namespace {

using testing::HasSubstr;

class GgufSplit : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("strata-split-{}", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path path(int part, int count) const {
    return folder_ / fmt::format("m-{:05}-of-{:05}.gguf", part + 1, count);
  }
  static GgufBuilder part(int number, int count, const std::string& tensor) {
    GgufBuilder builder;
    builder.set_text("general.architecture", number == 0 ? "first" : "later");
    builder.set_u32("split.no", static_cast<uint32_t>(number));
    builder.set_u32("split.count", static_cast<uint32_t>(count));
    builder.set_i32("split.tensors.count", count);
    builder.add_f32(tensor, {2}, {static_cast<float>(number), 1});
    return builder;
  }
  static void write(const std::filesystem::path& to, const GgufBuilder& builder) {
    const auto bytes = builder.build();
    std::ofstream(to, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  static std::string error_of(const std::filesystem::path& file, Code code) {
    try {
      open_gguf(file);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.message();
      return error.message() + " | " + error.hint();
    }
    return "";
  }

  std::filesystem::path folder_;
};

TEST_F(GgufSplit, JoinsTheParts) {
  for (int i = 0; i < 3; ++i) write(path(i, 3), part(i, 3, fmt::format("t{}", i)));
  const auto file = open_gguf(path(0, 3));
  EXPECT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->text("general.architecture"), "first");
  EXPECT_EQ(*reinterpret_cast<const float*>(file->find_tensor("t2")->mapped.data()), 2.0f);
  file->release(*file->find_tensor("t2"));
  EXPECT_EQ(*reinterpret_cast<const float*>(file->find_tensor("t2")->mapped.data()), 2.0f);
}

TEST_F(GgufSplit, NamesWhatIsWrong) {
  for (int i = 0; i < 2; ++i) write(path(i, 2), part(i, 2, fmt::format("t{}", i)));
  EXPECT_THAT(error_of(path(1, 2), Code::invalid_argument), HasSubstr("open the first part"));

  std::filesystem::copy_file(path(0, 2), folder_ / "renamed.gguf");
  EXPECT_THAT(error_of(folder_ / "renamed.gguf", Code::invalid_argument),
              HasSubstr("does not end in -00001-of-00002.gguf"));

  write(path(1, 2), part(0, 2, "t1"));
  EXPECT_THAT(error_of(path(0, 2), Code::invalid_argument), HasSubstr("says it is part 1 of 2"));
  write(path(1, 2), part(1, 2, "t0"));
  EXPECT_THAT(error_of(path(0, 2), Code::invalid_argument), HasSubstr("in two parts"));
  GgufBuilder more = part(1, 2, "t1");
  more.add_f32("t3", {1}, {0});
  write(path(1, 2), more);
  EXPECT_THAT(error_of(path(0, 2), Code::invalid_argument), HasSubstr("have 3 tensors"));
  std::filesystem::remove(path(1, 2));
  EXPECT_THAT(error_of(path(0, 2), Code::not_found), HasSubstr("m-00002-of-00002.gguf"));
}

TEST_F(GgufSplit, RefusesMadCounts) {
  GgufBuilder builder = part(0, 2, "t");
  builder.set_u32("split.count", 60000);
  write(path(0, 2), builder);
  EXPECT_THAT(error_of(path(0, 2), Code::invalid_argument), HasSubstr("the limit is 1024"));
  builder.set_u32("split.count", 2);
  builder.set_u32("split.no", 2);
  write(path(0, 2), builder);
  EXPECT_THAT(error_of(path(0, 2), Code::invalid_argument), HasSubstr("not below split.count"));
  builder.set_text("split.count", "2");
  write(path(0, 2), builder);
  EXPECT_THAT(error_of(path(0, 2), Code::invalid_argument), HasSubstr("has type string"));
}

TEST_F(GgufSplit, RefusesWhatIsNoFile) {
  EXPECT_THAT(error_of(folder_ / "absent.gguf", Code::not_found), HasSubstr("absent.gguf"));
  EXPECT_THAT(error_of(folder_, Code::invalid_argument), HasSubstr("not a regular file"));
  std::ofstream(folder_ / "empty.gguf").close();
  EXPECT_THAT(error_of(folder_ / "empty.gguf", Code::invalid_argument), HasSubstr("is empty"));
}

}  // namespace
}  // namespace strata::models
