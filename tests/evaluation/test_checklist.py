"""清单：两遍逐条判；坏的 JSON、拒答、半份清单重问、计数、不算分；次序的影响看得见；问过的（被杀掉之后也）不再问。"""

import copy
import json
from functools import partial

import paired_difference
import pytest
from evaluation import fake_endpoint
from evaluation.eval_scripts import results, run

from health_assistant.command_line import BadInput
from health_assistant.evaluation import cases, checklist
from health_assistant.evaluation.judge import ATTEMPTS, Judge, read_reply
from health_assistant.evaluation.metrics import NAMES

POINTS = checklist.Checklist(
    points={
        f"1-{number}": checklist.Points(must=("诊断是肺炎", "抗感染"), must_not=("观察即可",)) for number in range(4)
    }
)
ROWS = [
    {"id": "1-0", "prediction": "肺炎", "reference": "肺炎", "scores": {}},
    {"id": "1-1", "prediction": "", "reference": "肺炎", "scores": {}},
    {"id": "9-9", "prediction": "没有清单", "reference": "肺炎", "scores": {}},
    {"id": "1-2", "prediction": "抗感染", "reference": "肺炎", "scores": {}},
]
DIALOGUES = [[{"role": "user", "content": f"第{number}问"}] for number in range(4)]
SECOND = "\n\n【对话】"  # 只有第二遍的材料里，对话不在最前


def reply(*said: bool) -> str:
    return json.dumps({"points": [{"id": at, "said": one} for at, one in enumerate(said, 1)]})


def ask(endpoint, cache, models=("fake", "fake")):
    rows = copy.deepcopy(ROWS)
    judges = tuple(Judge(endpoint.url, model, "EMPTY", cache) for model in models)
    return checklist.ChecklistJudge(judges, POINTS).judge_all(rows, DIALOGUES)[0], rows


def test_points_are_judged_twice_scored_and_cached(tmp_path):
    with fake_endpoint.scripted({"": "想一想 {x} ```json\n" + reply(True, False, False) + "\n```"}) as endpoint:
        found, rows = ask(endpoint, tmp_path / "cache")
        assert (found["n"], found["invalid"], found["without"], found["problems"]) == (3, 0, 1, {})
        assert [row["scores"].get("checklist") for row in rows] == pytest.approx([200 / 3, 100 / 3, None, 200 / 3])
        assert found["score"] == pytest.approx(500 / 9)
        assert found["two_runs"] == {"n": 9, "same": 9, "kappa": 1.0}
        assert len(endpoint.asked) == 4, "两题各两遍，空回答不问"
        assert ask(endpoint, tmp_path / "cache") == (found, rows)
        assert len(endpoint.asked) == 4, "问过的又问了"


def test_the_order_of_the_material_is_swapped_and_its_effect_shown(tmp_path):
    always, swapped = reply(True, True, False), reply(True, False, False)
    with fake_endpoint.scripted({"": always, SECOND: swapped}) as endpoint:
        found, rows = ask(endpoint, tmp_path / "cache")
    assert rows[0]["scores"]["checklist"] == 100, "分是第一遍的"
    assert (found["two_runs"]["n"], found["two_runs"]["same"]) == (9, 7)
    assert 0 < found["two_runs"]["kappa"] < 1
    assert "一致 7/9 条" in "".join(checklist.describe(found))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"points": [{"id": 1, "said": true}, {"id"', "坏的 JSON"),
        ('{"points": [{"id": 1, "said": "大概"}, {"id": 2, "said": true}, {"id": 3, "said": true}]}', "坏的 JSON"),
        ("抱歉，我不能评价医疗内容。", "拒答"),
        ("", "拒答"),
        (reply(True, True), "不全"),
        (reply(True, True, False, False), "不全"),
        ('{"points": [{"id": 1, "said": true}, {"id": 1, "said": true}, {"id": 2, "said": true}]}', "不全"),
    ],
)
def test_bad_replies_are_told_apart(content, problem):
    assert read_reply(content, checklist.SaidPoints, partial(checklist.in_order, count=3)) == (None, problem)


def test_bad_replies_are_asked_again_counted_and_never_a_score(tmp_path):
    script = {"": reply(True, True, False), "第0问": reply(True, True), "第3问": "抱歉，我不能评价。"}
    with fake_endpoint.scripted(script) as endpoint:
        found, rows = ask(endpoint, tmp_path / "cache")
        assert found["problems"] == {"不全": 2 * ATTEMPTS, "拒答": 2 * ATTEMPTS}
        assert (found["n"], found["invalid"]) == (1, 2)
        assert "checklist" not in rows[0]["scores"] | rows[3]["scores"]
        said = "".join(checklist.describe(found))
        assert f"拒答 {2 * ATTEMPTS} 次" in said and "没有判成 2 题" in said
        assert not list(tmp_path.glob("cache/*")), "不合格的不存，下次重问"


def test_an_unreachable_second_judge_leaves_no_score(tmp_path):
    with fake_endpoint.scripted({"": reply(True, True, False)}) as endpoint:
        found, rows = ask(endpoint, tmp_path / "cache", ("fake", "another"))
    assert found["problems"] == {"问不到": 2 * ATTEMPTS}
    assert [row["scores"] for row in rows if row["prediction"]] == [{}, {}, {}]
    assert (found["n"], found["models"]) == (1, ["fake", "another"])


def test_two_judges_are_held_against_each_other(tmp_path):
    """第二个裁判在三条里有一条与第一个不同：分是第一个的，一致 2/3 写出来。"""
    with (
        fake_endpoint.scripted({"": reply(True, True, False)}) as one,
        fake_endpoint.scripted({"": reply(True, False, False)}) as two,
    ):
        judges = tuple(Judge(each.url, "fake", "EMPTY", tmp_path / "cache") for each in (one, two))
        rows = copy.deepcopy(ROWS[:1])
        found = checklist.ChecklistJudge(judges, POINTS).judge_all(rows, DIALOGUES[:1])[0]
        assert [len(each.asked) for each in (one, two)] == [1, 1]
    assert rows[0]["scores"]["checklist"] == 100
    assert (found["two_runs"]["same"], found["two_runs"]["n"]) == (2, 3)


def test_agreement_by_chance_is_taken_off():
    assert checklist.agreement([(True, True), (False, False)])["kappa"] == 1
    assert checklist.agreement([(True, True), (True, False), (False, True), (False, False)])["kappa"] == 0
    assert checklist.agreement([(True, True)] * 3) == {"n": 3, "same": 3, "kappa": None}
    assert checklist.agreement([]) == {"n": 0, "same": 0, "kappa": None}


def test_the_bundled_checklist_has_every_sample_question():
    found, _ = cases.read_cases(cases.SAMPLE_FILE)
    names = [f"{case.id}-{number}" for case in found for number, _ in enumerate(case.pairs, 1)]
    bundled = checklist.read_checklist(checklist.BUNDLED, names)
    assert [*bundled.points] == names
    assert all(len(one.must) >= 2 and one.must_not for one in bundled.points.values())
    with pytest.raises(BadInput, match="没有这份数据的题"):
        checklist.read_checklist(checklist.BUNDLED, ["cmb-1"])


def test_only_the_same_judges_and_list_are_compared():
    rows = {name: {"id": name, "case_id": name, "scores": {"checklist": 50.0}} for name in "abc"}
    about = {"models": ["m", "m"], "prompt_version": "1", "checklist": "x"}
    scores = {"n": 3, "metrics": {"checklist": {"value": 50.0, "shuffled": None}}}
    same, other = ({**scores, "checklist": about | {"checklist": one}} for one in "xy")
    first = paired_difference.Run({**scores, "checklist": about}, rows)
    (change,) = paired_difference.compare(first, paired_difference.Run(same, rows))
    assert (change.name, change.n, change.difference) == ("checklist", 3, 0) and NAMES[change.name]
    assert paired_difference.compare(first, paired_difference.Run(other, rows)) == []


@pytest.mark.slow
def test_the_script_judges_by_a_checklist_and_asks_nothing_twice(tmp_path):
    data = fake_endpoint.write_questions(tmp_path / "eval-data", cases=2, turns=2)
    names = [json.loads(line)["id"] for line in data.read_text("utf-8").splitlines()]
    file = tmp_path / "my.yaml"
    file.write_text(json.dumps({"points": {name: {"must": ["甲", "乙"]} for name in names}}), encoding="utf-8")
    with fake_endpoint.scripted({"【清单】": reply(True, False)}) as endpoint:
        options = ["--data", data, "--model", "fake", "--api-base", endpoint.url, "--checklist", file]
        options += ["--judge-api-base", endpoint.url, "--judge-model", "fake"]
        done = run(tmp_path, *options)
        assert done.returncode == 0 and "两遍的判断一致 8/8 条" in done.stdout, done.stderr
        asked = len(endpoint.asked)
        (tmp_path / "eval/run/before/finished.json").unlink()
        assert run(tmp_path, *options).returncode == 0
        assert len(endpoint.asked) == asked, "答过的、判好存下的又问了"
    found = results(tmp_path)[1]["checklist"]
    assert (found["n"], found["two_runs"]["same"], found["score"]) == (4, 8, 50)
