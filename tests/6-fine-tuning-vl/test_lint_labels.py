"""标签检查：埋进去的错都要找到，对的不报；真实的一份错标签里找到的个个属实（逐条读过）。"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from health_assistant.lab_report.rendering import HELD_OUT_LAYOUTS, LAYOUTS, render
from health_assistant.lab_report.rendering.sampling import sample_report

ROOT = Path(__file__).resolve().parents[2]
SEED_LABELS = ROOT.parent / "shared/data/seed-vl-labels.jsonl"
# 行号 -> 自相矛盾的有几处；句子不在仓库里
CONTRADICTIONS = dict.fromkeys(
    (4, 7, 10, 11, 12, 13, 30, 34, 36, 37, 39, 44, 46, 50, 55, 59, 62, 66, 70, 76, 81, 90, 101, 106, 117, 122, 124,
     125, 126, 135, 137, 141, 142, 148, 156, 159, 160, 162), 1,
) | {2: 2, 14: 6, 29: 3, 47: 2, 85: 2, 123: 2, 146: 2}  # fmt: skip


@pytest.fixture
def lint(tmp_path):
    def run(labels: Path | list, *options: str) -> tuple[int, list[tuple[int, str]], str]:
        """退出码、每处问题的（行号，种类）、打印的话。"""
        if isinstance(labels, list):
            lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in labels]
            labels = tmp_path / "labels.jsonl"
            labels.write_text("\n".join(lines), encoding="utf-8")
        report = tmp_path / "report.json"
        done = subprocess.run(
            [sys.executable, ROOT / "6-fine-tuning-vl/lint_labels.py", labels, "--report", report, *options],
            env={**os.environ, "HEALTH_ASSISTANT_ARTIFACTS": str(tmp_path)}, capture_output=True, text=True,
        )  # fmt: skip
        found = json.loads(report.read_text(encoding="utf-8"))["findings"] if report.exists() else []
        return done.returncode, [(one["line"], one["kind"]) for one in found], done.stdout + done.stderr

    return run


def row(name: str, result: str, unit: str = "", limits: str = "", mark: str | None = None, code: str = "") -> dict:
    item = {"name": name, "code": code, "result": result, "unit": unit, "reference_range": limits, "mark": mark}
    return {"report_type": "生化", "items": [item]}


@pytest.mark.skipif(not SEED_LABELS.exists(), reason="没有 ../shared/data/seed-vl-labels.jsonl")
def test_the_seed_labels_contradict_themselves(lint):
    code, found, printed = lint(SEED_LABELS)
    assert code == 1
    assert {kind for _, kind in found} == {"direction"}
    assert Counter(line for line, _ in found) == CONTRADICTIONS
    assert len(found) >= 47 and len(CONTRADICTIONS) >= 39
    assert "在 45 条里" in printed


def test_finds_what_is_wrong_in_sentences(lint):
    sentences = {
        "白细胞计数（WBC）12.1×10^9/L（参考范围3.5-9.5×10^9/L），偏低。": "direction",
        "钠升高，分别为141 mmol/L（参考范围137-147 mmol/L）和150 mmol/L（参考范围137-147 mmol/L）。": "direction",
        "尿素为5.1（参考范围3.1-8.0），肌酐为130（参考范围57-97），均高于参考范围。": "direction",
        "血糖 **7.2** mmol/L，未超出参考范围（3.9-6.1 mmol/L）。": "direction",
        "钾水平偏低，为 3.9 mmol/L，低于参考范围的下限 3.5 mmol/L。": "direction",
        "异常项目为：\\(\\mathrm{PCO}_{2}\\) 40 mmHg（参考范围32-48 mmHg）。": "direction",
        "总胆固醇为5.0 mmol/L，高于正常值（<5.2 mmol/L）。": "direction",
        "血小板计数（PLT）为210 mmHg，在参考范围内（125-350）。": "unit",
    }
    code, found, printed = lint([{"file_name": "1.jpg", "text": text} for text in sentences])
    assert code == 1
    assert found == [(number, kind) for number, kind in enumerate(sentences.values(), 1)], printed


def test_true_sentences_are_not_found(lint):
    sentences = [
        "PCO2 28.9，参考范围32-48，偏低",
        "钾偏低，钠为141 mmol/L（参考范围137-147 mmol/L），氯为101（参考范围99-110）正常。",
        "血糖未高于参考范围，为5.2 mmol/L（参考范围3.9-6.1 mmol/L）。",
        "糖类抗原19-9（CA19-9）为30.1 U/mL，超出参考范围（0-27 U/mL）；钙2.2，参考范围2.1-2.6，正常",
        "铁蛋白（618.5 ng/mL）高于参考范围，叶酸（7.66 ng/mL）低于参考范围。所有检测指标均为阴性，无异常。",
        "乳酸 1.9 mmol/L（参考范围成人0.9-1.7 mmol/L，新生儿0.5-2.0 mmol/L）升高。",
        "D-二聚体为800 ug/L，高于参考范围（0-550 ug/L）。",
    ]
    assert lint([{"messages": [{"role": "assistant", "content": text}]} for text in sentences])[:2] == (0, [])


def test_finds_what_is_wrong_in_reports(lint):
    labels = {
        json.dumps({"report": row("钾", "4.2", "mmol/L", "3.5-5.3", "↑")}): "mark",
        json.dumps({"report": json.dumps(row("钾", "6.2", "mmol/L", "3.5-5.3", "偏低"))}): "mark",
        json.dumps({"report": row("钾", "6.2", "mmol/L", "3.5-5.3", "↑"), "flags": ["normal"]}): "flag",
        json.dumps(row("白细胞计数", "6.2", "mmol/L", "3.5-9.5", code="WBC")): "unit",
        json.dumps(row("钾", "4.2", "mmol/L", "5.3-3.5")): "unparsable",
        json.dumps(row(" ", "4.2")): "unparsable",
        json.dumps({"report": {"items": [{"name": "钾", "result": 4.2}]}}): "unparsable",
        '{"report": ': "unparsable",
        "[1]": "unparsable",
    }
    code, found, printed = lint(list(labels))
    assert code == 1
    assert found == [(number, kind) for number, kind in enumerate(labels.values(), 1)], printed


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_nothing_is_found_in_rendered_labels(lint, count):
    layouts, labels = list((LAYOUTS | HELD_OUT_LAYOUTS).values()), []
    for seed in range(count):
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
