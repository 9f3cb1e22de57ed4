#include <algorithm>
#include <array>
#include <span>

#include "api/dialect/responses/responses.h"
#include "api/limits.h"
#include "core/base64.h"

namespace strata::api::responses {
namespace {

constexpr std::string_view kSeal = "strata1.";

std::string id_prefix(std::string_view type) {
  if (type == "function_call") return "fc_";
  if (type == "function_call_output") return "fco_";
  if (type == "reasoning") return "rs_";
  if (type == "compaction") return "cmp_";
  return "msg_";
}

[[noreturn]] void refuse_part(Fields& part, const std::string& type) {
  if (type == "input_image" || type == "input_file" || type == "input_audio") {
    throw Error(Code::unimplemented,
                fmt::format("{} is '{}': models that see, hear or read files are not built",
                            part.path("type"), type),
                "send text parts only");
  }
  part.fail("type", fmt::format("is '{}', which is no part of a message", type.substr(0, 40)),
            "send {\"type\": \"input_text\", \"text\": …}");
}

void refuse_item(Fields& fields, const std::string& type) {
  static constexpr std::array<std::string_view, 20> kKnown{"file_search_call",
                                                           "web_search_call",
                                                           "computer_call",
                                                           "computer_call_output",
                                                           "image_generation_call",
                                                           "code_interpreter_call",
                                                           "local_shell_call",
                                                           "local_shell_call_output",
                                                           "shell_call",
                                                           "shell_call_output",
                                                           "apply_patch_call",
                                                           "apply_patch_call_output",
                                                           "mcp_list_tools",
                                                           "mcp_approval_request",
                                                           "mcp_approval_response",
                                                           "mcp_call",
                                                           "custom_tool_call",
                                                           "custom_tool_call_output",
                                                           "tool_search_call",
                                                           "tool_search_output"};
  if (std::ranges::find(kKnown, type) != kKnown.end()) {
    refuse_tool(fields, type, fmt::format("is '{}': the tool behind it is not built", type));
  }
  fields.fail("type", fmt::format("is '{}', which is no item", type.substr(0, 40)),
              "items are message, function_call, function_call_output, reasoning, item_reference "
              "and compaction");
}

// A text, or parts of which each has one; kept as parts of `kept_type`.
json::array read_parts(Fields& fields, std::string_view key, std::string_view kept_type) {
  const json::value* value = fields.get(key);
  if (!value) fields.fail(key, "is missing");
  json::array parts;
  const auto add = [&](std::string text) {
    json::object part{{"type", kept_type}, {"text", std::move(text)}};
    if (kept_type == "output_text") {
      part["annotations"] = json::array{};
      part["logprobs"] = json::array{};
    }
    parts.push_back(std::move(part));
  };
  if (value->is_string()) {
    add(std::string(value->get_string()));
    return parts;
  }
  size_t i = 0;
  for (const json::value& each : fields.array(key, kMaxContentParts)) {
    Fields part(each, fmt::format("{}[{}]", fields.path(key), i++));
    const std::string type = part.required_text("type");
    if (type == "refusal") {
      parts.push_back({{"type", "refusal"}, {"refusal", part.required_text("refusal")}});
      continue;
    }
    if (type != "input_text" && type != "output_text" && type != "text" &&
        type != "reasoning_text" && type != "summary_text") {
      refuse_part(part, type);
    }
    const auto text = part.text("text");
    if (!text) part.fail("text", "is missing");
    std::vector<std::string> none;  // of our own answers, sent back as history
    // A beginning is found again without being told where it ends.
    static constexpr std::array<std::string_view, 3> kEmpty{"annotations", "logprobs",
                                                            "prompt_cache_breakpoint"};
    part.ignore_unread(kEmpty, none);
    add(*text);
  }
  return parts;
}

void read_message(Fields& fields, json::object& item) {
  const std::string role = fields.required_text("role");
  static constexpr std::array<std::string_view, 4> kRoles{"user", "assistant", "system",
                                                          "developer"};
  if (std::ranges::find(kRoles, role) == kRoles.end()) {
    fields.fail("role", "must be user, assistant, system or developer");
  }
  item["role"] = role;
  item["content"] =
      read_parts(fields, "content", role == "assistant" ? "output_text" : "input_text");
}

// Calls are made by the model itself, one after the other, of tools in one space of names.
void expect_direct(Fields& fields) {
  if (auto caller = fields.object("caller")) {
    if (caller->required_text("type") != "direct") {
      caller->fail("type", "is no call of the model itself, and others are not built");
    }
    caller->refuse_unread();
  }
  if (fields.boolean("async").value_or(false)) fields.fail("async", "is true, which is not built");
}

void read_call(Fields& fields, json::object& item) {
  expect_direct(fields);
  item["call_id"] = fields.required_text("call_id");
  item["name"] = fields.required_text("name");
  item["arguments"] = fields.text("arguments").value_or("{}");
}

void read_call_output(Fields& fields, json::object& item) {
  expect_direct(fields);
  item["call_id"] = fields.required_text("call_id");
  if (const auto name = fields.text("name")) item["name"] = *name;
  const json::value* output = fields.get("output");
  if (output && output->is_string()) {
    item["output"] = output->get_string();
  } else {
    item["output"] = read_parts(fields, "output", "input_text");
  }
}

void read_reasoning(Fields& fields, json::object& item) {
  json::array content;
  if (fields.has("content")) content = read_parts(fields, "content", "reasoning_text");
  json::array summary;
  if (fields.has("summary")) summary = read_parts(fields, "summary", "summary_text");
  const auto sealed = fields.text("encrypted_content");
  if (content.empty() && sealed && !sealed->empty()) {
    const auto text = unseal(*sealed);
    if (!text) {
      fields.fail("encrypted_content", "is not of this server, which cannot read it",
                  "leave the reasoning of other servers out");
    }
    content.push_back({{"type", "reasoning_text"}, {"text", *text}});
  }
  item["summary"] = std::move(summary);
  item["content"] = std::move(content);
}

void read_compaction(Fields& fields, json::object& item) {
  const std::string sealed = fields.required_text("encrypted_content");
  if (!unseal(sealed)) {
    fields.fail("encrypted_content", "is not of this server, which cannot read it",
                "make one with /v1/responses/compact");
  }
  item["encrypted_content"] = sealed;
}

json::object referenced(Fields& fields, const FindItem& find_item) {
  const std::string id = fields.required_text("id");
  fields.refuse_unread();
  auto item = find_item(id);
  if (!item) {
    throw Error(Code::not_found,
                fmt::format("{} {} is no item of yours", fields.path("id"),
                            json_quote(std::string_view(id).substr(0, 80), true)),
                "items of responses made with store: false are not kept");
  }
  (*item)["id"] = new_id(id_prefix(std::string_view((*item)["type"].as_string())));
  return std::move(*item);
}

}  // namespace

std::string seal(std::string_view text) {
  return std::string(kSeal) + base64(std::as_bytes(std::span(text.data(), text.size())));
}

std::optional<std::string> unseal(std::string_view sealed) {
  if (!sealed.starts_with(kSeal)) return std::nullopt;
  return from_base64(sealed.substr(kSeal.size()));
}

json::object read_item(const json::value& value, const std::string& path,
                       const FindItem& find_item) {
  Fields fields(value, path);
  const bool easy = !fields.has("type") && fields.has("role");
  const std::string type = easy ? "message" : fields.required_text("type");
  if (type == "item_reference") return referenced(fields, find_item);
  json::object item{{"id", new_id(id_prefix(type))}, {"type", type}};
  if (type == "message") {
    read_message(fields, item);
  } else if (type == "function_call") {
    read_call(fields, item);
  } else if (type == "function_call_output") {
    read_call_output(fields, item);
  } else if (type == "reasoning") {
    read_reasoning(fields, item);
  } else if (type == "compaction") {
    read_compaction(fields, item);
  } else {
    refuse_item(fields, type);
  }
  item["status"] = "completed";
  // The item's own id and state as another answer had them; it is an item of its own here.
  std::vector<std::string> none;
  static constexpr std::array<std::string_view, 4> kKnown{"id", "status", "phase", "created_by"};
  fields.ignore_unread(kKnown, none);
  return item;
}

json::array read_items(Fields& fields, std::string_view key, size_t max_count,
                       const FindItem& find_item) {
  json::array items;
  size_t i = 0;
  for (const json::value& each : fields.array(key, max_count)) {
    items.push_back(read_item(each, fmt::format("{}[{}]", fields.path(key), i++), find_item));
  }
  return items;
}

}  // namespace strata::api::responses
