// The Ollama dialect's parts, internal to this folder.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/dialect/answer.h"
#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api::ollama {

// The release of Ollama whose interface is spoken; clients refuse older ones.
constexpr std::string_view kSpokenVersion = "0.12.11";

// A request to /api/chat or /api/generate as read from the wire.
struct Asked {
  ChatRequest request;
  bool chat = false;
  bool stream = true;
  bool unload = false;    // nothing is asked and keep_alive is 0
  bool context = false;   // the answer ends with the ids of all that was said
  bool logprobs = false;  // they are told
};

// FieldError, Error{invalid_argument}.
Asked parse_chat(const std::string& body);
Asked parse_generate(const std::string& body);
// Roles are checked; images are refused.
std::vector<models::Message> read_messages(Fields& fields);

using Clock = std::function<int64_t()>;  // ms since 1970
std::shared_ptr<AnswerWriter> line_writer(const Asked& asked, Clock now_ms);
// The one line that answers a request to unload.
Response unloaded(const Asked& asked, const Clock& now_ms);

// The field "options" of a request.
void read_options(Fields& fields, ChatRequest& request);
// The fields "think", "tools" and "format".
void read_think(Fields& fields, ChatRequest& request);
void read_tools(Fields& fields, ChatRequest& request);
void read_format(Fields& fields, ChatRequest& request);

// /api/embed and /api/embeddings.
void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect);
void embed_older(const std::shared_ptr<Exchange>& exchange, const Services& services,
                 const Dialect& dialect);

// What vocabularies have tokens for. Each is read once, since that takes its time. Any thread.
class Vocabularies {
 public:
  struct Facts {
    bool fills_in = false;  // a text between two others
    bool thinks = false;    // around a reasoning
  };
  // Nothing of a model that cannot be opened.
  Facts of(const models::Store& store, const models::Manifest& manifest);

 private:
  std::mutex mutex_;
  std::map<std::string, Facts> known_;  // by the manifest's digest
};

// What a model can be asked for, in Ollama's words: by these, programs decide what they offer.
// chat_template: its source, where there is one; nullopt: not known.
json::array capabilities_of(const ModelTraits& traits,
                            const std::optional<std::string>& chat_template,
                            const Vocabularies::Facts& facts);

// What is known about the models: the bodies of /api/tags, /api/ps, /api/show.
json::object tags_json(const Services& services);
json::object running_json(const Services& services);
json::object show_json(const Services& services, Vocabularies& vocabularies,
                       const std::string& model, bool verbose);

// pull, push, create, copy, delete.
void add_change_routes(RouteTable& table, const Services& services, const Dialect& dialect);

json::object error_json(const Error& error);
Response json_response(const json::value& body);
void append_line(std::string& out, const json::value& value);
// "model", or "name" as older clients write. One of the two may be empty, as Ollama's own client
// sends it: that one is not given.
std::string read_model(Fields& fields);
// A field that clients send empty, and that nothing is made of when it is not.
void refuse_if_given(Fields& fields, std::string_view key, const std::string& hint);

}  // namespace strata::api::ollama
