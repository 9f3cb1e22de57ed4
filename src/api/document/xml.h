// Reads XML as a stream of elements, without what makes it dangerous: a document type (entities,
// other files) is refused, depth is limited.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::api {

// Namespaces by short names of our own: "w:p" is WordprocessingML's p, whatever prefix the file
// has; elsewhere the local name stands alone.
struct XmlElement {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;
  // "" where it is not there.
  std::string_view attribute(std::string_view wanted) const;
};

class XmlSink {
 public:
  virtual ~XmlSink() = default;
  virtual void begin(const XmlElement& element) = 0;
  virtual void end(std::string_view name) = 0;
  virtual void text(std::string_view piece) = 0;
};

// Errors: invalid_argument with the line: not well-formed, a document type, over kMaxXmlDepth. What
// the sink throws comes out of feed() and finish().
class XmlReader {
 public:
  XmlReader(XmlSink& sink, std::string part);
  ~XmlReader();
  void feed(std::span<const std::byte> bytes);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::api
