"""看回答：思考去得掉，答的话一个字不少；打转认得出，正常的回答不冤枉。"""

import json
from pathlib import Path

import pytest

from health_assistant.evaluation.answers import ends_in_loop, without_thinking

ROOT = Path(__file__).resolve().parent.parent.parent
CMB_CLIN = ROOT.parent / "shared/data/CMB-Clin-qa.json"
SAMPLE = ROOT / "health_assistant/evaluation/data/cmb-clin-sample.json"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>先想想</think>\n肺炎。", "肺炎。"),
        ("先想想，可能是肺炎。\n</think>\n\n肺炎。", "肺炎。"),
        ("<thinking>想</thinking>肺炎。", "肺炎。"),
        ("<THINK>\n想\n</THINK>\n肺炎。", "肺炎。"),
        ("<reasoning>想</reasoning>肺炎。", "肺炎。"),
        ("[THINK]想[/THINK]肺炎。", "肺炎。"),
        ("◁think▷想◁/think▷肺炎。", "肺炎。"),
        ("<think>一</think>肺炎。<think>二</think>要住院。", "肺炎。要住院。"),
        ("<think>外<think>里</think>还在想</think>肺炎。", "肺炎。"),
        ("<think></think>肺炎。", "肺炎。"),
        ("<think>想到一半，字数就用完了", ""),
        ("肺炎。<thinking>再想想", "肺炎。"),
        ("只有思考</think>", ""),
    ],
)
def test_thoughts_are_taken_off_and_said(text, answer):
    assert without_thinking(text) == (answer, True)


@pytest.mark.parametrize(
    "text", ["肺炎。", "", "WBC < 4 且 > 2，[思考题] 略", "think 是英文，</b> 是标签，<think 没写完", "a</thinker>b"]
)
def test_an_answer_without_a_thought_is_left_alone(text):
    assert without_thinking(text) == (text, False)


@pytest.mark.parametrize(("text", "answer"), [("钾 4.1，" * 50_000, "钾 4.1，" * 50_000), ("<think>" * 50_000, "")])
def test_a_very_long_answer_is_gone_through_once(text, answer):
    """几十万字的回答、一串开始标记：来回找的正则要算几个钟头，服务等不到就被停掉。"""
    assert without_thinking(text)[0] == answer


UNIT = "忌食高热量、高脂肪的食物，"


@pytest.mark.parametrize(
    "text",
    [
        "应当控制饮食，" + UNIT * 6,
        "应当控制饮食，" + UNIT * 6 + UNIT[:5],
        "".join(f"{number}. 注意休息，多喝水，避免劳累和受凉，定期到医院复查。\n" for number in range(8, 13)),
        "诊断为肺炎。" + "!" * 40,
        "结果：" + "0" * 60,
        "\n" * 60,
        "结果如下：\n" + " \n" * 40,
        "the patient " * 12,
        (UNIT + "按时服药，监测血压，低盐低脂饮食，适当运动，戒烟限酒，保持心情舒畅，两周后复诊，不适随诊，避免熬夜。")
        * 2,
    ],
)
def test_loops_are_seen(text):
    assert ends_in_loop(text)


@pytest.mark.parametrize(
    "text", ["", "好。", "哈哈哈哈", UNIT * 2, "是。" * 3, "血压 120/80，血糖 5.6，尿酸 300。复查血压、血糖、尿酸。"]
)
def test_an_ordinary_answer_is_not_a_loop(text):
    assert not ends_in_loop(text)


def test_no_reference_answer_is_a_loop_or_a_thought():
    """真的参考答案一个也不算：阈值就是照它们定的。没有 CMB-Clin 时用仓库里的示例。"""
    cases = json.loads((CMB_CLIN if CMB_CLIN.exists() else SAMPLE).read_text(encoding="utf-8"))
    answers = [pair.get("answer") or pair["solution"] for case in cases for pair in case["QA_pairs"]]
    assert len(answers) >= 40
    assert [answer for answer in answers if ends_in_loop(answer) or without_thinking(answer)[1]] == []


def test_an_answer_that_repeats_everything_is_still_quick_to_look_at():
    assert ends_in_loop("啊" * 100_000)
