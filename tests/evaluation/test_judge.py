"""评审：结论合格式才算，不合的重问、计数；问过的不再问；空回答不问。"""

import copy

import pytest
from evaluation import fake_endpoint

from health_assistant.evaluation import judge

ROWS = [
    {"id": "1-1", "prediction": "肺炎", "reference": "肺炎，抗感染", "scores": {}},
    {"id": "1-2", "prediction": "", "reference": "复查", "scores": {}},
    {"id": "1-3", "prediction": "休息", "reference": "复查", "scores": {}},
]
DIALOGUES = [[{"role": "user", "content": f"第{number}问"}] for number in range(3)]


def ask(endpoint, cache, rows):
    return judge.Judge(endpoint.url, "fake", "EMPTY", cache).judge_all(rows, DIALOGUES)


def test_verdicts_are_averaged_and_cached(tmp_path):
    with fake_endpoint.Endpoint() as endpoint:
        rows = copy.deepcopy(ROWS)
        found, means = ask(endpoint, tmp_path / "cache", rows)
        assert (found["n"], found["invalid"], len(endpoint.asked)) == (3, 0, 2)
        assert means["judge_fluency"] == (4 + 1 + 4) / 3
        assert rows[0]["scores"] == {
            "judge_fluency": 4,
            "judge_relevance": 3,
            "judge_completeness": 2,
            "judge_proficiency": 3,
        }
        assert set(rows[1]["scores"].values()) == {1}
        assert ask(endpoint, tmp_path / "cache", copy.deepcopy(ROWS)) == (found, means)
        assert len(endpoint.asked) == 2, "问过的又问了"
        changed = copy.deepcopy(ROWS)
        changed[0]["prediction"] = "支气管炎"
        ask(endpoint, tmp_path / "cache", changed)
        assert len(endpoint.asked) == 3, "回答变了要重问，别的不问"


def read(text: str) -> dict[str, int] | None:
    return judge.read_reply(text, judge.Grades, dict)[0]


@pytest.mark.parametrize(
    "text",
    [
        '{"fluency": "4", "relevance": 4.0, "completeness": "4分", "proficiency": "4/5"}',
        '```json\n{"fluency": 4, "relevance": 4, "completeness": 4, "proficiency": 4}\n```',
        '{"fluency": 4, "relevance": 4, "completeness": 4, "proficiency": 4, "reason": "{发热}没有提，如 {x}"}',
        '{"scores": {"fluency": 4, "relevance": 4, "completeness": 4, "proficiency": 4}, "reason": "好"}',
        '<think>{"fluency": 1, "relevance": 1, "completeness": 1, "proficiency": 1} 太低</think>'
        '{"reason": "两\n行", "fluency": 4, "relevance": 4, "completeness": 4, "proficiency": 4} 打分完毕 {完}',
    ],
)
def test_verdicts_are_understood(text):
    assert set(read(text).values()) == {4}


@pytest.mark.parametrize("grade", ["4.5", "0", "6", "true", '"四"', '"40"', "null", "[4]", '""'])
def test_grades_that_are_none_are_refused(grade):
    text = f'{{"fluency": {grade}, "relevance": 4, "completeness": 4, "proficiency": 4}}'
    assert read(text) is None


def test_why_verdicts_are_invalid_is_said(tmp_path):
    with fake_endpoint.Endpoint(verdict="无可奉告") as endpoint:
        assert "无可奉告" in ask(endpoint, tmp_path / "cache", copy.deepcopy(ROWS))[0]["problem"]
    with fake_endpoint.Endpoint(lists="another") as endpoint:
        assert "404" in ask(endpoint, tmp_path / "cache", copy.deepcopy(ROWS))[0]["problem"]


@pytest.mark.parametrize(
    "verdict",
    ["不知道", '{"fluency": 9, "relevance": 3, "completeness": 2, "proficiency": 3}'],
)
def test_invalid_verdicts_are_asked_again_counted_and_not_cached(tmp_path, verdict):
    with fake_endpoint.Endpoint(verdict=verdict) as endpoint:
        rows = copy.deepcopy(ROWS)
        found, means = ask(endpoint, tmp_path / "cache", rows)
        assert (found["n"], found["invalid"]) == (1, 2)
        assert len(endpoint.asked) == 2 * judge.ATTEMPTS
        assert rows[0]["scores"] == {}
    assert not list(tmp_path.glob("cache/*"))
