"""画成 PDF 的化验单：有文字层的（手写的字节）、扫描的（Pillow），和文字层靠不住的几种。"""

from hostile_pdfs import deflated, one_page, stream
from PIL import Image

from health_assistant.images import encoded
from health_assistant.lab_report.rendering.rendered import draw_report
from health_assistant.lab_report.report import PrintedRow, ReadReport

COLUMNS = (60, 230, 320, 420)
HEADER = ("Item", "Result", "Unit", "Reference Range")
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
MINERALS = [
    ("Potassium", "4.16", "mmol/L", "3.50-5.30"),
    ("Sodium", "149.2", "mmol/L", "137.0-147.0"),
    ("Chloride", "103.7", "mmol/L", "99.0-110.0"),
    ("Urea", "5.18", "mmol/L", "2.60-7.50"),
]
Row = tuple[str, str, str, str]


def sheet(
    rows: list[Row], title: str = "Biochemistry Laboratory Report", person: str = "Sex: Female   Age: 34 years"
) -> str:
    """一页英文化验单的内容流；数与中文单子一样读。"""
    lines = [f"BT /F 16 Tf 180 780 Td ({title}) Tj ET", f"BT /F 11 Tf 60 750 Td (Name: Zhang San   {person}) Tj ET"]
    for number, row in enumerate([HEADER, *rows]):
        at = 715 - 22 * number
        lines += [f"BT /F 11 Tf {x} {at} Td ({text}) Tj ET" for x, text in zip(COLUMNS, row, strict=True)]
    return "\n".join(lines)


def text_pdf(rows: list[Row], extra: str = "", font: bytes = FONT, *more: bytes, **options) -> bytes:
    """文字层是真的；extra 是另画的，more 是它要的对象，从 6 号起。"""
    content = f"{sheet(rows, **options)}\n{extra}".encode()
    return one_page(deflated(content), font, *more, resources="/Font<</F 5 0 R>>/XObject<</I 6 0 R>>")


def form_pdf(rows: list[Row]) -> bytes:
    """结果都填在表单的格子里，不在页面的内容里。"""
    blank = [(name, "", unit, limits) for name, _, unit, limits in rows]
    fields: list[bytes] = []
    for number, (_, value, *_) in enumerate(rows, 1):
        x, at, look = COLUMNS[1], 715 - 22 * number, 7 + len(fields)
        entries = f"/T(f{number})/V({value})/Rect[{x} {at - 4} {x + 70} {at + 14}]/P 3 0 R/F 4/AP<</N {look} 0 R>>"
        text = f"/Tx BMC BT /F 11 Tf 0 g 0 4 Td ({value}) Tj ET EMC".encode()
        form = "/Type/XObject/Subtype/Form/BBox[0 0 70 18]/Resources<</Font<</F 5 0 R>>>>"
        fields += [f"<</Type/Annot/Subtype/Widget/FT/Tx{entries}>>".encode(), stream(text, form)]
    kids = " ".join(f"{6 + 2 * at} 0 R" for at in range(len(rows)))
    return one_page(
        deflated(sheet(blank).encode()), FONT, *fields, resources="/Font<</F 5 0 R>>", page=f"/Annots[{kids}]",
        catalog=f"/AcroForm<</Fields[{kids}]>>",
    )  # fmt: skip


def lying_pdf(rows: list[Row]) -> bytes:
    """字体说自己的每个数字都是下一个数字：复制出来的与看见的不一样。"""
    pairs = "\n".join(f"<{ord(str(digit)):02X}> <{ord(str((digit + 1) % 10)):04X}>" for digit in range(10))
    names = "/CIDInit/ProcSet findresource begin 12 dict begin begincmap/CMapName/X def/CMapType 2 def\n"
    cmap = (
        f"{names}1 begincodespacerange <00> <FF> endcodespacerange\n10 beginbfchar\n{pairs}\nendbfchar\nendcmap end end"
    )
    font = FONT[:-2] + b"/ToUnicode 6 0 R>>"
    return one_page(deflated(sheet(rows).encode()), font, stream(cmap.encode()), resources="/Font<</F 5 0 R>>")


def picture(
    rows: list[tuple[str, str, str, str, str]], title: str = "生化", sex: str = "女", age: str = "34岁"
) -> Image.Image:
    """画的一页中文单子；rows 是名称、代号、结果、单位、参考范围。"""
    names = ("name", "code", "result", "unit", "reference_range")
    items = [PrintedRow(**dict(zip(names, row, strict=True))) for row in rows]
    return draw_report("classic", ReadReport(report_type=title, sex=sex, age=age, items=items)).image.convert("RGB")


def scanned_pdf(*pages: Image.Image) -> bytes:
    return encoded(pages[0], "PDF", save_all=True, append_images=pages[1:], resolution=150)


def over_scan(image: Image.Image, rows: list[Row]) -> bytes:
    """扫描的图上面，盖着一层看不见的、识别错了的文字。"""
    entries = (
        f"/Type/XObject/Subtype/Image/Width {image.width}/Height {image.height}/ColorSpace/DeviceRGB/BitsPerComponent 8"
    )
    scan = stream(encoded(image, "JPEG", quality=90), f"{entries}/Filter/DCTDecode")
    content = "q 595 0 0 842 0 0 cm /I Do Q\n3 Tr\n" + sheet(rows)
    return one_page(content.encode(), FONT, scan, resources="/Font<</F 5 0 R>>/XObject<</I 6 0 R>>")


def jpeg(image: Image.Image) -> bytes:
    return encoded(image, "JPEG", quality=92)
