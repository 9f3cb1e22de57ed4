#include "core/yaml.h"

#include <charconv>
#include <sstream>

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "core/error.h"
#include "core/utf8.h"

namespace strata {
namespace {

[[noreturn]] void fail(const YAML::Mark& mark, std::string_view why) {
  throw Error(Code::invalid_argument,
              fmt::format("YAML line {}, column {}: {}", mark.line + 1, mark.column + 1, why));
}

// yaml-cpp recurses while it builds nodes: depth is checked on the event stream, before any node
// exists. Aliases are only counted here; what they multiply is counted by the converter.
class DepthGuard : public YAML::EventHandler {
 public:
  explicit DepthGuard(const YamlLimits& limits) : limits_(limits) {}
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { count(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { count(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    count(mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    enter(mark);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    enter(mark);
  }
  void OnMapEnd() override { --depth_; }

 private:
  void count(const YAML::Mark& mark) {
    if (++nodes_ > limits_.max_nodes) fail(mark, "more than the limit of nodes");
  }
  void enter(const YAML::Mark& mark) {
    count(mark);
    if (++depth_ > limits_.max_depth) {
      fail(mark, fmt::format("nested deeper than {}", limits_.max_depth));
    }
  }
  YamlLimits limits_;
  size_t nodes_ = 0;
  int depth_ = 0;
};

// Flow brackets nest in the scanner already, before the first event.
void check_brackets(std::string_view text, const YamlLimits& limits) {
  int open = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++open;
    if ((c == ']' || c == '}') && open > 0) --open;
    if (open > limits.max_depth * 8) {
      throw Error(Code::invalid_argument,
                  fmt::format("YAML: more than {} open brackets", limits.max_depth * 8));
    }
  }
}

json::value plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return {};
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  int64_t integer = 0;
  if (const auto r = std::from_chars(begin, end, integer); r.ec == std::errc() && r.ptr == end) {
    return integer;
  }
  // from_chars also takes "inf" and "nan", which YAML writes ".inf": those stay text.
  if (text.find_first_of("0123456789") == std::string::npos) return json::string(text);
  double number = 0;
  if (const auto r = std::from_chars(begin, end, number); r.ec == std::errc() && r.ptr == end) {
    return number;
  }
  return json::string(text);
}

class Converter {
 public:
  explicit Converter(const YamlLimits& limits) : limits_(limits) {}

  json::value convert(const YAML::Node& node, int depth) {
    if (++nodes_ > limits_.max_nodes) fail(node.Mark(), "more than the limit of nodes");
    if (depth > limits_.max_depth) {
      fail(node.Mark(), fmt::format("nested deeper than {}", limits_.max_depth));
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return scalar(node);
      case YAML::NodeType::Sequence:
        return sequence(node, depth);
      case YAML::NodeType::Map:
        return map(node, depth);
      default:
        return {};
    }
  }

 private:
  static json::value scalar(const YAML::Node& node) {
    const std::string& tag = node.Tag();
    if (!is_valid_utf8(node.Scalar())) fail(node.Mark(), "not UTF-8");
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return json::string(node.Scalar());
    if (tag != "?" && !tag.empty()) fail(node.Mark(), fmt::format("unknown tag {}", tag));
    return plain_scalar(node.Scalar());
  }

  json::value sequence(const YAML::Node& node, int depth) {
    json::array out;
    for (const auto& item : node) out.push_back(convert(item, depth + 1));
    return out;
  }

  json::value map(const YAML::Node& node, int depth) {
    json::object out;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) fail(member.first.Mark(), "a key must be text");
      const std::string& key = member.first.Scalar();
      if (out.contains(key)) fail(member.first.Mark(), fmt::format("'{}' stands twice", key));
      out.emplace(key, convert(member.second, depth + 1));
    }
    return out;
  }

  YamlLimits limits_;
  size_t nodes_ = 0;
};

}  // namespace

json::value parse_yaml(std::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw Error(Code::invalid_argument, fmt::format("YAML of {} bytes is over the limit of {}",
                                                    text.size(), limits.max_bytes));
  }
  check_brackets(text, limits);
  try {
    const std::string copy(text);
    std::istringstream stream(copy);
    YAML::Parser parser(stream);
    DepthGuard guard(limits);
    if (!parser.HandleNextDocument(guard)) return {};
    if (parser.HandleNextDocument(guard)) {
      throw Error(Code::invalid_argument, "YAML: more than one document");
    }
    return Converter(limits).convert(YAML::Load(copy), 0);
  } catch (const YAML::Exception& error) {
    fail(error.mark, error.msg);
  }
}

}  // namespace strata
