"""训练数据与评测的重合：埋进去的每一种都要找到，没有埋的不报。"""

import json
from importlib import resources
from pathlib import Path

import pytest
from stage_scripts import ROOT, load, run_here

from health_assistant.artifacts import write_jsonl

SCRIPT = "check_contamination.py"
SHARED = ROOT.parent / "shared/data"
CASE = "患者，男，52岁，3天前受凉后出现发热，体温38.6℃，咳嗽、咳黄脓痰；右下肺可闻及湿啰音，白细胞13.2×10⁹/L。"
REFERENCE = "初步诊断为社区获得性肺炎（右下肺）。诊断依据：急性起病，发热伴咳嗽咳痰，右下肺湿啰音，外周血白细胞升高。"
SECOND = "进一步检查应包括胸部影像、痰培养与药敏，并监测氧合。"


@pytest.fixture
def run(tmp_path):
    """运行脚本：（退出码，标准输出，标准错误）。"""

    def script(name: str, *arguments) -> tuple[int, str, str]:
        done = run_here(tmp_path, f"3-fine-tuning-llm/{name}", *arguments)
        return done.returncode, done.stdout, done.stderr

    return script


@pytest.fixture
def check(run, tmp_path):
    """写下评测数据与训练数据 mine，再运行脚本。"""
    first = [{"role": "user", "content": f"以下是一位病人的病例：\n{CASE}\n请给出诊断与依据。"}]
    later = [*first, {"role": "assistant", "content": REFERENCE}, {"role": "user", "content": "还要查什么？"}]
    rows = [
        {"id": "7-1", "case_id": "7", "turn": 1, "title": "肺炎", "messages": first, "reference": REFERENCE},
        {"id": "7-2", "case_id": "7", "turn": 2, "title": "肺炎", "messages": later, "reference": SECOND},
    ]
    write_jsonl(tmp_path / "eval-data/cmb-clin.jsonl", rows)

    def script(train, *arguments, val=(("验证的问题？", "验证的回答，与评测没有关系。"),)):
        folder = tmp_path / "train-data/mine"
        for name, pairs in (("train", train), ("val", val)):
            messages = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in pairs]
            write_jsonl(folder / f"{name}.jsonl", [{"messages": one} for one in messages])
        about = {"name": "mine", "dropped": {"empty": 2}, "rows": {"train": len(train), "val": len(val)}}
        (folder / "data.json").write_text(json.dumps(about))
        return run(SCRIPT, "--name", "mine", *arguments)

    return script


CLEAN = [(f"感冒第{at}天了要紧吗？", f"先观察{at}天，休息，多喝水；喘不上气马上去急诊。") for at in range(5)]
PLANTED = {
    "reference": (("怎么办？", REFERENCE), "7-1 参考答案"),
    "second_reference": (("怎么办？", f"您好。{SECOND}祝早日康复！"), "7-2 参考答案"),
    "case_in_the_question": ((CASE, "请到医院就诊。"), "7-1 病例与提问"),
    "part_of_the_case": (("我三天前受凉后出现发热，体温38.6℃，咳嗽，要紧吗", "去看看。"), "7-1 病例与提问"),
    "other_punctuation": (("怎么办？", "社区获得性肺炎(右下肺)\n 诊断依据 : 急性起病 发热伴咳嗽咳痰"), "7-1 参考答案"),
    "full_width": (("发热，体温３８．６℃、咳嗽咳黄脓痰，白细胞１３．２×１０９／Ｌ", "去看看。"), "7-1 病例与提问"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_overlap_is_found(check, kind):
    pair, source = PLANTED[kind]
    code, said, errors = check([*CLEAN, pair])
    assert code == 1 and "--drop" in errors
    [hit] = [line for line in said.splitlines() if "←" in line and "jsonl" in line]
    assert f"train.jsonl:6 ← {source}" in hit


def test_clean_data_passes(check, tmp_path):
    code, said, _ = check(CLEAN)
    assert code == 0 and "的有 0 条" in said and "样例" not in said
    assert "contamination_check" in json.loads((tmp_path / "train-data/mine/data.json").read_text())
    (tmp_path / "eval-data/data.json").write_text('{"is_sample": true}')
    assert "没有与 CMB-Clin 比过" in check(CLEAN)[1]


def test_exactly_n_characters_are_needed(check):
    shared = "发热伴咳嗽咳痰右下肺湿啰音外周"
    assert shared[:13] in REFERENCE.replace("，", "")
    assert check([*CLEAN, ("问", f"甲{shared[:12]}乙")])[0] == 0
    code, said, _ = check([*CLEAN, ("问", f"甲{shared[:13]}乙")])
    assert code == 1 and f"{13 / 16:>6.1%}        13  " in said
    assert check([*CLEAN, ("问", f"甲{shared[:13]}乙")], "--n", "14")[0] == 0
    assert f"{15 / 18:>6.1%}        15  " in check([*CLEAN, ("问", f"甲{shared}乙")])[1]


def test_two_separate_spans_are_not_taken_for_one(check):
    first, second = "急性起病发热伴咳嗽咳痰右下", "初步诊断为社区获得性肺炎右"
    code, said, _ = check([*CLEAN, ("问", first + second)])
    assert code == 1 and f"{26 / 27:>6.1%}        13  " in said


def test_the_limit_tolerates_hits(check):
    assert check([*CLEAN, ("问", REFERENCE)], "--limit", "1")[0] == 0
    assert check([*CLEAN, ("问", REFERENCE), (CASE, "答")], "--limit", "1")[0] == 1


def test_drop_removes_the_hits_and_only_them(check, run, tmp_path):
    folder = tmp_path / "train-data/mine"
    val = [("验证的问题？", "验证的回答，与评测没有关系。"), ("问", SECOND)]
    train = [*CLEAN[:3], ("问", REFERENCE), *CLEAN[3:]]
    code, said, _ = check(train, "--drop", val=val)
    assert code == 0 and "去掉了 2 条，余下训练 5、验证 1 条" in said
    kept = [json.loads(line)["messages"] for line in (folder / "train.jsonl").read_text("utf-8").splitlines()]
    assert [(one[0]["content"], one[1]["content"]) for one in kept] == CLEAN
    about = json.loads((folder / "data.json").read_text())
    assert about["rows"] == {"train": 5, "val": 1} and about["dropped"] == {"empty": 2, "contaminated": 2}
    assert run(SCRIPT, "--name", "mine")[0] == 0


def test_a_drop_killed_between_its_files_is_completed_by_the_next(check, run, tmp_path):
    folder = tmp_path / "train-data/mine"
    arguments = ([*CLEAN, ("问", REFERENCE)], "--drop")
    assert check(*arguments)[0] == 0
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    check([*CLEAN, ("问", REFERENCE)])  # 放回没有去掉的，再装作刚写完 train.jsonl 就被杀掉
    (folder / "train.jsonl").write_bytes(whole["train.jsonl"])
    assert run(SCRIPT, "--name", "mine", "--drop")[0] == 0
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole


def test_a_drop_that_leaves_nothing_is_refused(check, tmp_path):
    code, _, errors = check([("问", REFERENCE)], "--drop")
    assert code == 2 and "空了" in errors
    assert REFERENCE in (tmp_path / "train-data/mine/train.jsonl").read_text(encoding="utf-8")


def test_missing_and_broken_inputs_are_refused(check, run, tmp_path):
    eval_file = tmp_path / "eval-data/cmb-clin.jsonl"
    assert run(SCRIPT)[0] == 2
    check(CLEAN)
    for broken in ("{", "[]", '{"id": "1"}', '{"id": "1", "messages": [{"content": 3}], "reference": "答"}'):
        eval_file.write_text(broken, encoding="utf-8")
        code, _, errors = run(SCRIPT, "--name", "mine")
        assert code == 2 and "cmb-clin.jsonl 第 1 行" in errors.splitlines()[-1]
    eval_file.unlink()
    code, _, errors = run(SCRIPT, "--name", "mine")
    assert code == 2 and "prepare_cmb_clin.py" in errors
    assert run(SCRIPT, "--n", "3")[0] == 2


def cmb_clin(path, cases):
    """官方格式的最小转换：病例、提问、参考答案都在里面就够比对。"""
    rows = []
    for case in cases:
        for turn, pair in enumerate(case["QA_pairs"], 1):
            content = f"{case['description']}\n{pair['question']}"
            messages = [{"role": "user", "content": content}]
            row = {"id": f"{case['id']}-{turn}", "case_id": case["id"], "turn": turn, "title": case["title"]}
            rows.append(row | {"messages": messages, "reference": pair["answer"]})
    write_jsonl(path, rows)
    return rows


@pytest.mark.parametrize("file", [SHARED / "CMB-Clin-qa.json", "cmb-clin-sample.json"], ids=["cmb-clin", "sample"])
def test_the_bundled_training_set_is_clean(run, tmp_path, file):
    file = Path(str(resources.files("health_assistant"))) / "evaluation/data" / file  # 绝对路径不受影响
    if not file.is_file():
        pytest.skip(f"没有 {file}")
    cmb_clin(tmp_path / "eval-data/cmb-clin.jsonl", json.loads(file.read_text(encoding="utf-8")))
    assert run("prepare_train_data.py", "--source", "sample")[0] == 0
    assert run(SCRIPT)[0] == 0


@pytest.mark.skipif(not (SHARED / "CMB-Clin-qa.json").is_file(), reason="没有 ../shared/data")
def test_real_dialogues_share_two_common_phrases_and_no_case(run, tmp_path):
    cases = json.loads((SHARED / "CMB-Clin-qa.json").read_text(encoding="utf-8"))
    assert len(cmb_clin(tmp_path / "eval-data/cmb-clin.jsonl", cases)) == 208
    source = SHARED / "chinese-medical-dialogue-sample.csv"
    run("prepare_train_data.py", "--source", source, "--map", "question=title+ask,answer=answer", "--name", "csv")
    code, said, _ = run(SCRIPT, "--name", "csv", "--drop")
    assert code == 0 and "csv 的 7266 条" in said and "连续 13 字相同的有 2 条" in said
    for phrase in ("尿频尿急尿痛等膀胱刺激症状", "l谷丙转氨酶13ul谷草转氨酶"):
        assert phrase in said


def test_training_knows_whether_its_data_was_checked_against_the_questions_of_today(check, tmp_path, monkeypatch):
    monkeypatch.setenv("HEALTH_ASSISTANT_ARTIFACTS", str(tmp_path))
    checked = load("3-fine-tuning-llm/train_llm.py").checked_for_leaks
    data, questions = tmp_path / "train-data/mine/data.json", tmp_path / "eval-data/cmb-clin.jsonl"
    assert (check([*CLEAN, ("问", REFERENCE)])[0], checked(data)) == (1, False)
    assert (check(CLEAN)[0], checked(data)) == (0, True)
    questions.write_text(questions.read_text("utf-8") + "\n", encoding="utf-8")
    assert not checked(data), "评测题换过了"
