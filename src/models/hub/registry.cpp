#include "models/hub/registry.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/base64.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/secrets.h"
#include "models/hub/registry_login.h"

namespace strata::models {
namespace {

constexpr size_t kPieceBytes = 16u << 20;  // of an upload; in memory
constexpr uint64_t kMaxAnswerBytes = 1u << 20;
constexpr size_t kMaxReasonBytes = 300;
constexpr size_t kMaxTokenBytes = 64u << 10;
constexpr uint64_t kCallTimeoutMs = 600'000;  // a registry hashes what it got before it answers

[[noreturn]] void refuse_name(std::string_view text, std::string_view why) {
  throw Error(Code::invalid_argument, fmt::format("'{}' {}", std::string(text.substr(0, 200)), why),
              "write HOST/NAMESPACE/NAME:TAG, as registry.example.org/me/tiny:v1");
}

bool is_host(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_ascii_alnum(c) || c == '.' || c == '-' || c == ':' || c == '[' || c == ']';
  });
}

// The first words of an error as the specification writes them, "" of another one.
std::string reason_in(const std::string& body) {
  try {
    const json::value value = parse_json(body, {.max_bytes = kMaxAnswerBytes, .max_depth = 16});
    const auto& error = value.at("errors").at(0).as_object();
    std::string words(error.at("code").as_string());
    if (const auto* message = error.if_contains("message"); message && message->is_string()) {
      words += ": " + std::string(message->get_string());
    }
    return words.size() > kMaxReasonBytes ? words.substr(0, kMaxReasonBytes) + "…" : words;
  } catch (const std::exception&) {
    return {};
  }
}

std::string basic(const std::string& credentials) {
  return "Basic " + base64(std::as_bytes(std::span(credentials)));
}

bool same_origin(const Url& a, const Url& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

}  // namespace

ModelName RegistryName::local() const {
  constexpr std::string_view kLibrary = "library/";
  const std::string_view name = repository;
  return parse_model_name(
      fmt::format("{}:{}", name.starts_with(kLibrary) ? name.substr(kLibrary.size()) : name, tag));
}

RegistryName parse_registry_name(std::string_view text) {
  RegistryName out;
  std::string_view rest = text;
  for (const std::string_view scheme : {"https", "http"}) {
    const std::string front = fmt::format("{}://", scheme);
    if (!rest.starts_with(front)) continue;
    out.scheme = scheme;
    rest.remove_prefix(front.size());
    break;
  }
  const size_t slash = rest.find('/');
  const std::string_view host = rest.substr(0, slash);
  const bool says_host = slash != std::string_view::npos && rest.find('/', slash + 1) < rest.size();
  if (!says_host) refuse_name(text, "names no registry in front");
  if (!is_host(host)) refuse_name(text, "names no host");
  rest.remove_prefix(slash + 1);
  const ModelName name = parse_model_name(rest);
  const bool lower = std::ranges::none_of(name.name, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!lower || rest.starts_with("hf:")) {
    refuse_name(text, "is no repository: those are in lower case");
  }
  out.host = host;
  out.repository = name.name;
  out.tag = name.tag;
  registry_url(out);
  return out;
}

Url registry_url(const RegistryName& name) {
  return parse_url(fmt::format("{}://{}/", name.scheme, name.host));
}

RegistryClient::RegistryClient(const RegistryName& name, const Options& options)
    : name_(name), options_(options) {}

std::string RegistryClient::url(std::string_view path) const {
  return fmt::format("{}://{}/v2/{}/{}", name_.scheme, name_.host, name_.repository, path);
}

bool RegistryClient::has_blob(std::string_view sha256) {
  HttpRequest request;
  request.method = "HEAD";
  request.url = url(fmt::format("blobs/sha256:{}", sha256));
  const HttpResponse response = call(std::move(request), "a look for a blob");
  if (response.head.status == 200) return true;
  if (response.head.status == 404) return false;
  refuse(response, "a look for a blob");
}

void RegistryClient::put_blob(const BlobRef& blob,
                              const std::function<void(std::string& piece, size_t most)>& read,
                              const std::function<void(uint64_t done)>& progress) {
  HttpRequest begin;
  begin.method = "POST";
  begin.url = url("blobs/uploads/");
  HttpResponse response = call(std::move(begin), "an upload");
  if (response.head.status != 202) refuse(response, "an upload");
  const auto next_place = [&] {
    const auto place = response.head.header("location");
    if (place) return resolve_url(response.head.url, *place);
    throw Error(Code::unavailable,
                fmt::format("{} does not say where the upload goes on", name_.host));
  };
  Url place = next_place();
  Sha256 hash;
  std::string piece;
  for (uint64_t done = 0; done < blob.size; done += piece.size()) {
    read(piece, static_cast<size_t>(std::min<uint64_t>(kPieceBytes, blob.size - done)));
    if (piece.empty()) throw Error(Code::data_loss, "the file is shorter than it was");
    hash.update(piece);
    HttpRequest request;
    request.method = "PATCH";
    request.url = place.text;
    request.body = piece;
    request.headers = {{"Content-Type", "application/octet-stream"},
                       {"Content-Range", fmt::format("{}-{}", done, done + piece.size() - 1)}};
    response = call(std::move(request), "a piece of a blob");
    if (response.head.status != 202) refuse(response, "a piece of a blob");
    place = next_place();
    progress(done + piece.size());
  }
  if (hash.hex() != blob.sha256) {
    throw Error(Code::data_loss, fmt::format("the file of sha256:{} was changed", blob.sha256),
                "strata doctor looks at every file; pull it again");
  }
  HttpRequest end;
  end.method = "PUT";
  end.url = fmt::format("{}{}digest=sha256:{}", place.text,
                        place.text.find('?') == std::string::npos ? "?" : "&", blob.sha256);
  end.headers = {{"Content-Length", "0"}};
  response = call(std::move(end), "the end of a blob");
  if (response.head.status != 201) refuse(response, "the end of a blob");
}

void RegistryClient::put_manifest(std::string_view media_type, std::string body) {
  HttpRequest request;
  request.method = "PUT";
  request.url = url("manifests/" + name_.tag);
  request.headers = {{"Content-Type", std::string(media_type)}};
  request.body = std::move(body);
  const HttpResponse response = call(std::move(request), "the manifest");
  if (response.head.status != 201 && response.head.status != 200) refuse(response, "the manifest");
}

// Once more where the registry asks who it is.
HttpResponse RegistryClient::call(HttpRequest request, std::string_view what) {
  HttpResponse response = send(request);
  if (response.head.status != 401) return response;
  if (logged_in_) refuse(response, what);
  log_in(response.head);
  return send(std::move(request));
}

// What an upload's place is told goes to the registry alone, wherever that place is.
HttpResponse RegistryClient::send(HttpRequest request) const {
  request.max_body_bytes = kMaxAnswerBytes;
  request.total_timeout_ms = kCallTimeoutMs;
  request.keep_going = options_.keep_going;
  request.headers.emplace_back("Expect", "");  // the answer is not waited for before the body
  if (!authorization_.empty() && same_origin(parse_url(request.url), registry_url(name_))) {
    request.secret_headers = {{"Authorization", authorization_}};
  }
  return http_request(request, options_.policy);
}

void RegistryClient::log_in(const HttpHead& refused) {
  logged_in_ = true;
  const auto credentials = registry_credentials(name_.host);
  const auto asked = parse_challenge(refused.header("www-authenticate").value_or(""));
  if (!asked || (!asked->bearer && !credentials)) {
    throw Error(
        Code::unauthenticated, fmt::format("{} asks who you are", name_.host),
        fmt::format("docker login {} (or podman login) keeps a password that is sent", name_.host));
  }
  if (!asked->bearer) {
    authorization_ = basic(*credentials);
    return;
  }
  const Url realm = parse_url(asked->realm);
  if (realm.scheme != name_.scheme && realm.scheme != "https") {
    throw Error(
        Code::permission_denied,
        fmt::format("{} wants its password sent to {} without encryption", name_.host, realm.host));
  }
  HttpRequest request;
  request.url = fmt::format("{}{}service={}&scope={}", realm.text,
                            realm.text.find('?') == std::string::npos ? "?" : "&",
                            percent_encode(asked->service), percent_encode(asked->scope));
  request.max_body_bytes = kMaxTokenBytes;
  request.total_timeout_ms = kCallTimeoutMs;
  request.keep_going = options_.keep_going;
  if (credentials) request.secret_headers = {{"Authorization", basic(*credentials)}};
  const HttpResponse response = http_request(request, options_.policy);
  if (response.head.status != 200) refuse(response, "a login");
  const json::value answer = parse_json(response.body, {.max_depth = 8});
  for (const char* key : {"token", "access_token"}) {
    const auto* token = answer.is_object() ? answer.get_object().if_contains(key) : nullptr;
    if (token == nullptr || !token->is_string()) continue;
    keep_secret(token->get_string());
    authorization_ = "Bearer " + std::string(token->get_string());
    return;
  }
  throw Error(Code::unavailable, fmt::format("{} gave no token", realm.host));
}

void RegistryClient::refuse(const HttpResponse& response, std::string_view what) const {
  const std::string reason = reason_in(response.body);
  const std::string said =
      fmt::format("{} answered {} to {}{}", response.head.url.host, response.head.status, what,
                  reason.empty() ? "" : " (" + reason + ")");
  switch (response.head.status) {
    case 401:
      throw Error(Code::unauthenticated, said,
                  fmt::format("docker login {} keeps another password", name_.host));
    case 403:
      throw Error(Code::permission_denied, said, "your account may not write there");
    case 404:
    case 405:
      throw Error(Code::not_found, said,
                  fmt::format("there is no registry, or no repository {}", name_.repository));
    case 413:
    case 507:
      throw Error(Code::resource_exhausted, said, "the registry has no room for it");
    default:
      throw Error(Code::unavailable, said,
                  "try again later: what is there whole is not sent again");
  }
}

}  // namespace strata::models
