// Parts of the interpreter that both of its files use. Internal.
#pragma once

#include "models/chat/jinja/interpreter.h"

namespace strata::models::jinja {

// An error ends the rendering, so that nothing is put back when a piece throws.
template <typename Piece>
void Interpreter::in_scope(const ScopePtr& parent, Piece piece) {
  auto inner = std::make_shared<Scope>();
  inner->parent = parent;
  const ScopePtr outer = std::exchange(scope_, std::move(inner));
  piece();
  scope_ = outer;
}

template <typename Piece>
TextPtr Interpreter::captured(Piece piece) {
  TextBuilder text(meter_);
  TextBuilder* outer = std::exchange(out_, &text);
  piece();
  out_ = outer;
  return text.finish();
}

void set_namespace_attribute(Meter& meter, Namespace& space, const std::string& name,
                             const Value& value);

}  // namespace strata::models::jinja
