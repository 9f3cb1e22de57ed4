"""Which of the processor's instruction sets a built peer says it uses:  features.py LIBLLAMA

Prints them, and fails when the processor has one that the peer was built without: its speed would not
be the peer's."""
import ctypes
import pathlib
import re
import sys

WANTED = {"avx2": "AVX2", "avx512f": "AVX512", "avx512_vnni": "AVX512_VNNI",
          "avx512_bf16": "AVX512_BF16"}


def reported(library):
    peer = ctypes.CDLL(library)
    peer.llama_print_system_info.restype = ctypes.c_char_p
    return set(re.findall(r"(\w+) = 1", peer.llama_print_system_info().decode()))


def main(library):
    flags = re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    has = {WANTED[flag] for flag in (flags[1].split() if flags else []) if flag in WANTED}
    says = reported(library)
    print(f"{library}: {' '.join(sorted(says))}")
    if missing := has - says:
        sys.exit(f"error: built without {' '.join(sorted(missing))}, which this processor has")


main(*sys.argv[1:])
