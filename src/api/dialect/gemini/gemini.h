// The Gemini dialect's parts, internal to this folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/dialect/answer.h"
#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api::gemini {

// A request as read from the wire.
struct Parsed {
  ChatRequest request = {};
  bool shows_thoughts = false;  // thinkingConfig.includeThoughts
};

// Of generateContent and of countTokens. FieldError, Error{invalid_argument}.
Parsed parse_generate(const std::string& model, const std::string& body);
ChatRequest parse_count(const std::string& model, const std::string& body);

// The body with every key in its camelCase form: protobuf's JSON takes "system_instruction" as
// "systemInstruction". Keys of schemas, arguments and results are the caller's and stay.
// Error{invalid_argument} where both forms stand in one object.
json::value read_camel_body(const std::string& body);

// "models/NAME", or the name alone, of a field that repeats the path's. FieldError when it differs.
void check_model(Fields& fields, const std::string& model);

// The parts of a request, one file each.
void read_contents(Fields& fields, ChatRequest& request);
// A content's text: of an instruction or of something to embed. FieldError for other parts.
std::string read_text_content(Fields content, std::vector<std::string>& ignored);
void read_tools(Fields& fields, ChatRequest& request);
// Gemini's form of a schema as a JSON schema. FieldError for what it does not have.
json::value json_schema(const json::value& schema, const std::string& path);

json::object error_json(const Error& error);

struct WriterInfo {
  std::string id;
  std::string model;
  bool shows_thoughts = false;
  bool logprobs = false;
  bool events = false;  // streamed as server-sent events, not as one JSON array
};
std::shared_ptr<AnswerWriter> content_writer(WriterInfo info);

void list_models(const std::shared_ptr<Exchange>& exchange, const Services& services);
void get_model(const std::shared_ptr<Exchange>& exchange, const Services& services);
// embedContent, or batchEmbedContents.
void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect, const std::string& model, bool batch);

}  // namespace strata::api::gemini
