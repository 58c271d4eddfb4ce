"""MedS-Bench 的 task58：照公布的样子做的小文件读得进，答对几题算得出；别的样子说清是哪一题的哪里。"""

import json

import pytest

from health_assistant.evaluation import metrics
from health_assistant.evaluation.evaluate import read_questions

SCRIPT = "1-eval-data-prepare/prepare_meds_bench.py"


def instance(question: str = "血钾的单位是（　　）。", right: str = "B: mmol/L", **changes) -> dict:
    asked = f"问题: {question}\n选项: A: 个\tB: mmol/L\tC: 米\tD: 秒"
    return {"input": asked, "output": f"正确答案是 {right}"} | changes


def task(*instances: dict) -> dict:
    return {"Definition": ["Choose."], "Input_language": ["Chinese"], "Instances": list(instances)}


@pytest.fixture
def run(tmp_path, run_main):
    """prepared(data) -> 退出码、印出的话；data 是文字时原样写进文件。"""

    def prepared(data) -> tuple[int, str]:
        file = tmp_path / "task58.jsonl"
        file.write_text(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False), encoding="utf-8")
        code, printed, problem = run_main(SCRIPT, "--file", file, home=tmp_path / "out")
        return code, printed + problem

    return prepared


def test_the_published_form_becomes_questions_scored_by_their_letter(run, tmp_path):
    vignette = instance("男，40 岁。\n既往史: A: 无。诊断是", output=["正确答案是 A: 个"], id="x")
    code, said = run(task(instance(), vignette, instance(right="D: 秒")))
    assert code == 0 and "写了 3 题" in said
    folder = tmp_path / "out/eval-data/meds-bench"
    questions = read_questions(folder / "questions.jsonl")
    assert questions[0].messages[0]["content"].endswith("D: 秒\n请只答正确选项的字母。")
    references = [one.reference for one in questions]
    assert [metrics.choice_of(one) for one in references] == ["B", "A", "D"]
    names = [one.case_id for one in questions]
    scores = metrics.summarise(names, ["答案是 B", "选 B", ""], references)
    assert scores["choice"]["value"] == pytest.approx(100 / 3)
    assert "choice" not in metrics.summarise(names, ["B"] * 3, ["B 型超声"] * 3)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("D", "D"),
        ("**D**: 24 小时内", "D"),
        ("正确答案是 D: 秒", "D"),
        ("A 不对，B 也不对，所以应选 C。", "C"),
        ("答案：C。", "C"),
        ("不选 A，选 B。", "B"),
        ("缺维生素 B12 的表现。", None),
        ("答案不是 A。", None),
        ("DNA 检测", None),
        ("", None),
    ],
)
def test_the_letter_an_answer_chose(answer, letter):
    assert metrics.chosen(answer) == letter


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("[", "最外层"),
        ([instance()], "最外层"),
        ({"Instances": []}, "Instances"),
        (json.dumps(instance(), ensure_ascii=False) + "\n" + json.dumps(instance()), "最外层"),  # 真的一行一题
        (task(instance(), {"input": "x"}), "第 2 题的output"),
        (task(instance(input="Question: x\nOptions: A: 1\tB: 2", output="The right answer is A: 1")), "第 1 题input"),
        (task(instance(), instance(right="E: 天")), "第 2 题output"),
        (task(instance(right="B: 秒")), "第 1 题output"),
        (task(instance(input="问题: x\n选项: A: 1, B: 2")), "第 1 题选项"),
        (task(instance(output="B: mmol/L")), "第 1 题output"),
    ],
)
def test_other_forms_are_refused_with_the_place(run, tmp_path, data, words):
    code, said = run(data)
    assert code == 2 and words in said, said
    assert not (tmp_path / "out").exists()
