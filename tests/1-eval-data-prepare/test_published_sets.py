"""公布的评测集：照 LLMEval-Med、MedS-Bench（task58）的样子做的小文件读得进；别的样子说清是哪一条的哪里，什么也不写。"""

import json

import pytest
from stage_scripts import run_here

from health_assistant.evaluation import metrics
from health_assistant.evaluation.checklist import read_checklist
from health_assistant.evaluation.evaluate import read_questions

LLMEVAL, MEDS = "llmeval_med", "meds_bench"
LIST = "核心需求：\n1. 内容要求：说明原因。\n2. 提到检查。\n\n次要需求：\n语气平和。"


def record(code: int, turn: int = 1, **changes) -> dict:
    """公布的一条记录的样子；没有值的 checklist 写着 NaN。"""
    kinds = {"category1": "医疗知识", "category2": "医学考试", "scene": "医学考试_中医", "difficulty": "难"}
    texts = {"problem": f"问{code}-{turn}", "sanswer": f"答{code}-{turn}", "checklist": float("nan")}
    return kinds | {"round": turn, "groupCode": code} | texts | changes


GOOD = {
    "医疗知识": [record(5, checklist=LIST), record(6, 2, checklist="一、核心需求\n1、甲\n二、次要需求\n无"), record(6)],
    "医疗安全伦理": [{key: value for key, value in record(7).items() if key not in ("checklist", "difficulty")}],
    "医疗文本生成": [record(5, sanswer=131), record(8, sanswer=float("nan")), record(8, 2)],
}


@pytest.fixture
def run(tmp_path):
    """prepared(哪一套, data) -> 退出码、印出的话；data 是文字时原样写进文件。"""

    def prepared(which: str, data) -> tuple[int, str]:
        file = tmp_path / "dataset.json"
        file.write_text(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False), encoding="utf-8")
        done = run_here(tmp_path / "out", f"1-eval-data-prepare/prepare_{which}.py", "--file", file)
        return done.returncode, done.stdout + done.stderr

    return prepared


def test_the_published_form_becomes_questions_and_checklists(run, tmp_path):
    code, said = run(LLMEVAL, GOOD)
    assert code == 0 and "写了 5 题，其中 2 题有清单" in said and "没有写的 2 条" in said
    folder = tmp_path / "out/eval-data/llmeval-med"
    questions = {question.id: question for question in read_questions(folder / "questions.jsonl")}
    assert [*questions] == ["医疗知识-5-1", "医疗知识-6-1", "医疗知识-6-2", "医疗安全伦理-7-1", "医疗文本生成-5-1"]
    second = questions["医疗知识-6-2"]
    assert [message["content"] for message in second.messages] == ["问6-1", "答6-1", "问6-2"]
    assert (second.case_id, questions["医疗文本生成-5-1"].reference) == ("医疗知识-6", "131")
    points = read_checklist(folder / "checklist.yaml", list(questions)).points
    assert points["医疗知识-5-1"].must == ("内容要求：说明原因。", "提到检查。", "语气平和。")
    assert points["医疗知识-6-2"].must == ("甲",)
    assert json.loads((folder / "data.json").read_text(encoding="utf-8"))["is_sample"] is False


def instance(question: str = "血钾的单位是（　　）。", right: str = "B: mmol/L", **changes) -> dict:
    asked = f"问题: {question}\n选项: A: 个\tB: mmol/L\tC: 米\tD: 秒"
    return {"input": asked, "output": f"正确答案是 {right}"} | changes


def task(*instances: dict) -> dict:
    return {"Definition": ["Choose."], "Input_language": ["Chinese"], "Instances": list(instances)}


def test_the_published_form_becomes_questions_scored_by_their_letter(run, tmp_path):
    vignette = instance("男，40 岁。\n既往史: A: 无。诊断是", output=["正确答案是 A: 个"], id="x")
    code, said = run(MEDS, task(instance(), vignette, instance(right="D: 秒")))
    assert code == 0 and "写了 3 题" in said
    folder = tmp_path / "out/eval-data/meds-bench"
    questions = read_questions(folder / "questions.jsonl")
    assert questions[0].messages[0]["content"].endswith("D: 秒\n请只答正确选项的字母。")
    references = [question.reference for question in questions]
    assert [metrics.choice_of(reference) for reference in references] == ["B", "A", "D"]
    names = [question.case_id for question in questions]
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
    ("which", "data", "said"),
    [
        (LLMEVAL, [record(1)], "最外层"),
        (LLMEVAL, "不是 JSON", "最外层"),
        (LLMEVAL, "\n".join(json.dumps(record(code)) for code in (1, 2)), "最外层"),
        (LLMEVAL, {"医疗知识": [record(1), {"problem": "问", "sanswer": "答"}]}, "医疗知识的第 2 条的category2"),
        (LLMEVAL, {"医疗知识": [record(1, problem=["问"])]}, "医疗知识的第 1 条的problem"),
        (LLMEVAL, {"医疗知识": [record(1, checklist={"甲": 1})]}, "医疗知识的第 1 条的checklist"),
        (LLMEVAL, {"医疗知识": [record(1), record(1)]}, "医疗知识 的第 1 组各轮是 [1, 1]"),
        (LLMEVAL, {"医疗知识": [record(1), record(1, 3)]}, "不缺不重"),
        (LLMEVAL, {}, "一条记录也没有"),
        (MEDS, "[", "最外层"),
        (MEDS, [instance()], "最外层"),
        (MEDS, {"Instances": []}, "Instances"),
        (MEDS, json.dumps(instance(), ensure_ascii=False) + "\n" + json.dumps(instance()), "最外层"),  # 真的一行一题
        (MEDS, task(instance(), {"input": "x"}), "第 2 题的output"),
        (
            MEDS,
            task(instance(input="Question: x\nOptions: A: 1\tB: 2", output="The right answer is A: 1")),
            "第 1 题input",
        ),
        (MEDS, task(instance(), instance(right="E: 天")), "第 2 题output"),
        (MEDS, task(instance(right="B: 秒")), "第 1 题output"),
        (MEDS, task(instance(input="问题: x\n选项: A: 1, B: 2")), "第 1 题选项"),
        (MEDS, task(instance(output="B: mmol/L")), "第 1 题output"),
    ],
)
def test_other_forms_are_refused_with_the_place(run, tmp_path, which, data, said):
    code, printed = run(which, data)
    assert code == 2 and said in printed and "dataset.json" in printed, printed
    assert not (tmp_path / "out").exists()
