// A registry of bricks of one kind. Each brick registers itself from its own file before main;
// afterwards the registry is read-only.
//
//   // in family/llama.cpp
//   static const Registered<Family> llama{std::make_unique<Llama>()};
#pragma once

#include <memory>
#include <vector>

namespace strata {

template <typename Brick>
class Registry {
 public:
  static std::vector<std::unique_ptr<const Brick>>& all() {
    static std::vector<std::unique_ptr<const Brick>> bricks;
    return bricks;
  }
};

template <typename Brick>
struct Registered {
  explicit Registered(std::unique_ptr<const Brick> brick) {
    Registry<Brick>::all().push_back(std::move(brick));
  }
};

}  // namespace strata
