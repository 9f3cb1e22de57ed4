// What files of torch.save are made of, for tests that make wrong ones: opcodes of pickles, members
// of zip archives.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "models/testing/published.h"

namespace strata::models::torch_parts {

inline std::string text(std::string_view value) {  // BINUNICODE
  return "X" + as_bytes_text(static_cast<uint32_t>(value.size())) + std::string(value);
}
inline std::string number(int64_t value) {  // LONG1
  return std::string("\x8a\x08") + as_bytes_text(value);
}
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string tuple(std::initializer_list<std::string> items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}
inline std::string numbers(const std::vector<int64_t>& values) {
  std::string out = "(";
  for (const int64_t value : values) out += number(value);
  return out + "t";
}
inline std::string call(const std::string& function, const std::string& arguments) {
  return function + arguments + "R";
}
inline std::string pickle(const std::string& body) {
  return "\x80\x02" + body + ".";
}
inline std::string dict(std::initializer_list<std::string> keys_and_values) {
  std::string out = "}(";
  for (const std::string& item : keys_and_values) out += item;
  return out + "u";
}

struct TensorParts {
  std::string key = "0";
  std::string storage = "FloatStorage";
  int64_t n = 6;  // elements of the storage
  int64_t offset = 0;
  std::vector<int64_t> size{2, 3};
  std::vector<int64_t> stride{3, 1};
};
inline std::string tensor(const TensorParts& parts) {
  const std::string id = tuple({text("storage"), global("torch", parts.storage), text(parts.key),
                                text("cpu"), number(parts.n)}) +
                         "Q";
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              tuple({id, number(parts.offset), numbers(parts.size), numbers(parts.stride), "\x89",
                     call(global("collections", "OrderedDict"), ")")}));
}

struct Member {
  std::string name;
  std::string bytes;
  uint16_t method = 0;
  uint16_t flags = 0;
};
struct Zip {
  std::string bytes;
  std::vector<size_t> local;    // places of the members' headers
  std::vector<size_t> central;  // and of their entries
  size_t end = 0;               // of the directory; with zip64 of its own end
};

inline Zip zip(const std::vector<Member>& members, bool zip64 = false) {
  Zip out;
  std::string directory;
  for (const Member& member : members) {
    const auto size = static_cast<uint32_t>(member.bytes.size());
    const auto at = static_cast<uint32_t>(out.bytes.size());
    const auto name_size = static_cast<uint16_t>(member.name.size());
    const std::string kind = as_bytes_text(member.flags) + as_bytes_text(member.method) +
                             std::string(8, '\0');  // time and CRC
    out.local.push_back(out.bytes.size());
    out.bytes += "PK\x03\x04" + as_bytes_text(uint16_t{20}) + kind + as_bytes_text(size) +
                 as_bytes_text(size) + as_bytes_text(name_size) + as_bytes_text(uint16_t{0}) +
                 member.name + member.bytes;
    std::string extra;
    if (zip64) {
      extra = as_bytes_text(uint16_t{1}) + as_bytes_text(uint16_t{24}) +
              as_bytes_text(uint64_t{size}) + as_bytes_text(uint64_t{size}) +
              as_bytes_text(uint64_t{at});
    }
    const auto in_entry = [&](uint32_t value) {
      return as_bytes_text(zip64 ? uint32_t{0xffffffff} : value);
    };
    out.central.push_back(directory.size());
    directory += "PK\x01\x02" + as_bytes_text(uint32_t{20}) + kind + in_entry(size) +
                 in_entry(size) + as_bytes_text(name_size) +
                 as_bytes_text(static_cast<uint16_t>(extra.size())) + std::string(10, '\0') +
                 in_entry(at) + member.name + extra;
  }
  const uint64_t start = out.bytes.size();
  for (size_t& place : out.central) place += out.bytes.size();
  out.bytes += directory;
  out.end = out.bytes.size();
  const uint64_t n = members.size();
  if (zip64) {
    out.bytes += "PK\x06\x06" + as_bytes_text(uint64_t{44}) +
                 as_bytes_text(uint32_t{45 << 16 | 45}) + std::string(8, '\0') + as_bytes_text(n) +
                 as_bytes_text(n) + as_bytes_text(uint64_t{directory.size()}) +
                 as_bytes_text(start);
    out.bytes += "PK\x06\x07" + std::string(4, '\0') + as_bytes_text(uint64_t{out.end}) +
                 as_bytes_text(uint32_t{1});
  }
  const auto in_end = [&](uint64_t value) {
    return as_bytes_text(zip64 ? uint32_t{0xffffffff} : static_cast<uint32_t>(value));
  };
  const auto n_short = zip64 ? uint16_t{0xffff} : static_cast<uint16_t>(n);
  out.bytes += "PK\x05\x06" + std::string(4, '\0') + as_bytes_text(n_short) +
               as_bytes_text(n_short) + in_end(directory.size()) + in_end(start) +
               std::string(2, '\0');
  return out;
}

// An archive as torch.save writes it, with a storage "0" of 24 bytes.
inline std::string torch_zip(const std::string& data_pkl) {
  return zip({{"m/data.pkl", data_pkl}, {"m/data/0", std::string(24, '\1')}}).bytes;
}

}  // namespace strata::models::torch_parts
