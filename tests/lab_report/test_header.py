"""印着的表头决定一列是什么：列的次序、对齐、表头的写法任意。文字框是造的，不经文字识别。"""

import random
from itertools import permutations
from pathlib import Path

import pytest
from lab_report.text_boxes import PITCH, at_lines, box, headed, page, spread

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.reading.header import find_header
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.misreadings import repair_signs, without_leaders
from health_assistant.lab_report.reading.row import row_text
from health_assistant.lab_report.reading.rows import count_unread, find_rows
from health_assistant.lab_report.reading.tables import find_tables
from health_assistant.lab_report.reading.text import TextBox

CASES = load_yaml(Path(__file__).with_name("cells.yaml"))


@pytest.mark.parametrize("case", CASES["表头的各栏"])
def test_words_of_a_header(case):
    texts, columns = case.split(" -> ")
    panels = [
        sorted(panel.items(), key=lambda item: item[1].start) for panel in find_header(spread(*texts.split(" | ")))
    ]
    assert "; ".join(" ".join(name.split()[0] for name, _ in panel) for panel in panels) == columns


@pytest.mark.parametrize(
    "texts",
    [
        ["白细胞", "0-1", "/HP", "0-2"],
        ["白细胞计数", "6.21", "10^9/L", "3.5-9.5"],
        ["检验结果仅对本次标本负责，如有疑问请于三日内联系"],
        ["检验者：李四", "审核者：王五", "报告时间：2025-11-02"],
        ["样本类型：血清", "检验项目：肝功能"],
        ["结果解释：正常人参考值低于5"],
        ["尿胆原", "正常 (3.2)", "正常", "μmol/L"],
        ["姓名：张某某", "男", "46岁"],
        ["Name", "Male", "Adult"],
        ["神经管缺陷风险", "NTD", "低风险", "低风险"],
        ["冠心病", "高风险", "低风险"],
        ["Ref.", "Dr. Rao Hospital", "Reporting Date", "22/04/2025"],
    ],
)
def test_what_is_not_a_header(texts):
    assert find_header(spread(*texts)) == []


ROWS = {
    "name": ["白细胞", "红细胞", "上皮细胞", "透明管型", "隐血", "比重", "细菌", "尿蛋白"],
    "result": ["3-5", "0-1", "偶见", "0", "阴性", "1.020", "<10.0", "2+"],
    "unit": ["/HP", "/HP", "/HP", "/LP", "", "", "/μL", ""],
    "range": ["0-5", "0-3", "0-5", "0", "阴性", "1.003-1.030", "<26.0", "阴性"],
}


WORDS = {"name": "检验项目", "result": "结果", "unit": "单位", "range": "参考范围"}


def draw(order: tuple[str, ...], seed: int) -> list[list[TextBox]]:
    """按列的次序画一张表：每列左、中、右对齐随机，表头与内容的对齐也各不相同。"""
    rng = random.Random(seed)
    lines = [[] for _ in range(len(ROWS["name"]) + 1)]
    left = 50.0
    for column in order:
        texts = [WORDS[column], *ROWS[column]]
        widths = [box(text, 0, 0).end for text in texts]
        wide = max(widths) + rng.uniform(0, 40)
        align = 0 if column == "name" else rng.choice((0, 0.5, 1))
        for at, (text, width) in enumerate(zip(texts, widths, strict=True)):
            own = rng.choice((0, 0.5)) if at == 0 else align
            if text:
                start = left + (wide - width) * own + rng.uniform(-2, 2)
                lines[at].append(box(text, start, 100 + PITCH * at + rng.uniform(-2, 2)))
        left += wide + rng.uniform(40, 160)
    return lines


@pytest.mark.parametrize("order", list(permutations(WORDS)), ids="-".join)
def test_columns_may_stand_in_any_order(order):
    """结果本身是范围（3-5）、定性词的表：写法分不出结果与范围，只有表头分得出。"""
    for seed in range(20):
        table = headed(draw(order, seed))
        rows = find_rows(table)
        read = [row_text(row) for row in rows]
        assert [row.doubt for row in rows] == [None] * len(read)
        assert [one[0] for one in read] == ROWS["name"], seed
        assert [one[2] for one in read] == ROWS["result"], seed
        assert [one[3] for one in read] == ROWS["unit"], seed
        assert [one[4] for one in read] == ROWS["range"], seed
        assert count_unread(table, rows) == 0


def read_pages(*lines: tuple[float, dict[float, str]]) -> list[tuple]:
    boxes = [one for line in at_lines(*lines) for one in line]
    return [row_text(row) for table in find_tables(group_lines(boxes)) for row in find_rows(table)]


def test_words_of_a_header_printed_one_character_a_line():
    head = (0, {50: "项目", 400: "参考值", 550: "单位"})
    stacked = [(-0.25, {250: "结", 330: "提"}), head, (0.25, {250: "果", 330: "示"})]
    rows = [
        (1, {50: "肌酐", 250: "57", 400: "57-97", 550: "umol/L"}),
        (2, {50: "钾", 250: "2.9", 330: "↓", 400: "3.5-5.3"}),
    ]
    assert [row[0::2][:2] for row in read_pages(*stacked, *rows)] == [("肌酐", "57"), ("钾", "2.9")]


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ("钾(K)..", "钾(K)"), ("葡萄糖……", "葡萄糖"), ("Potassium.", "Potassium"), ("Glucose--", "Glucose"),
        ("Potassium-", "Potassium"), ("Platelets .", "Platelets"), (".118.0", "118.0"),
        # 一点就是小数点的、缩写的一点、电荷的一横、没有印结果的一横，都不是引线
        (".388", ".388"), ("Lym.", "Lym."), ("Cl-", "Cl-"), ("HCO3-", "HCO3-"), ("---", "---"), ("5.10", "5.10"),
    ],
)  # fmt: skip
def test_leaders_are_no_part_of_a_name_or_a_number(read, meant):
    assert without_leaders(read) == meant


@pytest.mark.parametrize(
    ("read", "meant"),
    [("(一)", "(-)"), ("(十)", "(+)"), ("(土)", "(±)"), ("（一）", "(-)"), ("(一)检验结果", "(一)检验结果"),
     ("9.12mmo1/L", "9.12mmol/L"), ("10^6/m1", "10^6/ml"), ("121", "121"), ("PMO1", "PMO1"),
     ("97²", "97"), ("97²)↑", "97↑"), ("5.6¹ mmol/L", "5.6 mmol/L"), ("(57-104²)", "(57-104)"), ("10²", "10²"),
     ("4.0×10⁹/L", "4.0×10⁹/L"), ("1.73m²", "1.73m²"),
     ("3.5-5.3mmoI/L", "3.5-5.3mmol/L"), ("umoI/L", "umol/L"), ("ng/mI", "ng/ml"), ("阴性mmoI/L", "阴性mmol/L"),
     ("<1C0I", "<1COI"), ("<1C01", "<1COI"), ("C01", "C01"), ("10-6OU/L", "10-60U/L"),
     ("1OOg/L", "100g/L"), ("8O", "8O"),
     ("3·80-5•10", "3.80-5.10"), ("5.2·10^9/L", "5.2·10^9/L"), ("甲·乙", "甲·乙"),
     ("□阳性 ☑阴性", "阴性"), ("☑阳性 □阴性", "阳性"), ("√弱阳性", "弱阳性"), ("性别:□男 ☑女", "性别:女"),
     ("□阳性 □阴性", "□阳性 □阴性"), ("☑阳性 ☑阴性", "☑阳性 ☑阴性"), ("□阳性", "□阳性"),
     ("☑单位检验项目", "☑单位检验项目")],
)  # fmt: skip
def test_signs_in_brackets_the_letter_l_of_a_unit_and_footnotes(read, meant):
    assert repair_signs(read) == meant


def test_units_of_the_block_at_the_left_are_no_groups():
    """`％18` 是左边一栏的单位与右边的序号，落在序号一栏里；当作组名，右边的名称会归错列。"""
    head = {20: "序号", 120: "项目", 400: "结果", 600: "参考范围"}
    lines = [{120: "血小板计数", 400: "95", 600: "125-350"}, {120: "红细胞计数", 400: "4.5", 600: "4.3-5.8"}]
    units = [
        {20: f"％{serial}", 120: name, 400: "10", 600: "9-17"}
        for serial, name in [(18, "血小板分布宽度"), (19, "平均血小板体积"), (20, "红细胞分布宽度SD")]
    ]
    table = find_tables(page(head, *lines, *units))[-1]
    assert set(table.columns.spans) == {"serial", "name", "result", "range"}
