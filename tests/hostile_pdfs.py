"""有敌意的、坏的、少见的 PDF：内容，以及服务应当给的状态码与代号；都是手写的字节。"""

import zlib
from functools import cache

from hostile_files import encode

BROKEN = (400, "pdf_broken")
BLANK = (422, "report_unreadable")
TOO_HEAVY = (422, "pdf_too_heavy")
MB = 1_000_000
GRAY_1 = "/ColorSpace/DeviceGray/BitsPerComponent 1"


def stream(data: bytes, entries: str = "", length: int | None = None) -> bytes:
    return f"<<{entries}/Length {len(data) if length is None else length}>>".encode() + b"stream\n%b\nendstream" % data


def deflated(data: bytes, entries: str = "") -> bytes:
    return stream(zlib.compress(data, 9), f"{entries}/Filter/FlateDecode")


def pdf(*objects: bytes, trailer: str = "", startxref: int | None = None) -> bytes:
    """对象（从 1 号起，1 号是目录）-> 一个完整的 PDF。"""
    body, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table = "".join(f"{at:010d} 00000 n \n" for at in places)
    at = len(body) if startxref is None else startxref
    end = (
        f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(places) + 1}/Root 1 0 R{trailer}>>"
    )
    return body + f"{end}\nstartxref\n{at}\n%%EOF".encode()


def one_page(
    content: bytes = b"", *more: bytes, box: str = "0 0 595 842", resources: str = "", catalog: str = "", page: str = ""
) -> bytes:
    """一页：4 号是内容，more 从 5 号起。"""
    return pdf(
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>".encode(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R/Resources<<{resources}>>{page}>>".encode(),
        content if content.startswith(b"<<") else stream(content),
        *more,
    )


def with_image(
    width: int, height: int, image: bytes, entries: str = "/ColorSpace/DeviceRGB/BitsPerComponent 8"
) -> bytes:
    entries = f"/Type/XObject/Subtype/Image/Width {width}/Height {height}{entries}"
    return one_page(
        b"595 0 0 842 0 0 cm /I Do", image.replace(b"<<", b"<<" + entries.encode(), 1), resources="/XObject<</I 5 0 R>>"
    )


def page_tree(count: int, kids: int) -> bytes:
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{'3 0 R ' * kids}]/Count {count}>>".encode(),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
    )


def many_pages(count: int) -> bytes:
    kids = " ".join(f"{at} 0 R" for at in range(3, 3 + count))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"
    tree = f"<</Type/Pages/Kids[{kids}]/Count {count}>>".encode()
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, *[page] * count)


def laughs(levels: int = 12, width: int = 10) -> bytes:
    """一层套一层的图样，每层画下一层十遍：十的十二次方个圆点。"""
    forms = []
    for level in range(levels):
        at = 6 + level
        drawn = b"/F Do " * width if level < levels - 1 else b"0 0 9 9 re f"
        entries = f"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</F {at} 0 R>>>>"
        forms.append(stream(drawn, entries))
    return one_page(b"/F Do", *forms, resources="/XObject<</F 5 0 R>>")


def object_stream(inflated: int) -> bytes:
    """目录与页在压缩的对象流里，后面跟着几百 MB 的空白。"""
    inside = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
              b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"]  # fmt: skip
    offsets, at = [], 0
    for number, one in enumerate(inside, 1):
        offsets.append(f"{number} {at}")
        at += len(one) + 1
    index = (" ".join(offsets) + " ").encode()
    data = index + b"\n".join(inside) + b" " * inflated
    body = b"%PDF-1.7\n"
    packed = b"4 0 obj\n" + deflated(data, f"/Type/ObjStm/N 3/First {len(index)}") + b"\nendobj\n"
    table_at = len(body) + len(packed)
    rows = b"\0\0\0\0\0\0" + b"".join(b"\2\0\0\0\4" + bytes([at]) for at in range(3))
    rows += b"\1" + len(body).to_bytes(4, "big") + b"\0" + b"\1" + table_at.to_bytes(4, "big") + b"\0"
    table = stream(rows, "/Type/XRef/Size 6/W[1 4 1]/Root 1 0 R")
    return body + packed + b"5 0 obj\n" + table + b"\nendobj\nstartxref\n%d\n%%%%EOF" % table_at


def encrypted() -> bytes:
    secret = "<" + "5A" * 32 + ">"
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
        f"<</Filter/Standard/V 2/R 3/Length 128/O{secret}/U{secret}/P -4>>".encode(),
        trailer="/Encrypt 4 0 R/ID[<00><00>]",
    )


def tiny_tiles() -> bytes:
    """一页铺满百万分之一点大的花纹。"""
    entries = (
        "/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep .000001/YStep .000001/Resources<<>>"
    )
    content = b"/Pattern cs /P scn 0 0 595 842 re f"
    return one_page(content, stream(b"0 0 1 1 re f", entries), resources="/Pattern<</P 5 0 R>>")


def text_flood(count: int) -> bytes:
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    lines = b"BT /F 1 Tf 1 TL 0 842 Td " + b"(1234567890 1234567890) Tj T* " * (count // 21) + b"ET"
    return one_page(deflated(lines), font, resources="/Font<</F 5 0 R>>")


@cache
def zeros() -> bytes:
    """300 MB 的零，压好的。"""
    return zlib.compress(b"\0" * 300 * MB, 9)


def hostile_pdfs() -> dict:
    script = "/OpenAction<</S/JavaScript/JS(app.alert(1); while(true){})>>/AA<</WC<</S/Launch/F(/bin/sh)>>>>"
    attached = "/Names<</EmbeddedFiles<</Names[(a.exe) 5 0 R]>>>>"
    whole = one_page(b"0 0 300 300 re f")
    program = b"<</Type/Filespec/F(a.exe)/EF<</F 6 0 R>>>>", stream(b"MZ" * 999)
    itself = stream(b"/F Do", "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>")
    jpeg = encode("JPEG")
    double = "/Filter[/FlateDecode/FlateDecode]"
    files = {
        "只有头": (b"%PDF-1.7\n", *BROKEN),
        "没有页的目录": (b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF", None, None),
        "里面有 JPEG，不成 PDF": (b"%PDF-1.7\nstream\n" + jpeg + b"\nendstream", *BROKEN),
        "零页": (page_tree(0, 0), None, None),
        "负的页数": (page_tree(-5, 1), None, None),
        "一万页": (many_pages(10_000), 413, "pdf_too_many_pages"),
        "自称二十亿页": (page_tree(2_000_000_000, 1), *BLANK),
        "页树绕圈": (pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"), None, None),
        "页面一百万点宽": (one_page(box="0 0 1000000 1000000"), 413, "pdf_page_too_large"),
        "页面一点宽": (one_page(box="0 0 1 842"), 422, "pdf_page_too_small"),
        "页面大小不是数": (one_page(box="/a (b) null 1e400"), None, None),
        "用户单位一百万": (one_page(page="/UserUnit 1000000"), None, None),
        "自称 40000×40000 的图": (with_image(40_000, 40_000, deflated(b"\0" * MB)), 413, "pdf_image_too_large"),
        "图解开有 300 MB": (
            lambda: with_image(2000, 2000, stream(zeros(), "/Filter/FlateDecode")), None, None),
        "黑白图 3500×4900，解开 2 MB": (
            with_image(3500, 4900, deflated(b"\xff" * (438 * 4900)), GRAY_1), *BLANK),
        "压了两遍的图": (lambda: with_image(6000, 4000, stream(zlib.compress(zeros(), 9), double)), None, None),
        "内容解开有 300 MB": (lambda: one_page(deflated(b"q Q " * (75 * MB))), None, None),
        "对象流解开有 300 MB": (lambda: object_stream(300 * MB), None, None),
        "脚本": (one_page(catalog=script), *BLANK),
        "附了程序": (one_page(b"", *program, catalog=attached), *BLANK),
        "加密": (encrypted(), 422, "pdf_encrypted"),
        "交叉引用表在别处": (whole.replace(b"startxref\n", b"startxref\n9"), *BLANK),
        "没有交叉引用表": (whole[: whole.index(b"xref")], None, None),
        "内容说自己长两个 GB": (one_page(stream(b"0 0 9 9 re f", length=2**31 - 1)), None, None),
        "套了十二层的图样": (laughs(), *TOO_HEAVY),
        "自己套自己的图样": (one_page(b"/F Do", itself, resources="/XObject<</F 5 0 R>>"), None, None),
        "百万分之一点的花纹": (tiny_tiles(), None, None),
        "二十万字的一页": (text_flood(200_000), None, None),
        "JPEG 2000 是乱的": (with_image(900, 900, stream(bytes(range(256)) * 9, "/Filter/JPXDecode")), *BLANK),
        "JBIG2 是乱的": (with_image(900, 900, stream(bytes(range(256)) * 9, "/Filter/JBIG2Decode"), ""), *BLANK),
        "括号一百万层": (pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"[" * MB), None, None),
    }  # fmt: skip
    for share in (0.3, 0.6, 0.95):
        files[f"只有 {share:.0%}"] = (whole[: int(share * len(whole))], None, None)
    return {f"PDF：{name}": one for name, one in files.items()}


HOSTILE_PDFS = hostile_pdfs()
"""名字 -> (内容或造它的函数, 状态码, 代号)；None 是拒绝就行。"""

# 各要一两秒的；别的或要去读，或要等到叫停
_SHORT = ("只有头", "没有页的目录", "里面有 JPEG，不成 PDF", "零页", "一万页", "页树绕圈", "页面一百万点宽")
_SHORT += ("页面一点宽", "自称 40000×40000 的图", "内容解开有 300 MB", "套了十二层的图样", "脚本", "加密")
QUICK_PDFS = [name for name in HOSTILE_PDFS if name.removeprefix("PDF：") in _SHORT]
