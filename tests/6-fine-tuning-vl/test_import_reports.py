"""自己的照片：EXIF、涂黑、坏照片、表格软件里的来回、变成数据集。跑的是真的脚本。"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stage_scripts import run_here

from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.rendering import render
from health_assistant.lab_report.report import ReadReport

RENDERED = render("analyser_slip", seed=1)


def run(folder: Path, *arguments):
    return run_here(folder, "6-fine-tuning-vl/import_reports.py", *arguments)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """一张横着存、EXIF 说要转的照片，一张坏的，一张白纸。"""
    folder = tmp_path_factory.mktemp("import")
    photos = folder / "mine"
    photos.mkdir()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "Phone", "2026:01:02 03:04:05"
    RENDERED.image.rotate(90, expand=True).save(photos / "张三.jpg", quality=95, exif=exif)
    (photos / "broken.jpg").write_bytes(b"not a photo")
    (photos / "later.heic").write_bytes(b"....ftypheic")
    Image.new("RGB", (300, 300), "white").save(photos / "blank.png")
    return folder, run(folder, photos)


def table(folder: Path) -> Path:
    return folder / "vl/import/mine/rows.csv"


def read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]], encoding: str) -> None:
    with open(path, "w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_the_good_photo_is_imported_and_the_bad_ones_are_listed(imported):
    folder, done = imported
    assert done.returncode == 1
    for name in ("broken.jpg", "blank.png", "later.heic"):
        assert f"没有导入 {name}：" in done.stderr
    assert table(folder).read_bytes().startswith(b"\xef\xbb\xbf")
    found = [(normalize(row["结果"]), normalize(row["参考范围"])) for row in read(table(folder))]
    assert found == [(normalize(item.result), normalize(item.reference_range)) for item in RENDERED.report.items]
    assert all(row["结果"].startswith("\t") and 0 < float(row["把握"]) <= 1 for row in read(table(folder)))


def test_the_image_is_upright_stripped_and_its_head_is_black(imported):
    image = Image.open(table(imported[0]).parent / "0001.jpg")
    assert not dict(image.getexif()) and "exif" not in image.info
    assert (image.width > image.height) == (RENDERED.image.width > RENDERED.image.height)
    scale, first = image.width / RENDERED.image.width, RENDERED.boxes[0]["row"]
    pixels = np.asarray(image.convert("L"))
    head = pixels[: int((first[1] - 2.5 * RENDERED.text_height) * scale)]
    assert len(head) > 50 and (head < 40).mean() > 0.99
    left, top, right, bottom = (int(side * scale) for side in first)
    assert np.median(pixels[top:bottom, left:right]) > 200  # 表还在


def test_a_corrected_table_becomes_a_data_set(imported, tmp_path):
    folder, _ = imported
    rows = read(table(folder))
    rows[0] |= {"结果": "19.5", "单位": "秒", "参考范围": "11.0-14.5", "标记": "↑"}
    rows.append(dict.fromkeys(rows[0], "") | {"图": "0001.jpg", "名称": "补的一行", "结果": "阴性"})
    corrected = table(folder).parent / "corrected.csv"
    write(corrected, rows, "gb18030")  # WPS、Excel 另存的编码
    done = run(folder, "--accept", corrected)
    assert done.returncode == 0, done.stderr
    written = folder / "vl/dataset/mine/test"
    (record,) = map(json.loads, (written / "metadata.jsonl").read_text(encoding="utf-8").splitlines())
    report = ReadReport.model_validate_json(record["report"])
    assert (report.report_type, report.sex, report.age, report.origin) == ("", None, None, None)
    assert report.items[0].result == "19.5" and report.items[-1].name == "补的一行"
    assert record["flags"][0] == "high" and record["flags"][-1] is None
    assert json.loads(record["boxes"])[-1] == {}
    assert "张三" not in record["file_name"] + record["report"]
    assert (written / record["file_name"]).read_bytes() == (table(folder).parent / "0001.jpg").read_bytes()


@pytest.mark.slow
def test_with_the_head_kept_when_and_where_are_kept_too(tmp_path):
    (tmp_path / "mine").mkdir()
    RENDERED.image.save(tmp_path / "mine/one.png")
    assert run(tmp_path, tmp_path / "mine", "--keep-head").returncode == 0
    first, *_ = rows = read(table(tmp_path))
    printed = RENDERED.report.origin
    assert first["报告时间"] == "\t" + printed.reported[:16] and first["医院"] == "\t" + printed.performer
    first["标本"] = "张三"
    edited = table(tmp_path).parent / "edited.csv"

    def accepted():
        write(edited, rows, "utf-8")
        return run(tmp_path, "--accept", edited)

    refused = accepted()
    assert refused.returncode == 2 and "第 2 行的标本看不懂：张三" in refused.stderr
    first["标本"] = "全血"
    assert accepted().returncode == 0
    record = json.loads((tmp_path / "vl/dataset/mine/test/metadata.jsonl").read_text(encoding="utf-8"))
    origin = ReadReport.model_validate_json(record["report"]).origin
    assert (origin.reported, origin.performer, origin.specimen) == (printed.reported[:16], printed.performer, "全血")


def test_what_a_spreadsheet_broke_is_named(imported):
    text = table(imported[0]).read_text(encoding="utf-8-sig")
    lines = text.splitlines()
    lines[1] = lines[1].replace("\t" + RENDERED.report.items[0].result, "3月5日", 1)
    lines[2] = lines[2].replace("0001.jpg", "0009.jpg", 1)
    broken = table(imported[0]).parent / "broken.csv"
    broken.write_text("\n".join(lines), encoding="utf-8-sig")
    done = run(imported[0], "--accept", broken)
    assert done.returncode == 2
    assert "第 2 行的 3月5日" in done.stderr and "第 3 行的图 0009.jpg" in done.stderr
    broken.write_text("图,名称\n0001.jpg,钾\n", encoding="utf-8-sig")
    done = run(imported[0], "--accept", broken)
    assert done.returncode == 2 and "缺这几列" in done.stderr


def test_nothing_a_person_made_is_overwritten(imported):
    folder, _ = imported
    before = table(folder).read_bytes()
    done = run(folder, folder / "mine")
    assert done.returncode == 2 and "--force" in done.stderr
    assert table(folder).read_bytes() == before
    other = folder / "vl/dataset/other"
    other.mkdir(parents=True, exist_ok=True)
    assert run(folder, "--accept", table(folder), "--name", "other").returncode == 2
    assert run(folder, folder / "nowhere").returncode == run(folder).returncode == 2
