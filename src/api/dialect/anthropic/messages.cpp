// "system" and "messages": turns of blocks become the conversation's messages.
#include <map>

#include "api/dialect/anthropic/anthropic.h"
#include "api/limits.h"

namespace strata::api::anthropic {
namespace {

using models::Message;

constexpr std::string_view kBetweenBlocks = "\n\n";  // of what a person or the system says

void append(std::string& text, std::string_view piece, std::string_view between) {
  if (!text.empty() && !piece.empty()) text += between;
  text += piece;
}

// Reads turns into messages. Turns of one role that follow each other become one.
class Reader {
 public:
  Reader(std::vector<Message>& messages, Marks& marks) : messages_(messages), marks_(marks) {}

  void turn(Fields turn) {
    const std::string role = turn.required_text("role");
    if (role != "user" && role != "assistant" && role != "system") {
      turn.fail("role", "must be user, assistant or system");
    }
    const json::value* content = turn.get("content");
    if (content == nullptr) turn.fail("content", "is missing");
    if (content->is_string()) {
      say(role, std::string_view(content->get_string()));
    } else {
      const auto blocks = turn.array("content", kMaxContentParts);
      if (blocks.empty()) turn.fail("content", "has no blocks");
      for (size_t i = 0; i < blocks.size(); ++i) {
        block(role, Fields(blocks[i], fmt::format("{}[{}]", turn.path("content"), i)));
      }
    }
    turn.refuse_unread();
  }

 private:
  void block(const std::string& role, Fields block) {
    const std::string type = block.required_text("type");
    if (type == "tool_result" && role == "user") {
      tool_result(block);
    } else if (type == "tool_use" && role == "assistant") {
      tool_use(block);
    } else if (type == "thinking" && role == "assistant") {
      thinking(block);
    } else if (type == "redacted_thinking" && role == "assistant") {
      block.required_text("data");  // only its writer can read it
      marks_.ignored.push_back(block.path("data"));
    } else {
      say(role, read_text_block(block, type, marks_));
    }
    block.refuse_unread();
  }

  void say(const std::string& role, std::string_view text) {
    Message& message = last_of(role);
    append(message.content, text, role == "assistant" ? "" : kBetweenBlocks);
  }

  void thinking(Fields& block) {
    const auto text = block.text("thinking");
    if (!text) block.fail("thinking", "is missing");
    const auto signature = block.text("signature");
    if (!signature) block.fail("signature", "is missing");
    if (!is_signature(*signature)) {  // another server's, or a prompt's own
      if (!signature->empty()) marks_.ignored.push_back(block.path("signature"));
    } else if (!text->empty() && *signature != sign(*text)) {
      block.fail("signature", "does not fit the thinking, which was changed",
                 "send thinking blocks as they came, or leave them out");
    }
    append(last_of("assistant").reasoning, *text, kBetweenBlocks);
  }

  void tool_use(Fields& block) {
    models::ToolCall call;
    call.id = block.required_text("id");
    call.name = block.required_text("name");
    const json::value* input = block.get("input");
    if (input == nullptr || !input->is_object()) block.fail("input", "must be an object");
    call.arguments = to_json(*input);
    if (auto caller = block.object("caller")) {
      if (caller->required_text("type") != "direct") caller->fail("type", "must be direct");
      caller->refuse_unread();
    }
    read_cache_control(block, marks_);
    if (!names_.emplace(call.id, call.name).second) {
      block.fail("id", "is that of an earlier tool_use");
    }
    Message& message = last_of("assistant");
    if (message.tool_calls.size() >= kMaxToolCalls) {
      block.fail("type", fmt::format("is the {}th call of one turn, the limit is {}",
                                     message.tool_calls.size() + 1, kMaxToolCalls));
    }
    message.tool_calls.push_back(std::move(call));
  }

  void tool_result(Fields& block) {
    Message message;
    message.role = "tool";
    message.tool_call_id = block.required_text("tool_use_id");
    const auto name = names_.find(message.tool_call_id);
    if (name == names_.end()) {
      block.fail("tool_use_id", "is that of no tool_use in the turns before");
    }
    message.name = name->second;
    read_cache_control(block, marks_);
    if (block.boolean("is_error").value_or(false)) message.content = "Error: ";
    message.content += result_text(block);
    messages_.push_back(std::move(message));
  }

  std::string result_text(Fields& result) {
    const json::value* content = result.get("content");
    if (content == nullptr) return {};
    if (content->is_string()) return std::string(content->get_string());
    const auto blocks = result.array("content", kMaxContentParts);
    std::string text;
    for (size_t i = 0; i < blocks.size(); ++i) {
      Fields block(blocks[i], fmt::format("{}[{}]", result.path("content"), i));
      append(text, read_text_block(block, block.required_text("type"), marks_), kBetweenBlocks);
      block.refuse_unread();
    }
    return text;
  }

  Message& last_of(const std::string& role) {
    if (messages_.empty() || messages_.back().role != role) {
      messages_.emplace_back().role = role;
    }
    return messages_.back();
  }

  std::vector<Message>& messages_;
  Marks& marks_;
  std::map<std::string, std::string> names_;  // of the calls so far, by id
};

}  // namespace

void read_system(Fields& fields, ChatRequest& request, Marks& marks) {
  const json::value* system = fields.get("system");
  if (system == nullptr) return;
  std::string text;
  if (system->is_string()) {
    text = system->get_string();
  } else {
    const auto blocks = fields.array("system", kMaxContentParts);
    for (size_t i = 0; i < blocks.size(); ++i) {
      Fields block(blocks[i], fmt::format("system[{}]", i));
      append(text, read_text_block(block, block.required_text("type"), marks), kBetweenBlocks);
      block.refuse_unread();
    }
  }
  if (text.empty()) return;
  Message message;
  message.role = "system";
  message.content = std::move(text);
  request.conversation.messages.insert(request.conversation.messages.begin(), std::move(message));
}

void read_messages(Fields& fields, ChatRequest& request, Marks& marks) {
  const auto turns = fields.array("messages", kMaxMessages);
  if (turns.empty()) fields.fail("messages", "must have at least one message");
  auto& messages = request.conversation.messages;
  Reader reader(messages, marks);
  for (size_t i = 0; i < turns.size(); ++i) {
    reader.turn(Fields(turns[i], fmt::format("messages[{}]", i)));
  }
  const Message& last = messages.back();
  if (last.role != "assistant") return;
  if (!last.tool_calls.empty()) {
    fields.fail("messages", "end with a tool_use that no tool_result answers",
                "send the result as a user's tool_result block");
  }
  request.continue_last = true;
}

}  // namespace strata::api::anthropic
