#include "api/testing/field_cases.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "api/json_fields.h"

namespace strata::api::testing {
namespace {

json::value load(const std::string& path) {
  std::ifstream in(std::string(STRATA_SOURCE_DIR "/src/api/") + path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return parse_json(text.str());
}

std::string body_of(const json::object& base, const json::value& extra) {
  json::object body = base;
  for (const auto& member : extra.as_object()) {
    body[member.key()] = member.value();
    if (member.value().is_null()) body.erase(member.key());
  }
  return to_json(body);
}

// The effect, or why it was refused.
std::string outcome(const Read& read, const std::string& body) {
  try {
    return read(body).effect;
  } catch (const Error& error) {
    return "refused: " + error.message();
  }
}

// "[tool_result].is_error", "tools[].x.y": the last name.
std::string last_name(std::string_view field) {
  const size_t dot = field.rfind('.');
  std::string name(field.substr(dot == std::string_view::npos ? 0 : dot + 1));
  return name.substr(0, name.find('['));
}

void expect_honoured(const std::string& field, const std::string& with, const std::string& without,
                     const Read& read) {
  const std::string effect = outcome(read, with);
  EXPECT_FALSE(effect.starts_with("refused")) << field << ": " << effect << "\n" << with;
  EXPECT_NE(effect, outcome(read, without)) << field << "\n" << with << "\n" << without;
  if (effect.starts_with("refused")) return;
  for (const std::string& name : read(with).ignored) {
    EXPECT_NE(last_name(name), last_name(field)) << field << " is ignored";
  }
}

void expect_refused(const std::string& field, const std::string& with, const Read& read) {
  try {
    read(with);
    ADD_FAILURE() << field << " is taken: " << with;
  } catch (const FieldError& error) {
    const std::string named = field.substr(0, field.find('.'));  // or what it is a part of
    EXPECT_TRUE(error.message().find(last_name(field)) != std::string::npos ||
                error.message().starts_with(named))
        << field << ": " << error.message();
  }
}

void expect_ignored(const std::string& field, const std::string& with, const Read& read) {
  const auto ignored = read(with).ignored;
  EXPECT_TRUE(std::ranges::any_of(ignored, [&](const std::string& name) {
    return name.find(last_name(field)) != std::string::npos;
  })) << field;
}

}  // namespace

std::string shown(const ChatRequest& request) {
  json::array messages;
  for (const models::Message& message : request.conversation.messages) {
    json::array calls;
    for (const auto& call : message.tool_calls) {
      calls.push_back(json::array{json::string(call.id), json::string(call.name),
                                  json::string(call.arguments)});
    }
    messages.push_back(json::array{json::string(message.role), json::string(message.content),
                                   json::string(message.reasoning), json::string(message.name),
                                   json::string(message.tool_call_id), calls});
  }
  const auto& sampling = request.sampling;
  std::string choices;
  for (const std::string& each : request.output.choices) choices += each + ",";
  std::string stop;
  for (const auto& each : sampling.stop.value_or(std::vector<std::string>{})) stop += each + ",";
  std::string names;
  for (const auto& each : request.tool_choice.names) names += each + ",";
  return fmt::format(
      "{} {} {} continue {} choice {} {} {} think {} {} {} output {} {} {} sampling {} {} {} {} {} "
      "{} {} stop {} n {} logprobs {}",
      request.model, to_json(messages), to_json(request.conversation.tools), request.continue_last,
      static_cast<int>(request.tool_choice.mode), names, request.tool_choice.parallel,
      static_cast<int>(request.reasoning.think.value_or(true)) +
          2 * static_cast<int>(request.reasoning.think.has_value()),
      request.reasoning.effort, request.reasoning.max_tokens.value_or(-1),
      static_cast<int>(request.output.kind), to_json(request.output.schema), choices,
      sampling.temperature.value_or(-1), sampling.top_p.value_or(-1), sampling.top_k.value_or(-1),
      sampling.presence_penalty.value_or(-9), sampling.frequency_penalty.value_or(-9),
      sampling.seed.value_or(0), sampling.max_tokens.value_or(-1), stop, request.n,
      request.n_logprobs);
}

void expect_fields(const std::string& folder, const std::vector<std::string>& case_files,
                   const Read& read) {
  std::set<std::string> covered;
  size_t n_refused = 0, n_ignored = 0;
  for (const std::string& file : case_files) {
    const json::value cases = load(folder + "/" + file);
    const json::object& base = cases.at("base").as_object();
    for (const auto& member : cases.at("honoured").as_object()) {
      covered.insert(std::string(member.key()));
      expect_honoured(std::string(member.key()), body_of(base, member.value().at(0)),
                      body_of(base, member.value().at(1)), read);
    }
    for (const auto& member : cases.at("refused").as_object()) {
      covered.insert(std::string(member.key()));
      expect_refused(std::string(member.key()), body_of(base, member.value()), read);
      ++n_refused;
    }
    for (const auto& member : cases.at("ignored").as_object()) {
      covered.insert(std::string(member.key()));
      expect_ignored(std::string(member.key()), body_of(base, member.value()), read);
      ++n_ignored;
    }
  }
  const json::value list = load(folder + "/fields.json");
  const json::array& fields = list.at("fields").as_array();
  for (const json::value& field : fields) {
    EXPECT_TRUE(covered.contains(std::string(field.as_string()))) << field.as_string();
  }
  EXPECT_GT(fields.size(), 50u);
  EXPECT_LE(n_ignored * 100, fields.size() * 5);
  EXPECT_LE(n_refused * 100, fields.size() * 15);
}

}  // namespace strata::api::testing
