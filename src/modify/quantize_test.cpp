// Uses every core
#include "modify/quantize.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/json.h"
#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "core/testing/test_data.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "models/model.h"
#include "models/testing/formula_model.h"
#include "tensor/dequant.h"
#include "tensor/quantize.h"

namespace strata::modify {
namespace {

using models::GgufBuilder;
using models::ModelFile;
using strata::testing::error_of;
using strata::testing::TempFolder;
using tensor::DType;

json::object recorded() {
  return parse_json(read_file(STRATA_SOURCE_DIR "/src/modify/testdata/quantize.json")).as_object();
}

std::vector<QuantizedTensor> write(const ModelFile& file, std::string_view type,
                                   const fs::path& path, const MixOptions& mix_options = {},
                                   const QuantizeOptions& options = {.n_threads = 2,
                                                                     .measure_errors = true}) {
  const Mix& mix = find_mix(type);
  const auto plan = plan_quantization(file, models::describe_model(file), mix, mix_options);
  return quantize(file, plan, mix, path, options);
}

std::string hash_of_data(const ModelFile& file) {
  std::vector<const models::TensorInfo*> tensors;
  for (const auto& tensor : file.tensors()) tensors.push_back(&tensor);
  std::ranges::sort(tensors, {}, [](const auto* tensor) { return tensor->name; });
  Sha256 hash;
  for (const auto* tensor : tensors) hash.update(file.bytes(*tensor).view);
  return hash.hex();
}

TEST(QuantizeModel, WritesTheReferencesBytes) {
  const TempFolder folder;
  const auto file = models::open_gguf(strata::testing::test_data("models/smollm2-135m.gguf"));
  const json::object reference = recorded();
  for (const auto& [type, hash] : reference.at("hashes").as_object()) {
    const fs::path path = folder.path() / "out.gguf";
    write(*file, type, path, {.pure = true});
    EXPECT_EQ(hash_of_data(*models::open_gguf(path)), std::string_view(hash.as_string())) << type;
  }
}

std::vector<float> formula_importance(size_t cols) {
  std::vector<float> result(cols);
  for (size_t i = 0; i < cols; ++i) result[i] = static_cast<float>(i * 37 % 101 + 1) / 51.0f;
  return result;
}

double mean_error(DType type, const std::vector<float>& x, const std::vector<float>& importance) {
  const size_t cols = formula_importance(1536).size();
  std::vector<std::byte> blocks(tensor::bytes_of(type, cols));
  std::vector<float> back(cols);
  double sum = 0.0;
  for (size_t row = 0; row < x.size(); row += cols) {
    EXPECT_TRUE(tensor::quantize_row(type, x.data() + row, blocks.data(),
                                     static_cast<int64_t>(cols),
                                     importance.empty() ? nullptr : importance.data()));
    tensor::dequantize_row(type, blocks.data(), back.data(), static_cast<int64_t>(cols));
    for (size_t i = 0; i < cols; ++i) {
      const double off = static_cast<double>(x[row + i]) - static_cast<double>(back[i]);
      sum += (importance.empty() ? 1.0 : static_cast<double>(importance[i])) * off * off;
    }
  }
  return std::sqrt(sum / static_cast<double>(x.size()));
}

TEST(QuantizeModel, ErrsNoMoreThanTheReference) {
  constexpr uint64_t kWeights = 1536 * 96;
  const auto file = models::open_gguf(strata::testing::test_data("models/smollm2-135m.gguf"));
  const json::object reference = recorded();
  for (const auto& [type, tensors] : reference.at("errors").as_object()) {
    for (const auto& [name, expected] : tensors.as_object()) {
      const auto* tensor = file->find_tensor(name);
      ASSERT_NE(tensor, nullptr);
      std::vector<float> x(std::min(kWeights, tensor->n_weights()));
      tensor::dequantize_row(tensor->type, file->bytes(*tensor).view.data(), x.data(),
                             static_cast<int64_t>(x.size()));
      const DType dtype = find_mix(type).base;
      EXPECT_LE(mean_error(dtype, x, {}), 1.01 * expected.at("plain").as_double())
          << type << " " << name;
      EXPECT_LE(mean_error(dtype, x, formula_importance(1536)),
                1.01 * expected.at("weighted").as_double())
          << type << " " << name;
    }
  }
}

TEST(QuantizeModel, KeepsAllThatTheSourceSays) {
  const TempFolder folder;
  GgufBuilder source = models::tiny_llama();
  source.set_text("general.license", "apache-2.0");
  source.set_text("tokenizer.chat_template", "{{ messages }}");
  source.set_u32("split.count", 1);
  source.set_u32("general.alignment", 64);
  source.alignment = 64;
  const auto bytes = source.build();
  const auto file = models::parse_gguf(bytes);
  const auto results = write(*file, "Q8_0", folder.path() / "out.gguf");
  const auto written = models::open_gguf(folder.path() / "out.gguf");
  EXPECT_EQ(written->integer("general.file_type"), 7);
  EXPECT_EQ(written->integer("general.quantization_version"), 2);
  EXPECT_EQ(written->find("split.count"), nullptr);
  for (const auto& value : file->values()) {
    if (value.key.starts_with("split.")) continue;
    const auto* kept = written->find(value.key);
    ASSERT_NE(kept, nullptr) << value.key;
    EXPECT_EQ(kept->type, value.type);
    EXPECT_TRUE(std::ranges::equal(kept->bytes, value.bytes)) << value.key;
  }
  ASSERT_EQ(results.size(), file->tensors().size());
  for (size_t i = 0; i < results.size(); ++i) {
    const auto& before = file->tensors()[i];
    const auto& after = written->tensors()[i];
    EXPECT_EQ(after.name, before.name);
    EXPECT_EQ(after.shape, before.shape);
    if (before.n_dims == 1) {
      EXPECT_EQ(after.type, DType::f32);
      EXPECT_TRUE(std::ranges::equal(written->bytes(after).view, file->bytes(before).view));
    } else if (before.cols() == 48) {
      EXPECT_EQ(after.type, DType::f16) << before.name;
    } else {
      EXPECT_EQ(after.type, DType::q8_0) << before.name;
      EXPECT_GT(results[i].relative_error, 1e-4);
      EXPECT_LT(results[i].relative_error, 1e-2);
    }
  }
  EXPECT_NO_THROW(models::load_model(folder.path() / "out.gguf", "out"));
}

TEST(QuantizeModel, TheBytesDoNotDependOnThreads) {
  const TempFolder folder;
  const auto file = models::open_gguf(strata::testing::test_data("models/smollm2-135m.gguf"));
  std::string first;
  for (const int threads : {1, 3}) {
    write(*file, "IQ4_XS", folder.path() / "out.gguf", {}, {.n_threads = threads});
    const std::string hash = hash_of_data(*models::open_gguf(folder.path() / "out.gguf"));
    if (first.empty()) first = hash;
    EXPECT_EQ(hash, first) << threads;
  }
}

TEST(QuantizeModel, WritesAModelInPartsAsOne) {
  const auto folder = strata::testing::TempFolder();
  GgufBuilder first = models::tiny_llama();
  GgufBuilder second;
  const auto last = first.tensors.back();
  first.tensors.pop_back();
  second.tensors.push_back(last);
  const auto set = [](GgufBuilder& part, uint32_t number) {
    part.set_u32("split.no", number);
    part.set_u32("split.count", 2);
  };
  set(first, 0);
  set(second, 1);
  const auto store = [&](const GgufBuilder& part, const std::string& name) {
    const auto bytes = part.build();
    std::ofstream(folder.path() / name)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  };
  store(first, "m-00001-of-00002.gguf");
  store(second, "m-00002-of-00002.gguf");
  const auto parts = models::open_gguf(folder.path() / "m-00001-of-00002.gguf");
  write(*parts, "Q4_K_M", folder.path() / "one.gguf");
  const auto one = models::open_gguf(folder.path() / "one.gguf");
  EXPECT_EQ(one->tensors().size(), first.tensors.size() + 1);
  EXPECT_FALSE(one->integer("split.count"));
  EXPECT_NO_THROW(models::load_model(folder.path() / "one.gguf", "one"));
}

// Whoever stops, what stands under the name is the old file.
TEST(QuantizeModel, LeavesTheOldFileWhenItIsCancelledOrKilled) {
  const TempFolder folder;
  const fs::path path = folder.path() / "out.gguf";
  std::ofstream(path) << "old";
  const auto file = models::open_gguf(strata::testing::test_data("models/smollm2-135m.gguf"));
  QuantizeOptions options{.n_threads = 2};
  options.progress = [](uint64_t done, uint64_t total) { return done < total / 2; };
  EXPECT_EQ(error_of([&] { write(*file, "Q8_0", path, {}, options); }).code(), Code::cancelled);
  EXPECT_EQ(read_file(path), "old");

  const pid_t child = ::fork();
  if (child == 0) {
    options.progress = [](uint64_t done, uint64_t total) {
      if (done > total / 2) ::kill(::getpid(), SIGKILL);
      return true;
    };
    write(*file, "Q8_0", path, {}, options);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(read_file(path), "old");
}

TEST(QuantizeModel, NamesTheTensorThatCannotBeQuantised) {
  const TempFolder folder;
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e20f}) {
    GgufBuilder source = models::tiny_llama();
    auto* tensor = source.find_tensor("blk.1.attn_q.weight");
    ASSERT_NE(tensor, nullptr);
    std::memcpy(tensor->data.data() + 40, &bad, sizeof(bad));
    const auto bytes = source.build();
    const auto file = models::parse_gguf(bytes);
    const Error error = error_of([&] { write(*file, "Q4_0", folder.path() / "out.gguf"); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_NE(error.message().find("blk.1.attn_q.weight"), std::string::npos) << error.message();
    EXPECT_TRUE(fs::is_empty(folder.path()));
  }
}

TEST(QuantizeModel, WeighsErrorsByImportance) {
  const TempFolder folder;
  const auto file = models::open_gguf(strata::testing::test_data("models/smollm2-135m.gguf"));
  Importance importance;
  for (const auto& tensor : file->tensors()) {
    if (tensor.n_dims < 2) continue;
    importance.entries[std::string(tensor.name)] = {formula_importance(tensor.cols()), {1.0f}};
  }
  const auto with = write(*file, "Q4_0", folder.path() / "with.gguf", {.pure = true},
                          {.n_threads = 2, .importance = &importance, .measure_errors = true});
  const auto without = write(*file, "Q4_0", folder.path() / "without.gguf", {.pure = true});
  for (size_t i = 0; i < with.size(); ++i) {
    if (without[i].relative_error == 0.0) continue;
    EXPECT_TRUE(with[i].weighted);
    EXPECT_LT(with[i].relative_error, without[i].relative_error);
  }
  importance.entries["blk.0.attn_q.weight"].sums.pop_back();
  const Error error = error_of([&] {
    write(*file, "Q4_0", folder.path() / "wrong.gguf", {},
          {.n_threads = 2, .importance = &importance, .measure_errors = true});
  });
  EXPECT_EQ(error.code(), Code::invalid_argument);
}

}  // namespace
}  // namespace strata::modify
