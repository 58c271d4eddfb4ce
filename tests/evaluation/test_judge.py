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
    with fake_endpoint.running(tmp_path) as endpoint:
        rows = copy.deepcopy(ROWS)
        found, means = ask(endpoint, tmp_path / "cache", rows)
        assert (found["n"], found["invalid"], len(endpoint.asked())) == (3, 0, 2)
        assert means["judge_fluency"] == (4 + 1 + 4) / 3
        assert rows[0]["scores"] == {
            "judge_fluency": 4,
            "judge_relevance": 3,
            "judge_completeness": 2,
            "judge_proficiency": 3,
        }
        assert set(rows[1]["scores"].values()) == {1}
        assert ask(endpoint, tmp_path / "cache", copy.deepcopy(ROWS)) == (found, means)
        assert len(endpoint.asked()) == 2, "问过的又问了"
        changed = copy.deepcopy(ROWS)
        changed[0]["prediction"] = "支气管炎"
        ask(endpoint, tmp_path / "cache", changed)
        assert len(endpoint.asked()) == 3, "回答变了要重问，别的不问"


@pytest.mark.parametrize(
    "verdict",
    ["不知道", '{"fluency": 9, "relevance": 3, "completeness": 2, "proficiency": 3}'],
)
def test_invalid_verdicts_are_asked_again_counted_and_not_cached(tmp_path, verdict):
    with fake_endpoint.running(tmp_path, verdict=verdict) as endpoint:
        rows = copy.deepcopy(ROWS)
        found, means = ask(endpoint, tmp_path / "cache", rows)
        assert (found["n"], found["invalid"]) == (1, 2)
        assert len(endpoint.asked()) == 2 * judge.ATTEMPTS
        assert rows[0]["scores"] == {}
    assert not list(tmp_path.glob("cache/*"))
