"""按词元装满的前向：切得对，一次更新与逐行算的一样，几个进程也一样。"""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import small_llm
import small_vl
import torch
from stage_scripts import environment

from health_assistant.training import batching


def padded(lengths, groups):
    return [len(group) * max(lengths[at] for at in group) for group in groups]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_row_once_in_as_few_passes_as_fit(seed, processes):
    dice = random.Random(seed)
    lengths = [dice.randint(1, 500) for _ in range(dice.randint(1, 24))]
    groups = batching.cut(lengths, 1000, processes, overhead=10**6)  # 一次前向贵得很：能少一次就少一次
    real, idle = ([group for group in groups if (group[0] < 0) == wanted] for wanted in (False, True))
    assert sorted(at for group in real for at in group) == list(range(len(lengths)))
    assert max(padded(lengths, real)) <= 1000
    assert len(groups) % processes == 0
    assert len(idle) < processes, "补的只够凑齐这一轮"
    # 从最长的开始能装就装，次数最少
    fewest, rest = 0, sorted(lengths)
    while rest:
        del rest[-max(1, 1000 // rest[-1]) :]
        fewest += 1
    whole = -(-fewest // processes) * processes
    assert len(real) == (whole if whole <= len(lengths) else fewest), "行够分就没有不计损失的"


def test_of_as_many_passes_the_least_padded_is_chosen():
    lengths = [100] * 6 + [400] * 2
    assert sorted(padded(lengths, batching.cut(lengths, 1600))) == [600, 800]


@pytest.mark.parametrize(("overhead", "passes_made"), [(1, 3), (25, 2), (5000, 1)])
def test_one_pass_less_is_worth_its_overhead_in_padding_and_no_more(overhead, passes_made):
    lengths = [100, 100, 110, 200]  # 并成两次多算 20 个词元，并成一次多算 290 个
    assert len(batching.cut(lengths, 1000, overhead=overhead)) == passes_made


def test_a_row_longer_than_a_pass_goes_alone():
    assert batching.cut([5000, 10, 20], 100) == [[1, 2], [0]]


def test_rows_too_few_for_the_processes_are_filled_up_without_loss():
    groups = batching.cut([7], 100, processes=2)
    assert groups == [[0], [~0]]
    rows = batching.PassRows([{"input_ids": [1] * 7, "labels": [batching.IGNORED] * 3 + [1] * 4}])
    assert [(batching.tokens(rows[one]), batching.supervised(rows[one])) for one in groups] == [(7, 4), (0, 0)]


def sampled(process=0, processes=1, seed=0, epoch=0, lengths=None):
    lengths = lengths or [37 * index % 101 + 1 for index in range(1003)]
    order = lambda: batching.shuffled(lengths, seed, epoch)  # noqa: E731
    return [*batching.PassSampler(lengths, 16, 800, 2000, order, process, processes)]


def test_the_order_is_set_by_seed_and_epoch_and_each_row_comes_once():
    first = sampled()
    assert sorted(at for update in first for one in update for at in one) == list(range(1003))
    assert first == sampled() != sampled(epoch=1)
    assert first != sampled(seed=1)
    assert len(first) == len(batching.PassSampler([1] * 1003, 16, 800, 2000, list)) == 63


def test_an_update_has_the_same_rows_however_many_processes():
    alone, halves = sampled(), [sampled(process, 2) for process in (0, 1)]
    for update, left, right in zip(alone, *halves, strict=True):
        assert len(left) == len(right), "每个进程的前向一样多次"
        shared = [at for one in left + right for at in one if at >= 0]
        assert sorted(shared) == sorted(at for one in update for at in one)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    from PIL import Image

    home = tmp_path_factory.mktemp("update")
    small_llm.build_small_base(home / "llm")
    small_vl.build_small_base(home / "vl")
    (home / "pages").mkdir()
    for at in range(16):
        noise = Image.effect_noise((84 + 28 * (at % 5), 84), 90).convert("RGB")
        noise.save(home / f"pages/{at:02}.png")
    return home


@pytest.fixture(scope="module")
def alone(home):
    return one_update(home, "alone", [])


def one_update(home, name, launcher):
    out = home / f"{name}.pt"
    env = environment(home, ACCELERATE_USE_CPU="true", CUDA_VISIBLE_DEVICES="")
    command = [sys.executable, *launcher, Path(__file__).with_name("one_update.py")]
    command += [json.dumps({"home": str(home), "out": str(out)})]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(out, weights_only=False)


def assert_same_gradients(one, other):
    assert one.keys() == other.keys() and any(float(value.abs().max()) > 1e-4 for value in one.values())
    for name, value in one.items():
        assert float((value - other[name]).norm() / value.norm()) < 1e-5, name


@pytest.mark.parametrize("kind", ["llm", "vl"])
@pytest.mark.parametrize("way", ["filled", "chunked"])
def test_a_filled_update_is_the_update_row_by_row(alone, kind, way):
    (rows, rows_loss, many), (filled, filled_loss, few) = alone[kind, "rows"], alone[kind, way]
    assert many == 16 and 1 < few < 8
    assert_same_gradients(rows, filled)
    assert rows_loss == pytest.approx(filled_loss, rel=1e-5), "验证损失与怎样装无关"


@pytest.mark.slow
def test_two_processes_make_the_same_update(home, alone):
    together = one_update(home, "together", ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"])
    for key, (expected, loss, _) in alone.items():
        assert_same_gradients(expected, together[key][0])
        assert together[key][1] == pytest.approx(loss, rel=1e-5)
