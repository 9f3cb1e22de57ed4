#include "api/http/multipart.h"

#include <algorithm>

#include "api/http/http.h"
#include "core/ascii.h"
#include "core/error.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

[[noreturn]] void broken(std::string_view what) {
  throw Error(Code::invalid_argument, fmt::format("the form is broken: {}", what),
              "send multipart/form-data, as curl -F does");
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The value of `key` in "form-data; name=\"file\"; filename=\"a.jsonl\"".
std::optional<std::string> parameter(std::string_view header, std::string_view key) {
  size_t at = header.find(';');
  while (at != std::string_view::npos) {
    const size_t equals = header.find('=', at);
    if (equals == std::string_view::npos) return std::nullopt;
    const auto name = trimmed(header.substr(at + 1, equals - at - 1));
    std::string value;
    size_t end = equals + 1;
    if (end < header.size() && header[end] == '"') {
      for (++end; end < header.size() && header[end] != '"'; ++end) {
        if (header[end] == '\\' && end + 1 < header.size() &&
            (header[end + 1] == '"' || header[end + 1] == '\\')) {
          ++end;
        }
        value += header[end];
      }
      if (end == header.size()) broken("a quoted value does not end");
      at = header.find(';', end);
    } else {
      at = header.find(';', end);
      value = trimmed(header.substr(end, at == std::string_view::npos ? at : at - end));
    }
    if (equal_but_case(name, key)) return value;
  }
  return std::nullopt;
}

std::string_view kind_of(std::string_view header) {
  return trimmed(header.substr(0, header.find(';')));
}

std::string boundary_of(std::string_view content_type) {
  if (!equal_but_case(kind_of(content_type), "multipart/form-data")) {
    broken("the content type is not multipart/form-data");
  }
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) {
    broken("the content type has no boundary of 1 to 70 characters");
  }
  return *boundary;
}

// The value of the part's content-disposition.
std::string_view disposition_of(std::string_view headers) {
  while (!headers.empty()) {
    const size_t end = std::min(headers.find("\r\n"), headers.size());
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(std::min(end + 2, headers.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) broken("a part's header has no colon");
    if (equal_but_case(line.substr(0, colon), "content-disposition")) {
      return trimmed(line.substr(colon + 1));
    }
  }
  broken("a part has no content-disposition");
}

// Some clients send whole paths.
std::string last_component(std::string name) {
  const size_t slash = name.find_last_of("/\\");
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

FormPart read_part(std::string_view part) {
  const bool bare = part.starts_with("\r\n");  // no header at all
  const size_t end = bare ? 0 : part.find("\r\n\r\n");
  if (bare || end == std::string_view::npos) broken("a part has no header");
  if (end > kMaxPartHeaderBytes) broken("a part's header is too long");
  const std::string_view disposition = disposition_of(part.substr(0, end));
  if (!equal_but_case(kind_of(disposition), "form-data")) broken("a part is no form-data");
  auto name = parameter(disposition, "name");
  if (!name || name->empty()) broken("a part has no name");
  FormPart read{.name = std::move(*name), .filename = {}, .content = part.substr(end + 4)};
  if (auto filename = parameter(disposition, "filename")) {
    read.filename = last_component(std::move(*filename));
  }
  if (!is_valid_utf8(read.name) || (read.filename && !is_valid_utf8(*read.filename))) {
    broken("a part's name is not valid UTF-8");
  }
  return read;
}

}  // namespace

std::vector<FormPart> read_form(std::string_view content_type, std::string_view body) {
  const std::string delimiter = "\r\n--" + boundary_of(content_type);
  const std::string_view first = std::string_view(delimiter).substr(2);
  size_t at = 0;
  if (!body.starts_with(first)) {  // a preamble stands before it
    at = body.find(delimiter);
    if (at == std::string_view::npos) broken("it does not begin with its boundary");
    at += 2;
  }
  at += first.size();
  std::vector<FormPart> parts;
  while (body.substr(at, 2) != "--") {
    if (body.substr(at, 2) != "\r\n") broken("a boundary's line does not end");
    at += 2;
    const size_t end = body.find(delimiter, at);
    if (end == std::string_view::npos) broken("the last boundary is missing");
    if (parts.size() == kMaxFormParts) broken(fmt::format("over {} parts", kMaxFormParts));
    parts.push_back(read_part(body.substr(at, end - at)));
    at = end + delimiter.size();
  }
  return parts;
}

}  // namespace strata::api
