"""阶段 6：把自己的化验单照片变成与 render_reports.py 一样的数据集，分两步，中间由人核对。

    python 6-fine-tuning-vl/import_reports.py 照片文件夹 --name 我的照片
    （用表格软件打开写好的 rows.csv，对照图改错、删行、补行，另存为 CSV）
    python 6-fine-tuning-vl/import_reports.py --accept artifacts/vl/import/我的照片/rows.csv [--shares 8 1 1]

第一步：摆正照片，去掉 EXIF（拍摄时间、地点），涂黑表格以上的页眉与页脚的签名；内置引擎读出每一行和它的把握。
第二步：核对过的 rows.csv 与图变成 artifacts/vl/dataset/<名字>/，默认全部作测试集。
自己的照片请先得到本人同意；涂黑之后也要逐张看过，再给别人。
"""

import csv
import io
import json
import re
import shutil
import sys
from collections import defaultdict
from hashlib import sha256
from pathlib import Path

from tqdm import tqdm

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, new_parser, why_unreadable
from health_assistant.lab_report.report import ORIGIN_WORDS

SPLITS = ("train", "val", "test")
FIELDS = {"名称": "name", "代号": "code", "结果": "result", "单位": "unit", "参考范围": "reference_range",
          "标记": "mark"}  # fmt: skip
HEAD = {"报告类型": "report_type", "性别": "sex", "年龄": "age"}
ORIGIN: dict[str, str] = {words: field for field, words in ORIGIN_WORDS.items()}
COLUMNS = ("图", *FIELDS, "把握", "疑问", *HEAD, *ORIGIN, "位置", "原文件")
# 后几种打不开，会说怎么办
PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".bmp", ".tif", ".tiff", ".gif", ".pdf")
LONGEST_SIDE = 1600
HEADINGS = re.compile(r"项目|名称|结果|测定值|单位|参考|范围|提示|代号|序号?|Test|Result|Unit|Reference", re.IGNORECASE)
PERSONAL = re.compile(
    r"姓\s*名|患者|病\s*[历人]|住院|门诊|就诊|床\s*号|卡\s*号|条\s*码|标本号|身份证|电话|地址|医[生师]|检验[者人]|审核|报告[者人]|核对"
    r"|name|patient|physician|doctor|verified",
    re.IGNORECASE,
)
# Excel 把 3-5 认成日期、把长数写成科学计数法之后的样子
MANGLED = re.compile(r"\d+月\d+日|\d{4}[/-]\d{1,2}[/-]\d{1,2}|\d{1,2}-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d{2}|\dE\+\d+")


@command
def main() -> int:
    """照片 -> 待核对的 rows.csv，或核对过的 -> 数据集；返回退出码：2 是写得不对、读不了。"""
    parser = new_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", metavar="照片文件夹", help="第一步：自己的照片")
    parser.add_argument("--name", help="数据集的名字（默认是文件夹的名字）")
    parser.add_argument(
        "--keep-head", action="store_true", help="不涂黑页眉与签名；标签里留下性别、年龄、报告类型、时间、医院与标本"
    )
    parser.add_argument("--accept", type=Path, metavar="FILE.csv", help="核对过的 rows.csv，写成数据集")
    parser.add_argument("--shares", type=int, nargs=3, default=(0, 0, 1), metavar="份", help="训练、验证、测试各几份")
    parser.add_argument("--force", action="store_true", help="rows.csv 已经有了也重读（改过的会丢掉）")
    args = parser.parse_args()
    if args.accept:
        return accept(args.accept, args.name or args.accept.absolute().parent.name, args.shares)
    if not args.folder:
        raise BadInput("要写照片文件夹，或用 --accept 给出核对过的 rows.csv")
    return propose(args.folder, args.name, args.keep_head, args.force)


# ---- 第一步：照片 -> 去掉隐私的图与 rows.csv ----
def propose(photos: Path, name: str | None, keep_head: bool, force: bool) -> int:
    """由内置引擎读 photos 里的照片，写成一张待人核对的 rows.csv；返回退出码。"""
    files = sorted(file for file in photos.glob("*") if file.suffix.lower() in PHOTOS) if photos.is_dir() else []
    if not files:
        raise BadInput(f"{photos} 里没有照片；要 JPEG、PNG 或 WebP，iPhone 的 HEIC 请先转成 JPEG")
    folder = artifacts.vl_import_dir(name or photos.absolute().name)
    table = folder / "rows.csv"
    if table.exists() and not force:
        raise BadInput(f"{table} 已经有了，也许改过；核对完用 --accept {table}，要重读加 --force")
    import pandas as pd

    from health_assistant.images import BadImage
    from health_assistant.lab_report.reading.ocr import TextReader
    from health_assistant.lab_report.report import UnreadableReport

    reader, rows, failed, images = TextReader(), [], [], 0
    for file in tqdm(files, unit="张", disable=None):
        try:
            image, reading = read_photo(file, reader, keep_head)
        except (OSError, BadImage, UnreadableReport) as error:
            failed.append(f"{file.name}：{error}")
            continue
        images += 1
        image_name = f"{images:04}.jpg"
        with artifacts.atomic_path(folder / image_name) as partial:
            image.save(partial, "JPEG", quality=95, subsampling=0)
        rows += table_rows(image_name, file.name, reading)
    for problem in failed:
        print(f"✗ 没有导入 {problem}", file=sys.stderr)
    if not rows:
        raise BadInput(f"{photos} 里的 {len(files)} 张都没有读出来")
    artifacts.write_text(table, "\ufeff" + pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False))
    doubtful = sum(bool(row["疑问"]) or float(row["把握"]) < 0.9 for row in rows)
    print(f"{images} 张图、{len(rows)} 行写在 {table}；先看有疑问或把握不到 0.9 的 {doubtful} 行。")
    print(f"对照图改好以后：python 6-fine-tuning-vl/import_reports.py --accept {table}")
    return 1 if failed else 0


def read_photo(file: Path, reader, keep_head: bool):
    """一张照片 -> 摆正、涂黑、缩小的图，与读数（框是缩小后的像素）。"""
    import cv2
    import numpy as np
    from PIL import Image

    from health_assistant.images import open_image, upright_rgb
    from health_assistant.lab_report.reading.reader import read_page
    from health_assistant.lab_report.reading.recognition import read_texts
    from health_assistant.lab_report.reading.upright import find_page

    pixels = np.asarray(upright_rgb(open_image(file.read_bytes())))  # 只留像素，EXIF 不带过来
    page = find_page(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), reader)
    texts = read_texts(page, reader)
    reading = read_page(page, texts)
    if not keep_head:
        pixels = pixels.copy()
        for corners in private_areas(page, [text for text, _ in texts], [row.boxes["row"] for row in reading.items]):
            photo = np.column_stack([corners, np.ones(len(corners))]) @ page.to_photo.T
            cv2.fillPoly(pixels, [photo[:, :2].round().astype(np.int32)], (0, 0, 0))
        reading = reading.model_copy(update={"report_type": "", "sex": None, "age": None, "origin": {}})
    scale = min(1.0, LONGEST_SIDE / max(pixels.shape))
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    for row in reading.items:
        row.boxes = {"row": tuple(round(at * scale) for at in row.boxes["row"])}
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS), reading


def private_areas(page, texts: list[str], rows: list) -> list:
    """要涂黑的几块，页面坐标的四边形：表头（没有就是第一行）以上的一切，与下面写着姓名、医生一类的各行。"""
    import numpy as np

    quads = np.asarray(page.quads, float)
    along = quads[:, 1] - quads[:, 0]
    slope = float(np.median((along[:, 1] / np.maximum(along[:, 0], 1))[along[:, 0] >= np.median(along[:, 0])]))
    levels = quads[..., 1] - slope * quads[..., 0]  # 沿着字行的方向拉平后的高低
    tops, bottoms = levels.min(axis=1), levels.max(axis=1)
    centers = np.column_stack([quads.mean(axis=1), np.ones(len(quads))]) @ page.to_photo.T
    in_table = np.array([any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in rows) for x, y, _ in centers])
    height = float(np.median(bottoms - tops))
    first, last = tops[in_table].min(), bottoms[in_table].max()
    heading = [bool(HEADINGS.search(text)) and len(text) < 20 and not PERSONAL.search(text) for text in texts]
    heading = np.array(heading) & (tops > first - 3 * height) & (bottoms < first + height)
    first = min([first, *tops[heading]]) if heading.sum() >= 2 else first

    def band(top: float, bottom: float):
        corners = ((-far, top), (far, top), (far, bottom), (-far, bottom))
        return np.array([(x, level + slope * x) for x, level in corners])

    far = 1e5
    areas = [band(-far, first - 0.1 * height)]
    for at, text in enumerate(texts):
        if bottoms[at] < first + 0.5 * height and not heading[at] and not in_table[at]:
            areas.append(quads[at])  # 弯曲的纸上，直线以上的一块盖不全
        elif tops[at] > last - 0.5 * height and PERSONAL.search(text):
            areas.append(band(tops[at] - 0.2 * height, bottoms[at] + 0.2 * height))
    return areas


def table_rows(image: str, original: str, reading) -> list[dict[str, str]]:
    """一张照片的读数 -> rows.csv 的各行（列名 -> 文字）。"""
    rows = []
    for read in reading.items:
        # 前面的制表符让 Excel 与 WPS 把 3-5 当文字，不认成日期；= 开头的也不会当公式
        texts = {column: f"\t{getattr(read, field) or ''}".rstrip() for column, field in FIELDS.items()}
        head = {column: getattr(reading, field) or "" for column, field in HEAD.items()}
        when = {
            column: reading.origin[field].value for field, column in ORIGIN_WORDS.items() if field in reading.origin
        }
        head |= {column: "\t" + re.sub(r"(?<=\d)T(?=\d)", " ", value) for column, value in when.items()}
        place = " ".join(map(str, read.boxes["row"]))
        rows.append({"图": image, **texts, "把握": f"{read.confidence:.3f}", "疑问": read.doubt or "", **head,
                     "位置": place, "原文件": original})  # fmt: skip
    return rows


# ---- 第二步：核对过的 rows.csv -> 数据集 ----
def accept(table: Path, name: str, shares: tuple[int, int, int]) -> int:
    """核对过的 rows.csv -> 数据集 name，按 shares（训练、验证、测试几份）分；不会覆盖别的数据集。"""
    from health_assistant.lab_report.assessment import assess
    from health_assistant.lab_report.report import PrintedRow, ReadReport

    folder, reports = artifacts.vl_dataset_dir(name), read_table(table)
    if min(shares) < 0 or not sum(shares):
        raise BadInput(f"--shares {' '.join(map(str, shares))}：要三个不小于 0 的数，不能都是 0")
    if folder.exists() and not (folder / "own-photos").exists():
        raise BadInput(f"{folder} 是别的数据集，不覆盖；用 --name 换个名字")
    shutil.rmtree(folder, ignore_errors=True)
    artifacts.write_text(folder / "own-photos", "")
    # 按内容的摘要排，与文件名和次序无关
    images = sorted(reports, key=lambda image: sha256((table.parent / image).read_bytes()).hexdigest())
    ends = [round(len(images) * sum(shares[: at + 1]) / sum(shares)) for at in range(3)]
    records: dict[str, list[dict]] = defaultdict(list)
    for at, image in enumerate(images):
        rows, split = reports[image], next(split for split, end in zip(SPLITS, ends, strict=True) if at < end)
        items = [PrintedRow(**{"result": ""} | filled(row, FIELDS)) for row in rows]
        report = ReadReport(items=items, origin=filled(rows[0], ORIGIN) or None, **filled(rows[0], HEAD))
        flags = [None if item.flag == "unknown" else item.flag for item in assess(report).items]
        boxes = [{"row": [int(part) for part in row["位置"].split()]} if row["位置"] else {} for row in rows]
        (folder / split).mkdir(exist_ok=True)
        shutil.copyfile(table.parent / image, folder / split / image)
        record = {"file_name": image, "report": report.model_dump_json(), "flags": flags, "boxes": json.dumps(boxes)}
        records[split].append(record | {"layout": "own-photo", "degradation": "photo", "seed": 0})
    for split, pages in records.items():
        artifacts.write_jsonl(folder / split / "metadata.jsonl", pages)
    counts = "、".join(f"{split} {len(pages)}" for split, pages in records.items())
    card = f"""# 自己的照片：{name}

{len(images)} 张化验单照片（{counts}），共 {sum(map(len, reports.values()))} 行。标签由内置引擎提出、由人核对。
真实的照片：没有得到本人同意不要公开，也不要上传。涂黑由程序做，可能有漏，给别人之前逐张看过。
各列与 `render_reports.py` 画的数据集相同；`boxes` 只有整行的框，人补的行没有框。
"""
    artifacts.write_text(folder / "README.md", card)
    written = [folder / split / "metadata.jsonl" for split in records]
    artifacts.mark_finished(folder, artifacts.fingerprint(list(shares), [table]), [*written, folder / "README.md"])
    print(f"{len(images)} 张（{counts}）写好了：{folder}")
    print(f"再查一遍：python 6-fine-tuning-vl/lint_labels.py {written[0]}")
    return 0


def filled(row: dict[str, str], columns: dict[str, str]) -> dict[str, str]:
    """写了东西的几列，换成字段的名字。"""
    return {field: row[column] for column, field in columns.items() if row[column]}


def read_table(table: Path) -> dict[str, list[dict[str, str]]]:
    """核对过的 rows.csv -> {图: 它的各行}；读不了、缺了列、有问题的行（一并报出）抛 `BadInput`。"""
    try:
        data = table.read_bytes()
        text = data.decode("utf-8-sig", errors="surrogateescape")
        if re.search("[\udc80-\udcff]", text):
            text = data.decode("gb18030")  # WPS 与 Excel 常另存成这个
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"读不了 {table}：{why_unreadable(error)}") from None
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    needed = [column for column in COLUMNS if column not in ("把握", "疑问", *ORIGIN, "原文件")]
    if not rows:
        raise BadInput(f"{table} 里没有行")
    absent = [column for column in needed if column not in rows[0]]
    if absent:
        raise BadInput(f"{table} 缺这几列：{'、'.join(absent)}；不要改第一行")
    reports, problems = defaultdict(list), []
    for number, raw in enumerate(rows, 2):
        row = {column: (raw.get(column) or "").strip().removeprefix("'") for column in (*needed, *ORIGIN)}
        problems += [f"第 {number} 行{problem}" for problem in row_problems(row, table.parent)]
        reports[row["图"]].append(row)
    if problems:
        raise BadInput(f"{table} 有 {len(problems)} 处要改：\n  " + "\n  ".join(problems[:20]))
    return reports


def row_problems(row: dict[str, str], folder: Path) -> list[str]:
    """一行里不合格的各处，都用话说；没有就是空的。"""
    from health_assistant.lab_report.origin import understand

    problems = [] if row["名称"] else ["没有名称"]
    if not re.fullmatch(r"[\w.-]+", row["图"]) or not (folder / row["图"]).is_file():
        problems.append(f"的图 {row['图'] or '（空）'} 不在 {folder}")
    if row["性别"] not in ("", "男", "女"):
        problems.append(f"的性别要写男、女或空着，写的是 {row['性别']}")
    if row["位置"] and not re.fullmatch(r"\d+ \d+ \d+ \d+", row["位置"]):
        problems.append(f"的位置要是四个数或空着，写的是 {row['位置']}")
    problems += [
        f"的{column}看不懂：{row[column]}"
        for column, field in ORIGIN.items()
        if row[column] and not understand(field, row[column])
    ]
    mangled = [row[column] for column in ("结果", "参考范围") if MANGLED.search(row[column])]
    return problems + [f"的 {text} 像是被表格软件改成了日期或科学计数法，照图改回来" for text in mangled]


if __name__ == "__main__":
    sys.exit(main())
