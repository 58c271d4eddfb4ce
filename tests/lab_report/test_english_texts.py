"""说英文：目录、组合、分级表里的话与程序自己拼的话都有英文，要紧的词一个也不丢；换过去再换回来还是那一句。"""

import re
from collections.abc import Iterator

import pytest
from outcome_sheets import load_sheets, read_sheet
from pydantic import BaseModel

from health_assistant.checked_yaml import BadYaml, check_yaml
from health_assistant.lab_report import language
from health_assistant.lab_report.advice import advice_sections, choices
from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.catalogue import _DRUG_OR_DOSE, load_catalogue
from health_assistant.lab_report.consistency import RELATIONS
from health_assistant.lab_report.language import EnglishFile, load_english, original, say, speaking, translate
from health_assistant.lab_report.patterns import load_patterns
from health_assistant.lab_report.reading.other_papers import load_papers
from health_assistant.lab_report.report import DISCLAIMER, FLAG_WORDS, TRIAGE_WORDS, WHEN_WORDS, PrintedRow, ReadReport
from health_assistant.lab_report.severity import load_severity
from health_assistant.lab_report.subjects import _without_waiting

HAN = re.compile("[一-鿿]")
ENGLISH = load_english()
URGENT = {
    "急诊": r"emergency",
    "打 120": r"\(120\)",
    "呼叫急救": r"call an ambulance",
    "马上|立即|现在就": r"at once|now\b|straight|right after|immediate",
    "今天|当天[^吃喝]": r"today|same day|tomorrow",
}
"""中文里有左边的，英文里要有右边的：话从不因为换了语言就轻了。"""


def sentences(part: object) -> Iterator[str]:
    """一项里人写的话：以句号结尾的，和标题、常见于、科室。"""
    if isinstance(part, BaseModel):
        for name in type(part).model_fields:
            value = getattr(part, name)
            if name in ("title", "common", "department") and value:
                yield value
            elif name == "action" and value:
                yield from (value, _without_waiting(value))
            elif name not in ("source", "note", "panel"):
                yield from sentences(value)
    elif isinstance(part, str):
        if part.endswith("。"):
            yield part
    elif isinstance(part, dict | tuple | list):
        yield from (one for value in (part.values() if isinstance(part, dict) else part) for one in sentences(value))


WRITTEN = [
    *(one for analyte in load_catalogue() for one in sentences(analyte)),
    *(one for pattern in load_patterns() for one in sentences(pattern)),
    *(one for line in load_severity().grades for one in sentences(line)),
    *(one for specimen in load_severity().specimens.values() for one in sentences(specimen)),
    *(one for measured in load_severity().measured for one in sentences(measured)),
]


def test_everything_people_wrote_has_its_english():
    assert len(WRITTEN) > 3000
    assert [one for one in dict.fromkeys(WRITTEN) if one and one not in ENGLISH.sentences] == []
    assert {one.code for one in load_catalogue()} == ENGLISH.names.keys()
    words = [DISCLAIMER, *FLAG_WORDS.values(), *TRIAGE_WORDS.values(), *WHEN_WORDS.values()]
    words += [one.conflict for one in RELATIONS]
    words += [text for paper in load_papers().papers for text in (paper.what, paper.advice)]
    assert [one for one in words if one not in ENGLISH.sentences] == []


def test_no_sentence_gets_milder():
    milder = [
        (chinese, english)
        for chinese, english in ENGLISH.sentences.items()
        for words, expected in URGENT.items()
        if chinese.endswith("。") and re.search(words, chinese) and not re.search(expected, english)
    ]
    assert milder == []


def test_no_dose_gets_in():
    assert [one for one in ENGLISH.sentences.values() if re.search(r"\d ?(mg|ml|μg|g)\b(?!/)", one)] == []
    assert not any(map(_DRUG_OR_DOSE.search, ENGLISH.sentences.values()))


def in_english(report: Assessment) -> list[str]:
    """给人看的全部的话，英文的；印着的字换成 ※。"""
    printed = {text for row in report.items for text in row.printed().values() if text and HAN.search(text)}
    printed |= {text for row in report.items for text in (row.applied_range, row.other_reading) if text}
    printed |= {report.report_type, report.age or "", *(row.report_type or "" for row in report.items)}
    with speaking("en"):
        said = [*advice_sections(report), *map(translate, report.notices)]
        said += [translate(row.note) for row in report.items if row.note]
    plain = [re.sub(r"\\(.)", r"\1", text) for text in said]
    for text in sorted(filter(HAN.search, printed), key=len, reverse=True):
        plain = [one.replace(text, "※").replace(" ".join(text.split()), "※") for one in plain]
    return plain


@pytest.fixture(scope="module", params=[15, pytest.param(1, marks=pytest.mark.slow)])
def judged(request) -> list[Assessment]:
    """快的一半每 15 张看一张。"""
    return [assess(read_sheet(sheet)) for sheet in load_sheets()[:: request.param]]


def test_every_sheet_is_said_in_english(judged):
    left = [text for report in judged for text in in_english(report) if HAN.search(text)]
    assert left == []


def test_what_is_grave_is_said_at_the_very_top_in_english_too(judged):
    urgent = [report for report in judged if "尽快就医" in "".join(report.notices)[:4]]
    assert len(urgent) > len(judged) / 20
    for report in urgent:
        with speaking("en"):
            assert translate(report.notices[0]).startswith("Seek medical care now")
            assert next(advice_sections(report)).startswith("### Emergency care now: go now")


def test_the_same_choices_are_offered_whatever_the_language(judged):
    for report in judged[::5]:
        chosen = list(choices(report))[:3]
        with speaking("en"):
            assert len(list(advice_sections(report, chosen))) >= 1


def test_names_are_said_beside_the_printed_ones():
    report = assess(ReadReport(items=[PrintedRow(name="钾", result="7.1", unit="mmol/L", reference_range="3.5-5.3")]))
    with speaking("en", {"钾": "Potassium"}):
        assert translate(report.notices[0]).startswith("Seek medical care now: Potassium (钾) 7.1 mmol/L has reached")
        assert "Potassium (钾) 7.1 mmol/L" in next(advice_sections(report))
        assert translate("有 2 项没有判断高低，请核对原件：钾、某项。").endswith(": Potassium (钾), 某项.")


def test_there_and_back_again():
    """单子上的字里有什么，都照样回来。"""
    for chinese in ENGLISH.sentences:
        if chinese.endswith("。") or "{" in chinese:
            filled = re.sub(r"\{(\w+)\}", lambda found: f"⟨{found[1]}⟩", chinese)
            with speaking("en"):
                assert not HAN.search(translate(filled)), filled
                again = translate(filled)
            # 几句中文可以是同一句英文：换回来的再换过去是同一句
            with speaking("en"):
                assert translate(original(again)) == again


def test_chinese_is_untouched_and_the_unknown_is_still_said():
    assert say("正常") == translate("正常") == original("正常") == "正常"
    with speaking("en"):
        assert translate("没有写进目录的一句。") == "没有写进目录的一句。"
        assert say("没有写的 {数}", 数=3) == "没有写的 3"
    for chinese, english in (("尽快就医", "Seek medical care now"), ("请马上核对原件", "Check the original at once")):
        with speaking("en"):
            told = translate(f"{chinese}：后面是还没有译的话。")
        assert told == f"{english}: 后面是还没有译的话。" and original(told) == f"{chinese}：后面是还没有译的话。"
    assert original("Something a person typed") == "Something a person typed"
    assert say("正常") == "正常"  # 说完英文，还说中文


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('sentences: {"有 {count} 项": "{number} results"}', "花括号"),
        ("sentences: {正常: 正常的}", "汉字"),
        ("sentences: [正常]", "键和值"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(text, said):
    with pytest.raises(BadYaml, match=said):
        check_yaml(EnglishFile, text, "english_messages.yaml")


def test_the_files_are_read_once():
    assert language.load_english() is ENGLISH
