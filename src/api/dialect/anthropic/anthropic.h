// The Anthropic dialect's parts, internal to this folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/dialect/answer.h"
#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api::anthropic {

// What reading a request collects besides the request itself.
struct Marks {
  int32_t n_breakpoints = 0;  // blocks that carry cache_control
  std::vector<std::string> ignored = {};
};

// A request as read from the wire.
struct Parsed {
  ChatRequest request = {};
  bool stream = false;
  bool caches = false;         // it says cache_control somewhere
  bool shows_thinking = true;  // thinking.display is not "omitted"
};

// Of /v1/messages and of /v1/messages/count_tokens. A model that is not named is "". FieldError,
// Error{invalid_argument}.
Parsed parse_message(const std::string& body);
ChatRequest parse_count(const std::string& body);

// The parts of a request, one file each.
void read_system(Fields& fields, ChatRequest& request, Marks& marks);
void read_messages(Fields& fields, ChatRequest& request, Marks& marks);
void read_tools(Fields& fields, ChatRequest& request, Marks& marks);
// "cache_control" of a block, a tool or the request.
void read_cache_control(Fields& fields, Marks& marks);

// The text of a block that only brings text ("text", "document", "search_result"). FieldError for
// every other kind.
std::string read_text_block(Fields& block, const std::string& type, Marks& marks);

// What stands in a thinking block as its signature: it says whether the text is as we wrote it.
std::string sign(std::string_view thinking);
bool is_signature(std::string_view signature);

// A conversation that is held by the server is to be gone on with. Its code makes Anthropic's
// libraries send the conversation whole.
class UnknownThread : public FieldError {
 public:
  explicit UnknownThread(const std::string& field);
};

json::object error_json(const Error& error);

struct WriterInfo {
  std::string id;  // of the message
  std::string model;
  int32_t max_tokens = 0;
  bool caches = false;
  bool shows_thinking = true;
};
std::shared_ptr<AnswerWriter> message_writer(WriterInfo info);

// /v1/messages/batches and below.
void create_batch(const std::shared_ptr<Exchange>& exchange, const Services& services);
void list_batches(const std::shared_ptr<Exchange>& exchange, const Services& services);
void get_batch(const std::shared_ptr<Exchange>& exchange, const Services& services);
void delete_batch(const std::shared_ptr<Exchange>& exchange, const Services& services);
void cancel_batch(const std::shared_ptr<Exchange>& exchange, const Services& services);
void batch_results(const std::shared_ptr<Exchange>& exchange, const Services& services);

// The models, in Anthropic's shape.
void list_models(const std::shared_ptr<Exchange>& exchange, const Services& services);
void get_model(const std::shared_ptr<Exchange>& exchange, const Services& services);

// How many rows of a list `limit` asks for. FieldError{invalid_argument}: not from 1 to 1,000.
int64_t read_limit(const std::string& query);

}  // namespace strata::api::anthropic
