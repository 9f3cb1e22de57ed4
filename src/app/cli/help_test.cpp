#include "app/cli/help.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/os.h"
#include "core/testing/temp_folder.h"

namespace strata::app {
namespace {

TEST(Help, NamesEveryCommandOptionAndExample) {
  const std::string overview = help_overview();
  for (const Command* command : all_commands()) {
    const auto& spec = command->spec();
    EXPECT_NE(overview.find(spec.name), std::string::npos) << spec.name;
    for (const auto& text : {help_for(spec), man_page(spec)}) {
      for (const auto& argument : spec.arguments) {
        EXPECT_NE(text.find(argument.name), std::string::npos) << spec.name;
      }
    }
    EXPECT_FALSE(spec.summary.empty()) << spec.name;
    EXPECT_FALSE(spec.examples.empty()) << spec.name << " has no example";
    for (const auto& example : spec.examples) {
      EXPECT_NE(example.line.find(spec.name), std::string::npos) << example.line;
      EXPECT_FALSE(example.what.empty()) << example.line;
    }
    for (const auto& option : spec.options) {
      if (option.hidden) continue;
      EXPECT_NE(help_for(spec).find("--" + std::string(option.name)), std::string::npos);
    }
  }
}

TEST(Help, AGroupListsItsCommandsAndNoOthers) {
  const std::string text = help_for_group("key");
  for (const char* name : {"key create", "key list", "key revoke"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
  EXPECT_EQ(text.find("cache"), std::string::npos);
  EXPECT_TRUE(group_members("list").empty()) << "a command of its own is no group";
}

TEST(Help, FishOffersAMembersOptionsBehindItsTwoWordsOnly) {
  const std::string script = completion_script("fish");
  EXPECT_NE(script.find("-n \"__fish_seen_subcommand_from key; and __fish_seen_subcommand_from "
                        "create\" -l expires"),
            std::string::npos);
  EXPECT_EQ(script.find("from key\" -l"), std::string::npos);
  EXPECT_NE(script.find(" -l offline\n"), std::string::npos);
}

TEST(Help, NoLineIsWiderThanATerminalShouldBe) {
  for (const Command* command : all_commands()) {
    const std::string text = help_for(command->spec());
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      EXPECT_LE(end - at, 120u) << command->spec().name << ": " << text.substr(at, end - at);
      at = end + 1;
    }
  }
}

TEST(Help, AHiddenSpellingIsTakenButNotListed) {
  const auto& spec = find_command({"show"}).first->spec();
  EXPECT_EQ(help_for(spec).find("--license "), std::string::npos);
  EXPECT_TRUE(parse_arguments(spec, {"m", "--license"}).has("license"));
}

TEST(Help, CompletionKnowsEveryCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(shell);
    for (const Command* command : all_commands()) {
      const auto name = command->spec().name;
      EXPECT_NE(script.find(name.substr(name.rfind(' ') + 1)), std::string::npos) << shell << name;
    }
  }
  EXPECT_THROW(completion_script("tcsh"), Error);
}

// What a shell without startup files completes: bash hands over words that are parted at colons.
std::string completed(const std::string& words, int at) {
  const strata::testing::TempFolder folder;
  const fs::path script = folder.path() / "script";
  write_file_atomic(script, completion_script("bash") +
                                "strata() { echo smollm2:135m; echo gemma3:270m; }\n"
                                "COMP_WORDBREAKS=' :'; COMP_WORDS=(" +
                                words + "); COMP_CWORD=" + std::to_string(at) +
                                "\n_strata; echo \"${COMPREPLY[@]}\" > \"$1\"\n");
  const std::string out = (folder.path() / "out").string();
  const std::string command = fmt::format("bash {} {}", script.string(), out);
  EXPECT_EQ(std::system(command.c_str()), 0);
  return read_file(out);
}

TEST(Help, NamesWithColonsAreCompleted) {
  EXPECT_EQ(completed("strata run smollm2 : 1", 4), "135m\n");
  EXPECT_EQ(completed("strata run smollm2 :", 3), "135m\n");
  EXPECT_EQ(completed("strata run smol", 2), "smollm2:135m\n");
  EXPECT_EQ(completed("strata run smollm2 : 135m --nohi", 5), "--nohistory\n");
  EXPECT_EQ(completed("strata config s", 2), "show\n");
}

}  // namespace
}  // namespace strata::app
