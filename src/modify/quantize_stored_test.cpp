#include "modify/quantize_stored.h"

#include <gmock/gmock.h>

#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/family/family.h"
#include "models/testing/formula_model.h"
#include "modify/quantize.h"

namespace strata::modify {
namespace {

using strata::testing::error_of;

class QuantizeStored : public ::testing::Test {
 protected:
  QuantizeStored() {
    const auto bytes = models::tiny_llama().build();
    const auto held = store.hold();
    models::Manifest manifest;
    manifest.name = "tiny:f32";
    manifest.model = {store.put_blob({reinterpret_cast<const char*>(bytes.data()), bytes.size()})};
    manifest.source = "file:tiny";
    manifest.licence = "MIT";
    manifest.kind = "chat";
    manifest.overrides.system = "Be brief.";
    store.put_manifest(manifest);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& each : store.list()) out.push_back(each.name);
    return out;
  }
  size_t n_files(const char* where) const {
    size_t n = 0;
    std::error_code none;
    for (const auto& each : fs::directory_iterator(store.root() / where, none)) {
      n += each.is_regular_file();
    }
    return n;
  }

  strata::testing::TempFolder folder;
  models::Store store{folder.path()};
};

// The bytes are those that the command line would write.
TEST_F(QuantizeStored, MakesAModelBesideTheFirst) {
  std::vector<std::string> stages;
  QuantizeStoredOptions options;
  options.progress = [&](const models::PullProgress& now) {
    if (stages.empty() || stages.back() != now.stage) stages.push_back(now.stage);
  };
  const auto made = quantize_stored(store, "tiny:f32", find_mix("Q8_0"), "tiny:q8_0", options);
  EXPECT_EQ(stages, (std::vector<std::string>{"quantizing", "verifying", "writing manifest"}));
  EXPECT_EQ(names(), (std::vector<std::string>{"tiny:f32", "tiny:q8_0"}));
  EXPECT_EQ(made.parent, "tiny:f32");
  EXPECT_EQ(made.source, "Q8_0 of file:tiny");
  EXPECT_LT(made.size_bytes(), store.find("tiny:f32").size_bytes());
  EXPECT_EQ(made.licence, "MIT");
  EXPECT_EQ(made.kind, "chat");
  EXPECT_EQ(made.overrides.system, "Be brief.");
  const auto source = models::open_whole_model_file(store.model_path(store.find("tiny:f32")));
  const Mix& mix = find_mix("Q8_0");
  const fs::path expected = folder.path() / "expected.gguf";
  quantize(*source, plan_quantization(*source, models::describe_model(*source), mix, {}), mix,
           expected, {.n_threads = 1});
  EXPECT_EQ(read_file(store.model_path(made)), read_file(expected));
  EXPECT_EQ(n_files("partial"), 0u);
  EXPECT_EQ(n_files("blobs"), 2u);
}

TEST_F(QuantizeStored, LeavesNothingWhereItIsCancelledOrTheNameIsTaken) {
  QuantizeStoredOptions options;
  int asked = 0;
  options.keep_going = [&] { return ++asked < 4; };
  EXPECT_EQ(error_of([&] {
              quantize_stored(store, "tiny:f32", find_mix("Q8_0"), "tiny:q8_0", options);
            }).code(),
            Code::cancelled);
  EXPECT_EQ(error_of([&] {
              quantize_stored(store, "tiny:f32", find_mix("Q8_0"), "tiny:f32", {});
            }).code(),
            Code::already_exists);
  EXPECT_EQ(error_of([&] { quantize_stored(store, "nobody", find_mix("Q8_0"), "x", {}); }).code(),
            Code::not_found);
  EXPECT_EQ(names(), (std::vector<std::string>{"tiny:f32"}));
  EXPECT_EQ(n_files("partial"), 0u);
}

TEST_F(QuantizeStored, WhatItReplacesStaysUntilTheEnd) {
  QuantizeStoredOptions options{.replace = true};
  const auto before =
      quantize_stored(store, "tiny:f32", find_mix("Q8_0"), "tiny:small", options).digest();
  for (const char* stage : {"quantizing", "verifying"}) {
    std::string now;
    options.progress = [&](const models::PullProgress& each) { now = each.stage; };
    options.keep_going = [&] { return now != stage; };
    EXPECT_EQ(error_of([&] {
                quantize_stored(store, "tiny:f32", find_mix("Q4_0"), "tiny:small", options);
              }).code(),
              Code::cancelled);
    EXPECT_EQ(store.find("tiny:small").digest(), before);
    EXPECT_EQ(n_files("partial"), 0u);
  }
  options.keep_going = {};
  quantize_stored(store, "tiny:f32", find_mix("Q4_0"), "tiny:small", options);
  EXPECT_NE(store.find("tiny:small").digest(), before);
}

TEST_F(QuantizeStored, NothingIsRoundedTwice) {
  quantize_stored(store, "tiny:f32", find_mix("Q8_0"), "tiny:q8_0");
  const Error error =
      error_of([&] { quantize_stored(store, "tiny:q8_0", find_mix("Q4_0"), "tiny:q4_0"); });
  EXPECT_EQ(error.code(), Code::failed_precondition);
  EXPECT_THAT(error.message(), ::testing::HasSubstr("tiny:q8_0 is quantised already: "));
  EXPECT_EQ(names(), (std::vector<std::string>{"tiny:f32", "tiny:q8_0"}));
}

}  // namespace
}  // namespace strata::modify
