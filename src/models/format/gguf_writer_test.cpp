#include "models/format/gguf_writer.h"

#include <csignal>
#include <cstring>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::TempFolder;

// A model's head, and its tensors' data one after another.
struct Parts {
  GgufBuilder head;
  std::vector<std::byte> data;
};

Parts parts_of(const GgufBuilder& whole) {
  Parts parts{whole, {}};
  for (auto& tensor : parts.head.tensors) {
    parts.data.insert(parts.data.end(), tensor.data.begin(), tensor.data.end());
    tensor.data.clear();
  }
  return parts;
}

void write_all(GgufWriter& writer, std::span<const std::byte> data, size_t piece) {
  for (size_t at = 0; at < data.size(); at += piece) {
    writer.write(data.subspan(at, std::min(piece, data.size() - at)));
  }
}

std::string content(const fs::path& path) {
  return read_file(path);
}

size_t files_in(const fs::path& folder) {
  return static_cast<size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(GgufWriter, WritesTheBuildersBytesWhateverThePieces) {
  for (const uint32_t alignment : {32u, 8192u}) {
    GgufBuilder whole = tiny_llama();
    whole.set_u32("general.alignment", alignment);
    whole.alignment = alignment;
    const auto expected = whole.build();
    const Parts parts = parts_of(whole);
    for (const size_t piece : {size_t{1000}, size_t{4096}, parts.data.size()}) {
      const TempFolder folder;
      GgufWriter writer(folder.path() / "model.gguf", parts.head);
      EXPECT_EQ(writer.file_bytes(), expected.size());
      writer.begin();
      write_all(writer, parts.data, piece);
      EXPECT_FALSE(fs::exists(folder.path() / "model.gguf"));
      writer.finish();
      const std::string written = content(folder.path() / "model.gguf");
      ASSERT_EQ(written.size(), expected.size());
      EXPECT_EQ(std::memcmp(written.data(), expected.data(), expected.size()), 0);
      EXPECT_EQ(files_in(folder.path()), 1u);
      EXPECT_NO_THROW(open_gguf(folder.path() / "model.gguf"));
    }
  }
}

TEST(GgufWriter, LeavesTheOldFileWhereItDoesNotEnd) {
  const TempFolder folder;
  const fs::path path = folder.path() / "model.gguf";
  std::ofstream(path) << "old";
  const Parts parts = parts_of(tiny_llama());
  {
    GgufWriter writer(path, parts.head);
    writer.begin();
    write_all(writer, std::span(parts.data).first(parts.data.size() / 2), 4096);
  }
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(GgufWriter, FoldersMadeForWhatDoesNotComeAboutGoAwayAgain) {
  const TempFolder folder;
  const Parts parts = parts_of(tiny_llama());
  const fs::path path = folder.path() / "mistyped" / "a" / "model.gguf";
  for (const bool ends : {false, true}) {
    GgufWriter writer(path, parts.head);
    EXPECT_TRUE(fs::is_empty(folder.path()));
    writer.begin();
    write_all(writer, std::span(parts.data).first(ends ? parts.data.size() : 100), 4096);
    if (ends) writer.finish();
  }
  EXPECT_TRUE(fs::exists(path));
}

// The process dies at some byte: the old file stands, and the next one takes the rest over.
TEST(GgufWriter, SurvivesADeathAtAnyByte) {
  const Parts parts = parts_of(tiny_llama());
  const auto expected = tiny_llama().build();
  for (const size_t died_at : {size_t{0}, size_t{1}, parts.data.size() / 2, parts.data.size()}) {
    const TempFolder folder;
    const fs::path path = folder.path() / "model.gguf";
    std::ofstream(path) << "old";
    const pid_t child = ::fork();
    if (child == 0) {
      GgufWriter writer(path, parts.head);
      writer.begin();
      write_all(writer, std::span(parts.data).first(died_at), 777);
      ::_exit(9);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(content(path), "old");
    GgufWriter writer(path, parts.head);
    writer.begin();
    write_all(writer, parts.data, 4096);
    writer.finish();
    EXPECT_EQ(content(path).size(), expected.size());
    EXPECT_EQ(files_in(folder.path()), 1u);
  }
}

TEST(GgufWriter, SaysThatTheDiskIsTooSmallBeforeAndWhileItWrites) {
  const TempFolder folder;
  GgufBuilder huge = parts_of(tiny_llama()).head;
  huge.tensors[0].shape = {uint64_t{1} << 30, uint64_t{1} << 20};
  GgufWriter too_large(folder.path() / "huge.gguf", huge);
  EXPECT_EQ(error_of([&] { too_large.begin(); }).code(), Code::resource_exhausted);

  const Parts parts = parts_of(tiny_llama());
  const pid_t child = ::fork();
  if (child == 0) {  // the limit of a file stands for a disk that fills up
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{20000, 20000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      GgufWriter writer(folder.path() / "model.gguf", parts.head);
      writer.begin();
      write_all(writer, parts.data, 4096);
      ::_exit(1);
    } catch (const Error& error) {
      ::_exit(error.code() == Code::resource_exhausted ? 0 : 2);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(fs::exists(folder.path() / "model.gguf"));
}

TEST(GgufWriter, RefusesTwoWritersOfOneFileAndRowsThatAreNoBlocks) {
  const TempFolder folder;
  const Parts parts = parts_of(tiny_llama());
  GgufWriter first(folder.path() / "model.gguf", parts.head);
  first.begin();
  GgufWriter second(folder.path() / "model.gguf", parts.head);
  EXPECT_EQ(error_of([&] { second.begin(); }).code(), Code::unavailable);

  GgufBuilder uneven = parts.head;
  uneven.add_tensor("uneven", tensor::DType::q4_k, {100, 2}, {});
  const Error error = error_of([&] { GgufWriter(folder.path() / "other.gguf", uneven); });
  EXPECT_EQ(error.code(), Code::invalid_argument);
  EXPECT_NE(error.message().find("uneven"), std::string::npos);
}

}  // namespace
}  // namespace strata::models
