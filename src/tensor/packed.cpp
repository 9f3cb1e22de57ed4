#include "tensor/packed.h"

#include <algorithm>
#include <cstring>

#include "core/bytes.h"
#include "core/check.h"
#include "core/error.h"
#include "tensor/ops.h"
#include "tensor/pack.h"

namespace strata::tensor {
namespace {

int64_t round_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

void check_source(const WeightSource& source, int64_t cols) {
  if (source.rows < 1 || source.cols < 1 || source.cols != cols || source.rows > INT32_MAX ||
      source.cols > INT32_MAX) {
    throw Error(Code::invalid_argument,
                fmt::format("a weight of {} x {} among weights of {} columns", source.rows,
                            source.cols, cols));
  }
  const DTypeInfo& type = dtype_info(source.type);
  if (source.cols % type.block_weights != 0) {
    throw Error(Code::invalid_argument, fmt::format("{} columns are not a multiple of {}'s {}",
                                                    source.cols, type.name, type.block_weights));
  }
}

PackedMatrix::Segment segment_of(const WeightSource& source) {
  PackedMatrix::Segment s;
  s.layout = pack::layout_of(source.type, source.data, source.rows * source.cols);
  if (source.exact && source.type == DType::f32) s.layout = Layout::wf32;
  s.rows = source.rows;
  s.n_blocks = round_up(source.rows, kRowBlock) / kRowBlock;
  const int tile_groups = info(s.layout).tile_groups;
  const int64_t n_tiles = round_up(source.cols, kGroup * tile_groups) / (kGroup * tile_groups);
  s.n_groups = n_tiles * tile_groups;
  s.block_bytes = n_tiles * tile_bytes(s.layout);
  if (s.layout == Layout::w4t) pack::fill_table(source.type, s.table);
  return s;
}

// One stored row block of a source.
struct BlockJob {
  const WeightSource* source;
  Layout layout;
  int64_t first_row;
  uint8_t* block;
};

void pack_block(const BlockJob& job, std::vector<float>& scratch) {
  const WeightSource& source = *job.source;
  scratch.resize(static_cast<size_t>(source.cols));
  const auto row_bytes = bytes_of(source.type, static_cast<uint64_t>(source.cols));
  const int64_t n = std::min<int64_t>(kRowBlock, source.rows - job.first_row);
  for (int64_t i = 0; i < n; ++i) {
    const std::byte* row = source.data + static_cast<uint64_t>(job.first_row + i) * row_bytes;
    pack::pack_row(source.type, job.layout, row, source.cols, static_cast<int>(i), job.block,
                   scratch.data());
  }
}

// What a w8p matrix of this shape needs.
void lay_in_planes(PackedMatrix::Segment& s) {
  const int64_t n_tiles = s.n_groups / info(Layout::w5h).tile_groups;
  s.layout = Layout::w8p;
  s.block_bytes = kPlanesHead + n_tiles * tile_bytes(Layout::w5h);
  s.lower_bytes = s.n_groups * kLowerBytes;
  s.lower_offset = static_cast<size_t>(s.n_blocks * s.block_bytes);
}

void run_jobs(const std::vector<BlockJob>& jobs, Team& team) {
  team.run([&](int thread) {
    std::vector<float> scratch;
    const Share share = share_of(static_cast<int64_t>(jobs.size()), thread, team.size());
    for (int64_t i = share.begin; i < share.end; ++i) {
      pack_block(jobs[static_cast<size_t>(i)], scratch);
    }
  });
}

}  // namespace

PackedMatrix PackedMatrix::pack(std::span<const WeightSource> sources, Team& team, Arena* arena) {
  PackedMatrix m;
  if (sources.empty()) throw Error(Code::invalid_argument, "no weights to pack");
  m.cols_ = sources[0].cols;
  size_t total = 0;
  for (const WeightSource& source : sources) {
    check_source(source, m.cols_);
    Segment s = segment_of(source);
    s.first_row = m.rows_;
    s.first_block = m.n_row_blocks_;
    s.offset = total;
    total += static_cast<size_t>(s.n_blocks * s.block_bytes);
    m.rows_ += s.rows;
    m.n_row_blocks_ += s.n_blocks;
    m.segments_.push_back(s);
  }
  m.buffer_ = arena != nullptr ? arena->take(total) : Buffer(total);
  if (arena != nullptr && arena->filled()) return m;
  std::vector<BlockJob> jobs;
  for (size_t i = 0; i < sources.size(); ++i) {
    const Segment& s = m.segments_[i];
    auto* base = m.buffer_.as<uint8_t>(s.offset);
    for (int64_t b = 0; b < s.n_blocks; ++b) {
      jobs.push_back({&sources[i], s.layout, b * kRowBlock, base + b * s.block_bytes});
    }
  }
  run_jobs(jobs, team);
  return m;
}

PackedMatrix PackedMatrix::pack_in_planes(const WeightSource& source, Team& team, Arena* arena) {
  check_source(source, source.cols);
  CHECK(source.type == DType::q8_0);
  Segment s = segment_of(source);
  const auto joined_bytes = static_cast<size_t>(s.block_bytes);
  lay_in_planes(s);
  PackedMatrix m;
  m.cols_ = source.cols;
  m.rows_ = s.rows;
  m.n_row_blocks_ = s.n_blocks;
  m.segments_.push_back(s);
  const auto total = static_cast<size_t>(s.n_blocks * (s.block_bytes + s.lower_bytes));
  m.buffer_ = arena != nullptr ? arena->take(total) : Buffer(total);
  if (arena != nullptr && arena->filled()) return m;
  team.run([&](int thread) {
    std::vector<float> scratch;
    Buffer joined(joined_bytes);
    const Share share = share_of(s.n_blocks, thread, team.size());
    for (int64_t b = share.begin; b < share.end; ++b) {
      std::memset(joined.data(), 0, joined_bytes);
      pack_block({&source, Layout::w8s, b * kRowBlock, joined.as<uint8_t>()}, scratch);
      pack::split_planes(joined.as<uint8_t>(), s.n_groups,
                         m.buffer_.as<uint8_t>(static_cast<size_t>(b * s.block_bytes)),
                         m.buffer_.as<uint8_t>(s.lower_offset) + b * s.lower_bytes);
    }
  });
  return m;
}

PackedMatrix PackedMatrix::pack_gated(const WeightSource& gate, const WeightSource& up, Team& team,
                                      Arena* arena) {
  check_source(gate, gate.cols);
  check_source(up, gate.cols);
  if (gate.rows != up.rows) {
    throw Error(Code::invalid_argument,
                fmt::format("a gate of {} rows with an up of {}", gate.rows, up.rows));
  }
  PackedMatrix m;
  m.gated_ = true;
  m.rows_ = gate.rows;
  m.cols_ = gate.cols;
  Segment g = segment_of(gate);
  Segment u = segment_of(up);
  m.n_row_blocks_ = g.n_blocks;
  const bool same = g.layout == u.layout && std::memcmp(g.table, u.table, sizeof g.table) == 0;
  u.offset = static_cast<size_t>(same ? g.block_bytes : g.n_blocks * g.block_bytes);
  const auto total = static_cast<size_t>(g.n_blocks * (g.block_bytes + u.block_bytes));
  m.buffer_ = arena != nullptr ? arena->take(total) : Buffer(total);
  m.segments_.push_back(g);
  if (!same) m.segments_.push_back(u);
  if (arena != nullptr && arena->filled()) return m;
  std::vector<BlockJob> jobs;
  const int64_t stride = same ? 2 : 1;
  for (int64_t b = 0; b < g.n_blocks; ++b) {
    auto* base = m.buffer_.as<uint8_t>();
    jobs.push_back({&gate, g.layout, b * kRowBlock, base + stride * b * g.block_bytes});
    jobs.push_back({&up, u.layout, b * kRowBlock,
                    base + u.offset + static_cast<size_t>(stride * b * u.block_bytes)});
  }
  run_jobs(jobs, team);
  return m;
}

int64_t packed_bytes(DType type, int64_t rows, int64_t cols, bool exact) {
  const bool whole = exact && type == DType::f32;
  const Layout layout = whole ? Layout::wf32 : pack::layout_of(type, nullptr, 0);
  const int64_t tile_cols = int64_t{kGroup} * info(layout).tile_groups;
  return round_up(rows, kRowBlock) / kRowBlock * (round_up(cols, tile_cols) / tile_cols) *
         tile_bytes(layout);
}

int64_t packed_in_planes_bytes(int64_t rows, int64_t cols) {
  const int64_t n_groups = round_up(cols, 2 * kGroup) / kGroup;
  return round_up(rows, kRowBlock) / kRowBlock *
         (kPlanesHead + n_groups / 2 * tile_bytes(Layout::w5h) + n_groups * kLowerBytes);
}

size_t PackedMatrix::bytes() const {
  return buffer_.size();
}

size_t PackedMatrix::unread_bytes() const {
  if (!in_planes()) return 0;
  const Segment& s = segments_[0];
  return static_cast<size_t>(s.n_blocks * s.n_groups * kPlaneBytes);
}

void PackedMatrix::unpack_row(int64_t row, float* out) const {
  const bool second = gated_ && row >= rows_;
  const int64_t r = second ? row - rows_ : row;
  CHECK(row >= 0 && r < rows_);
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Segment& s = segments_[i];
    if (r < s.first_row || r >= s.first_row + s.rows) continue;
    if (gated_ && segments_.size() == 2 && (i == 1) != second) continue;
    const int64_t local = r - s.first_row;
    const int64_t block = interleaved() ? 2 * (local / kRowBlock) + second : local / kRowBlock;
    const auto* tiles = reinterpret_cast<const uint8_t*>(this->tiles(s)) + block * s.block_bytes;
    if (s.layout == Layout::w8p) {
      const auto* lower = reinterpret_cast<const uint8_t*>(this->lower(s)) + block * s.lower_bytes;
      return pack::unpack_planes_row(tiles, lower, static_cast<int>(local % kRowBlock), cols_, out);
    }
    pack::unpack_row(s.layout, tiles, s.table, static_cast<int>(local % kRowBlock), cols_, out);
    return;
  }
}

bool PackedMatrix::wants(InputKind kind) const {
  return std::any_of(segments_.begin(), segments_.end(), [&](const Segment& s) {
    return kind == (s.layout == Layout::wbf    ? InputKind::bf16
                    : s.layout == Layout::wf32 ? InputKind::f32
                                               : InputKind::int8);
  });
}

}  // namespace strata::tensor
