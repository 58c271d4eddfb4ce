"""画出的数据集：形式、真值、留出的版式、同样的字节、kill -9 之后接着画。跑的是真的脚本。"""

import json
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image
from stage_scripts import ROOT, environment, run, run_here, run_well

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.origin import understand
from health_assistant.lab_report.person import person_of
from health_assistant.lab_report.report import ReadReport
from health_assistant.lab_report.scoring import ReportScore, TrueItem, score_report

RENDER = "6-fine-tuning-vl/render_reports.py"
RECIPE = """
size: {train: 6, val: 2, test: 3}
layouts: [analyser_slip, half_sheet, continuation]
test_layouts: [phone_cards]
panels: [clotting, liver]
items: [2, 4]
degradations: {clean: 1, slight_skew: 2}
longest_side: 700
"""


def draw(folder: Path, text: str, *options: str, how=run) -> subprocess.CompletedProcess:
    recipe = folder / "dataset-mini.yaml"
    recipe.write_text(text, encoding="utf-8")
    return how(folder, RENDER, "--config", recipe, *options)


def contents(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in files}


def rows(folder: Path, split: str) -> list[dict]:
    lines = (folder / split / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    done = draw(folder, RECIPE, "--processes", "1")
    assert done.returncode == 0, done.stderr
    return folder / "vl/dataset/mini"


def test_every_row_is_a_report_with_its_truth(dataset):
    for split, count in (("train", 6), ("val", 2), ("test", 3)):
        assert len(rows(dataset, split)) == count
        for row in rows(dataset, split):
            image = Image.open(dataset / split / row["file_name"])
            items = ReadReport.model_validate_json(row["report"]).items
            boxes = json.loads(row["boxes"])
            assert image.mode == "RGB" and max(image.size) <= 700
            assert 2 <= len(items) <= 4 and len(items) == len(row["flags"]) == len(boxes)
            assert row["degradation"] in ("clean", "slight_skew")
            if row["layout"] == "half_sheet":  # 手机上的没有印医院，接上页的没有页头
                origin = ReadReport.model_validate_json(row["report"]).origin
                assert origin.performer and all(understand(*field) for field in origin if field[1])
            for item, box in zip(items, boxes, strict=True):
                printed = {field for field, value in item.model_dump().items() if value}
                assert set(box) == printed | {"row"}
                left, top, right, bottom = box["result"]
                assert 0 <= left < right <= image.width and 0 <= top < bottom <= image.height
                assert image.convert("L").crop(box["result"]).getextrema()[0] < 130  # 框里有墨


def test_whole_layouts_are_held_out(dataset):
    seen = {row["layout"] for split in ("train", "val") for row in rows(dataset, split)}
    assert seen <= {"analyser_slip", "half_sheet", "continuation"}
    assert {row["layout"] for row in rows(dataset, "test")} == {"phone_cards"}
    texts = [row["report"] for split in ("train", "val", "test") for row in rows(dataset, split)]
    assert len(set(texts)) == len(texts)


def test_datasets_loads_it(dataset, tmp_path):
    import datasets

    loaded = datasets.load_dataset("imagefolder", data_dir=str(dataset), cache_dir=str(tmp_path))
    assert {split: len(part) for split, part in loaded.items()} == {"train": 6, "validation": 2, "test": 3}
    assert loaded["train"][0]["report"] == rows(dataset, "train")[0]["report"]


def test_the_card_says_what_it_is(dataset):
    card = (dataset / "README.md").read_text(encoding="utf-8")
    for word in ("合成", "Apache-2.0", "| test | 3 |", "phone_cards", "slight_skew", "种子"):
        assert word in card
    assert Image.open(dataset / "contact-sheet.png").width > 700


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_bytes(dataset, tmp_path):
    recipe = tmp_path / "dataset-mini.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    parts = tmp_path / "vl/dataset/mini/parts"
    for wanted in (2, 5):  # 离画完还远：机器再忙，也杀得着
        command = [sys.executable, ROOT / RENDER, "--config", recipe, "--processes", "2"]
        running = subprocess.Popen(command, env=environment(tmp_path))
        while running.poll() is None and len(list(parts.glob("*.json"))) < wanted:
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert not (tmp_path / "vl/dataset/mini/finished.json").exists()
    (tmp_path / "vl/dataset/mini/train/.000005.jpg.1.partial").write_bytes(b"half")
    done = draw(tmp_path, RECIPE)
    assert done.returncode == 0 and "上次画好了" in done.stdout, done.stderr
    assert contents(tmp_path / "vl/dataset/mini") == contents(dataset)
    assert "画过了" in draw(tmp_path, RECIPE).stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("longest: 700", "longest 是不认识的键"),
        ("layouts: [klassic]", "klassic"),
        ("test_layouts: [half_sheet]", "half_sheet"),
        ("degradations: {clean: 0}", "degradations"),
        ("panels: [urine]", "urine"),
        ("items: [4, 2]", "items"),
        ("size: {train: many}", "size"),
        ("seed: [", "不是 YAML"),
    ],
)
def test_a_wrong_recipe_is_refused_and_writes_nothing(change, said, tmp_path):
    kept = [line for line in RECIPE.splitlines() if not line.startswith(change.split(":")[0] + ":")]
    done = draw(tmp_path, "\n".join([*kept, change]), how=run_here)
    assert done.returncode == 2 and said in done.stderr
    assert [file.name for file in tmp_path.rglob("*")] == ["dataset-mini.yaml"]


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_own_photos_under_the_same_name_are_not_drawn_over(tmp_path, options):
    own = tmp_path / "vl/dataset/mini"
    (own / "test").mkdir(parents=True)
    (own / "own-photos").touch()
    (own / "test/metadata.jsonl").write_text("核对过的", encoding="utf-8")
    done = draw(tmp_path, RECIPE, *options, how=run_here)
    assert done.returncode == 2 and "自己的照片" in done.stderr
    assert (own / "test/metadata.jsonl").read_text(encoding="utf-8") == "核对过的"


@pytest.mark.slow
def test_the_tiny_recipe_runs_without_arguments(tmp_path):
    run_well(tmp_path, RENDER)
    folder = tmp_path / "vl/dataset/tiny"
    for row in rows(folder, "train"):
        image = Image.open(folder / "train" / row["file_name"])
        assert image.width % 28 == 0 and image.height % 28 == 0 and image.width * image.height <= 20 * 784
        report = ReadReport.model_validate_json(row["report"])
        assert report.sex is report.origin is None  # 页眉裁掉了


@pytest.mark.slow
def test_the_embedded_reader_reads_clean_pages(tmp_path, reader):
    """标签与图一致：内置引擎读 1600 像素的干净的图。各种版式读得怎样在 lab_report/test_reading_pages.py。"""
    assert draw(tmp_path, "size: {train: 6, val: 1, test: 1}\nseed: 1").returncode == 0
    folder, total = tmp_path / "vl/dataset/mini", ReportScore()
    for row in rows(folder, "train"):
        report = ReadReport.model_validate_json(row["report"])
        truth = [
            TrueItem(**item.model_dump(), flag=flag) for item, flag in zip(report.items, row["flags"], strict=True)
        ]
        reading = reader.read(Image.open(folder / "train" / row["file_name"]))
        total += score_report(assess(reading), truth, report.report_type, person=person_of(report))
    assert total.abnormal_f1 >= 0.995 and total.found == total.rows and total.silent_errors == [], str(total)
