"""阶段 7 的练习：错比不知道更糟。

    python 7-endpoint-integration-server/exercise.py

请改 `flag`，照印着的参考范围判断一行，返回 "normal"、"high"、"low" 或 "unknown"：
    - 范围写成 "3.5-5.3"，两头都算正常；也有 "<5.2"、">1.0" 这样的，不含那个数；
    - 数要用精确的小数（decimal.Decimal）比，不用浮点数；
    - 结果可以是 "<0.01"：真的数比 0.01 小，但不知道小多少。只有不管它是多少结论都一样时才判断；">" 同理；
    - 印着的箭头（mark 是 "↑"、"↓" 或 None）与算出来的矛盾，是 "unknown"。没有箭头不算矛盾；
    - 看不懂的结果或范围（"阴性"、"3.5-"、"4.1.2"、空的）是 "unknown"，不要猜，也不要抛异常。
现在的写法只认得最简单的一种，箭头说什么都信，看不懂的就当正常：三样都会害人。
"""

import random
import re
import sys
from decimal import Decimal

from health_assistant.exercise import grade

# ---- 你的答案 ----


def flag(result: str, reference: str, mark: str | None = None) -> str:
    """结果、范围与箭头 -> high、low、normal 或 unknown。"""
    if mark:
        return {"↑": "high", "↓": "low"}[mark]
    try:
        low, high = map(float, reference.split("-"))
        value = float(re.sub("[<>]", "", result))
    except ValueError:
        return "normal"
    return "low" if value < low else "high" if value > high else "normal"


# ---- 检查 ----

PLAIN = [
    ("4.1", "3.5-5.3", "normal"), ("3.5", "3.5-5.3", "normal"), ("5.3", "3.5-5.3", "normal"),
    ("5.31", "3.5-5.3", "high"), ("3.49", "3.5-5.3", "low"), ("-2", "-3-3", "normal"), ("-4", "-3--1", "low"),
]  # fmt: skip
ONE_SIDED = [("5.1", "<5.2", "normal"), ("5.2", "<5.2", "high"), ("1.0", ">1.0", "low"), ("1.01", ">1.0", "normal")]
BOUNDS = [
    ("<0.01", "0.5-1.2", "low"), ("<0.01", "0-0.05", "unknown"), (">90", "60-80", "high"), (">70", "60-80", "unknown"),
    ("<0.5", "<0.5", "normal"), ("<60", "60-80", "low"), ("<61", "60-80", "unknown"),
]  # fmt: skip
STRANGE = [("阴性", "3.5-5.3"), ("", "3.5-5.3"), ("4.1.2", "3.5-5.3"), ("4.1", ""), ("4.1", "3.5-"), ("4.1", "5.3-3.5"),
           ("nan", "3.5-5.3"), ("1e5", "3.5-5.3"), ("4.1 ↑", "3.5-5.3")]  # fmt: skip


def check(result: str, reference: str, expected: str, mark: str | None = None) -> None:
    """这一行应判作 expected，不是就抛 AssertionError。"""
    answer = flag(result, reference, mark)
    printed = f"结果 {result!r}，范围 {reference!r}，箭头 {mark}"
    assert answer == expected, f"{printed}：应是 {expected}，得到 {answer}"


def _check_plain_and_one_sided_ranges() -> None:
    for row in PLAIN + ONE_SIDED:
        check(*row)


def _check_exact_decimals() -> None:
    shuffler = random.Random()
    for _ in range(200):
        low, width = shuffler.randint(0, 10**17), shuffler.randint(1, 10**17)
        numbers = [Decimal(low + step).scaleb(-17) for step in (-1, 0, width, width + 1)]
        below, first, last, above = map("{:f}".format, numbers)
        for value, expected in ((below, "low"), (first, "normal"), (last, "normal"), (above, "high")):
            check(value, f"{first}-{last}", expected)


def _check_results_that_are_bounds() -> None:
    for row in BOUNDS:
        check(*row)


def _check_arrows_are_a_witness_not_the_judge() -> None:
    check("5.6", "3.5-5.3", "high", "↑")
    check("5.6", "3.5-5.3", "unknown", "↓")
    check("4.1", "3.5-5.3", "unknown", "↑")
    check("阴性", "阴性", "unknown", "↑")


def _check_what_cannot_be_read_is_unknown() -> None:
    for result, reference in STRANGE:
        check(result, reference, "unknown")


if __name__ == "__main__":
    checks = (_check_plain_and_one_sided_ranges, _check_exact_decimals, _check_results_that_are_bounds)
    sys.exit(grade(__doc__, *checks, _check_arrows_are_a_witness_not_the_judge, _check_what_cannot_be_read_is_unknown))
