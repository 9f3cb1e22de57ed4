// A model, opened and understood: its file, what it is made of, its vocabulary, its chat template
// and its own settings. Shared by the engine, the server and the commands; immutable.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat/chat_template.h"
#include "models/family/spec.h"
#include "models/format/gguf.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::models {

// What a Modelfile or a manifest puts over the file's own settings.
struct ModelOverrides {
  std::optional<std::string> chat_template;            // Jinja source
  std::string system;                                  // default system message
  std::vector<Message> messages;                       // conversation that comes before
  std::multimap<std::string, std::string> parameters;  // Ollama's names; `stop` may repeat
};

struct Model {
  std::string name;  // as the user calls it
  std::shared_ptr<const GgufFile> file;
  ModelSpec spec;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;  // null: a base model
  ModelOverrides overrides;
};

// Errors: those of GgufFile::open, describe_model, Tokenizer::from_gguf, ChatTemplate::parse.
std::shared_ptr<const Model> load_model(const std::filesystem::path& file, std::string name,
                                        ModelOverrides overrides = {});

// Jinja source as a template for this vocabulary. Errors: those of ChatTemplate::parse.
std::shared_ptr<const ChatTemplate> parse_template(const Tokenizer& tokenizer,
                                                   std::string_view source);

// The conversation with the model's own messages in it: its default system message in front unless
// the first message is a system (or developer) message, then, behind the system message, the
// messages that come before.
Conversation with_overrides(const Model& model, Conversation conversation);

// The ids of a conversation, with_overrides applied, rendered, BOS as the model wants it.
// Error{failed_precondition} that names the ways out when the model has no template.
std::vector<TokenId> encode_conversation(const Model& model, const Conversation& conversation);

}  // namespace strata::models
