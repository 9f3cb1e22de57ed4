#include "modify/roles.h"

#include <algorithm>
#include <limits>

namespace strata::modify {
namespace {

using models::Attention;
using models::kNoTensor;
using models::Mlp;
using models::Moe;
using models::TensorId;

class Walker {
 public:
  explicit Walker(const models::ModelSpec& spec) : spec_(spec) {}

  Places walk() {
    add(spec_.token_embedding, Role::embedding);
    for (const models::Layer* layer : models::all_layers(spec_)) {
      for (const auto& block : layer->blocks) {
        std::visit([&](const auto& op) { add(op); }, block.op);
      }
      if (layer->mix) {
        add(layer->mix->gate.weight, Role::projection);
        add(layer->mix->project.weight, Role::projection);
      }
      ++place_.layer;
    }
    add(spec_.head.weight, Role::head);  // last: over the embedding where they are one
    return std::move(places_);
  }

 private:
  void add(TensorId slot, Role role) {
    if (slot == kNoTensor) return;
    place_.role = role;
    places_[name(slot)] = place_;
  }

  void add(const Attention& a) {
    // A layer that reads another's keys has none of its own.
    const bool own = a.k.weight != kNoTensor;
    const bool fused =
        own && (name(a.q.weight) == name(a.k.weight) || name(a.k.weight) == name(a.v.weight));
    add(a.q.weight, fused ? Role::qkv : Role::q);
    add(a.k.weight, fused ? Role::qkv : Role::k);
    add(a.v.weight, fused ? Role::qkv : Role::v);
    add(a.o.weight, Role::attention_output);
    ++place_.attention_index;
  }

  void add(const Mlp& mlp) {
    add(mlp.gate.weight, Role::gate);
    add(mlp.up.weight, Role::up);
    add(mlp.down.weight, Role::down);
  }

  void add(const Moe& moe) {
    for (const Mlp& expert : moe.experts) add(expert);
    if (moe.shared) add(*moe.shared);
  }

  void add(const models::LatentAttention& a) {
    add(a.q_a.weight, Role::q);
    add(a.q.weight, Role::q);
    add(a.kv_a.weight, Role::k);
    for (const TensorId slot : a.k_b) add(slot, Role::k);
    for (const TensorId slot : a.v_b) add(slot, Role::v);
    add(a.o.weight, Role::attention_output);
    ++place_.attention_index;
  }

  void add(const models::CrossAttention& a) {
    add(a.q.weight, Role::q);
    add(a.k.weight, Role::k);
    add(a.v.weight, Role::v);
    add(a.o.weight, Role::attention_output);
    ++place_.attention_index;
  }

  void add(const models::LowRank& op) {
    add(op.left.weight, Role::projection);
    add(op.right.weight, Role::projection);
  }

  void add(const models::StateSpace& s) {
    add(s.in.weight, Role::projection);
    add(s.out.weight, Role::projection);
  }

  void add(const models::Projection& p) { add(p.out.weight, Role::projection); }

  const std::string& name(TensorId slot) const {
    return spec_.tensors[static_cast<size_t>(slot)].name;
  }

  const models::ModelSpec& spec_;
  Place place_;
  Places places_;
};

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::embedding:
      return "embedding";
    case Role::head:
      return "head";
    case Role::q:
      return "attention q";
    case Role::k:
      return "attention k";
    case Role::v:
      return "attention v";
    case Role::qkv:
      return "attention q, k and v";
    case Role::attention_output:
      return "attention output";
    case Role::gate:
      return "gate";
    case Role::up:
      return "up";
    case Role::down:
      return "down";
    case Role::projection:
      return "projection";
  }
  return "";
}

Places places_of(const models::ModelSpec& spec) {
  return Walker(spec).walk();
}

ModelTraits traits_of(const models::ModelSpec& spec) {
  ModelTraits traits;
  const std::vector<const models::Layer*> layers = models::all_layers(spec);
  traits.n_layers = static_cast<int32_t>(layers.size());
  traits.heads_per_kv = std::numeric_limits<int32_t>::max();
  for (const models::Layer* layer : layers) {
    for (const auto& block : layer->blocks) {
      if (const auto* a = std::get_if<Attention>(&block.op)) {
        ++traits.n_attentions;
        traits.heads_per_kv =
            std::min(traits.heads_per_kv, a->n_heads / std::max(1, a->n_kv_heads));
      } else if (std::holds_alternative<models::LatentAttention>(block.op) ||
                 std::holds_alternative<models::CrossAttention>(block.op)) {
        ++traits.n_attentions;
      } else if (const auto* moe = std::get_if<Moe>(&block.op)) {
        traits.n_experts = std::max(traits.n_experts, static_cast<int32_t>(moe->experts.size()));
      }
    }
  }
  if (traits.heads_per_kv == std::numeric_limits<int32_t>::max()) traits.heads_per_kv = 1;
  return traits;
}

}  // namespace strata::modify
