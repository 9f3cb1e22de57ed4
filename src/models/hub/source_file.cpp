// file:PATH: a GGUF on this machine, a split one named by its first part; or a model's folder.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/os.h"
#include "core/registry.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_limits.h"
#include "models/hub/folder_files.h"
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
    std::error_code ignored;
    if (fs::is_directory(first, ignored)) return files_of_folder(first);
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
      File file = File::open(path, File::Mode::read);
      require_gguf(file, path);
      out.push_back({path.filename().string(), path.string(), std::nullopt, file.size()});
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
  // Before it is copied.
  static void require_gguf(File& file, const fs::path& path) {
    std::array<std::byte, 4> magic{};
    const size_t got = file.read(magic);
    const std::string_view head(reinterpret_cast<const char*>(magic.data()), got);
    if (head == "GGUF") return;
    throw Error(
        Code::invalid_argument,
        fmt::format("{} is no GGUF file: it begins with '{}'", path.string(), printable(head)),
        "name a GGUF file, or the folder with a model's config.json");
  }

  static std::vector<fs::path> entries_of(const fs::path& folder) {
    std::vector<fs::path> out;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      out.push_back(at->path());
    }
    if (!error) return out;
    throw Error(error == std::errc::permission_denied ? Code::permission_denied : Code::unavailable,
                fmt::format("the folder {} cannot be listed: {}", folder.string(), error.message()),
                "make it readable, or move what is not the model's out of its folder");
  }

  static std::vector<SourceFile> files_of_folder(const fs::path& folder) {
    std::vector<std::string> all;
    for (const fs::path& path : entries_of(folder)) {
      const std::string name = path.filename().string();
      all.push_back(name);
      std::error_code ignored;
      if (!fs::is_directory(path, ignored)) continue;
      for (const fs::path& inner : entries_of(path)) {
        all.push_back(name + "/" + inner.filename().string());
      }
    }
    const auto read_index = [&](const std::string& path) {
      return read_file(folder / path, kMaxHfConfig);
    };
    std::vector<SourceFile> out;
    for (const std::string& file : folder_files(all, read_index)) {
      const fs::path path = folder / file;
      out.push_back(
          {file, path.string(), std::nullopt, File::open(path, File::Mode::read).size(), true});
    }
    if (!out.empty()) return out;
    throw Error(Code::not_found,
                fmt::format("{} holds no model: config.json and weights (*.safetensors, "
                            "pytorch_model.bin, tf_model.h5 or a TensorFlow checkpoint)",
                            folder.string()),
                "name a GGUF file, or the folder with a model's config.json");
  }

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
