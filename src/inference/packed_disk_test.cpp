// Packed weights that an executor left on disk: the next one computes the same bits with them, and
// whatever else lies there is not believed.
#include "inference/packed_disk.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/testing/temp_folder.h"
#include "core/threads.h"
#include "inference/executor.h"
#include "inference/testing/tiny_model.h"

namespace strata::inference {
namespace {

using ::testing::HasSubstr;
using ModelPtr = std::shared_ptr<const models::Model>;

constexpr uint64_t kPlenty = 1u << 30;

std::vector<float> logits(Executor& executor) {
  const SequenceId sequence = executor.create_sequence();
  std::vector<Row> rows;
  for (int32_t i = 0; i < 20; ++i) rows.push_back({i * 3, i, sequence, i == 19});
  const auto out = executor.step(rows);
  return {out.begin(), out.end()};
}

// A model's file that counts what is read of tensors with two dimensions.
class CountingFile final : public models::ModelFile {
 public:
  explicit CountingFile(std::shared_ptr<const models::ModelFile> file) : file_(std::move(file)) {}

  std::string format() const override { return file_->format(); }
  uint64_t file_bytes() const override { return file_->file_bytes(); }
  std::span<const models::MetaValue> values() const override { return file_->values(); }
  std::span<const models::TensorInfo> tensors() const override { return file_->tensors(); }
  const models::MetaValue* find(std::string_view key) const override { return file_->find(key); }
  const models::TensorInfo* find_tensor(std::string_view name) const override {
    return file_->find_tensor(name);
  }
  models::TensorBytes bytes(const models::TensorInfo& tensor, uint64_t begin,
                            uint64_t size) const override {
    if (tensor.n_dims > 1) read_ += size;
    return file_->bytes(tensor, begin, size);
  }
  void release(const models::TensorInfo& tensor) const override { file_->release(tensor); }

  uint64_t take_read() const { return read_.exchange(0); }

 private:
  std::shared_ptr<const models::ModelFile> file_;
  mutable std::atomic<uint64_t> read_{0};
};

class PackedOnDisk : public ::testing::Test {
 protected:
  DiskCache disk(const std::string& weights = "w1", uint64_t max_bytes = kPlenty) const {
    return {.folder = folder_.path(),
            .model = "tiny:latest",
            .weights = weights,
            .max_bytes = max_bytes,
            .still_there = {}};
  }
  // What an executor computes that comes and goes.
  std::vector<float> come_and_go(const DiskCache& disk, const ModelPtr& model) const {
    return logits(
        *make_fast_executor(model, {.n_threads = 2, .n_positions_limit = 64, .packed = disk}));
  }
  bool is_recalled(const DiskCache& disk) {
    Team team(2);
    return recall_packed(disk, team).filled();
  }
  fs::path file(const std::string& weights = "w1") const { return folder_.file_of(weights); }
  // The bytes of the file, changed.
  void change(const std::function<void(std::string&)>& edit) const {
    std::string bytes = read_file(file());
    edit(bytes);
    write_file_atomic(file(), bytes);
  }

  strata::testing::TempFolder root_;
  PackedFolder folder_{root_.path() / "packed"};
  ModelPtr model_ = tiny_model({});
};

TEST_F(PackedOnDisk, TheNextExecutorComputesTheSame) {
  const auto right = come_and_go(disk("w1", 0), model_);
  EXPECT_FALSE(fs::exists(folder_.path()));
  EXPECT_EQ(come_and_go(disk(), model_), right);
  ASSERT_TRUE(fs::exists(file()));
  EXPECT_TRUE(is_recalled(disk()));
  EXPECT_EQ(come_and_go(disk(), model_), right);
}

TEST_F(PackedOnDisk, ExpertsComeBackToo) {
  TinyOptions options;
  options.n_experts = 6;
  options.n_used = 2;
  options.shared_expert = true;
  const ModelPtr model = tiny_model(options);
  const auto right = come_and_go(disk("w1", 0), model);
  EXPECT_EQ(come_and_go(disk(), model), right);
  ASSERT_TRUE(is_recalled(disk()));
  EXPECT_EQ(come_and_go(disk(), model), right);
  options.seed = 77;
  const ModelPtr changed = tiny_model(options);
  EXPECT_NE(come_and_go(disk(), changed), come_and_go(disk("w1", 0), changed))
      << "computed with the experts of the file";
}

TEST_F(PackedOnDisk, SoDoMatricesThatAreTransposed) {
  TinyOptions options;
  options.n_latent = 64;
  options.rope_dims = 16;
  options.k_b_transposed = false;
  const ModelPtr model = tiny_model(options);
  const auto right = come_and_go(disk("w1", 0), model);
  EXPECT_EQ(come_and_go(disk(), model), right);
  ASSERT_TRUE(is_recalled(disk()));
  EXPECT_EQ(come_and_go(disk(), model), right);
}

// A folder would make them again (models/format/made_file.h).
TEST_F(PackedOnDisk, MatricesThatComeBackAreNotReadAgain) {
  for (const int32_t n_latent : {0, 64}) {
    const std::string weights = "w" + std::to_string(n_latent);
    auto model = *tiny_model({.n_latent = n_latent, .k_b_transposed = false});
    const auto file = std::make_shared<CountingFile>(model.file);
    model.file = file;
    const auto shared = std::make_shared<const models::Model>(std::move(model));
    come_and_go(disk(weights), shared);
    EXPECT_GT(file->take_read(), uint64_t{100'000});
    come_and_go(disk(weights), shared);
    EXPECT_EQ(file->take_read(), 0u);
  }
}

// Another model under the same hash shows which weights are computed with.
TEST_F(PackedOnDisk, TheNextExecutorReadsTheFile) {
  TinyOptions other;
  other.seed = 77;
  const ModelPtr changed = tiny_model(other);
  const auto first = come_and_go(disk(), model_);
  const auto own = come_and_go(disk("w1", 0), changed);
  const auto mixed = come_and_go(disk(), changed);
  EXPECT_NE(mixed, own);
  EXPECT_NE(first, own);
}

TEST_F(PackedOnDisk, OfOtherWeightsNothingIsTaken) {
  come_and_go(disk("w1"), model_);
  EXPECT_FALSE(is_recalled(disk("w2")));
  fs::copy(file("w1"), file("w2"));
  EXPECT_FALSE(is_recalled(disk("w2"))) << "the file says whose it is";
}

// In memory (tmpfs has small pages) and on disk: mapped or copied, it is what was written.
TEST_F(PackedOnDisk, ManyMegabytesComeBackFromAnyFileSystem) {
  tensor::Arena arena;
  std::vector<tensor::Buffer> taken;
  for (const size_t size : {size_t{100}, size_t{9} << 20, size_t{5000}, size_t{3} << 20}) {
    taken.push_back(arena.take(size));
    for (size_t i = 0; i + 8 <= size; i += 8) *taken.back().as<uint64_t>(i) = (size << 32) + i;
  }
  std::vector<fs::path> folders{folder_.path()};
  std::optional<strata::testing::ScopedEnvironment> temporary;
  std::optional<strata::testing::TempFolder> in_memory;
  if (::access("/dev/shm", W_OK) == 0) {
    temporary.emplace("TMPDIR", "/dev/shm");
    in_memory.emplace();
    folders.push_back(in_memory->path() / "packed");
  }
  for (const fs::path& folder : folders) {
    DiskCache where = disk();
    where.folder = folder;
    {
      const PackedWriter writer(where, arena);
    }
    Team team(2);
    tensor::Arena recalled = recall_packed(where, team);
    ASSERT_TRUE(recalled.filled());
    for (const auto& part : arena.parts()) {
      const tensor::Buffer again = recalled.take(part.size());
      EXPECT_TRUE(std::ranges::equal(part, std::span(again.data(), again.size())));
    }
  }
}

TEST_F(PackedOnDisk, ADamagedFileIsPackedAnew) {
  const auto right = come_and_go(disk(), model_);
  const std::string whole = read_file(file());
  const auto broken = [&](const std::function<void(std::string&)>& edit) {
    change(edit);
    EXPECT_FALSE(is_recalled(disk()));
    EXPECT_EQ(come_and_go(disk(), model_), right);
    EXPECT_EQ(read_file(file()), whole);
  };
  broken([](std::string& bytes) { bytes.resize(bytes.size() - 64); });
  broken([](std::string& bytes) { bytes.resize(100); });
  broken([](std::string& bytes) { bytes.clear(); });
  broken([](std::string& bytes) { bytes += std::string(64, 'x'); });
  broken([](std::string& bytes) { bytes[0] = 'x'; });
  broken([](std::string& bytes) { bytes[8] = 9; });        // version
  broken([](std::string& bytes) { bytes[14] = '\xff'; });  // bytes of weights
  broken([](std::string& bytes) { bytes[23] = '\x7f'; });  // length of the name
  broken([](std::string& bytes) { ++bytes[bytes.find("program ") + 8]; });
}

// Such a file cannot come from us, and still the model has to load.
TEST_F(PackedOnDisk, AWholeFileOfAnotherLengthIsRemoved) {
  const auto right = come_and_go(disk(), model_);
  const auto resized = [](int64_t by) {
    return [by](std::string& bytes) {
      bytes.resize(bytes.size() + static_cast<size_t>(by));
      const uint64_t content = bytes.size() - 4096;
      std::memcpy(bytes.data() + 12, &content, sizeof content);
    };
  };
  for (const int64_t by : {-64, 64}) {
    change(resized(by));
    EXPECT_TRUE(is_recalled(disk()));
    EXPECT_EQ(come_and_go(disk(), model_), right);
    EXPECT_FALSE(fs::exists(file()));
    EXPECT_EQ(come_and_go(disk(), model_), right);
    EXPECT_TRUE(fs::exists(file()));
  }
}

TEST_F(PackedOnDisk, AWriteThatFailsIsNoHindrance) {
  const auto right = come_and_go(disk("w1", 0), model_);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{10'000, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_EQ(come_and_go(disk(), model_), right);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  const auto left = fs::directory_iterator(folder_.path());
  EXPECT_EQ(std::distance(begin(left), end(left)), 1) << "the lock";
}

TEST_F(PackedOnDisk, WhatIsThereIsNotWrittenAgain) {
  Team team(1);
  tensor::Arena arena;
  const tensor::Buffer part = arena.take(1000);
  {
    const PackedWriter writer(disk(), arena);
  }
  const auto before = fs::last_write_time(file()) - std::chrono::hours(1);
  fs::last_write_time(file(), before);
  {
    const PackedWriter writer(disk(), arena);
  }
  EXPECT_EQ(fs::last_write_time(file()), before);
}

TEST_F(PackedOnDisk, ListsWhatIsThere) {
  come_and_go(disk("w1"), model_);
  come_and_go(disk("w2"), model_);
  fs::last_write_time(file("w1"), fs::last_write_time(file("w1")) - std::chrono::hours(1));
  write_file_atomic(file("w2"), "x");
  const auto entries = folder_.list();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_THAT(entries[0].damage, HasSubstr(file("w2").string()));
  EXPECT_EQ(entries[1].model, "tiny:latest");
  EXPECT_EQ(entries[1].bytes, fs::file_size(file("w1")));
}

TEST_F(PackedOnDisk, TakesNoMoreOfTheDiskThanItMay) {
  come_and_go(disk("w1"), model_);
  const uint64_t bytes = fs::file_size(file("w1"));
  come_and_go(disk("w2", bytes - 1), model_);
  EXPECT_FALSE(fs::exists(file("w2")));
  EXPECT_TRUE(fs::exists(file("w1"))) << "nothing goes for what does not fit anyway";
  come_and_go(disk("w3", 2 * bytes), model_);
  come_and_go(disk("w4", 2 * bytes), model_);
  EXPECT_FALSE(fs::exists(file("w4"))) << "nothing goes that was used within a day";
  for (const char* weights : {"w1", "w3"}) {
    const int hours = weights[1] == '1' ? 50 : 30;
    fs::last_write_time(file(weights),
                        fs::last_write_time(file(weights)) - std::chrono::hours(hours));
  }
  come_and_go(disk("w4", 2 * bytes), model_);
  EXPECT_FALSE(fs::exists(file("w1"))) << "the longest unused goes";
  EXPECT_TRUE(fs::exists(file("w3")));
  EXPECT_TRUE(fs::exists(file("w4")));
  come_and_go(disk("w4", bytes), model_);
  EXPECT_FALSE(fs::exists(file("w3"))) << "the setting has become smaller";
  EXPECT_TRUE(fs::exists(file("w4")));
}

TEST_F(PackedOnDisk, IsRemovedByTheNameOrTheWeights) {
  come_and_go(disk("w1"), model_);
  come_and_go(disk("w2"), model_);
  DiskCache other = disk("w3");
  other.model = "other:latest";
  come_and_go(other, model_);
  EXPECT_FALSE(folder_.remove_of("nobody:latest", ""));
  EXPECT_TRUE(folder_.remove_of("tiny:latest", "w3"));
  EXPECT_TRUE(folder_.list().empty());
}

TEST_F(PackedOnDisk, UseMakesItYoung) {
  come_and_go(disk("w1"), model_);
  const auto old = fs::last_write_time(file("w1")) - std::chrono::hours(1);
  fs::last_write_time(file("w1"), old);
  come_and_go(disk("w1"), model_);
  EXPECT_GT(fs::last_write_time(file("w1")), old + std::chrono::minutes(30));
}

TEST_F(PackedOnDisk, OfADeletedModelNothingIsKept) {
  DiskCache gone = disk();
  gone.still_there = [] { return false; };
  come_and_go(gone, model_);
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(PackedOnDisk, WhatACrashLeftIsRemoved) {
  come_and_go(disk("w1"), model_);
  const fs::path half = folder_.path() / (std::string(kTemporaryPrefix) + "1-x.packed");
  write_file_atomic(half, "half");
  EXPECT_EQ(folder_.list().size(), 1u);
  const auto written = folder_.temporary_of("w9");
  come_and_go(disk("w2"), model_);
  EXPECT_FALSE(fs::exists(half));
  EXPECT_TRUE(fs::exists(written.path)) << "its writer lives";
}

TEST_F(PackedOnDisk, AFolderThatCannotBeWrittenIsNoHindrance) {
  write_file_atomic(folder_.path(), "no folder");
  EXPECT_EQ(come_and_go(disk(), model_), come_and_go(disk("w1", 0), model_));
}

}  // namespace
}  // namespace strata::inference
