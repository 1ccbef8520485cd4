"""Small PDF files, written by hand."""

from collections.abc import Sequence

PICTURE = (
    "<< /Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 4 >>"
)


def shown(text: str, x: float, y: float, size: float = 12, *, matrix: str = "1 0 0 1", mode: int = 0) -> str:
    """Operators that show a text; `mode` 3 is invisible."""
    return f"BT /F {size} Tf {mode} Tr {matrix} {x} {y} Tm ({text}) Tj ET"


def picture(x: float, y: float, width: float, height: float) -> str:
    """Operators that show a grey picture."""
    return f"q {width} 0 0 {height} {x} {y} cm /P Do Q"


def pdf(pages: Sequence[str], *, size: tuple[int, int] = (300, 200), rotate: int = 0, encrypted: bool = False) -> bytes:
    """A PDF file whose pages have these operators, in points from the bottom left."""
    kids = " ".join(f"{5 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"{PICTURE}\nstream\n".encode() + b"\x40\x80\xc0\x80\nendstream",
    ]
    for i, operators in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Rotate {rotate} "
            f"/Contents {6 + 2 * i} 0 R /Resources << /Font << /F 3 0 R >> /XObject << /P 4 0 R >> >> >>".encode()
        )
        objects.append(f"<< /Length {len(operators)} >>\nstream\n{operators}\nendstream".encode("latin-1"))
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R"
    if encrypted:  # a password of 40 bits that nobody knows
        trailer += f" /ID [<{'00' * 16}> <{'00' * 16}>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -44 "
        trailer += f"/O <{'ab' * 32}> /U <{'cd' * 32}> >>"
    file, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n" % number + each + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = f"trailer << {trailer} >>\nstartxref\n{len(file)}\n%%EOF\n".encode()
    return file + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end
