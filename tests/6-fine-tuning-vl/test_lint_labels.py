"""标签检查：埋进去的错都要找到，对的不报。"""

import json
from pathlib import Path

import numpy as np
import pytest
from stage_scripts import run_here

from health_assistant.lab_report.rendering import HELD_OUT_LAYOUTS, LAYOUTS, render
from health_assistant.lab_report.rendering.sampling import sample_report


@pytest.fixture
def lint(tmp_path):
    def lint(labels: Path | list, *options: str) -> tuple[int, list[tuple[int, str]], str]:
        """退出码、每处问题的（行号，种类）、打印的话。"""
        if isinstance(labels, list):
            lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in labels]
            labels = tmp_path / "labels.jsonl"
            labels.write_text("\n".join(lines), encoding="utf-8")
        done = run_here(tmp_path, "6-fine-tuning-vl/lint_labels.py", labels, *options)
        reports = [*tmp_path.glob("vl/lint/*.json")]
        found = json.loads(reports[0].read_text(encoding="utf-8"))["findings"] if reports else []
        return done.returncode, [(one["line"], one["kind"]) for one in found], done.stdout + done.stderr

    return lint


def row(name: str, result: str, unit: str = "", limits: str = "", mark: str | None = None, code: str = "") -> dict:
    item = {"name": name, "code": code, "result": result, "unit": unit, "reference_range": limits, "mark": mark}
    return {"report_type": "生化", "items": [item]}


def test_finds_what_is_wrong_in_reports(lint):
    labels = {
        json.dumps({"report": row("钾", "4.2", "mmol/L", "3.5-5.3", "↑")}): "mark",
        json.dumps({"report": json.dumps(row("钾", "6.2", "mmol/L", "3.5-5.3", "偏低"))}): "mark",
        json.dumps({"report": row("钾", "6.2", "mmol/L", "3.5-5.3", "↑"), "flags": ["normal"]}): "flag",
        json.dumps(row("白细胞计数", "6.2", "mmol/L", "3.5-9.5", code="WBC")): "unit",
        json.dumps(row("钾", "4.2", "mmol/L", "5.3-3.5")): "unparsable",
        json.dumps(row(" ", "4.2")): "unparsable",
        json.dumps({"report": {"items": [{"name": "钾", "result": 4.2}]}}): "unparsable",
        json.dumps(row("钾", "4.2") | {"origin": {"collected": "2024-11-26", "reported": "昨天"}}): "unparsable",
        json.dumps({"text": "钾（K）偏低（4.4 mmol/L，参考范围3.5-5.3 mmol/L）"}): "unparsable",
        '{"report": ': "unparsable",
        "[1]": "unparsable",
    }
    code, found, printed = lint(list(labels))
    assert code == 1
    assert found == [(number, kind) for number, kind in enumerate(labels.values(), 1)], printed


def test_nothing_is_found_in_rendered_labels(lint):
    layouts, labels = list((LAYOUTS | HELD_OUT_LAYOUTS).values()), []
    for seed in range(100):
        sample = sample_report(np.random.default_rng(seed), layouts[seed % len(layouts)].style)
        labels.append({"report": sample.report.model_dump_json(), "flags": sample.flags})
    assert lint(labels)[:2] == (0, [])


@pytest.mark.slow
def test_finds_what_is_not_on_the_page(lint, tmp_path):
    rendered = render("analyser_slip", seed=1)
    rendered.image.save(tmp_path / "page.png")
    true = rendered.report.model_dump()
    added, changed = json.loads(json.dumps(true)), json.loads(json.dumps(true))
    added["items"].append(row("甲状旁腺激素", "77.7", code="PTH")["items"][0])
    number = next(item for item in changed["items"] if item["result"].replace(".", "").isdigit())
    number["result"], number["mark"] = "98765", None
    labels = [{"file_name": "page.png", "report": label} for label in (true, added, changed)]
    labels.append({"file_name": "gone.png", "report": true})
    code, found, printed = lint(labels, "--images", str(tmp_path))
    assert [one for one in found if one[1] == "not_on_page"] == [(2, "not_on_page"), (3, "not_on_page")], printed
    assert "有 1 张图没有或读不出" in printed


def test_exit_codes(lint, tmp_path):
    labels = [row("钾", "4.2", "mmol/L", "3.5-5.3"), row("钾", "4.2", "mmol/L", "3.5-5.3", "↑")]
    assert lint(labels, "--max-rate", "0.5")[0] == 0
    code, _, printed = lint(labels, "--max-rate", "0.4")
    assert code == 1 and "--max-rate 40.0%" in printed
    code, _, printed = lint(tmp_path / "nowhere.jsonl")
    assert code == 2 and "nowhere.jsonl" in printed
