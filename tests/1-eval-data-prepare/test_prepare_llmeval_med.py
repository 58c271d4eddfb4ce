"""LLMEval-Med：照公布的样子做的小文件读得进、清单拆得对、多轮接得上；别的样子说清是哪一条的哪一项。"""

import json

import pytest

from health_assistant.evaluation.checklist import read_checklist
from health_assistant.evaluation.evaluate import read_questions

SCRIPT = "1-eval-data-prepare/prepare_llmeval_med.py"
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
def run(tmp_path, run_main):
    """prepared(data) -> 退出码、印出的话；data 是文字时原样写进文件。"""

    def prepared(data) -> tuple[int, str]:
        file = tmp_path / "dataset.json"
        file.write_text(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False), encoding="utf-8")
        code, printed, problem = run_main(SCRIPT, "--file", file, home=tmp_path / "out")
        return code, printed + problem

    return prepared


def test_the_published_form_becomes_questions_and_checklists(run, tmp_path):
    code, said = run(GOOD)
    assert code == 0 and "写了 5 题，其中 2 题有清单" in said and "没有写的 2 条" in said
    folder = tmp_path / "out/eval-data/llmeval-med"
    questions = {one.id: one for one in read_questions(folder / "questions.jsonl")}
    assert [*questions] == ["医疗知识-5-1", "医疗知识-6-1", "医疗知识-6-2", "医疗安全伦理-7-1", "医疗文本生成-5-1"]
    second = questions["医疗知识-6-2"]
    assert [one["content"] for one in second.messages] == ["问6-1", "答6-1", "问6-2"]
    assert (second.case_id, questions["医疗文本生成-5-1"].reference) == ("医疗知识-6", "131")
    points = read_checklist(folder / "checklist.yaml", list(questions)).points
    assert points["医疗知识-5-1"].must == ("内容要求：说明原因。", "提到检查。", "语气平和。")
    assert points["医疗知识-6-2"].must == ("甲",)
    assert json.loads((folder / "data.json").read_text(encoding="utf-8"))["is_sample"] is False


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([record(1)], "最外层"),
        ("不是 JSON", "最外层"),
        ("\n".join(json.dumps(record(code)) for code in (1, 2)), "最外层"),
        ({"医疗知识": [record(1), {"problem": "问", "sanswer": "答"}]}, "医疗知识的第 2 条的category2"),
        ({"医疗知识": [record(1, problem=["问"])]}, "医疗知识的第 1 条的problem"),
        ({"医疗知识": [record(1, checklist={"甲": 1})]}, "医疗知识的第 1 条的checklist"),
        ({"医疗知识": [record(1), record(1)]}, "医疗知识 的第 1 组各轮是 [1, 1]"),
        ({"医疗知识": [record(1), record(1, 3)]}, "不缺不重"),
        ({}, "一条记录也没有"),
    ],
)
def test_other_forms_are_refused(run, tmp_path, data, said):
    code, printed = run(data)
    assert code == 2 and said in printed and "dataset.json" in printed
    assert not (tmp_path / "out").exists()
