// Settings: defaults under strata.yaml under environment under flags; each value knows where it
// came from.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

struct Setting {
  std::string_view key;       // in strata.yaml and for --set, "server.host"
  std::string_view fallback;  // text of the default
  std::string_view help;
  std::vector<std::string_view> environment;  // first that is set wins: ours, then Ollama's
};

// Every setting of the program.
std::span<const Setting> settings();

class Config {
 public:
  // Reads the file (missing is fine) and the environment through `environment` (nullopt: unset).
  // Errors: invalid_argument for an unknown key (with "did you mean"), or a value that is no
  // scalar; both with the file's name.
  static Config load(
      const std::string& file_path, const std::string& file_text,
      const std::function<std::optional<std::string>(const std::string&)>& environment);
  // The user's own: strata.yaml in the config folder, the process's environment.
  static Config load();

  // A flag of the command line; `flag` is how the user wrote it ("--host").
  void set(std::string_view key, std::string value, std::string flag);

  const std::string& text(std::string_view key) const;
  // Error{invalid_argument} with value and origin when it is none.
  int64_t integer(std::string_view key) const;
  bool boolean(std::string_view key) const;
  // "default", "environment OLLAMA_HOST", "…/strata.yaml", "flag --host"
  const std::string& origin(std::string_view key) const;

 private:
  struct Value {
    std::string text;
    std::string origin;
  };
  const Value& value(std::string_view key) const;
  std::map<std::string, Value, std::less<>> values_;
};

// OLLAMA_… variables that are set but mean nothing to this program; to be named to the user.
std::vector<std::string> ignored_ollama_variables(std::span<const char* const> environment);

}  // namespace strata
