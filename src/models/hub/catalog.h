// The models that Strata knows by name: catalog/models.yaml, built into the program.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::models {

// What layers of one kind keep of the positions before.
struct CacheFact {
  uint64_t layers = 0;
  uint64_t width = 0;   // numbers a layer keeps of a position, keys and values together
  uint64_t window = 0;  // positions kept; 0: all
};

struct CatalogEntry {
  std::string name;                  // "smollm2:135m"
  std::vector<std::string> aliases;  // "smollm2", "default"
  std::vector<std::string> sources;  // tried in this order
  std::string sha256;                // of the file that every source gives
  uint64_t size = 0;
  std::string licence;
  std::string description;
  uint64_t context = 0;
  std::string kind;              // "chat" or "base"
  std::vector<CacheFact> cache;  // of all its layers
};

// Bytes of keys and values of so many positions as bf16. Nearly what inference/memory.h foretells
// of the file: blocks that a window only touches are not counted.
uint64_t cache_bytes(const CatalogEntry& entry, uint64_t positions);

// Error{invalid_argument} with the entry and field for a catalogue that is not whole.
std::vector<CatalogEntry> parse_catalog(std::string_view yaml);

std::span<const CatalogEntry> catalog();  // parsed at first use
// By full name or alias; null when not known.
const CatalogEntry* find_in_catalog(std::string_view name);
// What `strata run` starts without a name.
std::string_view default_model();  // "smollm2:135m"

}  // namespace strata::models
