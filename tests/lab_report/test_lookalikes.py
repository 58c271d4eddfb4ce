"""名称相像的几项、没有印报告名的尿和微量元素：看单位、范围与同一张的别的行，分不清的不猜；真的急症不因此丢掉。"""

import pytest

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.reference_range import parse_range
from health_assistant.lab_report.report import PrintedRow, ReadReport


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


def judged(*rows: tuple[str, ...], title: str = "", age: str = "40岁") -> dict[str, Finding]:
    names = ("name", "code", "result", "unit", "reference_range")
    items = [PrintedRow(**dict(zip(names, one, strict=True))) for one in rows]
    report = assess(ReadReport(report_type=title, sex="女", age=age, items=items))
    return {one.name: one for one in report.items}


def code_of(finding: Finding) -> str | None:
    return finding.analyte and finding.analyte.code


ELEMENTS = (
    ("锌", "Zn", "90", "μmol/L", ""), ("铁", "Fe", "8.0", "mmol/L", ""), ("钙", "Ca", "1.55", "mmol/L", ""),
    ("镁", "Mg", "1.45", "mmol/L", ""), ("铅", "Pb", "35", "μg/L", ""),
)  # fmt: skip


@pytest.mark.parametrize("title", ["微量元素", "全血五元素", "", "检验报告单"])
def test_whole_blood_is_not_judged_by_serum(title):
    seen = judged(*ELEMENTS, title=title, age="3岁")
    assert all((seen[name].flag, seen[name].alarm) == ("unknown", None) for name in ("铁", "钙", "镁"))


def test_a_printed_range_of_whole_blood_decides_and_is_no_emergency():
    seen = judged(
        ("钙", "Ca", "1.65", "mmol/L", "1.55-2.10"),
        ("镁", "Mg", "2.5", "mmol/L", "1.12-2.06"),
        title="微量元素",
    )
    assert [(one.flag, one.critical) for one in seen.values()] == [("normal", False), ("high", False)]


@pytest.mark.parametrize("title", ["微量元素", "血清微量元素", "生化"])
def test_calcium_with_a_serum_range_stays_serum(title):
    assert judged(("钙", "Ca", "1.55", "mmol/L", "2.11-2.52"), title=title)["钙"].critical


def test_calcium_of_a_sheet_without_title_is_serum_beside_other_serum():
    seen = judged(*ELEMENTS, ("钾", "K", "4.0", "mmol/L", ""))
    assert seen["钙"].critical


DIPSTICK = (("比重", "SG", "1.020", "", ""), ("蛋白质", "PRO", "1.0", "g/L", ""), ("尿胆原", "URO", "正常", "", ""))
URINE_GLUCOSE = ("葡萄糖", "GLU", "28", "mmol/L", "")
ACR = (("微量白蛋白", "mALB", "80", "mg/L", "0-30"), ("白蛋白/肌酐", "ACR", "100", "mg/g", "0-30"))


@pytest.mark.parametrize(
    "row",
    [
        ("肌钙蛋白I", "cTnI", "5.0", "ng/mL", "0-0.04"),
        ("钾", "K", "7.2", "mmol/L", ""),
        ("肌酐", "CREA", "1200", "μmol/L", ""),
        ("葡萄糖", "GLU", "33.5", "mmol/L", ""),
        ("钠", "Na", "105 ↓", "mmol/L", ""),
    ],
)
def test_an_emergency_of_blood_is_never_lost_to_rows_of_urine(row):
    assert judged(*DIPSTICK, row)[row[0]].alarm


@pytest.mark.parametrize(
    ("rows", "name", "expected"),
    [
        ((*DIPSTICK, ("葡萄糖", "GLU", "28", "mmol/L", "0-1.1")), "葡萄糖", "U-GLU"),
        ((*DIPSTICK, ("酸碱度", "PH", "6.0", "", "4.5-8.0")), "酸碱度", "U-PH"),
        ((*DIPSTICK, ("白细胞", "WBC", "125", "/μL", "")), "白细胞", "U-WBC-UL"),
        ((ACR[0], ("肌酐", "CREA", "8000", "μmol/L", "3540-24600")), "肌酐", "U-CR"),
    ],
)
def test_a_sheet_without_title_is_urine_when_its_rows_say_so(rows, name, expected):
    seen = judged(*rows)[name]
    assert (code_of(seen), seen.alarm) == (expected, None)


@pytest.mark.parametrize(
    "others",
    [
        (),
        (("酮体", "KET", "3+", "", ""),),
        (("尿糖", "", "4+", "", ""), ("尿酮体", "", "3+", "", ""), ("尿蛋白", "", "3+", "", "")),
        (*DIPSTICK, ("丙氨酸氨基转移酶", "ALT", "20", "U/L", "")),
        (*DIPSTICK, ("钾", "K", "4.1", "mmol/L", "3.5-5.3")),
    ],
)
def test_a_critical_blood_value_is_never_lost_to_urine(others):
    seen = judged(URINE_GLUCOSE, *others)["葡萄糖"]
    assert code_of(seen) == "GLU"
    assert seen.critical


def test_a_blood_range_on_a_sheet_of_urine_is_blood():
    assert judged(*DIPSTICK, ("葡萄糖", "GLU", "28", "mmol/L", "3.9-6.1"))["葡萄糖"].critical


def test_lost_decimal_points_do_not_make_blood_urine():
    seen = judged(("钾", "K", "72", "mmol/L", "35-53"), ("肌酐", "CREA", "9000", "μmol/L", "410-810"))
    assert [code_of(one) for one in seen.values()] == ["K", "CREA"]
    assert all(one.alarm for one in seen.values())


def test_albumin_in_milligrams_is_not_the_albumin_of_blood():
    seen = judged(("白蛋白", "ALB", "15", "mg/L", ""), title="肾功能")["白蛋白"]
    assert (seen.analyte, seen.alarm) == (None, None)
    assert judged(("白蛋白", "ALB", "15", "g/L", ""), title="肾功能")["白蛋白"].severity == "severe"


def test_iron_in_micromoles_is_serum_even_among_elements():
    assert judged(("铁", "Fe", "95", "μmol/L", ""), ("锌", "Zn", "80", "μmol/L", ""), title="微量元素", age="2岁")[
        "铁"
    ].critical


@pytest.mark.parametrize("title", ["微量元素", "全血五元素", "全血", "末梢血微量元素", "", "血清微量元素"])
@pytest.mark.parametrize(
    "row",
    [
        ("钙", "Ca", "3.9", "mmol/L", ""), ("钙", "Ca", "15.6", "mg/dL", ""),
        ("钙", "Ca", "3.9", "mmol/L", "1.12-2.06"),
        ("钙", "Ca", "0.8", "mmol/L", ""), ("镁", "Mg", "0.2", "mmol/L", ""), ("镁", "Mg", "4.0", "mmol/L", ""),
        ("铁", "Fe", "95", "μmol/L", ""), ("锂", "Li", "14500", "μg/L", ""),
    ],
)  # fmt: skip
def test_a_title_of_elements_never_silences_what_no_blood_has(row, title):
    seen = judged(row, ("锌", "Zn", "90", "μmol/L", ""), title=title)[row[0]]
    assert seen.critical or seen.floor == "grave"


def test_whole_blood_by_title_alone_does_not_silence_low_calcium():
    assert judged(("钙", "Ca", "1.5", "mmol/L", ""), title="全血")["钙"].critical
    assert not judged(("钙", "Ca", "1.5", "mmol/L", "1.12-2.06"), title="全血")["钙"].alarm


@pytest.mark.parametrize(("title", "limits"), [("微量元素", ""), ("微量元素", "0-10"), ("血清", "0.5-10"), ("", "")])
def test_a_trace_of_lithium_is_not_a_drug(title, limits):
    seen = judged(("锂", "Li", "7", "μg/L", limits), ("锌", "Zn", "90", "μmol/L", ""), title=title)["锂"]
    assert (seen.analyte, seen.severity, seen.alarm) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "toxic", "harmless", "unit"),
    [
        ("Li", "2.5", "0.8", "mmol/L"), ("血锂", "17400", "5600", "μg/L"), ("血锂", "17.4", "5.6", "mg/L"),
        ("锂", "2500", "800", "μmol/L"), ("地高辛", "4.2", "1.5", "nmol/L"), ("地高辛", "3.3", "1.2", "mcg/L"),
        ("丙戊酸", "1500", "500", "μmol/L"), ("丙戊酸", "1.5", "0.5", "mmol/L"), ("丙戊酸", "215", "72", "mcg/ml"),
        ("丙戊酸钠", "215000", "72000", "ng/mL"), ("苯妥英", "165", "60", "umol/L"), ("卡马西平", "90", "30", "μmol/L"),
        ("苯巴比妥", "280", "110", "μmol/L"), ("苯巴比妥", "6.5", "2.5", "mg/dL"),
    ],
)  # fmt: skip
def test_a_drug_level_in_every_unit_hospitals_print(name, toxic, harmless, unit):
    assert judged((name, "", toxic, unit, ""))[name].critical
    seen = judged((name, "", harmless, unit, ""))[name]
    assert (seen.flag, seen.severity, seen.alarm) == ("unknown", None, None)


def test_a_guess_of_urine_is_said():
    def notices(*rows, title=""):
        items = [
            PrintedRow(**dict(zip(("name", "code", "result", "unit", "reference_range"), one, strict=True)))
            for one in rows
        ]
        return [one for one in assess(ReadReport(report_type=title, items=items)).notices if "像是尿" in one]

    glucose = ("葡萄糖", "GLU", "28", "mmol/L", "0-1.1")
    (said,) = notices(*DIPSTICK, glucose)
    assert "葡萄糖" in said
    assert "尿胆原" not in said
    assert (
        notices(*DIPSTICK, glucose, title="尿常规") == notices(*DIPSTICK, ("钾", "K", "4.0", "mmol/L", "3.5-5.3")) == []
    )


@pytest.mark.parametrize(
    ("title", "row"),
    [
        ("血气分析", ("总钙", "", "1.6", "mmol/L", "")), ("微量元素", ("血清钙", "", "1.6", "mmol/L", "")),
        ("", ("P2hBG", "", "26", "mmol/L", "")), ("静脉血", ("P2hBG", "", "26", "mmol/L", "<7.8")),
        ("", ("PT(INR)", "", "8", "", "")), ("静脉血气", ("二氧化碳分压", "PCO2", "104", "mmHg", "")),
        ("静脉血气", ("二氧化碳分压", "PCO2", "2.4", "kPa", "")),
    ],
)  # fmt: skip
def test_a_name_that_says_it_is_enough(title, row):
    assert judged(row, title=title)[row[0]].critical


@pytest.mark.parametrize("other", [("血小板", "", "90000", "/μL", ""), ("平均红细胞体积", "MCV", "90", "fL", "")])
def test_cells_per_microlitre_beside_what_only_blood_has_are_blood(other):
    white = ("白细胞", "", "950", "/μL", "")
    assert judged(white, other)["白细胞"].critical
    assert judged(white)["白细胞"].analyte is None
    assert judged(white, title="末梢血")["白细胞"].critical
    assert code_of(judged(white, *DIPSTICK)["白细胞"]) == "U-WBC-UL"


@pytest.mark.parametrize("name", ["钾 K", "K 钾", "钾-K", "[K]钾", "钾/K", "血清钾（K）", "K+钾"])
def test_a_code_printed_with_the_name_is_split_off(name):
    assert judged((name, "", "7.2", "mmol/L", ""))[name].critical


@pytest.mark.parametrize("name", ["肌钙蛋白I cTnI", "cTnI 肌钙蛋白I", "cTnI肌钙蛋白I", "超敏肌钙蛋白I-hs-cTnI"])
def test_a_name_that_ends_in_a_letter_has_its_code_split_off(name):
    assert judged((name, "", "900", "ng/L", ""))[name].critical


@pytest.mark.parametrize("name", ["胆固醇 HDL", "中性粒细胞 NAP", "钾 Na", "肌酐 CCR"])
def test_a_code_of_something_else_is_not_split_off(name):
    assert judged((name, "", "7.2", "mmol/L", ""))[name].analyte is None
