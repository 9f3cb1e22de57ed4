// One visitor of a variant from a lambda for each kind.
#pragma once

namespace strata {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace strata
