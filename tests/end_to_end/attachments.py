"""PDF and DOCX files over HTTP: what a model reads of them, and that hostile ones harm nothing. The server
starts a sandboxed process for each. testdata/encrypted.pdf is pypdf's (PdfWriter.encrypt, AES)."""
import argparse
import json
import pathlib
import shutil
import sys
import time
import urllib.error
import urllib.request

import documents_made as made
from checks import check, failures
from served import ROOT, Served

SECONDS = 75  # the limit of a document's reading, and what a busy machine adds


class Reader:
    def __init__(self, server):
        self.address = f"http://127.0.0.1:{server.port}/api/v1/documents"

    def __call__(self, content):
        """(status, answer) of a file."""
        body = (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + content +
                b"\r\n--x--\r\n")
        request = urllib.request.Request(self.address, body,
                                         {"content-type": "multipart/form-data; boundary=x"})
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["error"]


def check_good(read):
    status, answer = read(made.pdf(made.pages(
        [made.line(b"Rye bread"), made.line(b""), made.line(b"needs \\374ber \\(time\\)")],
        font=b"/Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding")))
    check((status, answer.get("kind"), answer.get("pages")) == (200, "pdf", 3), "a PDF of three pages")
    check(answer.get("text") == "[page 1]\nRye bread\n\n[page 3]\nneeds über (time)", "its text")
    check(answer.get("notes") == ["pages without text (pictures or scans are not read): 2"], "its note")
    status, answer = read(made.docx(made.paragraph("Rye &amp; water") + made.paragraph("two")))
    check((status, answer) == (200, {"kind": "docx", "words": 4, "text": "Rye & water\n\ntwo", "notes": []}),
          f"a DOCX: {answer}")
    status, answer = read("Grüße".encode())
    check((status, answer.get("kind"), answer.get("words")) == (200, "text", 1), "a text")
    script = b"/OpenAction << /S /JavaScript /JS (app.launchURL\\('http://127.0.0.1:1'\\)) >> "
    status, answer = read(made.pdf(made.pages([made.line(b"Rye")], catalog=script)))
    check((status, answer.get("text")) == (200, "Rye"), "a PDF with a script, which is not its text")


def check_refused(read):
    locked = (ROOT / "tests/end_to_end/testdata/encrypted.pdf").read_bytes()
    for what, content, says in [
            ("an encrypted PDF", locked, "encrypted"),
            ("a scanned PDF", made.pdf(made.pages([made.line(b"")])), "no text on its 1 pages"),
            ("an empty file", b"", "empty"),
            ("a picture", b"\x89PNG\r\n\x1a\n\0\0", "neither PDF"),
            ("another archive", made.docx("").replace(b"word/document", b"word/documenT"), "no DOCX"),
            ("a zip bomb", made.docx(" " * (200 << 20)), "unpacked, the limit is"),
            ("entities", made.docx(made.paragraph("a"), styles="<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"),
             "document type"),
            ("a byte over 32 MiB", b"a" * ((32 << 20) + 1), "limit")]:
        status, answer = read(content)
        check(status in (400, 413) and says in answer["message"], f"{what}: {status} {answer['message']}")


def check_hostile(read):
    for what, content in made.hostile_pdfs().items():
        began = time.monotonic()
        status, answer = read(content)
        fine = status == 400 and answer["message"] or status == 200 and "Rye" in answer["text"]
        check(fine, f"{what}: {status} {answer.get('message', answer.get('text'))!r}, "
                    f"{time.monotonic() - began:.1f} s")


def check_cut(read):
    """What ends anywhere is refused, or its damage is told, or the text is whole."""
    whole = made.pdf(made.pages([made.line(b"Rye bread"), made.line(b"needs time")]))
    text = read(whole)[1]["text"]
    silent = []
    for size in range(9, len(whole), len(whole) // 24):
        status, answer = read(whole[:size])
        if status != 400 and not (status == 200 and (answer["notes"] or answer["text"] == text)):
            silent.append((size, status, answer))
    check(not silent, f"a PDF cut anywhere loses nothing in silence {silent}")
    archive = made.docx(made.paragraph("Rye bread"))
    statuses = {read(archive[:size])[0] for size in range(4, len(archive), len(archive) // 12)}
    check(statuses == {400}, f"a DOCX cut anywhere is refused {statuses}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    options = parser.parse_args()
    if not shutil.which("pdftotext"):
        print("skipped: pdftotext is not here (poppler-utils)")
        sys.exit(77)
    with Served(options.strata, scripted=True) as server:
        read = Reader(server)
        check_good(read)
        files, before = server.open_files(), server.rss_mb()
        for part in (check_refused, check_hostile, check_cut):
            part(read)
        grown = server.rss_mb() - before
        check(grown < 300, f"the server has grown by {grown:.0f} MB")
        check(server.open_files() <= files + 2, "it has closed what it opened")
        children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        check(children.read_text(encoding="ascii") == "", "no process is left")
    print(f"{len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
