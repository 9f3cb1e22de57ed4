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
#include "models/family/mask_heads.h"
#include "models/family/spec.h"
#include "models/format/model_file.h"
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
  std::shared_ptr<const ModelFile> file;
  ModelSpec spec;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;  // null: a base model
  ModelOverrides overrides;
};

// A GGUF file, or a folder in Hugging Face's layout. Errors: those of open_gguf, HfFolder and
// translate.
std::shared_ptr<const ModelFile> open_model_file(const std::filesystem::path& path,
                                                 MaskHeads masks = MaskHeads::read);
// The same with a folder's vocabulary in GGUF's keys: what a program that writes the model needs,
// and without MaskHeads.
// `name`: how the model is called where a folder's own name says nothing, as in the store.
// Errors also: those of set_vocabulary.
std::shared_ptr<const ModelFile> open_whole_model_file(const std::filesystem::path& path,
                                                       std::string_view name = {});

// What any use of the model needs: its file, what it is made of, its vocabulary.
// Errors: those of open_model_file, describe_model, Tokenizer::from_gguf, tokenizer_of.
std::shared_ptr<Model> open_model(const std::filesystem::path& file);

// With its template, too. Errors: those of open_model, ChatTemplate::parse.
std::shared_ptr<const Model> load_model(const std::filesystem::path& file, std::string name,
                                        ModelOverrides overrides = {});

// Jinja source as a template for this vocabulary. Errors: those of ChatTemplate::parse.
std::shared_ptr<const ChatTemplate> parse_template(const Tokenizer& tokenizer,
                                                   std::string_view source,
                                                   const TemplateLimits& limits = {});

// The conversation with the model's own messages in it: its default system message in front unless
// the first message is a system (or developer) message, then, behind the system message, the
// messages that come before.
Conversation with_overrides(const Model& model, Conversation conversation);

// The conversation as the template writes it, with_overrides applied.
// Error{failed_precondition} that names the ways out when the model has no template.
MarkedText render_conversation(const Model& model, const Conversation& conversation);

// A prompt: BOS in front where the vocabulary asks for one and the ids do not begin with it. No
// EOS, since what follows is the answer; but EOS, where the vocabulary asks for it, of a model
// whose encoder reads the prompt as a whole text.
std::vector<TokenId> as_prompt(const Model& model, std::vector<TokenId> ids);

// The ids of a conversation: rendered, as a prompt. Errors: those of render_conversation.
std::vector<TokenId> encode_conversation(const Model& model, const Conversation& conversation);

}  // namespace strata::models
