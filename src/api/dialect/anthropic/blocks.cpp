// Blocks that bring text, and what stands on every block.
#include "api/dialect/anthropic/anthropic.h"
#include "api/limits.h"
#include "core/hash.h"

namespace strata::api::anthropic {
namespace {

constexpr int32_t kMaxBreakpoints = 4;
constexpr std::string_view kSignaturePrefix = "strata-";

std::string read_texts(std::span<const json::value> blocks, const std::string& path, Marks& marks) {
  std::string text;
  for (size_t i = 0; i < blocks.size(); ++i) {
    Fields block(blocks[i], fmt::format("{}[{}]", path, i));
    const std::string type = block.required_text("type");
    if (!text.empty()) text += '\n';
    text += read_text_block(block, type, marks);
    block.refuse_unread();
  }
  return text;
}

// A document's or a search result's; they are given to the model as text, so that nothing of an
// answer can be traced to a place in them.
void refuse_citations(Fields& block) {
  auto citations = block.object("citations");
  if (!citations) return;
  if (citations->boolean("enabled").value_or(false)) {
    citations->fail("enabled", "must be false: answers of this server cite nothing",
                    "ask for quotations in the prompt");
  }
  citations->refuse_unread();
}

std::string read_source(Fields& document, Marks& marks) {
  auto source = document.object("source");
  if (!source) document.fail("source", "is missing");
  const std::string type = source->required_text("type");
  std::string text;
  if (type == "text") {
    if (source->text("media_type").value_or("text/plain") != "text/plain") {
      source->fail("media_type", "must be text/plain");
    }
    text = source->required_text("data");
  } else if (type == "content") {
    const json::value* content = source->get("content");
    if (content == nullptr) source->fail("content", "is missing");
    text = content->is_string() ? std::string(content->get_string())
                                : read_texts(source->array("content", kMaxContentParts),
                                             source->path("content"), marks);
  } else {
    source->fail("type", fmt::format("is '{}'; this server reads text only", type.substr(0, 40)),
                 "send the document's text as {\"type\": \"text\", \"data\": …}");
  }
  source->refuse_unread();
  return text;
}

std::string attribute(std::string_view name, const std::optional<std::string>& value) {
  return value && !value->empty() ? fmt::format(" {}={}", name, json_quote(*value)) : "";
}

std::string read_document(Fields& block, Marks& marks) {
  const auto title = block.text("title");
  const auto context = block.text("context");
  refuse_citations(block);
  return fmt::format("<document{}{}>\n{}\n</document>", attribute("title", title),
                     attribute("context", context), read_source(block, marks));
}

std::string read_search_result(Fields& block, Marks& marks) {
  const auto source = block.required_text("source");
  const auto title = block.required_text("title");
  refuse_citations(block);
  const auto content = block.array("content", kMaxContentParts);
  return fmt::format("<search_result{}{}>\n{}\n</search_result>", attribute("source", source),
                     attribute("title", title), read_texts(content, block.path("content"), marks));
}

}  // namespace

void read_cache_control(Fields& fields, Marks& marks) {
  auto control = fields.object("cache_control");
  if (!control) return;
  if (control->required_text("type") != "ephemeral") control->fail("type", "must be ephemeral");
  const auto ttl = control->text("ttl");
  if (ttl && *ttl != "5m" && *ttl != "1h") control->fail("ttl", "must be 5m or 1h");
  control->refuse_unread();
  if (++marks.n_breakpoints > kMaxBreakpoints) {
    fields.fail("cache_control", fmt::format("is the {}th of the request, at most {} are allowed",
                                             marks.n_breakpoints, kMaxBreakpoints));
  }
}

std::string read_text_block(Fields& block, const std::string& type, Marks& marks) {
  read_cache_control(block, marks);
  if (type == "document") return read_document(block, marks);
  if (type == "search_result") return read_search_result(block, marks);
  if (type == "image") {
    block.fail("type", "is 'image', and the models of this server read text only",
               "describe the image in words");
  }
  if (type != "text") {
    block.fail("type", fmt::format("is '{}', which is not supported here", type.substr(0, 40)),
               "send text, thinking, tool_use, tool_result, document or search_result blocks");
  }
  const auto text = block.text("text");
  if (!text) block.fail("text", "is missing");
  // Of an earlier answer.
  if (block.get("citations") != nullptr) marks.ignored.push_back(block.path("citations"));
  return *text;
}

std::string sign(std::string_view thinking) {
  return std::string(kSignaturePrefix) + sha256_hex(thinking);
}

bool is_signature(std::string_view signature) {
  return signature.starts_with(kSignaturePrefix);
}

}  // namespace strata::api::anthropic
