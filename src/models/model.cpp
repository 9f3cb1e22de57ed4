#include "models/model.h"

#include <utility>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/format/gguf.h"
#include "models/hf_tokenizer.h"

namespace strata::models {
namespace {

std::string spelled(const Tokenizer& tokenizer, TokenId id) {
  return id < 0 ? std::string() : tokenizer.piece(id, true);
}

std::shared_ptr<const ChatTemplate> load_template(const Model& model) {
  std::string source = model.overrides.chat_template.value_or("");
  if (!model.overrides.chat_template) {
    source = model.file->text("tokenizer.chat_template").value_or("");
  }
  if (source.empty()) return nullptr;
  return parse_template(*model.tokenizer, source);
}

bool begins_with_system(const Conversation& conversation) {
  if (conversation.messages.empty()) return false;
  const std::string& role = conversation.messages.front().role;
  return role == "system" || role == "developer";
}

}  // namespace

std::shared_ptr<const ChatTemplate> parse_template(const Tokenizer& tokenizer,
                                                   std::string_view source,
                                                   const TemplateLimits& limits) {
  return ChatTemplate::parse(source, spelled(tokenizer, tokenizer.bos()),
                             spelled(tokenizer, tokenizer.eos()), limits);
}

std::shared_ptr<const ModelFile> open_model_file(const std::filesystem::path& path,
                                                 MaskHeads masks) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return open_gguf(path);
  return translate(std::make_shared<HfFolder>(path), {}, masks);
}

std::shared_ptr<const ModelFile> open_whole_model_file(const std::filesystem::path& path,
                                                       std::string_view name) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return open_gguf(path);
  const auto folder = std::make_shared<const HfFolder>(path);
  const auto file = translate(folder, name, MaskHeads::left_out);
  set_vocabulary(*file, *folder, describe_model(*file).n_vocab);
  return file;
}

std::shared_ptr<Model> open_model(const std::filesystem::path& file) {
  auto model = std::make_shared<Model>();
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) {
    const auto folder = std::make_shared<const HfFolder>(file);
    model->file = translate(folder);
    model->spec = describe_model(*model->file);
    model->tokenizer = tokenizer_of(*folder, model->spec.n_vocab);
  } else {
    model->file = open_gguf(file);
    model->spec = describe_model(*model->file);
    model->tokenizer = Tokenizer::from_gguf(model->file);
  }
  if (model->tokenizer->n_vocab() != model->spec.n_vocab) {
    throw Error(Code::invalid_argument,
                fmt::format("the vocabulary has {} tokens, the embedding {} rows",
                            model->tokenizer->n_vocab(), model->spec.n_vocab));
  }
  return model;
}

std::shared_ptr<const Model> load_model(const std::filesystem::path& file, std::string name,
                                        ModelOverrides overrides) {
  const auto model = open_model(file);
  model->name = std::move(name);
  model->overrides = std::move(overrides);
  model->chat_template = load_template(*model);
  return model;
}

Conversation with_overrides(const Model& model, Conversation conversation) {
  auto& messages = conversation.messages;
  if (!model.overrides.system.empty() && !begins_with_system(conversation)) {
    Message system;
    system.role = "system";
    system.content = model.overrides.system;
    messages.insert(messages.begin(), std::move(system));
  }
  const auto behind_system = messages.begin() + (begins_with_system(conversation) ? 1 : 0);
  messages.insert(behind_system, model.overrides.messages.begin(), model.overrides.messages.end());
  return conversation;
}

MarkedText render_conversation(const Model& model, const Conversation& conversation) {
  if (model.chat_template == nullptr) {
    throw Error(Code::failed_precondition,
                fmt::format("{} has no chat template: it is a base model, which {}", model.name,
                            model.spec.encoder ? "answers a text" : "continues text"),
                "send a prompt (/v1/completions, or strata run with a text), "
                "choose an instruction-tuned model, or give it a template with "
                "strata create and TEMPLATE");
  }
  return model.chat_template->render(with_overrides(model, conversation));
}

std::vector<TokenId> as_prompt(const Model& model, std::vector<TokenId> ids) {
  const Tokenizer& tokenizer = *model.tokenizer;
  if (model.spec.encoder) return tokenizer.with_bos_eos(std::move(ids));
  // Many templates write BOS themselves.
  const bool has_bos = !ids.empty() && ids.front() == tokenizer.bos();
  if (tokenizer.add_bos() && tokenizer.bos() >= 0 && !has_bos) {
    ids.insert(ids.begin(), tokenizer.bos());
  }
  return ids;
}

std::vector<TokenId> encode_conversation(const Model& model, const Conversation& conversation) {
  return as_prompt(model, model.tokenizer->encode(render_conversation(model, conversation)));
}

}  // namespace strata::models
