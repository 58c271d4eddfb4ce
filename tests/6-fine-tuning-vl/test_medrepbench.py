"""MedRepBench：公布的样子读得进，别的样子说清楚；官方口径与我们的并排；几个对手在同一张表里。数据是为测试写的。"""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_upstreams import FakeUpstream
from PIL import Image
from stage_scripts import load, run_here

from health_assistant.command_line import BadInput
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import Reading

EVALUATE = "6-fine-tuning-vl/eval_vl.py"
LABORATORY = json.dumps({"type": "Laboratory", "gender": "女", "age": "34"}, ensure_ascii=False)


def item(name: str, value: str, unit: str = "", printed: str = "", flag: str = "") -> dict:
    return {"item_name": name, "item_value": value, "item_unit": unit, "item_range": printed, "is_abnormal": flag}


ITEMS = [
    item("白细胞计数", "12.30↑", "10^9/L", "3.5--9.5", "1"),
    item("血红 蛋白", "130.0", "g/L", "115~150", "0"),
    item("颜色", "黄色"),
]


def write_dataset(folder: Path, rows: list[dict], columns=("image", "meta", "items")) -> Path:
    """公布的样子：标签的 CSV 与 images/；每张图大小不同，空的一张像上游的空文件。"""
    (folder / "images").mkdir(parents=True)
    with open(folder / "datasets-meta-zhCN.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    for number, row in enumerate(rows):
        if row["image"] == "empty.png":
            (folder / "images/empty.png").touch()
        else:
            Image.new("RGB", (200 + number, 300), "white").save(folder / "images" / row["image"])
    return folder


def row(image: str, items=ITEMS, meta: str = LABORATORY) -> dict:
    return {"image": image, "meta": meta, "items": json.dumps(items, ensure_ascii=False)}


@pytest.fixture(scope="module")
def medrepbench():
    return load("6-fine-tuning-vl/vl_medrepbench.py")


def test_the_published_form_is_read(tmp_path, medrepbench):
    rows = [row("a.png"), row("b.png", [], LABORATORY), row("c.png", meta='{"type": "Exam"}'), row("empty.png")]
    pages, skipped = medrepbench.read_medrepbench(write_dataset(tmp_path / "medrepbench", rows))
    assert [page["file_name"] for page in pages] == ["a.png"]
    assert skipped == {"不是化验单或没有条目": 2, "图没有或是空的": 1}
    first, second, third = pages[0]["truth"]
    assert (first.result, first.mark, first.flag) == ("12.30", "↑", "abnormal")
    assert (second.flag, third.flag) == ("normal", None)


@pytest.mark.parametrize(
    ("change", "said"),
    {
        "别的列": (lambda folder: write_dataset(folder, [row("a.png")], ("image", "items")), "应是"),
        "条目不是 JSON": (lambda folder: write_dataset(folder, [row("a.png") | {"items": "[{"}]), "第 1 张（a.png）"),
        "少一个字段": (lambda folder: write_dataset(folder, [row("a.png", [{"item_name": "钾"}])]), "item_value"),
        "别的标记": (lambda folder: write_dataset(folder, [row("a.png", [item("钾", "4", flag="H")])]), "is_abnormal"),
        "没有类别": (lambda folder: write_dataset(folder, [row("a.png", meta="{}")]), "第 1 张"),
        "没有化验单": (lambda folder: write_dataset(folder, [row("a.png", meta='{"type": "Exam"}')]), "images/"),
    }.values(),
)
def test_another_form_is_refused_and_the_place_is_said(tmp_path, medrepbench, change: Callable, said: str):
    with pytest.raises(BadInput, match=said):
        medrepbench.read_medrepbench(change(tmp_path / "medrepbench"))


def printed(name: str, result: str, unit: str = "", reference_range: str = "", code: str = "") -> dict:
    return {"name": name, "code": code, "result": result, "unit": unit, "reference_range": reference_range}


RIGHT = [
    printed("白细胞计数", "12.30", "10^9/L", "3.5-9.5"),
    printed("血红蛋白", "130.0", "g/L", "115-150"),
    printed("颜色", "黄色"),
]
EXTRA = [printed("标本", "静脉血"), *RIGHT]
TABLE = (
    "<fcel>项目<fcel>结果<fcel>单位<fcel>参考范围<nl><fcel>白细胞计数<fcel>12.30<fcel>10^9/L<fcel>3.5-9.5<nl>"
    "<fcel>血红蛋白<fcel>130.0<fcel>g/L<fcel>115-150<nl><fcel>颜色<fcel>黄色<ecel><ecel><nl>"
)
"""PaddleOCR-VL 答的样子：表格标记。"""


def test_the_official_score_punishes_a_right_page_with_one_more_row(tmp_path, medrepbench):
    pages, _ = medrepbench.read_medrepbench(write_dataset(tmp_path / "medrepbench", [row("a.png")]))

    def official(rows: list[dict]) -> dict[str, float]:
        return medrepbench.official_score([assess(Reading(items=rows)).items], pages)

    right, extra, named = official(RIGHT), official(EXTRA), official([RIGHT[0] | {"name": "白细胞计数(WBC)"}])
    assert right["名称"] == 1 and right["单位"] == 1 and right["标记"] == 1
    assert right["结果"] == pytest.approx(2 / 3), "标注里 12.30↑ 的箭头，官方按字比"
    assert right["范围"] == pytest.approx(2 / 3), "标注里的 3.5--9.5，官方按字比"
    assert extra["名称"] == pytest.approx(2 / 3), "前面多一行，最后一行被挤掉"
    assert named["平均"] == 0, "名称多了代号，整行作废"
    assert official([])["平均"] == 0


def answering(rows: list[dict] | str) -> FakeUpstream:
    """每一页都这样答的接口；不是话的写成 JSON。"""
    content = rows if isinstance(rows, str) else json.dumps({"items": rows}, ensure_ascii=False)
    return FakeUpstream(lambda body: content)


@pytest.mark.parametrize(
    ("cells", "rows"),
    [
        ("<fcel>项目<fcel>结果<nl><fcel>pH<fcel><7.0<nl>", [["项目", "结果"], ["pH", "<7.0"]]),
        ("<fcel>血常规<lcel><lcel><nl><ecel><fcel>5.1<ucel><nl>", [["血常规", "", ""], ["", "5.1", ""]]),
        ("看不清这张图片", []),
    ],
)
def test_tags_of_a_table_become_cells(cells, rows):
    vl_paddleocr = load("6-fine-tuning-vl/vl_paddleocr.py")
    assert vl_paddleocr.table_cells(cells) == rows
    assert rows[:1] != [] or vl_paddleocr.report_answer(cells) == cells


@pytest.mark.slow
def test_rivals_and_the_official_score_stand_in_one_table(tmp_path, monkeypatch):
    write_dataset(tmp_path / "medrepbench", [row("a.png"), row("b.png")])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with answering(RIGHT) as honest, answering(EXTRA) as wordy, answering(TABLE) as tables:
        arguments = ["--dataset", str(tmp_path / "medrepbench"), "--reader", "endpoint", "--batch-size", "1"]
        arguments += ["--api-base", honest.api_base, "--model", "one", "--rival", f"多一行=two@{wordy.api_base}"]
        arguments += [f"表格=PaddleOCR-VL-0.9B@{tables.api_base}"]
        done = run_here(tmp_path / "out", EVALUATE, *arguments)
        assert done.returncode == 0, done.stderr
    assert "MedRepBench（CC BY-NC 4.0，只用来评测）：2 张化验单" in done.stdout
    readers = json.loads((tmp_path / "out/vl/tiny/eval/medrepbench/compare.json").read_text())["readers"]
    assert [one["reader"] for one in readers.values()] == ["接口", "多一行", "表格"]
    ours = [one["total"]["result_recall"] for one in readers.values()]
    official = [one["official"]["名称"] for one in readers.values()]
    assert ours == [1, 1, 1] and official == [1, pytest.approx(2 / 3), 1], "照抄得一样对，官方的分不一样"
    assert [one["total"]["invented"] for one in readers.values()] == [0, 2, 0]
    assert {body["messages"][-1]["content"][-1]["text"] for body in tables.requests} == {"Table Recognition:"}
    assert "官方口径" in (tmp_path / "out/vl/tiny/eval/medrepbench/compare.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("rival", ["没有等号", "embedded=模型@http://127.0.0.1:1/v1", "=模型"])
def test_a_rival_written_wrongly_is_refused(rival, tmp_path):
    done = run_here(tmp_path, EVALUATE, "--dataset", tmp_path, "--rival", rival)
    assert done.returncode == 2 and "--rival" in done.stderr
