"""奖励钻不了空子：空报告、重复的行、抄回提示词、全空着、全猜，都不如老老实实只答一行；倒扣的确实倒扣。"""

import json

import pytest
from stage_scripts import load

from health_assistant.lab_report.report import PrintedRow, ReadReport
from health_assistant.lab_report.vl_protocol import READ_PROMPT, UNREADABLE_ANSWER

PRINTED = [
    ("白细胞计数", "WBC", "4.84", "10^9/L", "3.5-9.5"),
    ("血红蛋白", "HGB", "118", "g/L", "115-150"),
    ("血小板计数", "PLT", "96", "10^9/L", "125-350"),
    ("中性粒细胞百分数", "NEUT%", "61.2", "%", "40-75"),
    ("淋巴细胞百分数", "LYMPH%", "29.8", "%", "20-50"),
]
ROWS = [
    PrintedRow(name=name, code=code, result=result, unit=unit, reference_range=limits)
    for name, code, result, unit, limits in PRINTED
]
TRUTH = ReadReport(report_type="血常规", items=ROWS).model_dump_json()


def answer(rows: list[PrintedRow]) -> str:
    return ReadReport(report_type="血常规", items=rows).model_dump_json()


def changed(**fields) -> list[PrintedRow]:
    return [row.model_copy(update=fields) for row in ROWS]


@pytest.fixture(scope="module")
def rewards():
    return load("6-fine-tuning-vl/vl_rewards.py")


def page_reward(rewards, said: str, truth: str) -> float:
    """一页的奖励，TRL 就这样算：各部分乘权重之和。"""
    return sum(rewards.WEIGHTS[name] * value for name, value in rewards.reward_parts(said, truth).items())


TRICKS = {
    "empty report": answer([]),
    "no answer": "",
    "copied prompt": READ_PROMPT,
    "copied prompt and an empty report": READ_PROMPT + answer([]),
    "refusal of a page that can be read": UNREADABLE_ANSWER,
    "all results blank": answer(changed(result="")),
    "all results a space": answer(changed(result=" ")),
    "all fields blank": answer([PrintedRow(name="", result="")] * 5),
    "all fields blank but the names": answer([PrintedRow(name=row.name, result="") for row in ROWS]),
    "field names as a row": answer([PrintedRow(name="name", code="code", result="result", unit="unit")]),
    "one right row repeated": answer(ROWS[:1] * 5),
    "one right row repeated 100 times": answer(ROWS[:1] * 100),
    "a placeholder for every result": answer(changed(result="-")),
    "the same guess for every result": answer(changed(result="5.0")),
    "five guesses for one row": answer([ROWS[0].model_copy(update={"result": str(at)}) for at in range(5)]),
    "the whole catalogue guessed": answer([row.model_copy(update={"result": "1"}) for row in ROWS * 8]),
    "right rows cut in half": answer(ROWS[:1])[:-30],
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_gets_less_than_one_honest_row(rewards, trick):
    honest = page_reward(rewards, answer(ROWS[:1]), TRUTH)
    assert page_reward(rewards, TRICKS[trick], TRUTH) < honest < page_reward(rewards, answer(ROWS), TRUTH)


def test_each_part_moves_alone(rewards):
    full = rewards.reward_parts(answer(ROWS), TRUTH)
    right = {"json": 0, "item": 1, "value": 1, "unit": 1, "range": 1, "invented": 0, "refusal": 0}
    assert full == right
    extra = [*ROWS, PrintedRow(name="甲胎蛋白", result="2.0")]
    alone = {
        "json": ("好的，结果如下：" + answer(ROWS), -0.75),
        "value": (answer(changed(result="7.77")), -1),
        "unit": (answer(changed(unit="mmol/L")), 0),
        "range": (answer(changed(reference_range="1-2")), 0),
        "invented": (answer(extra), -0.2),
    }
    for name, (said, worth) in alone.items():
        assert rewards.reward_parts(said, TRUTH) == right | {name: worth}, name
    assert rewards.reward_parts(answer(ROWS[:3]), TRUTH)["item"] == pytest.approx(0.6)
    assert rewards.reward_parts("{", TRUTH) == dict.fromkeys(right, 0) | {"json": -1}


def test_not_knowing_is_better_than_being_wrong(rewards):
    """一行认不出：空着比猜错多；全部猜错不如什么也不说。"""
    one_wrong = [ROWS[0].model_copy(update={"result": "48.4"}), *ROWS[1:]]
    one_blank = [ROWS[0].model_copy(update={"result": ""}), *ROWS[1:]]
    said = [page_reward(rewards, answer(rows), TRUTH) for rows in (one_wrong, one_blank, ROWS)]
    assert said == sorted(said) and len(set(said)) == 3
    assert page_reward(rewards, answer(changed(result="7.77")), TRUTH) < 0 == page_reward(rewards, answer([]), TRUTH)


def test_scribbling_is_worse_than_any_report(rewards):
    """读错要扣分，但不能扣到乱写反而划算。"""
    scribble = page_reward(rewards, "{", TRUTH)
    all_wrong = changed(result="7.77", unit="x", reference_range="1-2")
    invented = [PrintedRow(name=f"没有的项目{at}", result="1") for at in range(5)]
    assert max(scribble, page_reward(rewards, "不知道", TRUTH)) <= page_reward(
        rewards, answer(all_wrong + invented), TRUTH
    )
    no_result = page_reward(rewards, '{"items":[{"name":"白细胞计数","mark":null}]}', TRUTH)  # 微型模型真的学会过
    assert no_result < page_reward(rewards, answer(all_wrong), TRUTH)
    assert scribble < page_reward(rewards, answer(invented), TRUTH)


def test_an_unreadable_page_pays_for_saying_so_only(rewards):
    refused, read, empty = (page_reward(rewards, said, "") for said in (UNREADABLE_ANSWER, answer(ROWS), answer([])))
    assert (refused, read, empty) == (1, -2, 0)


def test_the_functions_are_what_trl_calls(rewards):
    """一部分一个，名字是曲线的名字。"""
    said = [answer(ROWS), answer(ROWS[:2]), "不会"]
    completions = [[{"role": "assistant", "content": text}] for text in said]
    functions = rewards.reward_functions()
    assert [one.__name__ for one in functions] == list(rewards.WEIGHTS)
    rows = [one(completions=completions, truth=[TRUTH] * 3, prompts=None, trainer_state=None) for one in functions]
    assert [list(parts) for parts in zip(*rows, strict=True)] == [
        list(rewards.reward_parts(text, TRUTH).values()) for text in said
    ]


def test_a_row_whose_fields_are_not_text_costs_json_only(rewards):
    loose = json.loads(answer(ROWS))
    loose["items"][0]["result"] = 4.84
    parts = rewards.reward_parts(json.dumps(loose, ensure_ascii=False), TRUTH)
    assert (parts["json"], parts["value"]) == (-0.75, 1)
