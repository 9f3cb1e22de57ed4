#include "core/os.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata {
namespace {

using testing::error_of;
using testing::ScopedEnvironment;
using testing::TempFolder;

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(Directories, follow_xdg_and_strata_home) {
  const ScopedEnvironment home("HOME", "/home/me");
  const ScopedEnvironment data("XDG_DATA_HOME", "/data");
  const ScopedEnvironment config("XDG_CONFIG_HOME", "relative/is/ignored");
  const ScopedEnvironment state("XDG_STATE_HOME", nullptr);
  const ScopedEnvironment cache("XDG_CACHE_HOME", nullptr);
  {
    const ScopedEnvironment none("STRATA_HOME", nullptr);
    EXPECT_EQ(directories().data, "/data/strata");
    EXPECT_EQ(directories().config, "/home/me/.config/strata");
    EXPECT_EQ(directories().state, "/home/me/.local/state/strata");
    EXPECT_EQ(directories().cache, "/home/me/.cache/strata");
  }
  const ScopedEnvironment own("STRATA_HOME", "/srv/models");
  EXPECT_EQ(directories().data, "/srv/models");
  EXPECT_EQ(directories().cache, "/srv/models/cache");
}

TEST(Directories, without_a_home_say_what_to_set) {
  const ScopedEnvironment home("HOME", nullptr);
  const ScopedEnvironment own("STRATA_HOME", nullptr);
  const ScopedEnvironment config("XDG_CONFIG_HOME", nullptr);
  const Error error = error_of([] { directories(); });
  EXPECT_EQ(error.code(), Code::failed_precondition);
  EXPECT_NE(error.hint().find("STRATA_HOME"), std::string::npos);
}

TEST(Files, atomic_write_replaces_and_leaves_nothing_beside_it) {
  const TempFolder folder;
  const fs::path path = folder.path() / "deep" / "down" / "x.json";
  write_file_atomic(path, "one");
  write_file_atomic(path, "two");
  EXPECT_EQ(read_file(path), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), {}), 1);
}

TEST(Files, a_failed_atomic_write_keeps_the_old_content) {
  const TempFolder folder;
  const fs::path path = folder.path() / "x";
  write_file_atomic(path, "old");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Error error = error_of([&] { write_file_atomic(path, std::string(100'000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), Code::resource_exhausted);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, a_full_disk_has_its_own_message) {
  File full = File::open("/dev/full", File::Mode::append);
  const Error error = error_of([&] { full.write(bytes("x")); });
  EXPECT_EQ(error.code(), Code::resource_exhausted);
  EXPECT_NE(error.message().find("No space left"), std::string::npos);
  EXPECT_NE(error.hint().find("free some space"), std::string::npos);
}

TEST(Files, absent_and_too_large_files_are_told_apart) {
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { read_file(folder.path() / "no"); }).code(), Code::not_found);
  write_file_atomic(folder.path() / "x", "12345");
  EXPECT_EQ(read_file(folder.path() / "x", 5), "12345");
  EXPECT_EQ(error_of([&] { read_file(folder.path() / "x", 4); }).code(), Code::resource_exhausted);
}

TEST(FileLock, excludes_others_and_ends_with_its_process) {
  const TempFolder folder;
  const fs::path path = folder.path() / "lock";
  auto shared = FileLock::attempt(path, FileLock::Kind::shared);
  ASSERT_TRUE(shared);
  EXPECT_TRUE(FileLock::attempt(path, FileLock::Kind::shared));
  EXPECT_FALSE(FileLock::attempt(path, FileLock::Kind::exclusive));
  shared.reset();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = FileLock::attempt(path, FileLock::Kind::exclusive);
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileLock::attempt(path, FileLock::Kind::exclusive));
}

TEST(FileLock, a_wait_can_be_given_up) {
  const TempFolder folder;
  const auto held = FileLock::attempt(folder.path() / "lock", FileLock::Kind::exclusive);
  int asked = 0;
  const Error error = error_of([&] {
    FileLock::wait(folder.path() / "lock", FileLock::Kind::exclusive, [&] { return ++asked < 2; });
  });
  EXPECT_EQ(error.code(), Code::cancelled);
  EXPECT_EQ(asked, 2);
}

TEST(Process, collects_both_streams_and_the_exit_code) {
  const auto result = run_process({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
}

TEST(Process, words_reach_the_program_as_they_are) {
  const auto result = run_process({"printf", "%s|", "a b", "$HOME", "; rm -rf x", "*"});
  EXPECT_EQ(result.output, "a b|$HOME|; rm -rf x|*|");
}

TEST(Process, output_beyond_the_limit_is_dropped_not_waited_for) {
  ProcessOptions options;
  options.max_output_bytes = 1000;
  const auto result = run_process({"head", "-c", "3000000", "/dev/zero"}, options);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output.size(), 1000u);
}

TEST(Process, a_signal_and_a_missing_program_are_told) {
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}).exit_code, 137);
  EXPECT_EQ(error_of([] { run_process({"no-such-program-xyz"}); }).code(), Code::not_found);
}

TEST(Process, cancelling_kills_the_child) {
  ProcessOptions options;
  options.keep_running = [] { return false; };
  EXPECT_EQ(error_of([&] { run_process({"sleep", "1000"}, options); }).code(), Code::cancelled);
  options.keep_running = {};
  options.timeout_ms = 1;
  EXPECT_EQ(error_of([&] { run_process({"sleep", "1000"}, options); }).code(),
            Code::deadline_exceeded);
}

TEST(Process, environment_and_folder_are_its_own) {
  const TempFolder folder;
  ProcessOptions options;
  options.environment = {{"HOME", "/elsewhere"}, {"NEW_ONE", "1"}};
  options.directory = folder.path();
  const auto result = run_process({"sh", "-c", "echo $HOME $NEW_ONE $(pwd -P)"}, options);
  EXPECT_EQ(result.output, "/elsewhere 1 " + fs::canonical(folder.path()).string() + "\n");
}

TEST(Machine, memory_disk_and_time_are_plausible) {
  EXPECT_GT(resident_bytes(), 1u << 20);
  EXPECT_GE(total_memory_bytes(), available_memory_bytes());
  EXPECT_GT(free_disk_bytes("/tmp/not/there/yet"), 0u);
  const uint64_t before = monotonic_ns();
  EXPECT_LE(before, monotonic_ns());
  EXPECT_EQ(utc_timestamp(1764000000), "2025-11-24T16:00:00Z");
}

}  // namespace
}  // namespace strata
