// Files of torch.save that attack: none is executed, each is refused by its name and with what is
// wrong, whatever it says of sizes.
#include <filesystem>

#include <gmock/gmock.h>

#include "core/testing/temp_folder.h"
#include "models/format/torch_file.h"
#include "models/testing/torch_parts.h"

namespace strata::models {
namespace {

using namespace torch_parts;
using ::testing::AllOf;
using ::testing::HasSubstr;

const ReadBytes kRead = [](std::span<const std::byte> bytes) { parse_torch_file(bytes, "file"); };

std::string message(std::string_view bytes) {
  return message_of(bytes, kRead);
}
// Of an archive with this pickle.
std::string refused(const std::string& body) {
  return message(torch_zip(pickle(body)));
}
std::string refused_tensor(const TensorParts& parts) {
  return refused(dict({text("w"), tensor(parts)}));
}

TEST(TorchHostile, WhatIsRightIsRead) {
  EXPECT_EQ(refused_tensor(TensorParts{}), "");
  EXPECT_EQ(refused_tensor({.offset = 2, .size = {4}, .stride = {1}}), "");
  EXPECT_EQ(refused_tensor({.size = {3, 2}, .stride = {1, 3}}), "");  // transposed
  EXPECT_EQ(refused_tensor({.size = {}, .stride = {}}), "");
  EXPECT_EQ(refused_tensor({.size = {0, 9}, .stride = {9, 1}}), "");
  EXPECT_EQ(refused_tensor({.size = {1, 6}, .stride = {77, 1}}),
            "");  // of one row the stride is nothing
}

TEST(TorchHostile, NothingIsExecuted) {
  const strata::testing::TempFolder folder;
  const auto marker = folder.path() / "executed";
  const std::string command = text("touch " + marker.string());
  const std::string code = text("open('" + marker.string() + "', 'w')");
  const std::string one = "(" + command + "t";
  struct Attack {
    std::string body;
    std::string what;
  };
  const std::vector<Attack> attacks{
      {call(global("posix", "system"), one), "global 'posix.system' at offset 2"},
      {call(global("os", "system"), one), "global 'os.system' at offset 2"},
      {call(global("nt", "system"), one), "global 'nt.system'"},
      {call(global("builtins", "eval"), "(" + code + "t"), "global 'builtins.eval' at offset 2"},
      {call(global("__builtin__", "exec"), "(" + code + "t"), "global '__builtin__.exec'"},
      {text("os") + text("system") + "\x93" + one + "R", "global 'os.system' at offset 20"},
      {text("x\ncos") + text("system") + "\x93" + one + "R", "global 'x?cos.system'"},
      {global("torch._utils", "_rebuild_tensor_v2") + global("os", "system") + "\x86" + one + "R",
       "global 'os.system'"},
      {call(global("torch", "load"), one), "global 'torch.load'"},
      {call(global("torch._utils", "_rebuild_tensor"), one),
       "global 'torch._utils._rebuild_tensor'"},
      {call(global("subprocess", "Popen"), one), "global 'subprocess.Popen'"},
      {global("torch", "FloatStorage") + one + "b", "BUILD at offset"},
      {tensor({}) + dict({text("__setstate__"), command}) + "b", "BUILD at offset"},
      {"(iposix\nsystem\n", "opcode INST at offset 3"},
      {"(" + command + "iposix\nsystem\n", "opcode INST"},
      {"(" + global("collections", "OrderedDict") + command + "o", "opcode OBJ at offset"},
      {global("collections", "OrderedDict") + one + "\x81", "opcode NEWOBJ at offset"},
      {global("collections", "OrderedDict") + one + "}\x92", "opcode NEWOBJ_EX at offset"},
      {"\x82\x01", "opcode EXT1 at offset 2"},
      {std::string("\x83\x01\x00", 3), "opcode EXT2 at offset 2"},
      {std::string("\x84\x01\x00\x00\x00", 5), "opcode EXT4 at offset 2"},
      {"Pposix.system\n", "opcode PERSID at offset 2"},
      {one + "Q", "persistent id that is no storage"},
      {call(command, one), "REDUCE at offset"},
      {call(call(global("collections", "OrderedDict"), ")"), one), "REDUCE at offset"},
      {call(global("collections", "OrderedDict"), one), "OrderedDict at offset"},
      {std::string("\x97", 1), "opcode NEXT_BUFFER at offset 2"},
      {"\xf0", "no opcode 0xf0 (at offset 2)"},
  };
  for (const Attack& attack : attacks) {
    EXPECT_THAT(refused(attack.body),
                AllOf(::testing::StartsWith("file: "), HasSubstr(attack.what)))
        << attack.what;
    EXPECT_THAT(refused(dict({text("w"), tensor({}), text("x"), attack.body})),
                ::testing::StartsWith("file: "))
        << attack.what;
  }
  // The form before 1.6 has five pickles, each of which is read.
  const std::string legacy = published("llama/f32_legacy/pytorch_model.bin");
  const std::string attack = call(global("posix", "system"), one) + ".";
  for (size_t at = 0; (at = legacy.find("\x80\x02", at)) != std::string::npos; ++at) {
    const std::string changed = legacy.substr(0, at + 2) + attack + legacy.substr(at + 2);
    EXPECT_THAT(message(changed), ::testing::StartsWith("file: ")) << at;
  }
  EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST(TorchHostile, NestingAndMemosStayBounded) {
  EXPECT_THAT(refused(std::string(101, '(')), HasSubstr("more than 100 marks are open at offset"));
  const size_t n = 1'000'000;
  EXPECT_THAT(refused(std::string(n, ']') + std::string(n - 1, 'a')), HasSubstr("no dictionary"));
  std::string bomb = "(lq" + std::string(1, '\0');  // each list has the one before twice
  for (char i = 1; i < 100; ++i) {
    const std::string before = {'h', static_cast<char>(i - 1)};
    bomb += "(" + before + before + "lq" + std::string(1, i);
  }
  EXPECT_THAT(refused(bomb), HasSubstr("leaves values on the stack"));
  EXPECT_THAT(refused("(" + bomb + "t"), HasSubstr("no dictionary"));
  std::string many = "]q" + std::string(1, '\0') + "(";
  for (int i = 0; i < 2'200'000; ++i) many += std::string("h\0", 2);
  EXPECT_THAT(refused(many + "e"), HasSubstr("more than 2097152 values"));
  EXPECT_THAT(refused(std::string(2'200'000, 'N')), HasSubstr("more than 2097152 values"));
  EXPECT_THAT(refused("h\x07"), HasSubstr("nothing in memo 7"));
  EXPECT_THAT(refused("Nr\xff\xff\xff\xff"
                      "j\xfe\xff\xff\xff"),
              HasSubstr("nothing in memo 42949672"));
}

TEST(TorchHostile, WhatHoldsItselfIsNoStateDict) {
  const std::string put("q\0", 2);
  const std::string get("h\0", 2);
  EXPECT_THAT(refused("]" + put + get + "a"), HasSubstr("the pickle is no dictionary"));
  EXPECT_THAT(refused("}" + put + text("model") + get + "s"),
              HasSubstr("no dictionary of tensors"));
  EXPECT_THAT(refused("}" + put + text("w") + tensor({}) + "s" + text("x") + get + "s"),
              HasSubstr("'x' of the state dict is no tensor"));
}

TEST(TorchHostile, StacksThatAreUsedWrongly) {
  EXPECT_THAT(refused(""), HasSubstr("nothing on the stack"));
  EXPECT_THAT(refused("t"), HasSubstr("no mark on the stack"));
  EXPECT_THAT(refused("R"), HasSubstr("nothing on the stack"));
  EXPECT_THAT(refused("N(\x86"), HasSubstr("nothing on the stack"));  // beneath the mark
  EXPECT_THAT(refused("NN"), HasSubstr("leaves values on the stack"));
  EXPECT_THAT(refused("}(Nu"), HasSubstr("a key without a value"));
  EXPECT_THAT(refused("(Nd"), HasSubstr("a key without a value"));
  EXPECT_THAT(refused("NNa"), HasSubstr("added to no list"));
  EXPECT_THAT(refused("]NNs"), HasSubstr("added to no dictionary"));
  EXPECT_THAT(refused("NN\x93"), HasSubstr("STACK_GLOBAL at offset 4 has no text"));
  EXPECT_THAT(refused("X\xff\xff\xff\xff"), HasSubstr("truncated"));
  EXPECT_THAT(refused(std::string("\x8d") + std::string(8, '\xff')), HasSubstr("truncated"));
  EXPECT_THAT(refused("X\x01" + std::string(3, '\0') + "\xff"), HasSubstr("no UTF-8"));
  EXPECT_THAT(message(torch_zip("\x80\x06N.")), HasSubstr("protocol 6"));
}

TEST(TorchHostile, TensorsThatLie) {
  EXPECT_THAT(refused_tensor({.n = 7}), HasSubstr("storage '0' needs 28 bytes, its member has 24"));
  EXPECT_THAT(refused_tensor({.n = 5}), HasSubstr("storage '0' needs 20 bytes, its member has 24"));
  EXPECT_THAT(refused_tensor({.n = -1}), HasSubstr("no storage"));
  EXPECT_THAT(refused_tensor({.n = int64_t{1} << 62}), HasSubstr("overflows"));
  EXPECT_THAT(refused_tensor({.key = "1"}), HasSubstr("no member 'm/data/1'"));
  EXPECT_THAT(refused_tensor({.key = "../data.pkl"}), HasSubstr("no member 'm/data/../data.pkl'"));
  EXPECT_THAT(refused_tensor({.storage = "float32"}), HasSubstr("of the class 'torch.float32'"));
  EXPECT_THAT(refused_tensor({.storage = "QInt8Storage"}),
              HasSubstr("global 'torch.QInt8Storage'"));
  EXPECT_THAT(refused_tensor({.offset = 1}),
              HasSubstr("'w' takes 24 bytes at 4 of a storage of 24"));
  EXPECT_THAT(refused_tensor({.offset = -1}), HasSubstr("the offset of tensor 'w'"));
  EXPECT_THAT(refused_tensor({.offset = int64_t{1} << 62}), HasSubstr("overflows"));
  EXPECT_THAT(refused_tensor({.size = {2, 4}, .stride = {4, 1}}), HasSubstr("takes 32 bytes"));
  EXPECT_THAT(refused_tensor({.size = {-2, 3}}), HasSubstr("the size of tensor 'w'"));
  EXPECT_THAT(refused_tensor({.stride = {-3, 1}}), HasSubstr("the stride of tensor 'w'"));
  EXPECT_THAT(refused_tensor({.size = {int64_t{1} << 40, int64_t{1} << 40}}),
              HasSubstr("overflows"));
  EXPECT_THAT(refused_tensor({.size = {int64_t{1} << 40, 3}, .stride = {0, 0}}),
              HasSubstr("takes 13194"));
  EXPECT_THAT(refused_tensor({.stride = {3}}), HasSubstr("2 dimensions and 1 strides"));
  EXPECT_THAT(refused_tensor({.stride = {0, 1}}), HasSubstr("size (2, 3) has strides (0, 1)"));
  EXPECT_THAT(refused_tensor({.size = {3}, .stride = {2}}), HasSubstr("strides (2)"));
  EXPECT_THAT(refused_tensor({.size = {1, 2, 3}, .stride = {1, 1, 2}}),
              HasSubstr("strides (1, 1, 2)"));
  EXPECT_THAT(
      refused_tensor({.size = std::vector<int64_t>(9, 1), .stride = std::vector<int64_t>(9, 1)}),
      HasSubstr("at most 8 numbers"));
  EXPECT_THAT(refused(dict({text("v"), tensor({}), text("w"), tensor({.storage = "IntStorage"})})),
              HasSubstr("storage '0' has two types or sizes"));
  EXPECT_THAT(refused(dict({text("w"), tensor({}), text("w"), tensor({})})),
              HasSubstr("'w' stands there twice"));
  EXPECT_THAT(refused(dict({number(1), tensor({})})), HasSubstr("is no text"));
  EXPECT_THAT(refused(dict({text("w"), tensor({}), text("epoch"), number(3)})),
              HasSubstr("'epoch' of the state dict is no tensor"));
  const std::string parameter = global("torch._utils", "_rebuild_parameter");
  EXPECT_THAT(refused(dict({text("w"), call(parameter, tuple({"N", "\x88", "}"}))})),
              HasSubstr("parameter 'w' is made of no tensor"));
  EXPECT_THAT(refused(dict({text("w"), call(parameter, tuple({"N"}))})),
              HasSubstr("'w' is made of 1 arguments"));
  const std::string v2 = global("torch._utils", "_rebuild_tensor_v2");
  EXPECT_THAT(refused(dict({text("w"), call(v2, tuple({"N", "N", "N", "N", "N", "N"}))})),
              HasSubstr("'w' has no storage"));
}

TEST(TorchHostile, ArchivesThatLie) {
  const std::string data = pickle(dict({text("w"), tensor({})}));
  const std::vector<Member> members{{"m/data.pkl", data}, {"m/data/0", std::string(24, '\1')}};
  const Zip good = zip(members);
  ASSERT_EQ(message(good.bytes), "");
  const auto twice = [&](Member member) {
    std::vector<Member> more = members;
    more.push_back(std::move(member));
    return message(zip(more).bytes);
  };
  // A bomb is not unpacked: compressed members are refused by their header.
  EXPECT_THAT(twice({"m/bomb", "xx", 8}), HasSubstr("member 'm/bomb' is compressed (method 8)"));
  EXPECT_THAT(twice({"m/secret", "xx", 0, 1}), HasSubstr("member 'm/secret' is encrypted"));
  EXPECT_THAT(twice({"m/data.pkl", data}), HasSubstr("member 'm/data.pkl' stands there twice"));
  EXPECT_THAT(twice({"n/data.pkl", data}), HasSubstr("two members are a data.pkl"));
  EXPECT_THAT(twice({"m/byteorder", "big"}), HasSubstr("big-endian"));
  EXPECT_THAT(twice({"m/constants.pkl", ""}), HasSubstr("TorchScript"));
  EXPECT_THAT(message(zip({{"word/document.xml", ""}}).bytes), HasSubstr("no file of PyTorch"));

  const size_t entry = good.central[1];
  EXPECT_THAT(message(with(good.bytes, entry + 42, static_cast<uint32_t>(good.local[0]))),
              HasSubstr("member 'm/data/0' differ"));
  EXPECT_THAT(message(with(good.bytes, entry + 42, uint32_t{0x7fffffff})),
              HasSubstr("header takes"));
  EXPECT_THAT(message(with(good.bytes, entry + 42, uint32_t{5})), HasSubstr("has no header at 5"));
  EXPECT_THAT(message(with(good.bytes, entry + 20, uint32_t{25})),
              HasSubstr("two sizes, 25 and 24"));
  EXPECT_THAT(message(with(good.bytes, good.local[1] + 22, uint32_t{23})), HasSubstr("differ"));
  EXPECT_THAT(message(with(good.bytes, good.local[1] + 30, 'n')), HasSubstr("differ"));
  EXPECT_THAT(message(with(good.bytes, good.local[1] + 8, uint16_t{8})), HasSubstr("differ"));
  EXPECT_THAT(message(with(good.bytes, good.end + 16, uint32_t{0x7fffffff})),
              HasSubstr("beyond its end"));
  EXPECT_THAT(
      message(with(with(good.bytes, good.end + 8, uint16_t{1}), good.end + 10, uint16_t{1})),
      HasSubstr("belong to no entry"));
  EXPECT_THAT(
      message(with(with(good.bytes, good.end + 8, uint16_t{9}), good.end + 10, uint16_t{9})),
      HasSubstr("9 members do not fit"));
  // Inside of another member stands a whole one, which the directory names, too.
  const Zip inner = zip({{"m/data/1", "x"}});
  Zip outer = zip({{"m/data.pkl", inner.bytes}, {"m/data/1", "x"}});
  const auto inside = static_cast<uint32_t>(outer.bytes.find("m/data/1") - 30);
  EXPECT_THAT(message(with(outer.bytes, outer.central[1] + 42, inside)),
              HasSubstr("members 'm/data.pkl' and 'm/data/1' overlap"));
}

TEST(TorchHostile, Zip64ThatLies) {
  const std::string data = pickle(dict({text("w"), tensor({})}));
  const Zip good = zip({{"m/data.pkl", data}, {"m/data/0", std::string(24, '\1')}}, true);
  ASSERT_EQ(message(good.bytes), "");
  const size_t locator = good.end + 56;
  for (const uint64_t at : {uint64_t{0}, uint64_t{good.end + 1}, ~uint64_t{0}}) {
    EXPECT_THAT(message(with(good.bytes, locator + 8, at)), ::testing::StartsWith("file: zip"));
  }
  EXPECT_THAT(message(with(good.bytes, locator, 'x')), HasSubstr("no locator"));
  EXPECT_THAT(message(with(good.bytes, locator + 16, uint32_t{2})), HasSubstr("several disks"));
  EXPECT_THAT(message(with(good.bytes, good.end + 40, ~uint64_t{0})), HasSubstr("beyond its end"));
  EXPECT_THAT(message(with(good.bytes, good.end + 48, ~uint64_t{0})), HasSubstr("beyond its end"));
  EXPECT_THAT(
      message(with(with(good.bytes, good.end + 24, ~uint64_t{0}), good.end + 32, ~uint64_t{0})),
      HasSubstr("the limits are"));
  const size_t field = good.central[1] + 46 + std::string_view("m/data/0").size() + 4;
  EXPECT_THAT(message(with(good.bytes, field, ~uint64_t{0})), HasSubstr("two sizes"));
  EXPECT_THAT(message(with(with(good.bytes, field, ~uint64_t{0}), field + 8, ~uint64_t{0})),
              HasSubstr("differ"));
  EXPECT_THAT(message(with(good.bytes, field + 16, ~uint64_t{0})), HasSubstr("header takes"));
  EXPECT_THAT(message(with(good.bytes, field - 2, uint16_t{20})), HasSubstr("truncated"));
}

TEST(TorchHostile, OtherFilesAreNamed) {
  EXPECT_THAT(message(""), HasSubstr("no file of torch.save"));
  EXPECT_THAT(message("GGUF"), HasSubstr("it begins with 'GGUF'"));
  EXPECT_THAT(message("\x80\x04."), HasSubstr("no file of torch.save"));
}

TEST(TorchHostile, CutOrChangedAnywhereItIsRefusedOrRead) {
  for (const char* name : {"f32_zip/pytorch_model.bin", "f32_one_storage_legacy/pytorch_model.bin",
                           "f32_protocol_4/pytorch_model.bin"}) {
    const std::string bytes = published(std::string("llama/") + name);
    expect_cuts_refused(bytes, kRead);
    expect_changes_survived(bytes, kRead);
  }
}

}  // namespace
}  // namespace strata::models
