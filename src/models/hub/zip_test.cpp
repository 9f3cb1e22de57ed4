#include "models/hub/zip.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/testing.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;

class ZipTest : public ::testing::Test {
 protected:
  std::string extract(const std::string& archive, const std::string& name) {
    File::open(folder.path() / "x.zip", File::Mode::truncate)
        .write(std::as_bytes(std::span(archive)));
    File file = File::open(folder.path() / "x.zip", File::Mode::read);
    const ZipMember member = find_in_zip(file, name, "x.zip");
    std::string out;
    read_zip_member(file, member, [&](std::span<const std::byte> bytes) {
      out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    return out;
  }
  Code code_of(const std::string& archive, const std::string& name = "a/b.gguf") {
    return error_of([&] { extract(archive, name); }).code();
  }
  TempFolder folder;
  std::string content = testing::model_bytes(700'000);
};

TEST_F(ZipTest, stored_and_deflated_members_come_out_whole) {
  const std::string zip = testing::make_zip({{"x", "other", true},
                                             {"a/b.gguf", content, true},
                                             {"stored", content, false},
                                             {"empty", "", false},
                                             {"zeros", std::string(3'000'000, '\0'), true}});
  EXPECT_EQ(extract(zip, "a/b.gguf"), content);
  EXPECT_EQ(extract(zip, "stored"), content);
  EXPECT_EQ(extract(zip, "empty"), "");
  EXPECT_EQ(extract(zip, "zeros"), std::string(3'000'000, '\0'));
  EXPECT_EQ(extract(zip + "", "x"), "other");
  EXPECT_EQ(code_of(zip, "b.gguf"), Code::not_found);
}

TEST_F(ZipTest, only_the_named_member_is_read_whatever_else_is_called) {
  const std::string zip = testing::make_zip(
      {{"../../etc/passwd", "evil", true}, {"/abs", "evil", true}, {"a/b.gguf", "good", true}});
  EXPECT_EQ(extract(zip, "a/b.gguf"), "good");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST_F(ZipTest, a_member_that_stands_twice_is_refused) {
  EXPECT_EQ(code_of(testing::make_zip({{"a/b.gguf", "1", true}, {"a/b.gguf", "2", true}})),
            Code::data_loss);
}

TEST_F(ZipTest, truncated_at_any_place_is_an_error) {
  const std::string zip = testing::make_zip({{"a/b.gguf", content.substr(0, 300), true}});
  for (size_t size = 0; size < zip.size(); ++size) {
    EXPECT_EQ(code_of(zip.substr(0, size)), Code::data_loss) << size;
  }
}

TEST_F(ZipTest, any_changed_byte_is_an_error_or_harmless) {
  const std::string text = content.substr(0, 300);
  const std::string zip = testing::make_zip({{"a/b.gguf", text, true}});
  for (size_t at = 0; at < zip.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string broken = zip;
      broken[at] = static_cast<char>(broken[at] ^ flip);
      try {
        EXPECT_EQ(extract(broken, "a/b.gguf"), text) << at;
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == Code::data_loss || error.code() == Code::not_found ||
                    error.code() == Code::unimplemented)
            << at << ": " << error.what();
      }
    }
  }
}

TEST_F(ZipTest, sizes_that_are_not_true_are_refused) {
  const std::string zip = testing::make_zip({{"a/b.gguf", std::string(100'000, 'x'), true}});
  const size_t central = zip.find("PK\x01\x02");
  const auto with32 = [&](size_t offset, uint32_t value) {
    std::string out = zip;
    for (size_t i = 0; i < 4; ++i) out[central + offset + i] = static_cast<char>(value >> (8 * i));
    return out;
  };
  EXPECT_EQ(code_of(with32(24, 10)), Code::data_loss) << "more comes out than it says";
  EXPECT_EQ(code_of(with32(24, 200'000)), Code::data_loss) << "less comes out than it says";
  EXPECT_EQ(code_of(with32(20, 0x7fffffff)), Code::data_loss) << "packed beyond the file";
  EXPECT_EQ(code_of(with32(42, 0x7fffffff)), Code::data_loss) << "offset beyond the file";
  EXPECT_EQ(code_of(with32(24, 0xffffffff)), Code::unimplemented) << "zip64";
}

}  // namespace
}  // namespace strata::models
