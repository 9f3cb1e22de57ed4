// Starts a program without a shell and collects what it prints.
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/os.h"

extern char** environ;

namespace strata {
namespace {

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw Error(Code::resource_exhausted, fmt::format("cannot make a pipe: {}", strerror(errno)));
    }
    read_end = ends[0];
    write_end = ends[1];
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_one(read_end);
    close_one(write_end);
  }
  static void close_one(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
};

std::vector<std::string> child_environment(const ProcessOptions& options) {
  const auto& added = options.environment;
  std::vector<std::string> lines;
  for (char** line = environ; options.inherits_environment && *line != nullptr; ++line) {
    const std::string_view text(*line);
    if (!added.contains(std::string(text.substr(0, text.find('='))))) lines.emplace_back(text);
  }
  for (const auto& [name, value] : added) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

pid_t spawn(const std::vector<std::string>& words, const ProcessOptions& options, const Pipe& out,
            const Pipe& err) {
  std::vector<std::string> arguments = words;
  std::vector<std::string> variables = child_environment(options);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  if (options.input) {
    posix_spawn_file_actions_adddup2(&actions, options.input->descriptor(), 0);
  } else {
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, out.write_end, 1);
  posix_spawn_file_actions_adddup2(&actions, err.write_end, 2);
  if (!options.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  }
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, words[0].c_str(), &actions, &attributes,
                                   pointers(arguments).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error == ENOENT) {
    throw Error(Code::not_found, fmt::format("there is no program '{}'", words[0]));
  }
  if (error != 0) {
    throw Error(Code::internal, fmt::format("cannot start {}: {}", words[0], strerror(error)));
  }
  return child;
}

// Kills the group and reaps the child unless it was waited for.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    ::kill(-pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
  }
  // nullopt while it runs.
  std::optional<int> ended() {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got != pid_) return std::nullopt;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

// Takes what is there; closes the end when the stream is over.
void drain(int& end, std::string& into, size_t limit) {
  std::array<char, 16384> buffer;
  const ssize_t got = ::read(end, buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    Pipe::close_one(end);
    return;
  }
  into.append(buffer.data(),
              std::min(static_cast<size_t>(got), limit - std::min(limit, into.size())));
}

void check_limits(const std::vector<std::string>& words, const ProcessOptions& options,
                  uint64_t started) {
  if (options.keep_running && !options.keep_running()) {
    throw Error(Code::cancelled, fmt::format("cancelled while {} was running", words[0]));
  }
  const uint64_t ms = (monotonic_ns() - started) / 1'000'000;
  if (options.timeout_ms > 0 && ms > options.timeout_ms) {
    throw Error(Code::deadline_exceeded,
                fmt::format("{} took longer than {} ms", words[0], options.timeout_ms));
  }
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& words, const ProcessOptions& options) {
  if (words.empty()) throw Error(Code::invalid_argument, "no program to start");
  Pipe out;
  Pipe err;
  Child child(spawn(words, options, out, err));
  Pipe::close_one(out.write_end);
  Pipe::close_one(err.write_end);
  const uint64_t started = monotonic_ns();
  ProcessResult result;
  std::optional<int> ended;
  // A grandchild may keep the pipes open: the child's own end is what counts.
  while (!ended || out.read_end >= 0 || err.read_end >= 0) {
    std::array<pollfd, 2> ends{{{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}}};
    const bool open = out.read_end >= 0 || err.read_end >= 0;
    const int ready = ::poll(ends.data(), ends.size(), open ? 200 : 10);
    if (ready > 0 && ends[0].revents != 0)
      drain(out.read_end, result.output, options.max_output_bytes);
    if (ready > 0 && ends[1].revents != 0)
      drain(err.read_end, result.errors, options.max_output_bytes);
    if (ended && ready <= 0) break;
    if (!ended) ended = child.ended();
    check_limits(words, options, started);
  }
  result.exit_code = ended.value_or(0);
  return result;
}

void lower_priority() {
  constexpr int kNice = 10;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
}

}  // namespace strata
