"""范围没有印在项目那一行的：另成清单，或在色条两头。文字框是造的。"""

import pytest
from lab_report.text_boxes import page

from health_assistant.lab_report.reading.arrangement import arrange
from health_assistant.lab_report.reading.row import row_text


def read(*lines: dict[float, str]) -> list[tuple[str, str, str, str]]:
    """各行的名称、结果、单位、范围。"""
    found = arrange([box for line in page(*lines) for box in line])
    texts = [row_text(row) for rows in found.rows_of for row in rows]
    return [(name, result, unit, limits) for name, _, result, unit, limits in texts]


SLIP = [
    {50: "pH", 300: "7.36"},
    {50: "Na", 300: "137", 500: "mmol/L"},
    {50: "K", 300: "5.0", 500: "mmol/L"},
    {50: "TC02", 300: "23", 500: "mmol/L"},
]
READ = [
    ("pH", "7.36", "", "7.38-7.46"),
    ("Na", "137", "mmol/L", "138-146"),
    ("K", "5.0", "mmol/L", "3.5-4.9"),
    ("TCO2", "23", "mmol/L", "24-29"),
]


@pytest.mark.parametrize("heading", ["参考范围", "参考范围:", "Reference Ranges", "Normal Range:"])
@pytest.mark.parametrize(
    "below",
    [
        [
            {50: "pH", 250: "7.38-7.46"},
            {50: "Na", 250: "138-146", 550: "mmol/L"},
            {50: "K", 250: "3.5-4.9", 550: "mmol/L"},
            {50: "TCO2", 250: "24-29", 550: "mmol/L"},
        ],
        [
            {50: "pH 7.38-7.46"},
            {50: "Na 138-146 mmol/L"},
            {50: "K 3.5-4.9 mmol/L"},
            {50: "TCO2 24-29 mmol/L"},
        ],
    ],
    ids=["columns", "typed"],
)
def test_ranges_in_a_list_below_go_to_their_items(heading, below):
    assert read(*SLIP, {50: heading}, *below) == READ


def test_a_list_of_other_items_is_left_where_it_is():
    rows = read(*SLIP, {50: "参考范围"}, {50: "Cl", 250: "98-109", 550: "mmol/L"})
    assert [row[0] for row in rows[:4]] == ["pH", "Na", "K", "TCO2"] and not any(row[3] for row in rows[:4])


@pytest.mark.parametrize(("unit", "limits"), [("mg/L", "< 5.0"), ("mg/dL", "< 0.5"), ("g/L", "")])
def test_the_only_item_takes_the_range_below_that_is_in_its_unit(unit, limits):
    """没有取到的，不拿别的单位的充数。"""
    notes = [{50: "Ref Range :"}, {60: "Mg/L", 300: "Mg/dL"}, {60: "< 5.0", 300: "< 0.5"}]
    assert read({50: "CRP", 300: "6.035", 500: unit}, *notes)[0] == ("CRP", "6.035", unit, limits)


def bars(*ends: tuple[str, str]) -> list[dict[float, str]]:
    items = [("钠", "131", "mmol/L"), ("钾", "5.6", "mmol/L"), ("葡萄糖", "3.6", "mmol/L"), ("白蛋白", "37", "g/L")]
    lines = []
    for (name, value, unit), (low, high) in zip(items, ends, strict=False):
        lines += [{50: name, 700: value, 850: unit}, {300: low, 600: high}]
    return lines


def test_limits_at_the_two_ends_of_a_bar_are_the_range():
    rows = read(*bars(("128", "134"), ("4.0", "6.2"), ("2.5", "3.4"), ("28", "36")))
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("钠", "131", "128-134"),
        ("钾", "5.6", "4.0-6.2"),
        ("葡萄糖", "3.6", "2.5-3.4"),
        ("白蛋白", "37", "28-36"),
    ]


@pytest.mark.parametrize(
    "ends",
    [
        (("128", "134"), ("6,2", "4,0"), ("2,5", "3,4"), ("28", "36")),
        (("128", "134"), ("6.2", "4.0"), ("2.5", "3.4"), ("28", "36")),  # 上两次的结果，有高有低
        (("128", "134"), ("4.0", "6.2")),  # 只有两项，说不准
    ],
)
def test_other_pairs_of_numbers_are_no_range(ends):
    assert not any(limits for _, _, _, limits in read(*bars(*ends)))


def ends(*items: tuple[str, str, str, str], heading: str = "REFERANS") -> list[dict[float, str]]:
    """右边色条的两头与结果印在同一行；中间一行是表头。"""
    lines = [{50: name, 300: value, 450: "g/L", 700: low, 900: high} for name, value, low, high in items]
    return [{50: "TEST", 300: "SONUC", 450: "BIRIM", 760: heading}, *lines]


ITEMS = [
    ("MCV", "82.9", "80", "94"),
    ("MCHC", "35.5", "30", "36"),
    ("RDW", "15.3", "11,8", "13.4"),
    ("PLT", "98", "150", "400"),
    ("MPV", "10.2", "7.4", "10.4"),
]


def test_limits_in_two_columns_with_heads_of_their_own_are_left_to_the_heads():
    heads = {50: "项目名称", 300: "结果", 450: "单位", 700: "参考下限", 900: "参考上限"}
    rows = read(heads, *ends(*[(name, value, low.replace(",", "."), high) for name, value, low, high in ITEMS])[1:])
    assert [row[3] for row in rows] == ["80-94", "30-36", "11.8-13.4", "150-400", "7.4-10.4"]


def test_limits_at_the_two_ends_of_a_bar_beside_the_result_are_the_range():
    rows = read(*ends(*ITEMS), {50: "HGB", 300: "88", 450: "g/L", 900: "154"})
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("MCV", "82.9", "80-94"),
        ("MCHC", "35.5", "30-36"),
        ("RDW", "15.3", "11.8-13.4"),
        ("PLT", "98", "150-400"),
        ("MPV", "10.2", "7.4-10.4"),
        ("HGB", "88", ""),  # 下限没有认出来：不能当作只有上限，也不是又一个结果
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ends(*ITEMS[:4], ("MPV", "10.2", "10.4", "7.4")),  # 有一行左大右小：也许是前两次的结果
        ends(*ITEMS[:4]),
        ends(*ITEMS, heading="2024"),
    ],
)
def test_other_numbers_behind_the_result_are_no_range(lines):
    assert not any(limits for _, _, _, limits in read(*lines))
