"""PDF and DOCX files written by hand: good ones and hostile ones, for attachments.py."""
import io
import zipfile
import zlib

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def pdf(objects, root=1):
    """A file of these objects (bytes each), numbered from 1, with a right table of their places."""
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, root, table)
    return bytes(out)


def stream(content, more=b"", length=None):
    size = len(content) if length is None else length
    return b"<< /Length %d %s>>\nstream\n%s\nendstream" % (size, more, content)


def pages(contents, catalog=b"", font=b"/Type1 /BaseFont /Helvetica", kids=None):
    """Pages with these content streams; objects 1 catalogue, 2 tree, 3 font, then page and stream in turn."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R %s>>" % catalog, b"",
               b"<< /Type /Font /Subtype %s >>" % font]
    for content in contents:
        number = len(objects) + 1
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
                       b"/Resources << /Font << /F 3 0 R >> >> >>" % (number + 1))
        objects.append(content)
    listed = kids or b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(len(contents)))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (listed, len(contents))
    return objects


def line(text):
    return stream(b"BT /F 12 Tf 72 700 Td (%s) Tj ET" % text)


def docx(body, **others):
    """An archive with this document body; others: styles="…" becomes word/styles.xml."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml",
                         f"<w:document {WORD}><w:body>{body}</w:body></w:document>")
        for name, content in others.items():
            archive.writestr(f"word/{name}.xml", content)
    return out.getvalue()


def paragraph(text):
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def hostile_pdfs():
    """{name: file}. What they may do is be refused, or give the text that is there."""
    zeros = zlib.compress(bytes(1 << 28), 9)
    nested = b"<< /Type /Catalog /Pages 2 0 R /X " + b"[" * 10_000 + b"]" * 10_000 + b" >>"
    good = pages([line(b"Rye")])
    return {
        "a page tree in a circle": pdf(pages([line(b"Rye")], kids=b"2 0 R 4 0 R 2 0 R")),
        "a page that is its own parent's parent": pdf(
            [good[0], b"<< /Type /Pages /Kids [2 0 R] /Count 1 /Parent 2 0 R >>"]),
        "an object 10,000 deep": pdf([nested, *good[1:]]),
        "a content stream 10,000 deep": pdf(pages([stream(b"[" * 10_000 + b"]" * 10_000)])),
        "a stream that is said to have a terabyte": pdf(
            pages([stream(b"BT ET", length=1 << 40)])),
        "a quarter of a gigabyte of zeros in 700 bytes": pdf(
            pages([stream(zlib.compress(zeros, 9), b"/Filter [/FlateDecode /FlateDecode] ")])),
        "two thousand million objects": pdf(good).replace(b"/Size 6", b"/Size 2147483647"),
        "a hundred million pages": pdf([good[0], good[1].replace(b"/Count 1", b"/Count 100000000"),
                                        *good[2:]]),
        "a form that draws itself": pdf(pages([stream(b"/X Do")]) + [
            stream(b"/X Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] "
                             b"/Resources << /XObject << /X 6 0 R >> >> ")]).replace(
                                 b"/Font << /F 3 0 R >>", b"/XObject << /X 6 0 R >>"),
        "no objects": b"%PDF-1.7\nstartxref\n99999999999999999999\n%%EOF\n",
        "a million lines": b"%PDF-1.7\n" + b"1 0 obj\n" * 1_000_000,
    }
