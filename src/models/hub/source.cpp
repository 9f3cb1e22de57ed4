#include "models/hub/source.h"

#include <charconv>

#include "core/error.h"
#include "core/os.h"
#include "core/registry.h"

namespace strata::models {
namespace {

[[noreturn]] void refuse_status(const HttpHead& head) {
  const std::string what = fmt::format("{} answered {}", head.url.host, head.status);
  switch (head.status) {
    case 401:
    case 403:
      throw Error(Code::unauthenticated, what, "it wants a token (HF_TOKEN for Hugging Face)");
    case 404:
    case 410:
      throw Error(Code::not_found, fmt::format("{}: there is no {}", what, head.url.path));
    default:
      throw Error(Code::unavailable, what, "try again later");
  }
}

struct ContentRange {
  uint64_t first = 0;
  std::optional<uint64_t> total;
};

// "bytes 100-199/1000" (RFC 9110, 14.4)
std::optional<ContentRange> parse_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  ContentRange out;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.first);
  if (error != std::errc() || end == text.data() + text.size() || *end != '-') return std::nullopt;
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view total = text.substr(slash + 1);
  uint64_t value = 0;
  if (std::from_chars(total.data(), total.data() + total.size(), value).ec == std::errc()) {
    out.total = value;
  }
  return out;
}

void begin_body(const HttpHead& head, FetchState& state, const FetchSink& sink) {
  if (head.status == 206) {
    const auto range = parse_content_range(head.header("content-range").value_or(""));
    if (!range || range->first != state.offset) {
      throw Error(Code::unavailable,
                  fmt::format("{} sent another part of the file than the one asked for (from {})",
                              head.url.host, state.offset));
    }
    sink.begin(state.offset, range->total);
    return;
  }
  if (head.status != 200) refuse_status(head);
  state.offset = 0;
  state.version = head.header("etag").value_or("");
  sink.begin(0, head.content_length);
}

}  // namespace

const Source& source_for(std::string_view reference) {
  std::string known;
  for (const auto& source : Registry<Source>::all()) {
    const std::string_view scheme = source->scheme();
    if (reference.starts_with(scheme) && reference.substr(scheme.size()).starts_with(':')) {
      return *source;
    }
    known += fmt::format("{}{}:", known.empty() ? "" : ", ", scheme);
  }
  throw Error(Code::invalid_argument, fmt::format("'{}' names no source", reference),
              "the sources are " + known);
}

std::string as_reference(std::string_view text) {
  fs::path path(text);
  if (text.starts_with("~/")) {
    path = fs::path(environment("HOME").value_or("/")) / text.substr(2);
  } else if (!text.starts_with('/') && !text.starts_with("./") && !text.starts_with("../")) {
    return std::string(text);
  }
  return "file:" + fs::absolute(path).lexically_normal().string();
}

std::string whole_reference(std::string_view reference) {
  constexpr std::string_view kScheme = "file:";
  const std::string_view path = reference.substr(std::min(kScheme.size(), reference.size()));
  if (!reference.starts_with(kScheme) || path.empty() || path.starts_with("//")) {
    return std::string(reference);
  }
  return std::string(kScheme) + fs::absolute(fs::path(path)).lexically_normal().string();
}

bool is_source_reference(std::string_view text) {
  for (const auto& source : Registry<Source>::all()) {
    const std::string_view scheme = source->scheme();
    if (text.starts_with(scheme) && text.substr(scheme.size()).starts_with(':')) return true;
  }
  return false;
}

void fetch_over_http(HttpRequest request, FetchState& state, const FetchSink& sink,
                     const FetchContext& context) {
  request.max_body_bytes = UINT64_MAX;  // the sink knows the limit
  request.keep_going = context.keep_going;
  // Only a strong validator says that the bytes are the same (RFC 9110, 13.1.5).
  const bool resumable = state.version.starts_with('"');
  if (!resumable) state.offset = 0;
  bool restart = false;
  if (state.offset > 0) {
    request.range_from = state.offset;
    request.headers.emplace_back("If-Range", state.version);
  }
  const auto on_head = [&](const HttpHead& head) {
    restart = head.status == 416 && state.offset > 0;
    if (!restart) begin_body(head, state, sink);
  };
  const auto on_bytes = [&](std::span<const std::byte> bytes) {
    if (!restart) sink.write(bytes);
  };
  http_stream(request, context.policy, on_head, on_bytes);
  if (!restart) return;
  state = {};
  request.range_from = 0;
  request.headers.pop_back();
  http_stream(request, context.policy, on_head, on_bytes);
}

}  // namespace strata::models
