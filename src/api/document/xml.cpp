#include "api/document/xml.h"

#include <algorithm>
#include <array>
#include <exception>

#include <expat.h>

#include "api/document/limits.h"
#include "core/error.h"

namespace strata::api {
namespace {

constexpr char kSeparator = '\n';  // between namespace and name, as expat gives them

struct Namespace {
  std::string_view part;  // of its address; the two editions of the format differ in the rest
  std::string_view prefix;
};
constexpr std::array<Namespace, 3> kNamespaces{{{"wordprocessingml/", "w:"},
                                                {"markup-compatibility/", "mc:"},
                                                {"officeDocument/2006/math", "m:"}}};

std::string short_name(std::string_view name) {
  const size_t at = name.rfind(kSeparator);
  if (at == std::string_view::npos) return std::string(name);
  const std::string_view place = name.substr(0, at);
  const std::string local(name.substr(at + 1));
  for (const auto& each : kNamespaces) {
    if (place.find(each.part) != std::string_view::npos) return std::string(each.prefix) + local;
  }
  return local;
}

}  // namespace

std::string_view XmlElement::attribute(std::string_view wanted) const {
  const auto found = std::ranges::find(
      attributes, wanted, [](const auto& each) -> std::string_view { return each.first; });
  return found == attributes.end() ? std::string_view() : found->second;
}

struct XmlReader::State {
  State(XmlSink& to, std::string name)
      : sink(to), part(std::move(name)), parser(XML_ParserCreateNS(nullptr, kSeparator)) {
    if (!parser) throw std::bad_alloc();
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, on_begin, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { XML_ParserFree(parser); }

  [[noreturn]] void fail(std::string_view why) const {
    throw Error(Code::invalid_argument, fmt::format("the document is damaged: {}, line {}: {}",
                                                    part, XML_GetCurrentLineNumber(parser), why));
  }

  // Exceptions do not cross expat: one is kept, the parser stopped, and thrown behind it.
  template <typename Work>
  void guarded(Work&& work) {
    if (thrown) return;
    try {
      work();
    } catch (...) {
      thrown = std::current_exception();
      XML_StopParser(parser, XML_FALSE);
    }
  }

  void begin(const XML_Char* name, const XML_Char** attributes) {
    if (++depth > kMaxXmlDepth) fail(fmt::format("elements are over {} deep", kMaxXmlDepth));
    XmlElement element{short_name(name), {}};
    for (; *attributes; attributes += 2) {
      element.attributes.emplace_back(short_name(attributes[0]), attributes[1]);
    }
    sink.begin(element);
  }

  static void on_begin(void* self, const XML_Char* name, const XML_Char** attributes) {
    auto& state = *static_cast<State*>(self);
    state.guarded([&] { state.begin(name, attributes); });
  }
  static void on_end(void* self, const XML_Char* name) {
    auto& state = *static_cast<State*>(self);
    --state.depth;
    state.guarded([&] { state.sink.end(short_name(name)); });
  }
  static void on_text(void* self, const XML_Char* text, int size) {
    auto& state = *static_cast<State*>(self);
    state.guarded([&] { state.sink.text({text, static_cast<size_t>(size)}); });
  }
  static void on_doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    auto& state = *static_cast<State*>(self);
    state.guarded([&] { state.fail("it declares a document type, which is refused"); });
  }

  void parse(std::span<const std::byte> bytes, bool last) {
    const auto status = XML_Parse(parser, reinterpret_cast<const char*>(bytes.data()),
                                  static_cast<int>(bytes.size()), last);
    if (thrown) std::rethrow_exception(thrown);
    if (status != XML_STATUS_OK) fail(XML_ErrorString(XML_GetErrorCode(parser)));
  }

  XmlSink& sink;
  std::string part;
  XML_Parser parser;
  int depth = 0;
  std::exception_ptr thrown{};
};

XmlReader::XmlReader(XmlSink& sink, std::string part)
    : state_(std::make_unique<State>(sink, std::move(part))) {}
XmlReader::~XmlReader() = default;

void XmlReader::feed(std::span<const std::byte> bytes) {
  constexpr size_t kPiece = 1u << 20;  // expat counts with int
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kPiece))) {
    state_->parse(bytes.first(std::min(bytes.size(), kPiece)), false);
  }
}

void XmlReader::finish() {
  state_->parse({}, true);
}

}  // namespace strata::api
