// https://HOST/PATH[#sha256=HEX]: any web server. Without the hash a cut download begins anew, and
// plain http is refused, because nothing would tell whether the bytes are the right ones.
#include "core/error.h"
#include "core/hash.h"
#include "core/registry.h"
#include "models/hub/source.h"

namespace strata::models {
namespace {

class WebSource : public Source {
 public:
  explicit WebSource(std::string_view scheme) : scheme_(scheme) {}
  std::string_view scheme() const override { return scheme_; }

  std::vector<SourceFile> resolve(std::string_view reference, const FetchContext&) const override {
    SourceFile file;
    const size_t hash = reference.find('#');
    if (hash != std::string_view::npos) {
      constexpr std::string_view kKey = "#sha256=";
      const std::string_view fragment = reference.substr(hash);
      if (!fragment.starts_with(kKey) || !is_sha256_hex(fragment.substr(kKey.size()))) {
        throw Error(Code::invalid_argument, fmt::format("'{}' is no hash", fragment),
                    "write #sha256= and 64 lower-case hex digits");
      }
      file.sha256 = fragment.substr(kKey.size());
    }
    const Url url = parse_url(reference.substr(0, hash));
    if (url.scheme == "http" && !file.sha256) {
      throw Error(Code::invalid_argument, "plain http is only taken with a hash",
                  "use https, or add #sha256=HEX to the address");
    }
    file.url = url.text;
    file.name = url.path.substr(url.path.rfind('/') + 1);
    return {file};
  }

  void fetch(const SourceFile& file, FetchState& state, const FetchSink& sink,
             const FetchContext& context) const override {
    HttpRequest request;
    request.url = file.url;
    fetch_over_http(std::move(request), state, sink, context);
  }

 private:
  std::string_view scheme_;
};

const Registered<Source> kHttps{std::make_unique<WebSource>("https")};
const Registered<Source> kHttp{std::make_unique<WebSource>("http")};

}  // namespace
}  // namespace strata::models
