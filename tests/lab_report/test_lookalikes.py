"""名称相像的几项、没有印报告名的尿和微量元素：看单位、范围与同一张的别的行，分不清的不猜；真的急症不因此丢掉。"""

import pytest

from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.reference_range import parse_range


@pytest.mark.parametrize(
    ("name", "code", "unit", "reference_range", "expected"),
    [
        # 载脂蛋白a 也有人这样印脂蛋白(a)：看范围，没有范围看单位
        ("载脂蛋白a", "", "mg/L", "0-300", "LPA"), ("载脂蛋白A", "", "mg/dL", "<30", "LPA"),
        ("载脂蛋白a", "", "nmol/L", "<75", "LPA"), ("载脂蛋白a", "", "nmol/L", "", "LPA"),
        ("载脂蛋白a", "", "g/L", "1.0-1.6", "APOA1"), ("载脂蛋白A", "", "g/L", "", "APOA1"),
        ("载脂蛋白A", "", "mg/dL", "100-160", "APOA1"), ("载脂蛋白a", "", "mg/dL", "", None),
        ("载脂蛋白A", "ApoA1", "mg/L", "", "APOA1"), ("载脂蛋白A1", "", "mg/L", "1000-1600", "APOA1"),
        # 没有写游离、总的甲状腺激素看单位
        ("三碘甲状腺原氨酸", "T3", "pmol/L", "3.1-6.8", "FT3"), ("三碘甲状腺原氨酸", "T3", "nmol/L", "1.3-3.1", "T3"),
        ("甲状腺素", "T4", "pmol/L", "12-22", "FT4"), ("甲状腺素", "", "nmol/L", "", "T4"),
    ],
)  # fmt: skip
def test_the_range_or_the_unit_tells_lookalikes_apart(name, code, unit, reference_range, expected):
    found = find_analyte(name, code, unit, "", parse_range(reference_range), has_range=bool(reference_range))
    assert (found and found.code) == expected
