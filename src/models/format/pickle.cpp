#include "models/format/pickle.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/bytes.h"
#include "core/utf8.h"
#include "models/format/file_refuser.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_limits.h"

namespace strata::models {
namespace {

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kHint =
    "only pickles of tensors are read, and nothing in them is executed; take the model's "
    "safetensors, or save its state_dict() alone";

// Those that a state dict does not need and that a reader meets in other pickles.
struct Named {
  uint8_t code;
  std::string_view name;
};
constexpr std::array kRefused{
    Named{'i', "INST"},        Named{'o', "OBJ"},          Named{0x81, "NEWOBJ"},
    Named{0x92, "NEWOBJ_EX"},  Named{0x82, "EXT1"},        Named{0x83, "EXT2"},
    Named{0x84, "EXT4"},       Named{'P', "PERSID"},       Named{'0', "POP"},
    Named{'1', "POP_MARK"},    Named{'2', "DUP"},          Named{'I', "INT"},
    Named{'L', "LONG"},        Named{'F', "FLOAT"},        Named{'S', "STRING"},
    Named{'V', "UNICODE"},     Named{'p', "PUT"},          Named{'g', "GET"},
    Named{0x8f, "EMPTY_SET"},  Named{0x90, "ADDITEMS"},    Named{0x91, "FROZENSET"},
    Named{0x96, "BYTEARRAY8"}, Named{0x97, "NEXT_BUFFER"}, Named{0x98, "READONLY_BUFFER"},
};

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, std::string_view file,
          bool (*is_known)(std::string_view))
      : reader_(bytes.first(std::min(bytes.size(), kMaxPickle))),
        refuse_(file),
        is_known_(is_known) {}

  Pickle run() {
    while (step()) {
    }
    out_.root = pop();
    if (!stack_.empty() || !marks_.empty()) refuse_("pickle: STOP leaves values on the stack");
    out_.size = reader_.offset();
    return std::move(out_);
  }

 private:
  // False at STOP.
  bool step() {
    at_ = reader_.offset();
    const auto code = reader_.read<uint8_t>("opcode");
    if (code == '.') return false;
    if (!scalar(code) && !text(code) && !container(code) && !memo(code) && !call(code)) {
      refuse_opcode(code);
    }
    return true;
  }

  bool scalar(uint8_t code) {
    switch (code) {
      case 0x80: {  // PROTO
        const auto version = reader_.read<uint8_t>("protocol");
        if (version < 2 || version > 5) {
          refuse_.unsupported(kHint, "pickle: protocol {} is none of 2 to 5", version);
        }
        return true;
      }
      case 0x95:  // FRAME: how far a reader may read ahead
        reader_.read<uint64_t>("frame");
        return true;
      case 'N':
        push(PickleKind::none);
        return true;
      case 0x88:  // NEWTRUE
        push(PickleKind::boolean).integer = 1;
        return true;
      case 0x89:  // NEWFALSE
        push(PickleKind::boolean);
        return true;
      case 'J':  // BININT
        push(PickleKind::integer).integer = reader_.read<int32_t>("integer");
        return true;
      case 'K':  // BININT1
        push(PickleKind::integer).integer = reader_.read<uint8_t>("integer");
        return true;
      case 'M':  // BININT2
        push(PickleKind::integer).integer = reader_.read<uint16_t>("integer");
        return true;
      case 0x8a:  // LONG1
        long_integer(reader_.read<uint8_t>("length"));
        return true;
      case 'G':  // BINFLOAT
        reader_.take(8, "number");
        push(PickleKind::real);
        return true;
      default:
        return false;
    }
  }

  // Two's complement.
  void long_integer(size_t size) {
    const auto digits = reader_.take_text(size, "integer");
    if (size > 8) {
      push(PickleKind::big_integer).text = digits;
      return;
    }
    uint64_t value = size > 0 && (digits.back() & 0x80) != 0 ? ~uint64_t{0} : 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(digits[i]);
    push(PickleKind::integer).integer = static_cast<int64_t>(value);
  }

  bool text(uint8_t code) {
    switch (code) {
      case 0x8c:  // SHORT_BINUNICODE
      case 'U':   // SHORT_BINSTRING, Python 2's text
        take_text(PickleKind::text, reader_.read<uint8_t>("length"));
        return true;
      case 'X':  // BINUNICODE
      case 'T':  // BINSTRING
        take_text(PickleKind::text, reader_.read<uint32_t>("length"));
        return true;
      case 0x8d:  // BINUNICODE8
        take_text(PickleKind::text, reader_.read<uint64_t>("length"));
        return true;
      case 'C':  // SHORT_BINBYTES
        take_text(PickleKind::bytes, reader_.read<uint8_t>("length"));
        return true;
      case 'B':  // BINBYTES
        take_text(PickleKind::bytes, reader_.read<uint32_t>("length"));
        return true;
      default:
        return false;
    }
  }

  void take_text(PickleKind kind, uint64_t size) {
    const std::string_view taken = reader_.take_text(size, "text");
    if (kind == PickleKind::text && !is_valid_utf8(taken)) {
      refuse_("pickle: the text at offset {} is no UTF-8", at_);
    }
    push(kind).text = taken;
  }

  bool container(uint8_t code) {
    switch (code) {
      case '(':  // MARK
        if (marks_.size() == kMaxPickleDepth) {
          refuse_("pickle: more than {} marks are open at offset {}", kMaxPickleDepth, at_);
        }
        marks_.push_back(stack_.size());
        return true;
      case ')':  // EMPTY_TUPLE
        push(PickleKind::tuple);
        return true;
      case 't':  // TUPLE
        collect(PickleKind::tuple, to_mark());
        return true;
      case 0x85:
      case 0x86:
      case 0x87:  // TUPLE1 to TUPLE3
        collect(PickleKind::tuple, last(code - size_t{0x84}));
        return true;
      case ']':  // EMPTY_LIST
        push(PickleKind::list);
        return true;
      case 'l':  // LIST
        collect(PickleKind::list, to_mark());
        return true;
      case '}':  // EMPTY_DICT
        push(PickleKind::dict);
        return true;
      case 'd':  // DICT
        collect(PickleKind::dict, to_mark());
        return true;
      case 'a':  // APPEND
        extend(PickleKind::list, last(1));
        return true;
      case 'e':  // APPENDS
        extend(PickleKind::list, to_mark());
        return true;
      case 's':  // SETITEM
        extend(PickleKind::dict, last(2));
        return true;
      case 'u':  // SETITEMS
        extend(PickleKind::dict, to_mark());
        return true;
      default:
        return false;
    }
  }

  bool memo(uint8_t code) {
    switch (code) {
      case 'q':  // BINPUT
        put(reader_.read<uint8_t>("memo"));
        return true;
      case 'r':  // LONG_BINPUT
        put(reader_.read<uint32_t>("memo"));
        return true;
      case 0x94:  // MEMOIZE
        put(static_cast<uint32_t>(memo_.size()));
        return true;
      case 'h':  // BINGET
        get(reader_.read<uint8_t>("memo"));
        return true;
      case 'j':  // LONG_BINGET
        get(reader_.read<uint32_t>("memo"));
        return true;
      default:
        return false;
    }
  }

  // Calls are noted, never made.
  bool call(uint8_t code) {
    switch (code) {
      case 'c': {  // GLOBAL
        const std::string module = line();
        name_global(module, line());
        return true;
      }
      case 0x93: {  // STACK_GLOBAL
        const auto names = last(2);
        for (const uint32_t name : names) {
          if (out_.at(name).kind == PickleKind::text) continue;
          refuse_("pickle: STACK_GLOBAL at offset {} has no text", at_);
        }
        name_global(out_.at(names[0]).text, out_.at(names[1]).text);
        return true;
      }
      case 'Q':  // BINPERSID
        collect(PickleKind::persistent, last(1));
        return true;
      case 'R':  // REDUCE
        reduce(last(2));
        return true;
      case 'b':  // BUILD
        build(last(1)[0]);
        return true;
      default:
        return false;
    }
  }

  void reduce(const std::vector<uint32_t>& items) {
    if (out_.at(items[0]).kind != PickleKind::global) {
      refuse_.unsupported(kHint, "pickle: REDUCE at offset {} calls what is no global", at_);
    }
    const PickleValue& arguments = out_.at(items[1]);
    if (arguments.kind != PickleKind::tuple) {
      refuse_("pickle: REDUCE at offset {} has no tuple of arguments", at_);
    }
    if (out_.at(items[0]).text != kOrderedDict) return collect(PickleKind::call, items);
    if (!arguments.items.empty()) {
      refuse_.unsupported(kHint, "pickle: {} at offset {} has arguments", kOrderedDict, at_);
    }
    push(PickleKind::dict);
  }

  // PyTorch's state dicts carry the versions of their modules as attributes.
  void build(uint32_t state) {
    const PickleKind target = out_.at(peek()).kind;
    if (target == PickleKind::dict && out_.at(state).kind == PickleKind::dict) return;
    refuse_.unsupported(kHint, "pickle: BUILD at offset {} sets the state of what is no dictionary",
                        at_);
  }

  void name_global(std::string_view module, std::string_view name) {
    const std::string global = fmt::format("{}.{}", module, name);
    if (global != kOrderedDict && !is_known_(global)) {
      refuse_.unsupported(kHint, "pickle: the global '{}' at offset {} is none of a state dict's",
                          printable(global), at_);
    }
    push(PickleKind::global).text = global;
  }

  std::string line() {
    std::string out;
    for (char c = 0; (c = reader_.read<char>("a global's name")) != '\n';) out.push_back(c);
    return out;
  }

  [[noreturn]] void refuse_opcode(uint8_t code) const {
    const auto named = std::ranges::find(kRefused, code, &Named::code);
    if (named == kRefused.end()) {
      refuse_("pickle: no opcode 0x{:02x} (at offset {}) is known", code, at_);
    }
    refuse_.unsupported(kHint, "pickle: the opcode {} at offset {} is none of a state dict's",
                        named->name, at_);
  }

  PickleValue& push(PickleKind kind) {
    push_place(static_cast<uint32_t>(out_.values.size()));
    out_.values.emplace_back().kind = kind;
    return out_.values.back();
  }
  // What is in the memo can be pushed and put into lists again and again: each time counts.
  void push_place(uint32_t place) {
    if (++n_pushed_ > kMaxPickleValues) refuse_("pickle: more than {} values", kMaxPickleValues);
    stack_.push_back(place);
  }

  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  uint32_t peek() const {
    if (stack_.size() <= floor()) refuse_("pickle: nothing on the stack at offset {}", at_);
    return stack_.back();
  }
  uint32_t pop() {
    const uint32_t place = peek();
    stack_.pop_back();
    return place;
  }
  std::vector<uint32_t> take_from(size_t first) {
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(first);
    std::vector<uint32_t> out(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    return out;
  }
  std::vector<uint32_t> last(size_t n) {
    if (stack_.size() - floor() < n) refuse_("pickle: nothing on the stack at offset {}", at_);
    return take_from(stack_.size() - n);
  }
  std::vector<uint32_t> to_mark() {
    if (marks_.empty()) refuse_("pickle: no mark on the stack at offset {}", at_);
    const size_t first = marks_.back();
    marks_.pop_back();
    return take_from(first);
  }

  void check_pairs(PickleKind kind, size_t n) const {
    if (kind == PickleKind::dict && n % 2 != 0) {
      refuse_("pickle: a key without a value at offset {}", at_);
    }
  }
  void collect(PickleKind kind, std::vector<uint32_t> items) {
    check_pairs(kind, items.size());
    push(kind).items = std::move(items);
  }
  void extend(PickleKind kind, const std::vector<uint32_t>& items) {
    check_pairs(kind, items.size());
    PickleValue& target = out_.values[peek()];
    if (target.kind != kind) {
      refuse_("pickle: items at offset {} are added to no {}", at_,
              kind == PickleKind::dict ? "dictionary" : "list");
    }
    target.items.insert(target.items.end(), items.begin(), items.end());
  }

  void put(uint32_t slot) {
    if (memo_.size() == kMaxPickleValues) refuse_("pickle: the memo is full at offset {}", at_);
    memo_[slot] = peek();
  }
  void get(uint32_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) refuse_("pickle: nothing in memo {} at offset {}", slot, at_);
    push_place(found->second);
  }

  ByteReader reader_;
  FileRefuser refuse_;
  bool (*is_known_)(std::string_view);
  Pickle out_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, uint32_t> memo_;
  size_t n_pushed_ = 0;
  size_t at_ = 0;  // offset of the opcode
};

}  // namespace

Pickle read_pickle(std::span<const std::byte> bytes, std::string_view file,
                   bool (*is_known)(std::string_view global)) {
  return naming_file(file, [&] { return Machine(bytes, file, is_known).run(); });
}

}  // namespace strata::models
