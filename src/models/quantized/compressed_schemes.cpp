#include "models/quantized/compressed_schemes.h"

#include <algorithm>
#include <array>

namespace strata::models {
namespace {

using Scales = CompressedScheme::Scales;

constexpr std::array kFormats{"pack-quantized", "int-quantized", "float-quantized",
                              "naive-quantized"};

void check_format(const Settings& settings, bool may_be_mixed) {
  const auto format = settings.text("format");
  if (!format || (may_be_mixed && *format == "mixed-precision")) return;
  if (std::ranges::find(kFormats, *format) != kFormats.end()) return;
  settings.unsupported("format", "pack-quantized, int-quantized, float-quantized, naive-quantized");
}

uint64_t above_zero(const Settings& settings, std::string_view field, int64_t value) {
  if (value < 1) settings.refuse(field, "is not above 0");
  return static_cast<uint64_t>(value);
}

void read_scales(const Settings& weights, CompressedScheme& scheme) {
  const int64_t group = weights.integer({"group_size"}).value_or(-1);
  const std::string strategy = weights.text("strategy").value_or(group > 0 ? "group" : "tensor");
  if (strategy == "tensor") {
    scheme.scales = Scales::one;
  } else if (strategy == "channel") {
    scheme.scales = Scales::of_rows;
  } else if (strategy == "group") {
    scheme.scales = Scales::of_groups;
    scheme.group_cols = above_zero(weights, "group_size", group);
  } else if (strategy == "block" && !scheme.is_integer) {
    scheme.scales = Scales::of_blocks;
    const auto sizes = weights.integers("block_structure");
    if (sizes.size() != 2) weights.refuse("block_structure", "is no pair of numbers");
    scheme.block = {above_zero(weights, "block_structure", sizes[0]),
                    above_zero(weights, "block_structure", sizes[1])};
  } else {
    weights.unsupported("strategy", "tensor, channel; group of integers; block of FP8");
  }
  if (!scheme.is_integer && scheme.scales == Scales::of_groups) {
    weights.unsupported("strategy", "tensor, channel and block of FP8");
  }
}

CompressedScheme read_scheme(const Settings& group) {
  check_format(group, false);
  const auto weights = group.part("weights");
  if (!weights) group.refuse("weights", "is missing");
  CompressedScheme scheme;
  const std::string type = weights->text("type").value_or("int");
  const int64_t bits = weights->integer({"num_bits"}).value_or(8);
  scheme.is_integer = type == "int";
  if (type != "int" && type != "float") weights->unsupported("type", "int, float");
  const bool known = scheme.is_integer ? bits == 2 || bits == 4 || bits == 8 : bits == 8;
  if (!known) weights->unsupported("num_bits", "2, 4 and 8 of int, 8 of float");
  scheme.bits = static_cast<uint64_t>(bits);
  scheme.has_zeros = !weights->flag("symmetric").value_or(true);
  read_scales(*weights, scheme);
  scheme.has_activations = group.find("input_activations") != nullptr;
  return scheme;
}

// What would have to be undone first.
void refuse_more(const Settings& settings) {
  const auto status = settings.text("quantization_status");
  if (status && *status != "compressed") settings.unsupported("quantization_status", "compressed");
  const auto sparsity = settings.part("sparsity_config");
  if (sparsity && sparsity->text("format").value_or("dense") != "dense") {
    sparsity->unsupported("format", "dense");
  }
  const auto transforms = settings.part("transform_config");
  const auto groups = transforms ? transforms->part("config_groups") : std::nullopt;
  if (groups && !groups->object().empty()) {
    settings.unsupported("transform_config", "none: rotations are not computed");
  }
}

}  // namespace

std::string CompressedScheme::text() const {
  std::string text = is_integer ? fmt::format("{}-bit integers", bits) : std::string("FP8 (E4M3)");
  if (scales == Scales::of_groups) text += fmt::format(" in groups of {}", group_cols);
  if (scales == Scales::of_blocks)
    text += fmt::format(" in blocks of {} x {}", block.rows, block.cols);
  if (scales == Scales::of_rows) text += ", a scale a row";
  return text;
}

std::vector<CompressedScheme> read_schemes(const Settings& settings) {
  check_format(settings, true);
  refuse_more(settings);
  const auto groups = settings.part("config_groups");
  if (!groups || groups->object().empty()) settings.refuse("config_groups", "names no group");
  std::vector<CompressedScheme> schemes;
  for (const auto& entry : groups->object()) {
    const auto group = groups->part(entry.key());
    if (!group) groups->refuse(entry.key(), "is no object");
    schemes.push_back(read_scheme(*group));
  }
  return schemes;
}

}  // namespace strata::models
