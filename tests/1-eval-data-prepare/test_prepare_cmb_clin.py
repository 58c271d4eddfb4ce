"""阶段 1：官方的形式，一字不丢；坏的输入一行说清；断网、被杀都不坏事。"""

import hashlib
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
import stage_scripts
from stage_scripts import ROOT, load, run_killed

from health_assistant import artifacts
from health_assistant.command_line import BadInput
from health_assistant.evaluation.cases import SAMPLE_FILE
from health_assistant.evaluation.checklist import read_checklist

SCRIPT = ROOT / "1-eval-data-prepare/prepare_cmb_clin.py"
CMB_CLIN = Path(os.environ.get("HEALTH_ASSISTANT_SHARED") or ROOT.parent / "shared") / "data" / "CMB-Clin-qa.json"
needs_cmb_clin = pytest.mark.skipif(not CMB_CLIN.is_file(), reason=f"没有真的 CMB-Clin：{CMB_CLIN}")

GOOD = {"id": "7", "title": "题", "description": "病历\n第二行", "QA_pairs": [{"question": "问？", "answer": "答。"}]}


@pytest.fixture(scope="module")
def prepare():
    return load("1-eval-data-prepare/prepare_cmb_clin.py")


@pytest.fixture
def run(prepare, tmp_path, monkeypatch):
    """在本进程里跑脚本的 main；产物在 tmp_path/out。"""
    monkeypatch.setenv("HEALTH_ASSISTANT_ARTIFACTS", str(tmp_path / "out"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["prepare_cmb_clin.py", *map(str, arguments)])
        return prepare.main()

    return run


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def read_rows(folder, name="cmb-clin.jsonl"):
    lines = (folder / "eval-data" / name).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return [json.loads(line) for line in lines]


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- 官方的形式 ----


@needs_cmb_clin
def test_cmb_clin_is_74_cases_208_questions_and_nothing_is_lost(run, tmp_path, capsys):
    assert run("--file", CMB_CLIN) == 0
    printed = capsys.readouterr().out
    assert "74 个病例，208 个问题" in printed
    assert "示例" not in printed
    rows = {row["id"]: row for row in read_rows(tmp_path / "out")}
    assert len(rows) == 208
    records = json.loads(CMB_CLIN.read_text(encoding="utf-8"))

    def cleaned(text):
        return text.replace("\x0b", " ").replace("\t", " ").replace("\uf07e", "~")

    seen = 0
    for record in records:
        history = []
        for turn, pair in enumerate(record["QA_pairs"], 1):
            question, answer = cleaned(pair["question"]), cleaned(pair["answer"])
            if turn == 1:
                question = f"以下是一位病人的病例：\n{cleaned(record['description'])}\n{question}"
            history = [*history, {"role": "user", "content": question}]
            assert rows[f"{record['id']}-{turn}"] == {
                "id": f"{record['id']}-{turn}",
                "case_id": record["id"],
                "turn": turn,
                "title": record["title"],
                "messages": history,
                "reference": answer,
            }
            history = [*history, {"role": "assistant", "content": answer}]
            seen += 1
    assert seen == 208
    text = (tmp_path / "out/eval-data/cmb-clin.jsonl").read_bytes()
    assert not re.search(r"\\t|\\u000b|\uf07e", text.decode())
    assert json.loads((tmp_path / "out/eval-data/data.json").read_text(encoding="utf-8")) == {
        "source": "CMB-Clin",
        "is_sample": False,
        "cases": 74,
        "questions": 208,
        "sha256": hashlib.sha256(text).hexdigest(),
    }
    assert (tmp_path / "out/eval-data/statistics.png").read_bytes().startswith(b"\x89PNG")


@needs_cmb_clin
def test_offline_does_not_overwrite_the_real_data_with_the_sample(run, tmp_path, capsys):
    assert run("--file", CMB_CLIN) == 0
    before = tree(tmp_path / "out")
    assert run() == run("--force") == 0
    assert "沿用上次准备好的 CMB-Clin" in capsys.readouterr().out
    assert tree(tmp_path / "out") == before
    assert run("--file", SAMPLE_FILE) == 0
    assert json.loads((tmp_path / "out/eval-data/data.json").read_text(encoding="utf-8"))["is_sample"]


# ---- 内置的示例 ----


def test_without_network_the_sample_is_used_quickly_and_loudly(tmp_path):
    env = dict.fromkeys(("HUB_MODELSCOPE", "HUB_HUGGINGFACE", "HUB_MIRROR"), "http://127.0.0.1:9")
    env |= {"HF_HUB_OFFLINE": "0", "no_proxy": "*"}
    done = stage_scripts.run(tmp_path, SCRIPT, **env)
    assert done.returncode == 0, done.stderr
    assert "内置示例，不是 CMB-Clin" in done.stdout
    shown = (tmp_path / "eval-data/statistics.md").read_bytes()
    assert "内置示例，不是 CMB-Clin" in shown.decode()
    assert shown == (SCRIPT.parent / "results/statistics.md").read_bytes(), "示例变了，results/ 要重做"
    data = json.loads((tmp_path / "eval-data/data.json").read_text(encoding="utf-8"))
    assert (data["source"], data["is_sample"]) == ("bundled-sample", True)
    assert data["cases"] >= 12
    assert data["questions"] >= 34
    assert "--file" in done.stderr
    before = tree(tmp_path)
    done = stage_scripts.run(tmp_path, SCRIPT, **env)
    assert "做好了" in done.stdout
    assert tree(tmp_path) == before


def test_the_sample_says_so_in_every_record_and_names_no_dose():
    cases = json.loads(SAMPLE_FILE.read_text(encoding="utf-8"))
    for case in cases:
        assert case["id"].startswith("sample-")
        assert case["title"].startswith("示例")
        assert 2 <= len(case["QA_pairs"]) <= 4
        assert all(part in case["description"] for part in ("现病史", "体格检查", "辅助检查"))
        for pair in case["QA_pairs"]:
            assert not re.search(r"\d\s*(mg|毫克|片|粒|支|U|单位|μg)", pair["answer"]), pair


@needs_cmb_clin
def test_the_sample_is_not_cmb_clin():
    """没有一段 20 字以上的话与 CMB-Clin 相同。"""

    def grams(path):
        text = re.sub(r"\s", "", path.read_text(encoding="utf-8"))
        return {text[i : i + 20] for i in range(len(text) - 19)}

    assert not {gram for gram in grams(SAMPLE_FILE) & grams(CMB_CLIN) if '"' not in gram}


# ---- 坏的输入 ----


def changed(**changes):
    return [{**GOOD, **changes}]


def without(key):
    return [{name: value for name, value in GOOD.items() if name != key}]


def pair(**changes):
    return changed(QA_pairs=[GOOD["QA_pairs"][0], {"question": "再问？", "answer": "再答。", **changes}])


BROKEN = {
    "空文件": ("", "第 1 行第 1 列不是合法的 JSON"),
    "坏 JSON": ('[\n {"id": "1" "title": "x"}\n]', "第 2 行第 13 列不是合法的 JSON"),
    "断了的文件": (json.dumps([GOOD])[:60], "不是合法的 JSON.*没有下载完"),
    "JSONL": (json.dumps(GOOD) + "\n" + json.dumps(GOOD), "第 2 行第 1 列.*应是一个完整的 JSON 列表"),
    "不是列表": (json.dumps(GOOD), "最外层要写成数组"),
    "空列表": ("[]", "最外层至少 1 个"),
    "嵌套太深": ("[" * 100_000, "读不懂"),
    "长得离谱的数": ("[" + "9" * 5000 + "]", "读不懂"),
    "记录是文字": ([GOOD, "病例"], "第 2 条记录：要写成对象"),
    "没有 id": (without("id"), "第 1 条记录的 id：没有写"),
    "没有 title": (without("title"), r'第 1 条记录（id "7"）的 title：没有写'),
    "没有 QA_pairs": (without("QA_pairs"), r'（id "7"）的 QA_pairs：没有写'),
    "id 是数": (changed(id=7), "的 id：要写成字符串"),
    "NaN": ('[{"id": NaN}]', "第 1 条记录的 id：要写成字符串"),
    "description 是 null": (changed(description=None), r"的 description：要写成字符串"),
    "description 只有控制字符": (changed(description="\x00\x0b"), "的 description：是空的"),
    "QA_pairs 是空的": (changed(QA_pairs=[]), "的 QA_pairs：至少 1 个"),
    "QA_pairs 是对象": (changed(QA_pairs={"question": "问"}), "的 QA_pairs：要写成数组"),
    "QA_pairs 里是文字": (changed(QA_pairs=["问"]), "的 QA_pairs 第 1 问：要写成对象"),
    "没有 answer": (changed(QA_pairs=[{"question": "问"}]), "QA_pairs 第 1 问的 answer：没有写"),
    "只有空白的问题": (pair(question=" \n　"), "QA_pairs 第 2 问的 question：是空的或只有空白"),
    "重复的 id": ([GOOD, {**GOOD, "id": "8"}, GOOD], "id “7” 有不止一条记录"),
    "半个代理对": (json.dumps(pair(answer="答\ud800")), "QA_pairs 第 2 问的 answer：里有半个代理对"),
    "同一个键两次": ('[{"id": "1", "id": "2"}]', "键 id 在一个对象里出现了不止一次"),
    "GB18030": (json.dumps([GOOD], ensure_ascii=False).encode("gb18030"), "第 1 行不是 UTF-8，像是 GB18030.*iconv"),
}


def expect_one_line_error(code, captured, path, words, out):
    assert code == 2
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith(f"✗ {path}：")
    assert re.search(words, lines[0]), lines[0]
    assert "Traceback" not in captured.err
    assert not out.exists()


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_is_one_line_that_names_the_place(run, tmp_path, capsys, name):
    content, words = BROKEN[name]
    path = tmp_path / "坏.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write(path, content)
    expect_one_line_error(run("--file", path), capsys.readouterr(), path, words, tmp_path / "out")


def test_a_200_mb_line_is_refused_unread(run, tmp_path, capsys):
    path = tmp_path / "大.json"
    with open(path, "wb") as file:
        file.write(b'[{"id": "')
        file.truncate(200_000_000)
    expect_one_line_error(run("--file", path), capsys.readouterr(), path, "有 200 MB，没有读", tmp_path / "out")


def test_what_is_not_a_readable_file(run, tmp_path, capsys):
    fifo, loop, locked = tmp_path / "管道", tmp_path / "环", tmp_path / "锁.json"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    write(locked, [GOOD]).chmod(0)
    for path, words in (
        (tmp_path, "不是普通文件"),
        (tmp_path / "没有.json", "没有这个文件"),
        (fifo, "不是普通文件"),
        (loop, "读不了|没有这个文件"),
        *([(locked, "读不了")] if os.geteuid() else []),
    ):
        expect_one_line_error(run("--file", path), capsys.readouterr(), path, words, tmp_path / "out")


def test_a_checklist_is_keyed_by_the_ids_of_the_prepared_questions(run, tmp_path):
    assert run("--file", write(tmp_path / "病例.json", [GOOD])) == 0
    names = [row["id"] for row in read_rows(tmp_path / "out")]
    points = {name: {"must": ["说明诊断"], "must_not": ["说不用治疗"]} for name in ("7-1", "别的-1")}
    found = read_checklist(write(tmp_path / "清单.yaml", {"points": points}), names).points
    assert [*found] == names == ["7-1"] and found["7-1"].all == ("说明诊断", "说不用治疗")
    for bad, said in (({"points": {"7-9": points["7-1"]}}, "没有这份数据的题"), ([GOOD], "清单.yaml")):
        with pytest.raises(BadInput, match=said):
            read_checklist(write(tmp_path / "清单.yaml", bad), names)


def test_a_bad_file_leaves_earlier_results_alone(run, tmp_path):
    assert run("--file", write(tmp_path / "好.json", [GOOD])) == 0
    before = tree(tmp_path / "out")
    assert run("--force", "--file", write(tmp_path / "坏.json", "[]")) == 2
    assert tree(tmp_path / "out") == before


# ---- 能收下的 ----


def test_bom_solution_and_control_characters_are_accepted_and_said(run, tmp_path, capsys):
    record = {
        **GOOD,
        "description": "甲\x0b乙\t丙\r\n丁\x00戊\uf07e己\n\n庚",
        "QA_pairs": [{"question": "问？", "solution": "答。"}, {"question": "二？", "answer": "二答"}],
    }
    assert run("--file", write(tmp_path / "有.json", "\ufeff" + json.dumps([record]))) == 0
    rows = read_rows(tmp_path / "out")
    assert rows[0]["messages"][0]["content"] == "以下是一位病人的病例：\n甲 乙 丙\n丁戊~己\n\n庚\n问？"
    assert [message["content"] for message in rows[1]["messages"][1:]] == ["答。", "二？"]
    printed = capsys.readouterr().out
    assert "控制字符 3 个" in printed
    assert "U+F07E 1 个" in printed
    assert "1 问的参考答案叫 solution" in printed
    assert "与官方的 CMB-Clin 内容不同" in printed


# ---- kill -9 ----


def test_killed_at_any_write_the_rerun_gives_the_same(prepare, tmp_path, monkeypatch):
    """在第 1 到第 5 次落盘前 kill -9，然后重跑：与没有被打断的逐字节相同，不论重跑的是新的还是旧的输入。"""
    # 画图慢，换成别的内容；这里看的是落盘的次序
    monkeypatch.setattr(prepare, "draw", lambda cases, source, path: artifacts.write_text(path, cases[0].title))
    inputs = [write(tmp_path / "甲.json", [GOOD]), write(tmp_path / "乙.json", [{**GOOD, "title": "另一题"}])]

    def run(out, path, at_write=0):
        return run_killed(prepare, out, "--file", path, at_write=at_write)

    undisturbed = []
    for path in inputs:
        assert run(tmp_path / path.stem, path) == 0
        undisturbed.append(tree(tmp_path / path.stem))
    out = tmp_path / "out"
    assert run(out, inputs[0]) == 0
    assert tree(out) == undisturbed[0]
    finished = 0
    for kill_at in range(1, 6):
        assert run(out, inputs[1 - finished], kill_at) == -signal.SIGKILL
        if kill_at % 2:  # 一半重跑被杀的，一半重跑之前做好的
            finished = 1 - finished
        assert run(out, inputs[finished]) == 0
        assert tree(out) == undisturbed[finished], kill_at
