// From the pieces of an answer to the items that it consists of, and to the events that tell a
// client how they grow. Pure: neither clocks nor connections.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/request.h"
#include "core/json.h"

namespace strata::api::responses {

struct OutputOptions {
  bool logprobs = false;
  bool sealed_reasoning = false;
};

class OutputEvents {
 public:
  explicit OutputEvents(OutputOptions options) : options_(options) {}

  // "response.created" and its like.
  json::object lifecycle(std::string_view type, json::object response);
  // A piece of the answer. Error{internal}: pieces of a call that had ended.
  void add(const ChatEvent& event, std::vector<json::object>& out);
  // An answer that says nothing is an empty message.
  void ensure_item(std::vector<json::object>& out);
  // Ends what is open: "completed", or "incomplete" where the answer was cut.
  void close(std::string_view status, std::vector<json::object>& out);

  // The items from this one on, as they are now.
  json::array items(size_t first = 0) const;
  // The first item that has changed since this was asked last.
  size_t take_changed();

 private:
  struct Item {
    enum class Kind { reasoning, message, call } kind;
    std::string id;
    std::string text;  // of a call: its arguments
    std::string call_id, name;
    json::array logprobs;
    std::string status;
  };

  json::object event(std::string_view type);
  json::object item_event(std::string_view type);
  json::object item_json(const Item& item) const;
  json::object part_json(const Item& item) const;
  Item& open(Item::Kind kind, std::string_view prefix, std::vector<json::object>& out);
  Item& open_call(const models::ToolCallPiece& piece, std::vector<json::object>& out);
  void announce(std::vector<json::object>& out);
  void add_text(Item::Kind kind, std::string_view prefix, const std::string& text,
                const ChatEvent& event, std::vector<json::object>& out);
  bool is_open(Item::Kind kind) const;

  const OutputOptions options_;
  std::vector<Item> items_;
  bool open_ = false;  // the last item
  int32_t call_ = -1;  // the index of the open call
  size_t changed_ = 0;
  int64_t sequence_ = 0;
};

}  // namespace strata::api::responses
