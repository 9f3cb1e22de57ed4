#include "api/testing/field_walk.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "api/testing/client.h"

namespace strata::api::testing {
namespace {

json::value read_data(const std::string& file) {
  std::ifstream in(STRATA_SOURCE_DIR "/src/" + file);
  EXPECT_TRUE(in) << file;
  return parse_json(std::string((std::istreambuf_iterator<char>(in)), {}));
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

// What an error calls at fault: OpenAI's "param", else its text's first word, up to what stands in
// it.
std::string param_of(const Reply& reply) {
  if (reply.status < 400) return {};
  const json::value body = parse_json(reply.body);
  const auto* error = body.as_object().if_contains("error");
  if (!error) return {};
  std::string message = error->is_string() ? std::string(error->as_string()) : std::string();
  if (error->is_object()) {
    const std::string param = text_of(error->as_object(), "param");
    if (!param.empty()) return param;
    message = text_of(error->as_object(), "message");
  }
  return message.substr(0, message.find_first_of(" :"));
}

// Without what no two answers have in common: when, how long, how fast, which one.
void drop_times(json::value& value) {
  if (value.is_array()) {
    for (json::value& each : value.get_array()) drop_times(each);
  }
  if (!value.is_object()) return;
  for (auto& [name, member] : value.get_object()) {
    drop_times(member);
    const bool is_time = name.ends_with("_at") || name.ends_with("_duration") ||
                         name.ends_with("_ms") || name.ends_with("_per_second");
    if (is_time || name == "id") member = nullptr;
  }
}

// A document, or the lines of a stream.
std::string steady(const std::string& answer) {
  std::string out;
  for (std::string_view rest = answer; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.starts_with("data: ")) line.remove_prefix(6);
    try {
      json::value value = parse_json(line);
      drop_times(value);
      out += to_json(value) + "\n";
    } catch (const Error&) {  // "event: …", "[DONE]"
      out += std::string(line) + "\n";
    }
  }
  return out;
}

std::string top_of(const std::string& field) {
  return field.substr(0, field.find_first_of(".["));
}

bool lies_in(const std::string& field, const std::string& other) {
  return field.size() > other.size() && field.starts_with(other) &&
         (field[other.size()] == '.' || field[other.size()] == '[');
}

json::object over(const json::object& base, const json::value* more) {
  json::object whole = base;
  if (!more) return whole;
  for (const auto& member : more->as_object()) whole[member.key()] = member.value();
  return whole;
}

std::set<std::string> names(const json::value& outcome, std::string_view key) {
  std::set<std::string> all;
  for (const auto& each : outcome.at(key).as_array()) all.emplace(each.as_string());
  return all;
}

std::string_view word(FieldEffect effect) {
  switch (effect) {
    case FieldEffect::honoured:
      return "honoured";
    case FieldEffect::refused:
      return "refused";
    case FieldEffect::ignored:
      return "ignored";
    case FieldEffect::none:
      return "passed over in silence";
    case FieldEffect::unseen:
      return "unseen";
  }
  return "";
}

}  // namespace

FieldWalk::FieldWalk(ScriptedOptions script, Services services)
    : FieldWalk(std::make_unique<RecordingBackend>(std::move(script)), std::move(services)) {}

FieldWalk::FieldWalk(std::unique_ptr<RecordingBackend> recording, Services services)
    : backend(recording.get()),
      running(std::unique_ptr<Backend>(std::move(recording)), std::move(services)) {}

FieldWalk::Seen FieldWalk::send(const std::string& route, const json::object& base,
                                const json::value* more) {
  backend->take();
  const Reply reply =
      fetch(running.port(), "POST", route, to_json(over(base, more)), "x-request-id: walk\r\n");
  const auto ignored = reply.headers.find("x-strata-ignored");
  return {.status = reply.status,
          .ignored = ignored == reply.headers.end() ? "" : ignored->second,
          .answer = steady(reply.body),
          .asked = backend->take(),
          .param = param_of(reply)};
}

FieldEffect FieldWalk::effect(const std::string& route, const json::object& base,
                              const json::object& field) {
  const Seen with = send(route, base, &field.at("with"));
  const Seen without = send(route, base, field.if_contains("without"));
  const std::string name = text_of(field, "field");
  if (with.status == 400 || with.status == 501) {
    EXPECT_EQ(top_of(with.param), top_of(name)) << route << " " << name << with.answer;
    return FieldEffect::refused;
  }
  if (with.status == 404) return FieldEffect::honoured;  // what it names was looked for
  EXPECT_EQ(with.status, 200) << route << " " << name << with.answer;
  if (with.ignored != without.ignored) return FieldEffect::ignored;
  const bool differs = with.asked != without.asked || with.answer != without.answer;
  return differs ? FieldEffect::honoured : FieldEffect::none;
}

std::map<std::string, FieldEffect> FieldWalk::effects(const std::string& file) {
  const json::value data = read_data(file);
  const std::string route(data.at("route").as_string());
  std::vector<std::string> closed;
  std::map<std::string, FieldEffect> found;
  for (const json::value& each : data.at("fields").as_array()) {
    const json::object& field = each.as_object();
    const std::string name = text_of(field, "field");
    const bool unseen =
        std::ranges::any_of(closed, [&](const std::string& other) { return lies_in(name, other); });
    const FieldEffect seen =
        unseen ? FieldEffect::unseen : effect(route, data.at("base").as_object(), field);
    if (seen == FieldEffect::refused || seen == FieldEffect::ignored) closed.push_back(name);
    found[route + " " + name] = seen;
  }
  return found;
}

void expect_effects(FieldWalk& walk, const std::string& folder,
                    const std::vector<std::string>& files) {
  const json::value outcome = read_data(folder + "/outcome.json");
  std::map<FieldEffect, std::set<std::string>> by_effect;
  size_t n_seen = 0;
  for (const std::string& file : files) {
    for (const auto& [name, effect] : walk.effects(folder + "/" + file)) {
      by_effect[effect].insert(name);
      if (effect != FieldEffect::unseen) ++n_seen;
    }
  }
  for (const auto& [effect, key] : {std::pair{FieldEffect::ignored, "ignored"},
                                    {FieldEffect::refused, "refused"},
                                    {FieldEffect::none, "default"}}) {
    const auto wanted = names(outcome, key);
    for (const auto& name : by_effect[effect]) {
      EXPECT_TRUE(wanted.contains(name)) << name << " is " << word(effect);
    }
    for (const auto& name : wanted) {
      EXPECT_TRUE(by_effect[effect].contains(name))
          << name << " is not " << word(effect) << " any more: take it off the list";
    }
  }
  EXPECT_LE(by_effect[FieldEffect::ignored].size() * 20, n_seen);
  EXPECT_LE(by_effect[FieldEffect::refused].size() * 100, n_seen * 15);
}

namespace {

// "name=value;" for everything that is not what a new request has.
class Note {
 public:
  template <typename T>
  Note& add(std::string_view name, const T& value, const T& otherwise = {}) {
    const std::string text = shown(value);
    if (text != shown(otherwise)) text_ += fmt::format("{}={};", name, text);
    return *this;
  }
  std::string text() && { return std::move(text_) + "\n"; }

 private:
  template <typename T>
  static std::string shown(const T& value) {
    if constexpr (requires { value.has_value(); }) {
      return value ? shown(*value) : "absent";
    } else if constexpr (std::is_same_v<T, std::vector<std::string>> ||
                         std::is_same_v<T, std::vector<int32_t>>) {
      std::string all;
      for (const auto& each : value) all += fmt::format("{},", each);
      return all;
    } else if constexpr (std::is_enum_v<T>) {
      return std::to_string(static_cast<int>(value));
    } else {
      return fmt::format("{}", value);
    }
  }
  std::string text_;
};

void add(Note& note, const models::Message& message) {
  note.add("role", message.role).add("content", message.content).add("name", message.name);
  note.add("reasoning", message.reasoning).add("tool_call_id", message.tool_call_id);
  for (const models::ToolCall& call : message.tool_calls) {
    note.add("call", fmt::format("{} {} {}", call.id, call.name, call.arguments));
  }
}

void add(Note& note, std::string_view name, const std::vector<PromptPart>& parts) {
  for (const PromptPart& part : parts) {
    note.add(name, part.text).add("ids", part.ids).add("plain", part.plain);
  }
}

void add(Note& note, const SamplingOptions& s) {
  note.add("temperature", s.temperature).add("top_p", s.top_p).add("min_p", s.min_p);
  note.add("typical_p", s.typical_p).add("top_n_sigma", s.top_n_sigma).add("top_k", s.top_k);
  note.add("xtc_probability", s.xtc_probability).add("xtc_threshold", s.xtc_threshold);
  note.add("repeat_penalty", s.repeat_penalty).add("presence_penalty", s.presence_penalty);
  note.add("frequency_penalty", s.frequency_penalty).add("dry_multiplier", s.dry_multiplier);
  note.add("dry_base", s.dry_base).add("dry_allowed_length", s.dry_allowed_length);
  note.add("dry_penalty_last_n", s.dry_penalty_last_n).add("repeat_last_n", s.repeat_last_n);
  note.add("dry_sequence_breakers", s.dry_sequence_breakers).add("mirostat", s.mirostat);
  note.add("mirostat_tau", s.mirostat_tau).add("mirostat_eta", s.mirostat_eta);
  note.add("seed", s.seed).add("max_tokens", s.max_tokens).add("stop", s.stop);
  for (const auto& [id, bias] : s.logit_bias) note.add("bias", fmt::format("{} {}", id, bias));
}

}  // namespace

std::string noted(const ChatRequest& request) {
  Note note;
  const models::Conversation& c = request.conversation;
  note.add("model", request.model).add("raw", request.raw).add("load_only", request.load_only);
  for (const models::Message& message : c.messages) add(note, message);
  note.add("tools", to_json(c.tools), std::string("[]"));
  note.add("documents", to_json(c.documents), std::string("[]"));
  note.add("variables", to_json(c.variables), std::string("{}"));
  note.add("add_generation_prompt", c.add_generation_prompt, true);
  note.add("model_messages", request.model_messages, true);
  note.add("chat_template", request.chat_template).add("prompt", request.prompt);
  note.add("prompt_ids", request.prompt_ids).add("suffix", request.suffix);
  note.add("prediction", request.prediction);
  add(note, "front", request.prompt_front);
  add(note, "back", request.prompt_back);
  note.add("anew", request.computes_anew).add("prompt_only", request.prompt_only);
  note.add("continue_last", request.continue_last).add("choice", request.tool_choice.mode);
  note.add("names", request.tool_choice.names).add("parallel", request.tool_choice.parallel, true);
  note.add("think", request.reasoning.think).add("effort", request.reasoning.effort);
  note.add("reasoning_tokens", request.reasoning.max_tokens);
  note.add("output", request.output.kind).add("rule", request.output.text);
  note.add("schema", to_json(request.output.schema), std::string("null"));
  note.add("choices", request.output.choices);
  add(note, request.sampling);
  note.add("n", request.n, 1).add("n_logprobs", request.n_logprobs, -1);
  note.add("prompt_logprobs", request.prompt_logprobs);
  note.add("ignore_end_tokens", request.ignore_end_tokens).add("context", request.context);
  note.add("most_ms", request.most_ms);
  note.add("keep_alive_ms", request.keep_alive_ms).add("priority", request.priority);
  note.add("keep_last", request.keep_last);
  note.add("end_user", request.end_user).add("system_front", request.system_front);
  if (request.context_policy) note.add("policy", std::string(name(*request.context_policy)));
  return std::move(note).text();
}

std::string noted(const EmbeddingRequest& request) {
  Note note;
  note.add("model", request.model).add("prompt_name", request.prompt_name);
  for (const EmbeddingText& input : request.inputs) {
    note.add("text", input.text).add("ids", input.ids);
  }
  note.add("query", request.query).add("truncate", request.truncate);
  note.add("most_tokens", request.most_tokens).add("context", request.context);
  note.add("keep_alive_ms", request.keep_alive_ms).add("dimensions", request.dimensions);
  note.add("normalized", request.normalized, true).add("end_user", request.end_user);
  if (request.masks) {
    note.add("top_k", request.masks->top_k);
    for (const std::string& target : request.masks->targets) note.add("target", target);
  }
  return std::move(note).text();
}

}  // namespace strata::api::testing
