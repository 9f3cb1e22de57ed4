// Beginnings that an executor left on disk: the next one goes on from them, and nobody sees it in
// the logits.
#include "inference/prefix_disk.h"

#include <algorithm>
#include <csignal>
#include <random>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "core/testing/temp_folder.h"
#include "inference/executor.h"
#include "inference/kv_cache.h"
#include "inference/prefix_folder.h"
#include "inference/testing/tiny_model.h"

namespace strata::inference {
namespace {

using Tokens = std::vector<int32_t>;
using ModelPtr = std::shared_ptr<const models::Model>;

constexpr uint64_t kPlenty = 1u << 30;
// Of all pools: 3 layers, 2 heads of 32, keys and values, 2 bytes each.
constexpr int64_t kBlockBytes = int64_t{kBlockPositions} * 3 * 2 * 32 * 2 * 2;

Tokens random_tokens(std::mt19937& random, size_t n) {
  Tokens tokens;
  for (size_t i = 0; i < n; ++i) tokens.push_back(static_cast<int32_t>(random() % 96));
  return tokens;
}

std::vector<float> go_on(Executor& executor, SequenceId sequence, const Tokens& tokens) {
  std::vector<Row> rows;
  for (auto i = static_cast<size_t>(executor.length(sequence)); i < tokens.size(); ++i) {
    rows.push_back({tokens[i], static_cast<int32_t>(i), sequence, i + 1 == tokens.size()});
  }
  const auto logits = executor.step(rows);
  return {logits.begin(), logits.end()};
}

std::vector<float> from_nothing(const ModelPtr& model, const Tokens& tokens, tensor::KvFormat kv) {
  const auto executor =
      make_fast_executor(model, {.n_threads = 1, .n_positions_limit = 2048, .kv = kv});
  return go_on(*executor, executor->create_sequence(), tokens);
}

TinyOptions windowed() {
  TinyOptions options;
  options.windows = {0, 40, 200};
  return options;
}

class PrefixOnDisk : public ::testing::Test {
 protected:
  DiskCache disk(uint64_t max_bytes = kPlenty) const {
    return {folder_.path() / "prefixes", "tiny:latest", "w1", max_bytes};
  }
  std::unique_ptr<Executor> open(const DiskCache& disk, int64_t kept = 2048) const {
    return make_fast_executor(model_, {.n_threads = 1,
                                       .n_positions_limit = 2048,
                                       .n_positions_kept = kept,
                                       .disk = disk,
                                       .kv = kv_});
  }
  // Computes the text, or what of it is not known; returns how much was.
  int32_t ask(Executor& executor, const Tokens& text, uint64_t scope = 0) const {
    const SequenceId sequence = executor.create_sequence_from(text, scope);
    const int32_t known = executor.length(sequence);
    EXPECT_EQ(go_on(executor, sequence, text), from_nothing(model_, text, kv_));
    executor.remove_sequence(sequence);
    return known;
  }
  // An executor that is asked one text, and goes.
  int32_t ask_and_go(const DiskCache& disk, const Tokens& text, uint64_t scope = 0) const {
    const auto executor = open(disk);
    const int32_t known = ask(*executor, text, scope);
    executor->save_prefixes();
    return known;
  }
  Tokens text(size_t n) { return random_tokens(random_, n); }
  fs::path file() const { return PrefixFolder(disk().folder).file_of(disk().model); }

  strata::testing::TempFolder folder_;
  ModelPtr model_ = tiny_model(windowed());
  tensor::KvFormat kv_ = tensor::KvFormat::bf16;
  std::mt19937 random_{1};
};

TEST_F(PrefixOnDisk, TheNextExecutorGoesOnFromThere) {
  const Tokens whole = text(700);
  Tokens cut(whole.begin(), whole.begin() + 300);
  Tokens other(whole.begin(), whole.begin() + 650);
  other.push_back((whole[650] + 1) % 96);
  EXPECT_EQ(ask_and_go(disk(), whole), 0);
  EXPECT_EQ(ask(*open(disk()), whole), 699) << "the last one's logits are wanted";
  EXPECT_EQ(ask(*open(disk()), cut), 299) << "its window ends earlier";
  const auto executor = open(disk());
  EXPECT_EQ(ask(*executor, other), 650);
  EXPECT_EQ(ask(*executor, whole), 699);
  EXPECT_EQ(ask(*executor, text(200)), 0);
}

TEST_F(PrefixOnDisk, OnlyWhatARequestBeginsWithIsRead) {
  const Tokens a = text(700);
  const Tokens b = text(700);
  {
    const auto executor = open(disk());
    ask(*executor, a);
    ask(*executor, b);
    executor->save_prefixes();
  }
  const auto executor = open(disk());
  EXPECT_EQ(executor->stats().kv_bytes_kept, 0);
  executor->remove_sequence(executor->create_sequence_from(a, 0));
  const int64_t of_one = executor->stats().kv_bytes_kept;
  executor->remove_sequence(executor->create_sequence_from(b, 0));
  EXPECT_GT(of_one, 0);
  EXPECT_EQ(executor->stats().kv_bytes_kept, 2 * of_one);
}

TEST_F(PrefixOnDisk, ScopesStayApart) {
  const Tokens a = text(400);
  ask_and_go(disk(), a, 7);
  EXPECT_EQ(ask_and_go(disk(), a, 0), 0);
  EXPECT_EQ(ask_and_go(disk(), a, 8), 0);
  EXPECT_EQ(ask(*open(disk()), a, 7), 399);
  EXPECT_EQ(ask(*open(disk()), a, 8), 399);
}

TEST_F(PrefixOnDisk, WhatWasNotAskedForIsCarriedOver) {
  const Tokens a = text(500);
  const Tokens b = text(500);
  ask_and_go(disk(), a);
  ask_and_go(disk(), b);
  ask_and_go(disk(), b);  // nothing new
  EXPECT_EQ(ask(*open(disk()), a), 499);
  EXPECT_EQ(ask(*open(disk()), b), 499);
}

TEST_F(PrefixOnDisk, ATextThatHasGrownIsKeptOnce) {
  const Tokens whole = text(500);
  for (const ptrdiff_t n : {50, 200, 210, 500, 300}) {
    ask_and_go(disk(), Tokens(whole.begin(), whole.begin() + n));
  }
  const auto entries = PrefixFolder(disk().folder).list();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].n_tokens, 500);
}

TEST_F(PrefixOnDisk, TwoAtOnceLoseNothingOfEachOther) {
  const Tokens a = text(300);
  const Tokens b = text(300);
  const auto one = open(disk());
  const auto two = open(disk());
  ask(*one, a);
  ask(*two, b);
  one->save_prefixes();
  two->save_prefixes();
  EXPECT_EQ(ask(*open(disk()), a), 299);
  EXPECT_EQ(ask(*open(disk()), b), 299);
}

TEST_F(PrefixOnDisk, AnotherModelShapeOrLimitIsComputedAnew) {
  const Tokens a = text(400);
  ask_and_go(disk(), a);
  DiskCache other = disk();
  other.weights = "w2";
  EXPECT_EQ(ask(*open(other), a), 0);
  EXPECT_EQ(ask(*open(disk(0)), a), 0) << "switched off";
  TinyOptions options = windowed();
  options.windows = {0, 40, 201};
  model_ = tiny_model(options);
  EXPECT_EQ(ask(*open(disk()), a), 0);
}

TEST_F(PrefixOnDisk, AnotherFormatOfKeysAndValuesIsComputedAnew) {
  const Tokens a = text(400);
  for (const tensor::KvFormat kv : {tensor::KvFormat::bf16, tensor::KvFormat::int8,
                                    tensor::KvFormat::int4, tensor::KvFormat::bf16}) {
    kv_ = kv;
    EXPECT_EQ(ask_and_go(disk(), a), 0) << tensor::kv_format_name(kv);
    EXPECT_EQ(ask(*open(disk()), a), 399) << tensor::kv_format_name(kv);
  }
}

TEST_F(PrefixOnDisk, OtherKernelsMayRoundOtherwise) {
  const KvLayer layer{.n_kv_heads = 1, .shape = {.head_dim = 16}, .window = 0};
  const Tokens a = text(200);
  const KvLimits limits{.n_positions = 512, .bytes = 0, .n_kept = 512};
  {
    KvCache cache({layer}, limits);
    cache.add(1, a, {});
    const KvCache::Growth growth{1, 200};
    cache.reserve(std::span(&growth, 1));
    cache.extend(1, a);
    cache.remove(1);
    save_prefixes(disk(), "avx2", cache);
  }
  for (const auto& [kernels, known] : {std::pair{"generic", 0}, {"avx2", 199}}) {
    KvCache cache({layer}, limits);
    recall_prefixes(disk(), kernels, cache);
    EXPECT_EQ(cache.add(1, a, {}), known) << kernels;
  }
}

TEST_F(PrefixOnDisk, AFileNeverExceedsTheLimitAndKeepsTheLatest) {
  const Tokens a = text(400);
  const Tokens b = text(400);
  {
    const auto executor = open(disk());
    ask(*executor, a);
    ask(*executor, b);
    executor->save_prefixes();
  }
  const uint64_t of_both = fs::file_size(file());
  for (const uint64_t limit : {of_both * 3 / 4, of_both / 3, uint64_t{100}}) {
    open(disk(limit))->save_prefixes();
    if (limit > 100) {
      EXPECT_LE(fs::file_size(file()), limit);
      EXPECT_GT(fs::file_size(file()), limit / 2) << "it is made use of";
    } else {
      EXPECT_FALSE(fs::exists(file())) << "not a block fits";
    }
    if (limit > of_both / 2) {
      EXPECT_EQ(ask(*open(disk(limit)), b), 399) << "used after a";
    }
  }
}

TEST_F(PrefixOnDisk, ADamagedFileIsComputedAnewAndReplaced) {
  const Tokens a = text(300);
  ask_and_go(disk(), a);
  const std::string good = read_file(file());
  for (const size_t at : {size_t{3}, good.size() / 4, good.size() / 2, good.size() - 2}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write_file_atomic(file(), bad);
    EXPECT_LT(ask_and_go(disk(), a), 299) << at;
    EXPECT_EQ(ask(*open(disk()), a), 299) << at;
  }
}

TEST_F(PrefixOnDisk, WhatIsRemovedMeanwhileIsNotUsed) {
  const Tokens a = text(300);
  ask_and_go(disk(), a);
  const auto executor = open(disk());
  EXPECT_TRUE(PrefixFolder(disk().folder).remove(disk().model));
  EXPECT_EQ(ask(*executor, a), 0);
}

// As on a full disk: the write fails in the middle.
TEST_F(PrefixOnDisk, AWriteThatFailsLosesNothing) {
  const Tokens a = text(300);
  const Tokens b = text(300);
  ask_and_go(disk(), a);
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const auto executor = open(disk());
  ask(*executor, b);
  const rlimit small{fs::file_size(file()) + 100, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  executor->save_prefixes();
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(PrefixFolder(disk().folder).list().size(), 1u);
  EXPECT_EQ(ask(*open(disk()), a), 299);
  EXPECT_EQ(ask(*open(disk()), b), 0);
}

// Lives of executors, each in a cache of another size that is too small for all, each asked texts
// of one family at random, several at a time.
TEST_F(PrefixOnDisk, LogitsNeverDependOnWhatWasOnDisk) {
  std::vector<Tokens> texts;
  for (size_t i = 0; i < 10; ++i) {
    Tokens made;
    if (i > 1) {
      const Tokens& parent = texts[random_() % texts.size()];
      made.assign(parent.begin(),
                  parent.begin() + static_cast<std::ptrdiff_t>(random_() % parent.size()));
    }
    const Tokens more = text(1 + random_() % 400);
    made.insert(made.end(), more.begin(), more.end());
    texts.push_back(made);
  }
  std::vector<std::vector<float>> expected;
  for (const Tokens& each : texts) expected.push_back(from_nothing(model_, each, kv_));
  int n_asked = 0;
  int64_t n_first = 0;  // positions that the first request of a life did not compute
  for (int life = 0; life < 12; ++life) {
    const ExecutorOptions options{
        .n_threads = 1,
        .kv_bytes_limit = kBlockBytes * static_cast<int64_t>(9 + random_() % 12),
        .n_positions_limit = 4096,
        .n_positions_kept = 300 + static_cast<int64_t>(random_() % 1500),
        .disk = disk(life % 3 == 2 ? 400'000 : kPlenty)};
    const auto executor = make_fast_executor(model_, options);
    std::vector<SequenceId> live;
    for (int round = 0; round < 12; ++round) {
      const size_t which = random_() % texts.size();
      const SequenceId sequence = executor->create_sequence_from(texts[which], 0);
      live.push_back(sequence);
      if (round == 0) n_first += executor->length(sequence);
      const auto size = static_cast<int32_t>(texts[which].size());
      if (executor->fits(sequence, size - executor->length(sequence))) {
        ++n_asked;
        ASSERT_EQ(go_on(*executor, sequence, texts[which]), expected[which])
            << "life " << life << ", round " << round;
      }
      if (random_() % 3 == 0 || live.size() > 3) {
        for (const SequenceId id : live) executor->remove_sequence(id);
        live.clear();
      }
    }
    for (const SequenceId id : live) executor->remove_sequence(id);
    EXPECT_EQ(executor->stats().kv_bytes_used, 0);
    executor->save_prefixes();
  }
  EXPECT_GT(n_first, 1000);
  EXPECT_GT(n_asked, 100) << "of 144";
}

}  // namespace
}  // namespace strata::inference
