// Any bytes as they come over a connection: cut into pieces they give the same request as in one
// piece, or none as well.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "api/http/request_reader.h"

namespace strata::api {
namespace {

constexpr size_t kBodyLimit = 256;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  RequestReader::State state = RequestReader::State::head;
  Request request;
  size_t used = 0;
};

void check_failure(const RequestReader& reader) {
  require(reader.status() >= 400 && reader.status() < 600 && !reader.message().empty());
}

// As a connection does it: what the reader leaves comes again with more behind it.
Outcome read(std::string_view bytes, size_t piece) {
  using State = RequestReader::State;
  RequestReader reader;
  Outcome out;
  for (size_t end = 0; end < bytes.size();) {
    end = std::min(end + piece, bytes.size());
    for (bool more = true; more;) {
      const State before = reader.state();
      const std::string_view given = bytes.substr(out.used, end - out.used);
      const size_t used = reader.feed(given);
      require(used <= given.size());
      out.used += used;
      if (reader.state() == State::head_ready) reader.limit_body(kBodyLimit);
      more = used > 0 || reader.state() != before;
    }
    if (reader.state() == State::complete || reader.state() == State::failed) break;
  }
  out.state = reader.state();
  if (out.state == State::failed) check_failure(reader);
  if (out.state == State::complete) out.request = reader.take();
  return out;
}

void check_request(const Request& request) {
  require(request.path.starts_with('/') && request.body.size() <= kBodyLimit);
  require(request.path.find('\0') == std::string::npos);
}

void compare(const Outcome& a, const Outcome& b) {
  // What is wrong in a line may be found before or after its end: only completeness is the same.
  require((a.state == RequestReader::State::complete) ==
          (b.state == RequestReader::State::complete));
  if (a.state != RequestReader::State::complete) return;
  require(a.used == b.used && a.request.method == b.request.method);
  require(a.request.target == b.request.target && a.request.body == b.request.body);
  require(a.request.headers.all() == b.request.headers.all());
}

}  // namespace
}  // namespace strata::api

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::api;
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(bytes, bytes.size());
  if (whole.state == RequestReader::State::complete) check_request(whole.request);
  compare(whole, read(bytes, size_t{1} + data[0] % 64));
  if (!bytes.empty()) query_value(bytes, bytes.substr(0, 1));
  return 0;
}
