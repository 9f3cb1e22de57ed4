// Answers of /v1/messages: a message whole, or the events of one that is being written.
#include "api/dialect/anthropic/anthropic.h"
#include "core/ascii.h"

namespace strata::api::anthropic {
namespace {

using inference::Event;
using inference::FinishReason;

enum class BlockKind { none, thinking, text, tool_use };

// How an answer ended.
struct Ending {
  FinishReason reason = FinishReason::stop;
  std::string stop_string;
  bool called = false;  // a tool
  int32_t completion_tokens = 0;
};

void append_event(std::string& out, std::string_view name, const json::value& value) {
  out += "event: ";
  out += name;
  out += "\ndata: ";
  out += to_json(value);
  out += "\n\n";
}

// Every token of the prompt is one of three: read from the cache, put into it because the request
// says cache_control, or the rest. The cache keeps whole prompts, wherever the breakpoints stand.
json::object usage_json(int64_t prompt, int64_t cached, int64_t completion, int64_t thinking,
                        bool caches) {
  const int64_t fresh = prompt - cached;
  return {{"input_tokens", caches ? 0 : fresh},
          {"cache_creation_input_tokens", caches ? fresh : 0},
          {"cache_read_input_tokens", cached},
          {"output_tokens", completion},
          {"output_tokens_details", json::object{{"thinking_tokens", thinking}}}};
}

std::optional<json::object> parsed_object(const std::string& text) {
  try {
    json::value value = parse_json(text);
    if (value.is_object()) return std::move(value.get_object());
  } catch (const Error&) {
  }
  return std::nullopt;
}

// JSON that was cut off.
struct OpenJson {
  size_t last = 0;      // behind its last bracket or at its last comma: what is before is whole
  std::string closers;  // of the brackets that are open there, which are those open at the end
};

OpenJson open_json(std::string_view text) {
  OpenJson open;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++i;
    if (quoted) continue;
    if (c == '{' || c == '[') open.closers.push_back(c == '{' ? '}' : ']');
    if ((c == '}' || c == ']') && !open.closers.empty()) open.closers.pop_back();
    if (c == ',') open.last = i;
    if (c == '{' || c == '[' || c == '}' || c == ']') open.last = i + 1;
  }
  std::ranges::reverse(open.closers);
  return open;
}

// An object that was cut off has what is whole of it, however deep, as Anthropic's libraries make
// it of the same text in a stream; but not a number at the end, which might have gone on.
json::object input_json(const std::string& arguments) {
  if (auto whole = parsed_object(arguments)) return std::move(*whole);
  const OpenJson open = open_json(arguments);
  const bool goes_on = !arguments.empty() && is_ascii_digit(arguments.back());
  auto all = goes_on ? std::nullopt : parsed_object(arguments + open.closers);
  if (all) return std::move(*all);
  const std::string before = arguments.substr(0, open.last) + open.closers;
  return parsed_object(before).value_or(json::object{});
}

class MessageWriter final : public AnswerWriter {
 public:
  explicit MessageWriter(WriterInfo info) : info_(std::move(info)) {}

  std::string_view stream_type() const override { return "text/event-stream; charset=utf-8"; }

  void event(const ChatEvent& event, std::string& out) override {
    begin(event.event.usage, out);
    if (!event.reasoning.empty()) write_thinking(event.reasoning, out);
    if (!event.event.text.empty()) write_text(event.event.text, out);
    for (const models::ToolCallPiece& piece : event.calls) write_call(piece, out);
    if (event.event.kind != Event::Kind::finished) return;
    ending_ = {.reason = event.event.reason,
               .stop_string = event.event.stop_string,
               .called = call_ >= 0,
               .completion_tokens = event.event.usage.completion_tokens};
  }

  void close(const Totals& totals, std::string& out) override {
    end_block(out);
    json::object event{
        {"type", "message_delta"},
        {"delta", ending_json(ending_)},
        {"usage", usage_json(totals.prompt_tokens, totals.cached_tokens, totals.completion_tokens,
                             totals.reasoning_tokens, info_.caches)}};
    put_context_change(totals.context_change.get(), event);
    append_event(out, "message_delta", event);
    append_event(out, "message_stop", json::object{{"type", "message_stop"}});
  }

  void error(const Error& error, std::string& out) override {
    append_event(out, "error", error_json(error));
  }

  // Before the message has begun a comment: its event is the first, and comes with the first text.
  void ping(std::string& out) override {
    if (!begun_) {
      out += ": still working\n\n";
    } else {
      append_event(out, "ping", json::object{{"type", "ping"}});
    }
  }

  Response whole(const std::vector<WholeChoice>& choices, const Totals& totals) override {
    const WholeChoice& choice = choices.front();
    json::object message = head();
    json::array& content = message["content"].get_array();
    if (!choice.reasoning.empty()) {
      content.push_back(json::object{{"type", "thinking"},
                                     {"thinking", shown(choice.reasoning)},
                                     {"signature", sign(choice.reasoning)}});
    }
    if (!choice.text.empty()) content.push_back(text_block(choice.text));
    for (const models::ToolCall& call : choice.calls) {
      content.push_back(tool_use_block(call.id, call.name, input_json(call.arguments)));
    }
    const Ending ending{.reason = choice.reason,
                        .stop_string = choice.stop_string,
                        .called = !choice.calls.empty(),
                        .completion_tokens = choice.usage.completion_tokens};
    for (auto& member : ending_json(ending)) message[member.key()] = member.value();
    message["usage"] = message_usage(totals.prompt_tokens, totals.cached_tokens,
                                     totals.completion_tokens, totals.reasoning_tokens);
    put_context_change(totals.context_change.get(), message);
    Response response;
    response.body = to_json(message);
    return response;
  }

 private:
  void begin(const inference::Usage& usage, std::string& out) {
    if (begun_) return;
    begun_ = true;
    json::object message = head();
    message["usage"] = message_usage(usage.prompt_tokens, usage.cached_tokens, 0, 0);
    append_event(out, "message_start",
                 json::object{{"type", "message_start"}, {"message", std::move(message)}});
  }

  json::object head() const {
    return {{"id", info_.id},          {"type", "message"},        {"role", "assistant"},
            {"model", info_.model},    {"content", json::array{}}, {"stop_reason", nullptr},
            {"stop_sequence", nullptr}};
  }

  json::object message_usage(int64_t prompt, int64_t cached, int64_t completion,
                             int64_t thinking) const {
    json::object usage = usage_json(prompt, cached, completion, thinking, info_.caches);
    usage["service_tier"] = "standard";
    return usage;
  }

  static json::object text_block(std::string_view text) {
    return {{"type", "text"}, {"text", text}};
  }

  static json::object tool_use_block(std::string_view id, std::string_view name,
                                     json::value input) {
    return {{"type", "tool_use"}, {"id", id}, {"name", name}, {"input", std::move(input)}};
  }

  std::string shown(const std::string& thinking) const {
    return info_.shows_thinking ? thinking : std::string();
  }

  void write_thinking(const std::string& text, std::string& out) {
    if (block_ != BlockKind::thinking) {
      begin_block(BlockKind::thinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}},
                  out);
    }
    thinking_ += text;
    if (info_.shows_thinking) delta({{"type", "thinking_delta"}, {"thinking", text}}, out);
  }

  void write_text(const std::string& text, std::string& out) {
    if (block_ != BlockKind::text) begin_block(BlockKind::text, text_block(""), out);
    delta({{"type", "text_delta"}, {"text", text}}, out);
  }

  void write_call(const models::ToolCallPiece& piece, std::string& out) {
    if (block_ != BlockKind::tool_use || call_ != piece.index) {
      begin_block(BlockKind::tool_use, tool_use_block(piece.id, piece.name, json::object{}), out);
      call_ = piece.index;
    }
    if (piece.arguments.empty()) return;
    delta({{"type", "input_json_delta"}, {"partial_json", piece.arguments}}, out);
  }

  void begin_block(BlockKind kind, json::object block, std::string& out) {
    end_block(out);
    block_ = kind;
    append_event(out, "content_block_start",
                 json::object{{"type", "content_block_start"},
                              {"index", index_},
                              {"content_block", std::move(block)}});
  }

  void end_block(std::string& out) {
    if (block_ == BlockKind::none) return;
    if (block_ == BlockKind::thinking) {
      delta({{"type", "signature_delta"}, {"signature", sign(thinking_)}}, out);
      thinking_.clear();
    }
    append_event(out, "content_block_stop",
                 json::object{{"type", "content_block_stop"}, {"index", index_++}});
    block_ = BlockKind::none;
  }

  void delta(json::object delta, std::string& out) const {
    append_event(
        out, "content_block_delta",
        json::object{
            {"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}});
  }

  // A length that the request did not set is the context's.
  json::object ending_json(const Ending& ending) const {
    std::string_view reason = "end_turn";
    json::value stop = nullptr;
    if (ending.reason == FinishReason::length) {
      reason = ending.completion_tokens < info_.max_tokens ? "model_context_window_exceeded"
                                                           : "max_tokens";
    } else if (!ending.stop_string.empty()) {
      reason = "stop_sequence";
      stop = json::string(ending.stop_string);
    } else if (ending.called) {
      reason = "tool_use";
    }
    return {{"stop_reason", reason}, {"stop_sequence", std::move(stop)}};
  }

  const WriterInfo info_;
  bool begun_ = false;
  BlockKind block_ = BlockKind::none;
  int32_t index_ = 0;  // of the block at hand, or of the next one
  int32_t call_ = -1;  // the last one's index
  std::string thinking_;
  Ending ending_;
};

}  // namespace

std::shared_ptr<AnswerWriter> message_writer(WriterInfo info) {
  return std::make_shared<MessageWriter>(std::move(info));
}

}  // namespace strata::api::anthropic
