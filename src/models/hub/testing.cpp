#include "models/hub/testing.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "core/check.h"
#include "core/hash.h"
#include "core/json.h"
#include "models/format/gguf_builder.h"

extern char** environ;

namespace strata::models::testing {
namespace {

void put16(std::string& out, uint64_t value) {
  for (int i = 0; i < 2; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

void put32(std::string& out, uint64_t value) {
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

std::string deflated(const std::string& content) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, content.size()), '\0');
  std::string in = content;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

std::string model_bytes(size_t size, uint32_t seed) {
  constexpr std::string_view kKey = "noise";
  constexpr size_t kHeaderBytes = 48 + kKey.size();
  CHECK(size >= kHeaderBytes);
  std::string out = "GGUF";
  const auto put64 = [&](uint64_t value) {
    put32(out, value & 0xffffffff);
    put32(out, value >> 32);
  };
  put32(out, 3);
  put64(0);  // tensors
  put64(1);  // values: an array of bytes
  put64(kKey.size());
  out += kKey;
  put32(out, static_cast<uint32_t>(MetaType::array));
  put32(out, static_cast<uint32_t>(MetaType::u8));
  put64(size - kHeaderBytes);
  uint64_t state = seed;
  while (out.size() < size) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    out += static_cast<char>(state >> 56);
  }
  out.resize(size);
  return out;
}

std::string named_model(std::string_view name, uint32_t part, uint32_t parts) {
  GgufBuilder file;
  file.set_text("general.name", name);
  if (parts > 1) {
    file.set_u32("split.no", part);
    file.set_u32("split.count", parts);
  }
  const auto bytes = file.build();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string make_zip(const std::vector<ZipEntry>& entries) {
  std::string out;
  std::string directory;
  for (const auto& entry : entries) {
    const std::string packed = entry.deflate ? deflated(entry.content) : entry.content;
    const auto crc =
        crc32_z(0, reinterpret_cast<const Bytef*>(entry.content.data()), entry.content.size());
    std::string common;
    put16(common, 20);
    put16(common, 0);
    put16(common, entry.deflate ? 8 : 0);
    put32(common, 0x50210000);  // 1980-era time stamp: any valid one
    put32(common, crc);
    put32(common, packed.size());
    put32(common, entry.content.size());
    put16(common, entry.name.size());
    put16(common, 0);
    const size_t offset = out.size();
    put32(out, 0x04034b50);
    out += common + entry.name + packed;
    put32(directory, 0x02014b50);
    put16(directory, 20);
    directory += common;
    put16(directory, 0);  // comment
    put16(directory, 0);  // disk
    put16(directory, 0);  // internal attributes
    put32(directory, 0);  // external attributes
    put32(directory, offset);
    directory += entry.name;
  }
  const size_t start = out.size();
  out += directory;
  put32(out, 0x06054b50);
  put32(out, 0);
  put16(out, entries.size());
  put16(out, entries.size());
  put32(out, directory.size());
  put32(out, start);
  put16(out, 0);
  return out;
}

strata::testing::Reply answer_as_hub(const strata::testing::ServedRequest& request,
                                     const std::string& repository,
                                     const std::map<std::string, std::string>& files) {
  const std::string tree = "/api/models/" + repository + "/tree/";
  const std::string resolve = "/" + repository + "/resolve/";
  const std::string& target = request.target;
  if (target.starts_with(tree)) {
    json::array list;
    for (const auto& [path, content] : files) {
      json::object entry{{"type", "file"},
                         {"oid", "0123456789012345678901234567890123456789"},
                         {"path", path},
                         {"size", content.size()}};
      if (path.ends_with(".gguf")) {
        entry["lfs"] = {
            {"oid", sha256_hex(content)}, {"size", content.size()}, {"pointerSize", 134}};
      }
      list.push_back(std::move(entry));
    }
    // Two pages: the API gives at most 1,000 entries at once and links to the next.
    const bool second = target.find("cursor=") != std::string::npos;
    const size_t half = list.size() / 2;
    json::array page;
    for (size_t i = second ? half : 0; i < (second ? list.size() : half); ++i) {
      page.push_back(list[i]);
    }
    strata::testing::Reply reply{.headers = {{"Content-Type", "application/json"}},
                                 .body = to_json(page)};
    if (!second) {
      reply.headers.emplace_back(
          "Link", "<http://" + request.headers.at("host") + target + "&cursor=x>; rel=\"next\"");
    }
    return reply;
  }
  if (target.starts_with(resolve)) {
    const size_t slash = target.find('/', resolve.size());
    return {.status = 302, .headers = {{"Location", "/cdn" + target.substr(slash)}}};
  }
  if (target.starts_with("/cdn/")) {
    const auto file = files.find(target.substr(5));
    if (file != files.end()) return {.body = file->second, .etag = sha256_hex(file->second)};
  }
  return {.status = 404, .body = "Repository not found"};
}

int start_job(const std::string& job, const std::vector<std::string>& arguments) {
  std::vector<std::string> variables;
  for (char** line = environ; *line != nullptr; ++line) variables.emplace_back(*line);
  std::string line = "STRATA_TEST_JOB=" + job;
  for (const auto& argument : arguments) line += "\n" + argument;
  variables.push_back(line);
  std::vector<char*> pointers;
  for (auto& variable : variables) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  std::string program = "/proc/self/exe";
  std::string name = "models_test";
  char* words[] = {name.data(), nullptr};
  pid_t pid = -1;
  posix_spawn_file_actions_t quiet;  // the test framework's own greeting is of no interest
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  CHECK(::posix_spawn(&pid, program.c_str(), &quiet, nullptr, words, pointers.data()) == 0);
  posix_spawn_file_actions_destroy(&quiet);
  return pid;
}

int wait_for(int pid) {
  int status = 0;
  CHECK(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace strata::models::testing
