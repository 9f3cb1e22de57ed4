// Compares a registry with the sources: the linker may drop an object file that nobody calls, and
// what registers itself there would be missing in silence.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include <cxxabi.h>
#include <gtest/gtest.h>

#include "core/os.h"
#include "core/registry.h"

namespace strata::testing {

// The classes in `Registered<KIND> …{std::make_unique<CLASS>(…)}` below a folder, sorted; one that
// registers twice stands twice.
inline std::vector<std::string> registered_in_sources(const std::filesystem::path& folder,
                                                      const std::string& kind) {
  const std::string registration = "Registered<" + kind + ">";
  constexpr std::string_view kMake = "std::make_unique<";
  std::vector<std::string> classes;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".cpp") || path.ends_with("_test.cpp")) continue;
    const std::string text = read_file(path);
    for (size_t at = text.find(registration); at != std::string::npos;
         at = text.find(registration, at + 1)) {
      const size_t made = text.find(kMake, at);
      if (made == std::string::npos) {
        ADD_FAILURE() << path << ": " << registration << " without std::make_unique behind it";
        break;
      }
      const size_t begin = made + kMake.size();
      classes.push_back(text.substr(begin, text.find('>', begin) - begin));
    }
  }
  std::ranges::sort(classes);
  return classes;
}

template <typename Brick>
std::string class_name(const Brick& brick) {
  char* const readable = abi::__cxa_demangle(typeid(brick).name(), nullptr, nullptr, nullptr);
  std::string name = readable == nullptr ? typeid(brick).name() : readable;
  std::free(readable);
  const size_t scope = name.rfind("::");
  return scope == std::string::npos ? name : name.substr(scope + 2);
}

// `kind`: the name of Brick as the sources write it. `room`: where they are, below src/.
template <typename Brick>
void expect_whole_registry(const std::string& kind, const std::filesystem::path& room) {
  std::vector<std::string> present;
  for (const auto& brick : Registry<Brick>::all()) present.push_back(class_name(*brick));
  std::ranges::sort(present);
  EXPECT_FALSE(present.empty());
  EXPECT_EQ(present,
            registered_in_sources(std::filesystem::path(STRATA_SOURCE_DIR) / "src" / room, kind));
}

}  // namespace strata::testing
