"""Our test texts and the hash of what a tokenizer makes of them, for oracles in Python."""
import functools
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOM = ROOT / "src/models/tokenizer"
DATA = pathlib.Path(os.environ.get("STRATA_TEST_DATA")
                    or pathlib.Path.home() / ".cache/strata/test-data")
TEXTS, BLOCK = 5000, 20


def repair(raw):
    """As our repair_utf8: each byte that begins no valid sequence is one U+FFFD."""
    out = []
    while raw:
        try:
            out.append(raw.decode("utf-8"))
            break
        except UnicodeDecodeError as error:
            out.append(raw[:error.start].decode("utf-8") + "\ufffd")
            raw = raw[error.start + 1:]
    return "".join(out)


@functools.cache
def texts():
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "tokenizer_texts"
        subprocess.run(["g++", "-std=c++20", "-O1", f"-I{ROOT}/src",
                        str(ROOT / "tests/oracle/tokenizer_texts.cpp"),
                        str(ROOM / "testing/strings.cpp"), "-o", str(program)], check=True)
        raw = subprocess.run([str(program), str(TEXTS)], stdout=subprocess.PIPE, check=True).stdout
    found, at = [], 0
    while at < len(raw):
        end = raw.index(b"\n", at)
        size = int(raw[at:end])
        found.append(repair(raw[end + 1:end + 1 + size]))
        at = end + 1 + size
    return found


class Hash:
    """FNV-1a, folded to 32 bits, as testing/strings.cpp."""

    def __init__(self):
        self.state = 0xCBF29CE484222325

    def add(self, numbers):
        for number in numbers:
            self.state = ((self.state ^ number) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF

    def __str__(self):
        return f"{(self.state ^ (self.state >> 32)) & 0xFFFFFFFF:08x}"
