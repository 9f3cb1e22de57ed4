// "systemInstruction" and "contents": parts become the conversation's messages.
#include <deque>

#include "api/dialect/gemini/gemini.h"
#include "api/limits.h"

namespace strata::api::gemini {
namespace {

using models::Message;

constexpr std::string_view kBetweenParts = "\n\n";  // of what a person or the instruction says

void append(std::string& text, std::string_view piece, std::string_view between) {
  if (!text.empty() && !piece.empty()) text += between;
  text += piece;
}

void refuse_media(Fields& part) {
  for (const std::string_view key : {"inlineData", "fileData"}) {
    if (!part.has(key)) continue;
    part.fail(key, "is not supported: the models of this server read text only",
              "send what it says as text");
  }
}

// What may stand on any part and says nothing to a model that reads text.
void end_part(Fields& part, std::vector<std::string>& ignored) {
  static constexpr std::array<std::string_view, 5> kIgnored{
      "thoughtSignature", "partMetadata", "videoMetadata", "mediaResolution", "mediaProcessing"};
  part.ignore_unread(kIgnored, ignored);
}

// A call that no result has come for.
struct OpenCall {
  std::string id, name;
};

// Reads contents into messages. Contents of one role that follow each other become one.
class Reader {
 public:
  explicit Reader(ChatRequest& request)
      : messages_(request.conversation.messages), ignored_(request.ignored) {}

  void content(Fields content) {
    const std::string role = content.text("role").value_or("user");
    if (role != "user" && role != "model" && role != "function") {
      content.fail("role", "must be user or model");
    }
    const auto parts = content.array("parts", kMaxContentParts);
    if (parts.empty()) content.fail("parts", "must have at least one part");
    for (size_t i = 0; i < parts.size(); ++i) {
      part(role, Fields(parts[i], fmt::format("{}[{}]", content.path("parts"), i)));
    }
    content.refuse_unread();
  }

 private:
  void part(const std::string& role, Fields part) {
    refuse_media(part);
    if (auto call = part.object("functionCall")) {
      if (role != "model") part.fail("functionCall", "is the model's, its content's role is not");
      function_call(*call);
    } else if (auto response = part.object("functionResponse")) {
      if (role == "model") part.fail("functionResponse", "can't be the model's");
      function_response(*response);
    } else {
      text(role, part);
    }
    end_part(part, ignored_);
  }

  void text(const std::string& role, Fields& part) {
    const auto text = part.text("text");
    if (!text) {
      end_part(part, ignored_);  // names a kind of part that is not known
      part.fail("text", "is missing");
    }
    const bool thought = part.boolean("thought").value_or(false);
    if (role != "model") {
      if (thought) part.fail("thought", "is the model's, its content's role is not");
      append(last_of("user").content, *text, kBetweenParts);
    } else if (thought) {
      last_of("assistant").reasoning += *text;
    } else {
      last_of("assistant").content += *text;
    }
  }

  void function_call(Fields& part) {
    models::ToolCall call;
    call.name = part.required_text("name");
    call.id = part.text("id").value_or(fmt::format("call_{}", n_calls_));
    ++n_calls_;
    const json::value* args = part.get("args");
    if (args != nullptr && !args->is_object()) part.fail("args", "must be an object");
    call.arguments = args != nullptr ? to_json(*args) : "{}";
    part.refuse_unread();
    Message& message = last_of("assistant");
    if (message.tool_calls.size() >= kMaxToolCalls) {
      part.fail("name", fmt::format("is of call {} of one turn, the limit is {}",
                                    message.tool_calls.size() + 1, kMaxToolCalls));
    }
    open_.push_back({call.id, call.name});
    message.tool_calls.push_back(std::move(call));
  }

  // Belongs to the call with its id, or to the first open one with its name.
  void function_response(Fields& part) {
    const std::string name = part.required_text("name");
    const auto id = part.text("id");
    const auto call = std::ranges::find_if(open_, [&](const OpenCall& each) {
      return each.name == name && (!id || id->empty() || each.id == *id);
    });
    if (call == open_.end()) part.fail("name", "is that of no functionCall before that is open");
    const json::value* response = part.get("response");
    if (response == nullptr || !response->is_object()) {
      part.fail("response", "must be an object");
    }
    if (part.boolean("willContinue").value_or(false)) {
      part.fail("willContinue", "must be false: a result comes whole");
    }
    part.refuse_unread();
    Message message;
    message.role = "tool";
    message.name = name;
    message.tool_call_id = call->id;
    message.content = to_json(*response);
    open_.erase(call);
    messages_.push_back(std::move(message));
  }

  Message& last_of(const std::string& role) {
    if (messages_.empty() || messages_.back().role != role) messages_.emplace_back().role = role;
    return messages_.back();
  }

  std::vector<Message>& messages_;
  std::vector<std::string>& ignored_;
  std::deque<OpenCall> open_;
  size_t n_calls_ = 0;
};

}  // namespace

std::string read_text_content(Fields content, std::vector<std::string>& ignored) {
  content.text("role");  // whose it is says its place
  std::string text;
  const auto parts = content.array("parts", kMaxContentParts);
  for (size_t i = 0; i < parts.size(); ++i) {
    Fields part(parts[i], fmt::format("{}[{}]", content.path("parts"), i));
    refuse_media(part);
    const auto piece = part.text("text");
    end_part(part, ignored);
    if (!piece) part.fail("text", "is missing");
    append(text, *piece, kBetweenParts);
  }
  content.refuse_unread();
  return text;
}

void read_contents(Fields& fields, ChatRequest& request) {
  auto& messages = request.conversation.messages;
  if (auto instruction = fields.object("systemInstruction")) {
    std::string text = read_text_content(*instruction, request.ignored);
    if (!text.empty()) {
      Message& message = messages.emplace_back();
      message.role = "system";
      message.content = std::move(text);
    }
  }
  const auto contents = fields.array("contents", kMaxMessages);
  if (contents.empty()) fields.fail("contents", "must have at least one content");
  Reader reader(request);
  for (size_t i = 0; i < contents.size(); ++i) {
    reader.content(Fields(contents[i], fmt::format("contents[{}]", i)));
  }
  const Message& last = messages.back();
  if (last.role != "assistant") return;
  if (!last.tool_calls.empty()) {
    fields.fail("contents", "end with a functionCall that no functionResponse answers");
  }
  request.continue_last = true;
}

}  // namespace strata::api::gemini
