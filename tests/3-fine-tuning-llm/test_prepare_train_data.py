"""整理训练数据：清洗、去重、划分、坏输入、断网、被杀掉。"""

import hashlib
import itertools
import json
import random
import re
import signal
from functools import partial
from http.server import SimpleHTTPRequestHandler
from importlib import resources
from pathlib import Path

import pytest
from local_servers import LocalServer
from stage_scripts import load, run_here, run_killed

from health_assistant.artifacts import write_jsonl

SCRIPT = "3-fine-tuning-llm/prepare_train_data.py"
SAMPLE = Path(str(resources.files("health_assistant.training") / "data" / "medical_qa_sample.jsonl"))
ANSWER = "多喝水，多休息，三天不退就去门诊看看。"


@pytest.fixture
def prepare(tmp_path):
    """运行脚本：（退出码，标准输出，标准错误）。产物在 tmp_path/out。"""

    def run(*arguments, **env: str) -> tuple[int, str, str]:
        done = run_here(tmp_path / "out", SCRIPT, *arguments, **env)
        return done.returncode, done.stdout, done.stderr

    return run


def pairs(folder, split):
    rows = map(json.loads, (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines())
    return [tuple(message["content"] for message in row["messages"]) for row in rows]


def about(folder):
    return json.loads((folder / "data.json").read_text(encoding="utf-8"))


def write_rows(path, rows):
    write_jsonl(path, rows)
    return path


def rows_of(count, start=0):
    return [{"question": f"第 {at} 个问题怎么办？", "answer": f"{ANSWER}{at}"} for at in range(start, start + count)]


def test_the_bundled_set_is_fit_to_teach():
    rows = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 240 and len({row["department"] for row in rows}) >= 15
    assert len({row["question"] for row in rows}) == len(rows)
    for row in rows:
        assert 10 <= len(row["question"]) <= 60 and 60 <= len(row["answer"]) <= 200, row
        assert not re.search(r"\d\s*(mg|毫克|克(?!每升)|片|粒|ml|毫升|μg|微克)", row["answer"]), row
    for field, most in (("question", 0.6), ("answer", 0.3)):
        grams = [{row[field][at : at + 3] for at in range(len(row[field]) - 2)} for row in rows]
        assert max(len(a & b) / len(a | b) for a, b in itertools.combinations(grams, 2)) < most


def test_the_sample_becomes_tiny_and_is_not_prepared_twice(prepare, tmp_path):
    code, said, _ = prepare("--source", "sample")
    folder = tmp_path / "out/train-data/tiny"
    train, val = pairs(folder, "train"), pairs(folder, "val")
    assert code == 0 and "训练       234" in said
    assert len(train) == 234 and len(val) == 26 and not {one[0] for one in train} & {one[0] for one in val}
    record = about(folder)
    assert record["rows"] == {"train": 234, "val": 26} and record["is_sample"] and record["name"] == "tiny"
    for name, sha256 in record["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
    row = json.loads((folder / "train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]

    before = (folder / "data.json").stat().st_mtime_ns
    assert "整理过了" in prepare("--source", "sample")[1]
    assert (folder / "data.json").stat().st_mtime_ns == before
    assert "整理过了" not in prepare("--source", "sample", "--val-share", "0.2")[1]
    assert about(folder)["rows"] == {"train": 208, "val": 52}


def test_every_reason_to_drop_is_counted_and_the_rest_is_cleaned(prepare, tmp_path):
    good = "白细胞 4.8×10⁹/L\x0b要紧吗？\u200b"
    extra = [
        {"question": good, "answer": f"\ufeff{ANSWER}\r\n\r\n\r\n　　多复查一次。\x07"},
        {"question": "\u3000", "answer": ANSWER},
        {"question": "只有标点？", "answer": "……！！！……！！！……"},
        {"question": "答案是空的？", "answer": None},
        {"question": "乱码的", "answer": f"{ANSWER}\ufffd"},
        {"question": "太短的", "answer": "去看看"},
        {"question": "太长的", "answer": "长" * 2000},
        {"question": "第 0 个问题，怎么办?", "answer": f"{ANSWER}0".replace("，", ",")},
        {"question": "第０个问题怎么办", "answer": "换了一个完全不同的回答，也不要。"},
    ]
    source = write_rows(tmp_path / "mine.jsonl", rows_of(20) + extra)
    assert prepare("--source", source)[0] == 0
    folder = tmp_path / "out/train-data/mine"
    kept = dict(pairs(folder, "train") + pairs(folder, "val"))
    assert len(kept) == 21
    assert kept["白细胞 4.8×10⁹/L\n要紧吗？"] == f"{ANSWER}\n\n多复查一次。"
    assert about(folder)["dropped"] == {
        "empty": 3, "only_thought": 0, "thought": 0, "control_token": 0,
        "garbled": 1, "too_short": 1, "too_long": 1, "duplicate_pair": 1, "duplicate_question": 1,
    }  # fmt: skip


@pytest.mark.parametrize("place", ["question", "answer"])
@pytest.mark.parametrize("token", ["<|im_end|>", "<|image_pad|>", "<|endoftext|>", "<|im_\u200bend|>"])
def test_control_tokens_are_dropped_counted_and_said(prepare, tmp_path, token, place):
    """拆开写的（中间夹零宽字符）清洗之后也是控制词元。"""
    bad = {"question": "头痛怎么办？", "answer": ANSWER}
    bad[place] += f"{token}\n<b>后面</b>"
    code, said, _ = prepare("--source", write_rows(tmp_path / "mine.jsonl", [*rows_of(20), bad]))
    folder = tmp_path / "out/train-data/mine"
    assert code == 0 and "有控制词元（如 <|im_end|>） 1" in said
    assert about(folder)["dropped"]["control_token"] == 1 and about(folder)["rows"] == {"train": 18, "val": 2}


THOUGHTS = {
    f"<think>想\n想</think>\n{ANSWER}": ANSWER,
    f"<thinking>想</thinking>{ANSWER}": ANSWER,
    f"想了想</think>{ANSWER}": ANSWER,  # 开头在提示里的
    f"{ANSWER}<think>没有写完": ANSWER,
    f"您好。<think>想</think>{ANSWER}": f"您好。{ANSWER}",
    "<think>只有思考，想了很久很久</think>": None,
    "<think>只有思考，没有写完": None,
}


@pytest.mark.parametrize("answer", THOUGHTS)
@pytest.mark.parametrize("think", ["strip", "keep", "drop"])
def test_thoughts_in_answers_are_a_choice_and_said(prepare, tmp_path, think, answer):
    rows = [*rows_of(20), {"question": "头痛怎么办？", "answer": answer}]
    options = [] if think == "strip" else ["--think", think]
    code, said, _ = prepare("--source", write_rows(tmp_path / "mine.jsonl", rows), *options)
    folder = tmp_path / "out/train-data/mine"
    kept = dict(pairs(folder, "train") + pairs(folder, "val"))
    left = THOUGHTS[answer]
    expected = {"strip": left, "keep": left and answer, "drop": None}[think]
    assert code == 0 and kept.get("头痛怎么办？") == expected
    assert (
        "答案里有思考（<think>）的 1 条" in said and about(folder)["thoughts"] == 1 and about(folder)["think"] == think
    )


@pytest.mark.parametrize("missing", [{}, {"input": None}, {"input": ""}])
def test_alpaca_rows_without_input_are_taken(prepare, tmp_path, missing):
    rows = [{"instruction": f"第 {at} 问怎么办？", "output": f"{ANSWER}{at}"} | missing for at in range(20)]
    rows[7]["input"] = "血压 150/95。"
    (tmp_path / "mine.json").write_text(json.dumps(rows), encoding="utf-8")
    code, _, errors = prepare("--source", tmp_path / "mine.json")
    assert code == 2 and "--map question=instruction+input,answer=output" in errors
    assert prepare("--source", tmp_path / "mine.json", "--map", "question=instruction+input,answer=output")[0] == 0
    folder = tmp_path / "out/train-data/mine"
    kept = dict(pairs(folder, "train") + pairs(folder, "val"))
    assert len(kept) == 20 and kept["第 7 问怎么办？\n血压 150/95。"] == f"{ANSWER}7"


def test_a_column_no_row_has_is_a_mistake(prepare, tmp_path):
    source = write_rows(tmp_path / "mine.jsonl", rows_of(20))
    code, _, errors = prepare("--source", source, "--map", "question=question+tpyo,answer=answer")
    assert code == 2 and "tpyo" in errors and not (tmp_path / "out").exists()


def test_the_split_depends_on_the_questions_not_on_their_order(prepare, tmp_path):
    rows, folder = rows_of(200), tmp_path / "out/train-data/mine"
    source = write_rows(tmp_path / "mine.jsonl", rows)
    prepare("--source", source)
    first = {one[0] for one in pairs(folder, "val")}
    random.Random(1).shuffle(rows)
    prepare("--source", write_rows(source, rows))
    assert {one[0] for one in pairs(folder, "val")} == first and len(first) == 20


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_columns_of_a_csv_are_joined(prepare, tmp_path, encoding):
    text = "title,ask,科,answer\n" + "".join(f'题目{at},"问""{at}""，\n第二行",内科,{ANSWER}\n' for at in range(30))
    (tmp_path / "表.csv").write_text(text, encoding=encoding)
    options = ["--encoding", "gb18030"] if encoding == "gb18030" else []
    assert prepare("--source", tmp_path / "表.csv", "--map", "question=title+ask,answer=answer", *options)[0] == 0
    folder = tmp_path / "out/train-data/表"
    assert ('题目7\n问"7"，\n第二行', ANSWER) in pairs(folder, "train") + pairs(folder, "val")


def test_reasoning_data_is_used_without_its_chain_of_thought(prepare, tmp_path):
    records = [{"Question": f"问题{at}", "Complex_CoT": "先想想", "Response": f"{ANSWER}{at}"} for at in range(20)]
    (tmp_path / "o1.json").write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    assert prepare("--source", "medical-o1", "--file", tmp_path / "o1.json")[0] == 0
    folder = tmp_path / "out/train-data/medical-o1"
    assert "先想想" not in (folder / "train.jsonl").read_text(encoding="utf-8")
    assert about(folder)["rows"] == {"train": 18, "val": 2} and about(folder)["license"] == "Apache-2.0"


def test_the_two_tables_of_cmedqa2_are_joined(prepare, tmp_path):
    questions = "question_id,content\n" + "".join(f"{at},问题{at}\n" for at in range(20))
    answers = "ans_id,question_id,content\n" + "".join(f"{at},{at // 2},{ANSWER}{at}\n" for at in range(40))
    (tmp_path / "question.csv").write_text(questions, encoding="utf-8")
    (tmp_path / "answer.csv").write_text(answers, encoding="utf-8")
    assert prepare("--source", "cmedqa2", "--file", tmp_path)[0] == 0
    folder = tmp_path / "out/train-data/cmedqa2"
    assert ("问题3", f"{ANSWER}6") in pairs(folder, "train") + pairs(folder, "val")
    assert about(folder)["dropped"]["duplicate_question"] == 20


def test_without_a_network_the_bundled_set_stands_in_and_says_so(prepare, tmp_path):
    code, said, _ = prepare("--map", "question=Question,answer=Response")
    assert code == 0 and "!! 改用自带的问答" in said and "不是 medical-o1" in said
    assert about(tmp_path / "out/train-data/tiny")["source"] == "bundled-sample"
    assert not (tmp_path / "out/train-data/medical-o1").exists()


def test_the_default_source_is_downloaded(prepare, tmp_path, monkeypatch):
    # ModelScope 的地址是 …/repo?Revision=…&FilePath=…，只看 ? 以前的
    at_hub = tmp_path / "hub/api/v1/datasets/FreedomIntelligence/medical-o1-reasoning-SFT/repo"
    at_hub.parent.mkdir(parents=True)
    records = [{"Question": f"问题{at}", "Complex_CoT": "想", "Response": f"{ANSWER}{at}"} for at in range(20)]
    at_hub.write_text(json.dumps(records), encoding="utf-8")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HUB_HUGGINGFACE", "http://127.0.0.1:9")
    monkeypatch.setenv("HUB_MIRROR", "http://127.0.0.1:9")
    with LocalServer(partial(SimpleHTTPRequestHandler, directory=tmp_path / "hub")) as server:
        monkeypatch.setenv("HUB_MODELSCOPE", server.url)
        # 处理请求的线程也往标准错误写一行，不影响结果
        assert prepare(HF_HUB_OFFLINE="0")[0] == 0
    record = about(tmp_path / "out/train-data/medical-o1")
    assert record["rows"] == {"train": 18, "val": 2} and not record["is_sample"]


LINES = [json.dumps(row, ensure_ascii=False) for row in rows_of(12)]
CSV = "question,answer\n" + "".join(f"问题{at},{ANSWER}\n" for at in range(12))
BROKEN = {
    "json_cut": ("a.jsonl", "\n".join([*LINES[:3], LINES[3][:-5], *LINES[4:]]), "a.jsonl:4："),
    "json_list": ("a.jsonl", "\n".join([*LINES, "[1]"]), "a.jsonl:13："),
    "json_number": ("a.jsonl", "\n".join([*LINES, "3"]), "a.jsonl:13："),
    "json_deep": ("a.jsonl", "\n".join([*LINES, "[" * 100000]), "a.jsonl:13："),
    "missing_key": ("a.jsonl", "\n".join([*LINES, '{"question": "问"}']), "a.jsonl:13：没有列 answer"),
    "wrong_type": ("a.jsonl", "\n".join([*LINES, '{"question": ["问"], "answer": "答"}']), "a.jsonl:13：列 question"),
    "number": ("a.jsonl", "\n".join([*LINES, '{"question": "问", "answer": 3}']), "a.jsonl:13：列 answer"),
    "gb18030": ("a.jsonl", "\n".join(LINES).encode("gb18030"), "a.jsonl:1：不是 utf-8 编码；试试 --encoding gb18030"),
    "half_a_character": ("a.jsonl", "\n".join(LINES).encode() + "\n问".encode()[:-1], "a.jsonl:13："),
    "utf16": ("a.jsonl", "\n".join(LINES).encode("utf-16"), "a.jsonl:1："),
    "empty_file": ("a.jsonl", "", "只剩 0 条"),
    "all_empty": ("a.jsonl", '{"question": "", "answer": ""}\n' * 12, "问题或答案是空的 12"),
    "same_question": ("a.jsonl", f"{LINES[0]}\n" * 12, "问与答都重复 11"),
    "array_cut": ("a.json", "[\n" + ",\n".join(LINES), "a.json：不是合法的 JSON：Expecting ',' delimiter: line 13"),
    "array_of_text": ("a.json", '["问", "答"]', "a.json 第 1 条："),
    "json_text": ("a.json", '"问"', "要是一个数组"),
    "object": ("a.json", '{\n"rows": []}', "a.json:1："),
    "csv_columns": ("a.csv", CSV + "问,答,多一列\n", "a.csv:14：有 3 列"),
    "csv_short": ("a.csv", CSV + "只有问\n", "a.csv:14：有 1 列"),
    "csv_quote": ("a.csv", CSV + '问,"没有关上\n', "a.csv:14：CSV 坏了"),
    "csv_header": ("a.csv", CSV.replace("question", "ask"), "a.csv:2：没有列 question（有 ask、answer）"),
    "csv_empty": ("a.csv", "", "只剩 0 条"),
    "format": ("a.xlsx", "PK", "a.xlsx：只读"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_input_names_its_place_and_writes_nothing(prepare, tmp_path, kind):
    name, content, place = BROKEN[kind]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    code, _, errors = prepare("--source", tmp_path / name)
    [error] = [line for line in errors.splitlines() if "✗" in line]
    assert code == 2 and place in error and "Traceback" not in errors
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--source", "没有.csv"], "没有这个文件"),
        (["--source", "cmedqa2"], "--file 文件夹"),
        (["--source", "medical-o1", "--file", "没有.json"], "没有这个文件"),
        (["--source", str(SAMPLE), "--map", "ask=question"], "--map"),
        (["--source", str(SAMPLE), "--map", "question=a+,answer=b"], "--map"),
        (["--source", "sample", "--name", "../x"], "--name"),
        (["--source", "sample", "--val-share", "1"], "--val-share"),
    ],
)
def test_wrong_usage_is_refused(prepare, tmp_path, arguments, word):
    code, _, errors = prepare(*arguments)
    assert code == 2 and word in errors.splitlines()[-1] and not (tmp_path / "out").exists()


@pytest.mark.parametrize("at_write", [1, 2, 3, 4])
def test_a_killed_run_leaves_no_mixture_and_the_rerun_gives_the_same(prepare, tmp_path, at_write):
    """已有一份旧数据，重做时在写某个文件之前 kill -9：新的训练集不会配上旧的验证集。"""
    source, folder = write_rows(tmp_path / "mine.jsonl", rows_of(80)), tmp_path / "out/train-data/mine"
    assert prepare("--source", source)[0] == 0
    whole = {name: (folder / name).read_bytes() for name in ("train.jsonl", "val.jsonl", "data.json")}
    assert prepare("--source", source, "--val-share", "0.3")[0] == 0
    old = (folder / "val.jsonl").read_bytes()

    assert run_killed(load(SCRIPT), tmp_path / "out", "--source", source, at_write=at_write) == -signal.SIGKILL
    assert not (folder / "val.jsonl").exists() or (folder / "val.jsonl").read_bytes() != old
    assert not (folder / "finished.json").exists()
    assert prepare("--source", source)[0] == 0
    assert {name: (folder / name).read_bytes() for name in whole} == whole
