"""别的医院的单子上见过的排法：名称与代号上下两行、脚注号、印章压着数……"""

from lab_report.test_columns import at_lines, headed

from health_assistant.lab_report.reading.row import row_text
from health_assistant.lab_report.reading.rows import find_rows


def names_and_results(*lines) -> list[tuple[str, str, str]]:
    return [row_text(row)[:3] for row in find_rows(headed(at_lines(*lines)))]


def test_a_chinese_name_under_its_code_is_not_the_name_of_the_next_row():
    """POCT 的单子：代号与结果一行，中文名称在代号下面，离下一项的代号也不远。"""
    head = {50: "检验项目", 400: "结果", 600: "单位", 800: "参考值"}
    for gap in (0.4, 0.5):
        lines = [(0, head)]
        for at, (code, name, value, limits) in enumerate(
            [("cTnT", "血清肌钙蛋白T", "0.862", "0-0.014"), ("MYO", "肌红蛋白", "61.4", "28-72"),
             ("D-D", "D-二聚体", "0.31", "0-0.5"), ("LAC", "乳酸", "4.4", "0.5-2.2")]
        ):  # fmt: skip
            lines += [(1 + at, {50: code, 400: value, 600: "ng/mL", 800: limits}), (1 + at + gap, {50: name})]
        assert names_and_results(*lines) == [
            ("血清肌钙蛋白T", "cTnT", "0.862"), ("肌红蛋白", "MYO", "61.4"),
            ("D-二聚体", "D-D", "0.31"), ("乳酸", "LAC", "4.4"),
        ]  # fmt: skip


def test_a_section_under_a_row_known_by_its_code_is_not_its_name():
    head = {50: "项目", 400: "结果", 800: "参考值"}
    lines = [(0, head), (1, {50: "pH", 400: "7.40", 800: "7.35-7.45"}), (2, {50: "pO2", 400: "90", 800: "80-100"}),
             (3, {50: "电解质"}), (4, {50: "K+", 400: "4.0", 800: "3.5-5.3"}),
             (5, {50: "Na+", 400: "140", 800: "137-147"})]  # fmt: skip
    assert [result for _, _, result in names_and_results(*lines)] == ["7.40", "90", "4.0", "140"]
    assert "电解质" not in {name for name, _, _ in names_and_results(*lines)}
