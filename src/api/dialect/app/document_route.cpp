// /api/v1/documents: what a model would read of a file. Nothing is kept of it.
#include "api/dialect/app/app.h"
#include "api/dialect/dialect_common.h"
#include "api/document/document.h"
#include "api/document/limits.h"
#include "api/http/multipart.h"

namespace strata::api::app {
namespace {

constexpr size_t kMaxFormBytes = kMaxDocumentBytes + (64u << 10);  // with what frames the file

std::string_view file_of(const Request& request) {
  const auto type = request.headers.find("content-type").value_or("");
  std::optional<std::string_view> file;
  for (const FormPart& part : read_form(type, request.body)) {
    if (part.name != "file") throw FieldError(part.name, part.name + " is not known here");
    if (file) throw FieldError("file", "file must be one file");
    file = part.content;
  }
  if (!file) throw FieldError("file", "file is missing");
  if (file->size() > kMaxDocumentBytes) {
    throw FieldError(
        "file", fmt::format("file has {} bytes, the limit is {}", file->size(), kMaxDocumentBytes));
  }
  return *file;
}

void read(const Services& services, Exchange& exchange) {
  if (!services.documents) {
    throw Error(Code::failed_precondition, "this server reads no documents");
  }
  const Document document = services.documents(file_of(exchange.request()));
  json::object answer = to_json_object(document.read);
  answer["kind"] = name(document.kind);
  answer["words"] = document.words;
  if (document.pages > 0) answer["pages"] = document.pages;
  respond_json(exchange, answer);
}

}  // namespace

void add_document_route(RouteTable& table, const Services& services, const Dialect& dialect) {
  table.add({.method = "POST",
             .pattern = "/api/v1/documents",
             .scope = Scope::inference,
             .body_limit = kMaxFormBytes,
             .handler = [&services](const auto& exchange) { read(services, *exchange); },
             .dialect = std::string(dialect.name()),
             .lane = Lane::documents});
}

}  // namespace strata::api::app
