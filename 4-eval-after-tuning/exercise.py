"""阶段 4 的练习：按病例重抽。

    python 4-eval-after-tuning/exercise.py

自助法估计平均差的区间：从手里的题有放回地抽同样多，算一次平均差，抽几千次，取中间 95%。
可是一个病例的几问一起好、一起坏，并不是几份独立的证据：一题一题地抽，会把区间算得太窄。应该**一个病例一个病例地抽**，它的几问一起进出。

请改 `resample`，从 cases（每个病例是它各题的差的列表）重抽一次，返回抽中的各题的差：
    - 有放回地抽出与 cases 一样多个病例；
    - 抽中一次，它的各题都算一次；抽中两次，都算两次；
    - 随机数用传进来的 rng（numpy 的 Generator）。
现在的写法是一题一题地抽。
"""

import sys

import numpy as np
import paired_difference

from health_assistant.exercise import grade

# ---- 你的答案 ----


def resample(cases: list[list[float]], rng: np.random.Generator) -> list[float]:
    """各病例的差（一题一个）-> 有放回地重抽一次得到的差。"""
    differences = [difference for case in cases for difference in case]
    return [differences[at] for at in rng.integers(len(differences), size=len(differences))]


# ---- 检查 ----


def interval(cases: list[list[float]], times: int = 3000) -> tuple[float, float]:
    """重抽 times 次，平均差的 95% 区间的两端。"""
    rng = np.random.default_rng(0)
    low, high = np.percentile([np.mean(resample(cases, rng)) for _ in range(times)], [2.5, 97.5])
    return float(low), float(high)


def _check_cases_stay_whole() -> None:
    cases, rng = [[1.0, 1.5], [2.0], [3.0, 3.5, 3.75]], np.random.default_rng()
    for _ in range(200):
        drawn = list(resample(cases, rng))
        counts = [[drawn.count(difference) for difference in case] for case in cases]
        assert all(len({*case}) == 1 for case in counts), f"抽到了 {drawn}：有的病例只进来一部分题"
        assert sum(case[0] for case in counts) == len(cases), f"抽到了 {drawn}：病例数应是 {len(cases)}"


def _check_with_replacement() -> None:
    rng = np.random.default_rng()
    drawn = [tuple(sorted(resample([[1.0], [2.0], [3.0]], rng))) for _ in range(200)]
    assert (1.0, 2.0, 3.0) in drawn and len({*drawn}) > 5, "200 次抽到的组合太少：应有放回，每次都重新抽"


def _check_the_interval_is_the_courses() -> None:
    rng = np.random.default_rng()
    for _ in range(3):
        cases = [list(rng.normal(rng.normal(1, 2), 0.5, size=rng.integers(1, 5))) for _ in range(30)]
        names = [str(at) for at, case in enumerate(cases) for _ in case]
        low, high = interval(cases)
        expected = paired_difference.interval(names, [difference for case in cases for difference in case])
        width, expected_width = high - low, expected[1] - expected[0]
        close = abs(width / expected_width - 1) < 0.15
        assert close, f"区间宽 {width:.2f}，compare.py 的是 {expected_width:.2f}：太窄就是把同一病例的题当成独立的了"


if __name__ == "__main__":
    sys.exit(grade(__doc__, _check_cases_stay_whole, _check_with_replacement, _check_the_interval_is_the_courses))
