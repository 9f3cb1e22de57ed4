#include "models/hub/store.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/known_names.h"

namespace strata::models {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;

Manifest manifest_of(const std::string& name, std::vector<BlobRef> model) {
  Manifest manifest;
  manifest.name = name;
  manifest.model = std::move(model);
  manifest.source = "file:x";
  return manifest;
}

class StoreTest : public ::testing::Test {
 protected:
  size_t blobs() const {
    std::error_code error;
    const fs::directory_iterator at(store.root() / "blobs", error);
    return error ? 0 : static_cast<size_t>(std::distance(at, {}));
  }
  TempFolder folder;
  Store store{folder.path() / "store"};
};

TEST_F(StoreTest, a_blob_is_named_by_its_content) {
  const BlobRef blob = store.put_blob("GGUF abc");
  EXPECT_EQ(blob.sha256, sha256_hex("GGUF abc"));
  EXPECT_EQ(read_file(store.blob_path(blob.sha256)), "GGUF abc");
  EXPECT_EQ(store.put_blob("GGUF abc"), blob);
  EXPECT_EQ(blobs(), 1u);
}

TEST_F(StoreTest, an_unfinished_or_wrong_blob_leaves_nothing) {
  {
    auto writer = store.new_blob();
    writer.write(std::as_bytes(std::span("abc", 3)));
    EXPECT_EQ(error_of([&] { writer.commit(std::string(64, '0')); }).code(), Code::data_loss);
  }
  EXPECT_EQ(blobs(), 0u);
}

TEST_F(StoreTest, a_wait_for_the_lock_ends_when_it_is_told_to) {
  const auto held = FileLock::attempt(store.lock_path("store"), FileLock::Kind::exclusive);
  ASSERT_TRUE(held);
  EXPECT_EQ(error_of([&] { store.hold([] { return false; }); }).code(), Code::cancelled);
  const Store stopping = Store(store.root()).waiting_while([] { return false; });
  EXPECT_EQ(error_of([&] { stopping.hold(); }).code(), Code::cancelled);
  EXPECT_EQ(error_of([&] { stopping.hold([] { return true; }); }).code(), Code::cancelled);
  EXPECT_EQ(error_of([&] { stopping.copy("a", "b"); }).code(), Code::cancelled);
}

TEST_F(StoreTest, a_manifest_comes_back_as_it_was) {
  Manifest manifest = manifest_of("me/x:v1", {store.put_blob("1"), store.put_blob("2")});
  manifest.licence = "Apache-2.0";
  manifest.kind = "chat";
  manifest.parent = "smollm2:135m";
  manifest.overrides.chat_template = "{{ messages }}";
  manifest.overrides.system = "Be \"kind\"\n\xC3\xA9";
  manifest.overrides.messages.resize(1);
  manifest.overrides.messages[0].role = "user";
  manifest.overrides.messages[0].content = "hi";
  manifest.overrides.parameters = {{"stop", "a"}, {"stop", "b"}, {"temperature", "0.7"}};
  store.put_manifest(manifest);
  const Manifest found = store.find("me/x:v1");
  EXPECT_EQ(found.model, manifest.model);
  EXPECT_EQ(found.overrides.chat_template, manifest.overrides.chat_template);
  EXPECT_EQ(found.overrides.system, manifest.overrides.system);
  EXPECT_EQ(found.overrides.parameters, manifest.overrides.parameters);
  ASSERT_EQ(found.overrides.messages.size(), 1u);
  EXPECT_EQ(found.overrides.messages[0].content, "hi");
  EXPECT_GT(found.created, 0);
  EXPECT_EQ(found.parent, "smollm2:135m");
  EXPECT_EQ(found.size_bytes(), 2u);
}

TEST_F(StoreTest, names_without_a_tag_mean_latest_and_typos_are_helped) {
  store.put_manifest(manifest_of("tiny", {store.put_blob("1")}));
  EXPECT_EQ(store.find("tiny:latest").name, "tiny:latest");
  EXPECT_FALSE(store.try_find("tiny:other"));
  const Error error = error_of([&] { store.find("tniy"); });
  EXPECT_EQ(error.code(), Code::not_found);
  EXPECT_THAT(error.hint(), HasSubstr("tiny:latest"));
}

TEST_F(StoreTest, a_manifest_needs_its_blobs) {
  const Error error =
      error_of([&] { store.put_manifest(manifest_of("x", {{std::string(64, 'a'), 3}})); });
  EXPECT_EQ(error.code(), Code::failed_precondition);
  EXPECT_TRUE(store.list().empty());
}

TEST_F(StoreTest, removing_frees_what_no_name_needs) {
  const BlobRef shared = store.put_blob("shared");
  store.put_manifest(manifest_of("a", {shared, store.put_blob("own")}));
  store.put_manifest(manifest_of("b", {shared}));
  store.remove("a");
  EXPECT_EQ(blobs(), 1u);
  EXPECT_TRUE(store.has_blob(shared));
  store.copy("b", "c");
  store.remove("b");
  EXPECT_TRUE(store.has_blob(store.find("c").model[0]));
  store.remove("c");
  EXPECT_EQ(blobs(), 0u);
  EXPECT_EQ(error_of([&] { store.remove("c"); }).code(), Code::not_found);
}

TEST_F(StoreTest, nothing_is_collected_while_a_pull_holds_the_store) {
  store.put_manifest(manifest_of("a", {store.put_blob("1")}));
  {
    const Store::Hold held = store.hold();
    const BlobRef fresh = store.put_blob("of a pull that has no manifest yet");
    store.remove("a");
    EXPECT_TRUE(store.collect().deferred);
    EXPECT_TRUE(store.has_blob(fresh));
  }
  EXPECT_EQ(store.collect().blobs, 2u);
}

TEST_F(StoreTest, what_a_crash_leaves_is_swept) {
  write_file_atomic(store.root() / "blobs" / ".tmp-1-b0", "half");
  write_file_atomic(store.root() / "manifests" / "a" / ".tmp-1-0", "half");
  write_file_atomic(store.root() / "partial" / "key.part", "kept");
  EXPECT_EQ(store.collect().bytes, 8u);
  EXPECT_EQ(blobs(), 0u);
  EXPECT_TRUE(fs::exists(store.root() / "partial" / "key.part"));
}

TEST_F(StoreTest, hostile_manifests_are_damage_not_harm) {
  const BlobRef blob = store.put_blob("1");
  store.put_manifest(manifest_of("good", {blob}));
  const fs::path file = store.root() / "manifests" / "bad" / "latest.json";
  const std::string base = to_text([&] {
    Manifest manifest = manifest_of("bad:latest", {blob});
    return manifest;
  }());
  const auto changed = [&](std::string_view key, json::value value) {
    json::value all = parse_json(base);
    all.get_object()[key] = std::move(value);
    return to_json(all);
  };
  const auto with_blob = [&](json::value sha, json::value size) {
    return changed("model", json::array{json::object{{"sha256", sha}, {"size", size}}});
  };
  const std::vector<std::string> hostile{
      "",
      "{",
      "[]",
      "null",
      std::string(5000, '['),
      base.substr(0, base.size() / 2),
      changed("name", "../../etc/passwd"),
      changed("name", "good:latest"),
      changed("name", 7),
      changed("model", nullptr),
      changed("model", json::array{}),
      changed("model", json::array(300, json::object{{"sha256", blob.sha256}, {"size", 1}})),
      with_blob("../../../../etc/passwd", 1),
      with_blob(json::string(64, 'G'), 1),
      with_blob(json::string(blob.sha256), -1),
      with_blob(json::string(blob.sha256), 1.5),
      with_blob(json::string(blob.sha256), "1"),
      with_blob(nullptr, 1),
      changed("model", json::array(2, json::object{{"sha256", blob.sha256}, {"size", UINT64_MAX}})),
      changed("created", -1),
      changed("created", UINT64_MAX),
      changed("messages", json::array{json::array{}}),
      changed("parameters", json::object{}),
      changed("template", json::object{}),
      changed("version", 2),
      changed("version", "1"),
      "\xff\xfe" + base,
  };
  for (const auto& text : hostile) {
    write_file_atomic(file, text);
    const Error error = error_of([&] { store.find("bad"); });
    EXPECT_TRUE(error.code() == Code::data_loss || error.code() == Code::failed_precondition)
        << text.substr(0, 200) << ": " << error.what();
    std::vector<std::string> damaged;
    const auto names = store.list(&damaged);
    ASSERT_EQ(names.size(), 1u) << text;
    EXPECT_EQ(damaged.size(), 1u) << text;
    EXPECT_FALSE(store.verify().empty());
    store.collect();
    EXPECT_TRUE(store.has_blob(blob)) << "a damaged manifest may still name it";
  }
  store.remove("bad");
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(StoreTest, verify_finds_changed_and_missing_blobs) {
  const BlobRef blob = store.put_blob("content");
  store.put_manifest(manifest_of("a", {blob}));
  EXPECT_TRUE(store.verify().empty());
  const fs::path path = store.blob_path(blob.sha256);
  fs::permissions(path, fs::perms::owner_all);
  write_file_atomic(path, "cOntent");
  ASSERT_EQ(store.verify("a").size(), 1u);
  EXPECT_THAT(store.verify("a")[0].what, HasSubstr("has changed"));
  fs::remove(path);
  EXPECT_THAT(store.verify("a").at(0).what, HasSubstr("missing"));
  EXPECT_EQ(error_of([&] { store.model_path(store.find("a")); }).code(), Code::data_loss);
}

TEST_F(StoreTest, a_split_model_is_shown_under_the_names_its_reader_expects) {
  store.put_manifest(manifest_of("a", {store.put_blob("one"), store.put_blob("two")}));
  const fs::path first = store.model_path(store.find("a"));
  EXPECT_EQ(first.filename(), "model-00001-of-00002.gguf");
  EXPECT_EQ(read_file(first), "one");
  EXPECT_EQ(read_file(first.parent_path() / "model-00002-of-00002.gguf"), "two");
  EXPECT_EQ(store.model_path(store.find("a")), first);
  store.remove("a");
  EXPECT_FALSE(fs::exists(first));
}

TEST_F(StoreTest, two_processes_put_and_remove_without_harm) {
  const auto work = [&](int seed) {
    for (int i = 0; i < 40; ++i) {
      const std::string name = fmt::format("m{}", (i + seed) % 3);
      const Store::Hold held = store.hold();
      const BlobRef blob = store.put_blob(fmt::format("content {}", i % 5));
      store.put_manifest(manifest_of(name, {blob}));
      if (i % 4 == 3) {
        try {
          store.remove(name);
        } catch (const Error& error) {
          if (error.code() != Code::not_found) throw;
        }
      }
    }
  };
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      work(1);
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  work(0);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(store.verify().empty());
  store.collect();
  EXPECT_TRUE(store.verify().empty());
}

TEST_F(StoreTest, a_short_name_of_the_catalogue_stands_for_the_model_that_is_here) {
  EXPECT_EQ(store.resolve("smollm2").full(), "smollm2:latest") << "not here: as it is written";
  Manifest manifest;
  manifest.name = "smollm2:135m";
  manifest.model = {store.put_blob("GGUF abc")};
  store.put_manifest(manifest);
  for (const char* name : {"smollm2", "smollm2:latest", "smollm2:135m"}) {
    EXPECT_EQ(store.find(name).name, "smollm2:135m") << name;
  }
  store.copy("smollm2", "smollm2");
  EXPECT_EQ(store.find("smollm2").name, "smollm2:latest") << "a model of that very name goes first";
  store.remove("smollm2");
  store.remove("smollm2");
  EXPECT_TRUE(store.list().empty());
}

TEST_F(StoreTest, a_name_in_another_case_is_the_only_one_that_is_so_called) {
  const BlobRef blob = store.put_blob("1");
  store.put_manifest(manifest_of("Tiny:Q4", {blob}));
  for (const char* name : {"tiny:q4", "TINY:Q4", "Tiny:Q4"}) {
    EXPECT_EQ(store.find(name).name, "Tiny:Q4") << name;
    EXPECT_EQ(spelling_in(store, name).full(), "Tiny:Q4") << name;
  }
  EXPECT_FALSE(store.try_find("tiny"));
  EXPECT_EQ(spelling_in(store, "New").full(), "New:latest");
  const Error error = error_of([&] { store.put_manifest(manifest_of("tiny:q4", {blob})); });
  EXPECT_EQ(error.code(), Code::already_exists);
  EXPECT_THAT(error.message(), HasSubstr("'Tiny:Q4'"));
  store.put_manifest(manifest_of("Tiny:Q4", {blob}));
  store.remove("TINY:q4");
  EXPECT_TRUE(store.list().empty());
}

TEST_F(StoreTest, of_names_that_differ_in_case_and_come_at_once_one_is_put) {
  const BlobRef blob = store.put_blob("1");
  std::vector<std::thread> makers;
  for (const char* name : {"race", "RACE", "Race", "rACE"}) {
    makers.emplace_back([&, name] {
      try {
        store.put_manifest(manifest_of(name, {blob}));
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::already_exists);
      }
    });
  }
  for (std::thread& maker : makers) maker.join();
  EXPECT_EQ(store.names().size(), 1u);
}

TEST_F(StoreTest, a_file_in_the_place_of_the_store_is_no_empty_store) {
  EXPECT_TRUE(store.list().empty()) << "not there yet";
  write_file_atomic(folder.path() / "plain", "x");
  for (const char* below : {"plain", "plain/deeper/still"}) {
    const Error error = error_of([&] { Store(folder.path() / below).list(); });
    EXPECT_EQ(error.code(), Code::failed_precondition) << below;
    EXPECT_THAT(error.message(), HasSubstr((folder.path() / "plain").string()));
  }
}

}  // namespace
}  // namespace strata::models
