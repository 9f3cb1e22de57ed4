#include "api/site.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include <zlib.h>

#include "core/error.h"
#include "core/json.h"

namespace strata::api {
namespace {

constexpr std::string_view kMagic = "STRATA-SITE-1 ";  // then the list's length, a line's end
constexpr size_t kMaxFileBytes = 32u << 20;

constexpr std::string_view kNotBuilt =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Strata</title>"
    "<h1>Strata is running</h1><p>This program was built without its app, for which Node 20.19 or "
    "later is needed. <code>./dev build</code> fetches that and builds it; "
    "<code>./dev web</code> serves it while you work on it. All interfaces work "
    "without.</p></html>";

// Nothing of another origin, no inline script or style, and text becomes HTML only through the
// policies named here.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; frame-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types svelte-trusted-html strata dompurify";

// What a model wrote is drawn by a script of the app's, with styles of its own: in a document
// without an origin that loads nothing but the app's scripts. Only the app's page may hold it.
constexpr std::string_view kFramePolicy =
    "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; media-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

// A page that a model wrote runs as it is where somebody wants that, scripts too, but without an
// origin and without a way to load, send or open anything: also nothing of this server.
constexpr std::string_view kScriptsPolicy =
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
constexpr std::string_view kFrameFolder = "/frame/";
constexpr std::string_view kScripts = "/frame/scripts.html";

void add_policies(Headers& headers, std::string_view path) {
  const bool framed = path.starts_with(kFrameFolder);
  const bool scripts = path == kScripts;
  headers.add("content-security-policy",
              std::string(scripts ? kScriptsPolicy : (framed ? kFramePolicy : kPolicy)));
  // What that policy does not cover: connections ahead of need and between browsers, in the frames
  // of a frame too (Connection Allowlists, WICG; not every browser heeds it).
  if (framed) headers.add("connection-allowlist", scripts ? "()" : "(response-origin)");
  // No name is looked up because a text has a link to it.
  headers.add("x-dns-prefetch-control", "off");
}

Error broken(const char* what) {
  return Error(Code::data_loss, fmt::format("the app's bundle is not whole: {}", what),
               "build it again: ./dev build");
}

std::string unzip(std::string_view gzip) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw broken("no memory");
  std::string source(gzip), out;
  stream.next_in = reinterpret_cast<Bytef*>(source.data());
  stream.avail_in = static_cast<uInt>(source.size());
  std::vector<char> piece(65536);
  int state = Z_OK;
  while (state == Z_OK && out.size() < kMaxFileBytes) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) throw broken("a file does not unpack");
  return out;
}

Headers headers_of(const SiteFile& file, const Headers& asked) {
  Headers headers;
  add_policies(headers, file.path);
  headers.add("referrer-policy", "no-referrer");
  // Browsers heed it only over TLS and from this machine, and complain elsewhere. Where they would
  // heed it they say where a request came from (Fetch Metadata, W3C).
  if (asked.find("sec-fetch-site")) headers.add("cross-origin-opener-policy", "same-origin");
  headers.add("etag", file.etag);
  headers.add("vary", "Accept-Encoding, Sec-Fetch-Site");
  headers.add("cache-control", file.keeps ? "public, max-age=31536000, immutable" : "no-cache");
  return headers;
}

}  // namespace

Site::Site(std::string_view bundle) {
  if (bundle.empty()) return;
  if (!bundle.starts_with(kMagic)) throw broken("it begins otherwise");
  const size_t line = bundle.find('\n');
  size_t length = 0;
  const std::string_view digits = bundle.substr(0, line).substr(kMagic.size());
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (line == std::string_view::npos || parsed.ec != std::errc() ||
      length > bundle.size() - line - 1) {
    throw broken("its list");
  }
  const json::value list = parse_json(bundle.substr(line + 1, length));
  size_t at = line + 1 + length;
  for (const json::value& each : list.as_array()) {
    const auto size = each.at("size").to_number<size_t>();
    if (size > bundle.size() - at) throw broken("a file");
    files_.push_back({.path = std::string(each.at("path").as_string()),
                      .type = std::string(each.at("type").as_string()),
                      .etag = std::string(each.at("etag").as_string()),
                      .keeps = each.at("keeps").as_bool(),
                      .gzip = bundle.substr(at, size)});
    at += size;
  }
}

void Site::answer(Exchange& exchange, std::string_view path) const {
  Response response;
  const auto file = std::ranges::find(files_, path, &SiteFile::path);
  if (file == files_.end()) {
    if (path != "/" || !files_.empty()) {
      throw Error(Code::not_found, fmt::format("the app has no file {}", path.substr(0, 200)));
    }
    response.content_type = "text/html; charset=utf-8";
    response.body = kNotBuilt;
    response.headers.add("content-security-policy", std::string(kPolicy));
    return exchange.respond(std::move(response));
  }
  response.content_type = file->type;
  const Headers& asked = exchange.request().headers;
  response.headers = headers_of(*file, asked);
  if (asked.find("if-none-match") == file->etag) {
    response.status = 304;
  } else if (asked.find("accept-encoding").value_or("").find("gzip") != std::string_view::npos) {
    response.headers.add("content-encoding", "gzip");
    response.body = std::string(file->gzip);
  } else {
    response.body = unzip(file->gzip);
  }
  exchange.respond(std::move(response));
}

}  // namespace strata::api
