// The part of HDF5 that Keras writes its weights in: superblocks 0 and 1, groups with symbol
// tables, numbers in one piece (HDF5 File Format Specification 3.0, docs.hdfgroup.org). Why not the
// library: docs/decisions/0005-hdf5-read-by-ourselves.md.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "models/format/safetensors.h"

namespace strata::models {

// All data sets, named by their paths ("a/b/kernel:0"), in the order of the file's groups; views
// into `bytes`, aligned to nothing. Attributes are not read. `file` names the file in errors.
// Error{invalid_argument}: damaged, cut, addresses outside of the file, a group, a node or a data
// set that is reached twice (so that nothing goes round in circles), data sets that overlap, more
// than kMaxHdf5… (hf_limits.h). Error{unimplemented}: newer superblocks, object headers and groups;
// chunks, filters, links to elsewhere, types that are no plain numbers.
std::vector<SafeTensor> parse_hdf5(std::span<const std::byte> bytes, std::string_view file);

}  // namespace strata::models
