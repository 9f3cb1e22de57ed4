// file:PATH: a GGUF on this machine; a split one is named by its first part.
#include <algorithm>

#include "core/error.h"
#include "core/os.h"
#include "core/registry.h"
#include "models/hub/manifest.h"
#include "models/hub/source.h"
#include "models/hub/split_name.h"

namespace strata::models {
namespace {

constexpr size_t kChunk = 1u << 20;

class FileSource : public Source {
 public:
  std::string_view scheme() const override { return "file"; }

  std::vector<SourceFile> resolve(std::string_view reference, const FetchContext&) const override {
    const fs::path first = path_of(reference);
    std::vector<fs::path> paths{first};
    if (const auto split = parse_split_name(first.filename().string())) {
      if (split->parts > static_cast<int>(kMaxModelParts)) {
        throw Error(Code::invalid_argument, fmt::format("{} parts are too many", split->parts));
      }
      paths.clear();
      for (int i = 1; i <= split->parts; ++i) paths.push_back(first.parent_path() / split->file(i));
    }
    std::vector<SourceFile> out;
    for (const auto& path : paths) {
      std::error_code error;
      if (!fs::is_regular_file(path, error)) {
        throw Error(Code::not_found, fmt::format("there is no file {}", path.string()));
      }
      out.push_back({path.filename().string(), path.string(), std::nullopt,
                     File::open(path, File::Mode::read).size()});
    }
    return out;
  }

  void fetch(const SourceFile& file, FetchState& state, const FetchSink& sink,
             const FetchContext& context) const override {
    File in = File::open(file.url, File::Mode::read);
    state = {};
    sink.begin(0, in.size());
    std::vector<std::byte> buffer(kChunk);
    while (const size_t got = in.read(buffer)) {
      if (context.keep_going && !context.keep_going()) throw Error(Code::cancelled, "cancelled");
      sink.write(std::span<const std::byte>(buffer).first(got));
    }
  }

 private:
  static fs::path path_of(std::string_view reference) {
    std::string_view rest = reference.substr(std::string_view("file:").size());
    if (rest.starts_with("//")) {
      rest.remove_prefix(2);
      if (!rest.starts_with('/')) {
        throw Error(Code::invalid_argument, "a file: reference names no host",
                    "write file:/absolute/path or file:relative/path");
      }
    }
    if (rest.empty()) throw Error(Code::invalid_argument, "file: needs a path");
    return fs::absolute(fs::path(rest));
  }
};

const Registered<Source> kFile{std::make_unique<FileSource>()};

}  // namespace
}  // namespace strata::models
