"""页眉：报告类型、性别、年龄，以及这一页是不是化验单。"""

import re
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.person import parse_age, person_of, pregnancy_words
from health_assistant.lab_report.reading.cells import classify
from health_assistant.lab_report.reading.names import code_behind, is_known
from health_assistant.lab_report.reading.other_papers import has_lab_title, other_papers, reads_like_another
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.report import Origin, ReadReport
from health_assistant.lab_report.stated_specimen import is_fluid
from health_assistant.lab_report.units import kind_of_unit
from health_assistant.lab_report.word_lists import any_of

_NOT_TESTED = re.compile(
    r"(?i:(?:no|not|sample|specimen|received|tested|done|pending|awaited)[ .]*)+|未(?:送检|检|做|查)|标本未到"
)
"""结果一栏里说没有标本、没有做的。"""
_LAB_WORDS = any_of("lab_words")
_SPECIMEN = re.compile(r"\b(serum|plasma)\b", re.IGNORECASE)
_OTHER_PAPER = any_of("other_paper_words", flags=0)
_CLOTTING_TIME = re.compile(r"(?:凝血时间|clotting\s*time|(?<![a-z])BT)\W{0,3}CT(?![a-z])", re.IGNORECASE)
"""`凝血时间(CT)`、`BT/CT`：这里的 CT 不是影像。"""
_TABLE_HEAD = re.compile(r"项目|结果|单位|参考|范围|区间|Test|Result|Unit|Reference", re.IGNORECASE)
_AGE_UNIT = (
    r"(?:周?岁|个?月龄?|周龄?|[天日]龄?|个?小时"
    r"|(?:years?|yrs?|months?|mths?|mos?|weeks?|wks?|days?|hours?|hrs?|[YMWDH])(?![A-Z]))"
)
_AGE_PART = rf"(?:[零又]?\d{{1,4}}(?:\.\d{{1,2}})?\s*{_AGE_UNIT}(?:\s*[-/]?\s*old)?)"
_AGE_VALUE = re.compile(
    rf"{_AGE_PART}(?:\s*{_AGE_PART})*半?(?![\d?？])"
    r"|新生儿|婴幼?儿|幼儿|儿童|成年?人?|老年人?|半岁|[一二两三四五六七八九十百零]{1,5}\s*(?:周?岁半?|个?月|周|天)(?:[一二三四五六七八九十]{1,2}个?[月天])?"
    r"|\d{1,3}(?:\.\d{1,2})?(?=\s|$|[/,，;；|(（]|[男女])",
    re.IGNORECASE,
)
_AGE_LABEL = re.compile(
    r"(?:年\s*龄|(?<![胎孕骨])(?P<unit>[日周月])\s*龄|(?<![A-Za-z])Age)"
    r"(?:\s*[/／]\s*(?:性\s*别|Sex|Gender))?\s*(?P<colon>[:：])?",
    re.IGNORECASE,
)
_YEARS = r"(?:Y(?:ea)?r?s?|岁)(?![A-Za-z])"
_SAME_LABELS = (
    (re.compile(r"(?<=[A-Za-z])\(s\)", re.IGNORECASE), ""),
    (
        re.compile(
            r"(?:DOB\s*/\s*)?(?<![A-Za-z])Age\s*(?:\([^()]{1,12}\))?\s*(?:[&/,]|and)\s*(?:Sex|Gender)", re.IGNORECASE
        ),
        "Age/Sex",
    ),
    (re.compile(r"(?<=Age/Sex)(\s*[:：]?\s*)\d[\d/.-]{7,9}\s*[/|,]"), r"\1"),
    (re.compile(r"年\s*龄\s*[(（]岁[)）]\s*[:：]?\s*(\d{1,3})(?!\s*岁)"), r"年龄：\1岁"),
)
"""`Age & Sex`、`Age(Y/M/D)/Gender`、`DOB/Age/Sex: 01-02-1975 / …` 都是 `Age/Sex`；`Yr(s)` 是 Yrs。"""
_UNLABELLED = (
    (
        re.compile(rf"(?<![A-Za-z/])(Male|Female|M|F)\s*[/,|]\s*(\d{{1,3}})\s*{_YEARS}", re.IGNORECASE),
        r"Sex/Age: \1 / \2 Y",
    ),
    (
        re.compile(rf"(?<![\d./-])(\d{{1,3}})\s*{_YEARS}\s*[/,|]\s*(Male|Female|M|F)(?![A-Za-z])", re.IGNORECASE),
        r"Age/Sex: \1 Y / \2",
    ),
)
"""整页没有年龄字样的：`M/50Y`、`(50 Y/F)`。"""
_SEX_FIELD = re.compile(
    r"(?:性\s*别|(?<![A-Za-z])(?:Sex|Gender))\s*[:：]\s*(男|女|Male\b|Female\b|M\b|F\b)", re.IGNORECASE
)
_PERSON_LINE = re.compile(r"姓\s*名|就诊人|患者|性\s*别|\b(?:Patient|Name|Sex|Gender)\b", re.IGNORECASE)
_NAME_FIELD = re.compile(r"(?:(?<![者员师生])姓\s*名|患者姓名|就诊人)\s*[:：]\s*([一-鿿][一-鿿*]{1,3})")
_BEFORE_AGE = r"^(?:(?:男|女|Male|Female|[MF](?![A-Za-z]))性?\s*[/,，|]?\s*)?"
_ABOUT = re.compile(
    r"(?:科\s*[别室]|病\s*[区房]|诊\s*断|孕\s*周)\s*[:：]?\s*(?:(?!\s+[^\s:：]{1,8}\s*[:：])[^\n|｜]){1,40}"
    r"|(?<=\s)产科(?:门诊|病[区房]|[一二三四五]病?区)?(?=\s)"
)
"""说这个人是谁的几栏，连同后面的字。"""
_CHILD_WARD = re.compile(r"新生儿科?|新生儿重症|NICU|儿童?内?外?科|小儿科?|儿保科?|早产儿")
_TITLE = any_of("title")
"""报告的题目；仪器自己打的小票没有题目，印着仪器是哪一种（尿液分析仪）。"""

_URINE = re.compile("尿|urin", re.IGNORECASE)
_URINE_TITLE = re.compile(r"urinalysis|urinogram|urine\s*(examination|routine|analysis)", re.IGNORECASE)
_URINE_CHEMISTRY = re.compile(r"((24 ?h\w*|spot|random) )?urine (biochemistry|chemistry|electrolytes)", re.IGNORECASE)
"""写明是尿的：下面的肌酐、钠就是尿里的。"""
_BLOOD_WORDS = re.compile(
    r"(?i)serum|plasma|whole blood|blood (count|gas)|ha?em(o|at)|platelet|[wr]bc count|creatinine|sodium|potassium"
)
"""英文单子表里的小题目；血、尿印在一页的不算尿：血钾按尿看，要命的也看不出来。"""
_STAFF = re.compile(r"(?i)\b(dr|md|dnb|consultant|pathologist|department|dept)\b|laborator(y|ies)")
"""医生、科室与实验室的名称：签名里的 Haematology 不说明这一页有血。"""
_MIN_LISTED = 3
_PANEL = re.compile(r"[一-鿿]{0,8}(常规|分析|生化|干化学|镜检|检查)([(（][^()（）]*[)）])?")
"""题目下面另起一行的小题目（`尿液分析`）。"""


def read_head(lines: list[list[TextBox]], origin: Origin | None = None) -> dict[str, Any]:
    """页眉里的报告类型、性别、年龄；没有印的为空。

    科别、诊断说是孕妇的（没有年龄的还有孩子），标本（origin 里的）是脑脊液、积液一类的，添在报告类型后面。
    """
    texts = _with_plain_labels([" ".join(box.text for box in line) for line in lines] + _ages_below(lines))
    page = "\n".join(texts)
    table = next((at for at, text in enumerate(texts) if len(set(_TABLE_HEAD.findall(text))) >= 2), len(texts))
    head = texts[:table]
    named_at = next((at for at, text in enumerate(texts) if re.search(r"姓\s*名|患者|Name", text)), None)
    person = "" if named_at is None else texts[named_at]
    # “姓名 性别 年龄”也可能各是一列的表头，下一行才是这个人
    beside_name = head if named_at is None else texts[named_at : named_at + 2]
    sex = _read_sex(page, person)
    age = _read_age("\n".join(head)) or _read_age(page, needs_colon=True) or _find_age("\n".join(beside_name))
    if age is None and re.search(r"新生儿(?!科|病)", person):
        age = "新生儿"
    named = re.search(r"(?:报告类型|检验类型|检验目的|检验项目|检查项目|申请项目)\s*[:：]\s*(\S+)", page)
    titles = [text for at, line in enumerate(lines[:6]) for text in (texts[at], *(box.text for box in line))]
    title = next((text for text in titles if _TITLE.search(text.strip()) and len(text) < 30), "")
    panel = next((text for text in titles if _PANEL.fullmatch(text.strip()) and text not in title), "")
    report_type = named[1] if named else f"{title.replace(' ', '')} {panel}".strip()
    if not report_type and not any(_BLOOD_WORDS.search(text) for text in texts if not _STAFF.search(text)):
        report_type = next((text for text in texts if _URINE_TITLE.search(text) and len(text) < 30), "")
    report_type = report_type or next((text for text in titles if _URINE_CHEMISTRY.fullmatch(text.strip())), "")
    sexes, ages, _ = _people(page)
    sex, age = None if len(sexes) > 1 else sex, " 或 ".join(ages) if len(ages) > 1 else age
    about = _about_person(page, "\n".join(head), report_type, sex, age)
    specimen = origin["specimen"].value if origin and "specimen" in origin else ""
    is_urine = _URINE.search(specimen) and not _URINE.search(report_type)
    fluid = specimen if is_urine or is_fluid(specimen) and specimen not in report_type else ""
    return {"report_type": " ".join(filter(None, (report_type, fluid, about))), "sex": sex, "age": age}


def _ages_below(lines: list[list[TextBox]]) -> list[str]:
    """“Age/Sex :”印在值的上面的：连成一行。"""
    return [
        f"{label.text} {value.text}"
        for above, below in pairwise(lines)
        for label in above
        if (age := _AGE_LABEL.fullmatch(label.text.strip())) and age["colon"]
        for value in below
        if abs(value.start - label.start) < label.height and _AGE_VALUE.match(value.text)
    ]


def _with_plain_labels(texts: list[str]) -> list[str]:
    """各行里年龄、性别两栏的各种写法换成一种。"""
    rules = _SAME_LABELS if any(map(_AGE_LABEL.search, texts)) else (*_SAME_LABELS, *_UNLABELLED)
    for pattern, plain in rules:
        texts = [pattern.sub(plain, text) for text in texts]
    return texts


def several_people(lines: list[list[TextBox]]) -> list[str]:
    """一张图里拍了两个人的单子：要说的话；不是的为空。"""
    sexes, ages, names = _people("\n".join(" ".join(box.text for box in line) for line in lines))
    differ = {what: printed for what, printed in (("性别", sexes), ("年龄", ages)) if len(printed) > 1}
    said = [f"{what}（{'、'.join(printed)}）" for what, printed in differ.items()] + ["姓名"] * (len(names) > 1)
    if not said:
        return []
    unused = f"没有按{'、'.join(differ)}判断，" if differ else ""
    return [f"这一页上印着不同的{'、'.join(said)}：可能不是同一个人的单子，{unused}请分开拍、分开读。"]


def _people(page: str) -> tuple[list[str], list[str], list[str]]:
    """印着的各种性别、年龄（一样大的只算一个）与姓名。认错一个字的姓名算同一个。"""
    sexes = dict.fromkeys("男" if one[1][0].upper() in "男M" else "女" for one in _SEX_FIELD.finditer(page))
    ages: dict[object, str] = {}
    for line in filter(_PERSON_LINE.search, page.split("\n")):  # 按年龄分的范围不是谁的年龄
        for field in re.split(r"\s(?=姓\s*名|Name\b|Patient\b)", line):
            if age := _read_age(field, needs_colon=True):
                ages.setdefault(parse_age(age) or age, age)
    names: list[str] = []
    for name in _NAME_FIELD.findall(page):
        if all(name[0] != known[0] and name[-1] != known[-1] for known in names):
            names.append(name)
    return list(sexes), list(ages.values()), names


def _read_sex(page: str, person: str) -> Literal["男", "女"] | None:
    word = r"(男|女|Male|Female|M\b|F\b)"
    label = r"(?:性\s*别|Sex|Gender)(?:\s*/\s*(?:年\s*龄|Age))?"
    match = (
        re.search(rf"{label}\s*[:：]?\s*{word}", page, re.IGNORECASE)
        or re.search(
            rf"(?:Age|年\s*龄)(?:\s*/\s*{label})?\s*[:：]?\s*\d[^\n:：]{{0,20}}?"
            rf"(?:[/,，|]\s*|{_AGE_UNIT}\s*|(?<=\d)\s+(?=Male|Female)){word}",
            page,
            re.IGNORECASE,
        )
        or re.search(r"(?<![一-鿿])(男|女)(?![一-鿿])", person)
        or re.search(r"(男|女)性?\s*[|,，/·]?\s*\d{1,3}\s*岁", page)
    )
    if not match:
        return None
    return "男" if match[1][0].upper() in "男M" else "女"


def _read_age(text: str, needs_colon: bool = False) -> str | None:
    """第一个“年龄：”后面印的年龄，整个照抄（`1岁6月`、`20周`、`6 years`）；看不懂的也照抄，好知道印过。"""
    for label in _AGE_LABEL.finditer(text):
        if needs_colon and not label["colon"]:
            continue
        gap, rest = re.match(r"(\s*)(.*)", text[label.end() :]).groups()
        value = re.sub(
            _BEFORE_AGE, "", re.split(r"\s*[|｜]|\s+[^\s:：]{1,8}\s*[:：]|\s{3,}", rest)[0], flags=re.IGNORECASE
        )
        unit = {"日": "天", "周": "周", "月": "个月"}.get(label["unit"] or "", "")
        if age := _AGE_VALUE.match(value):
            return _tidy(age[0] + (unit if age[0].strip().isdigit() else ""))
        if re.match(r"[A-Z][a-z]+( [A-Z&]\w*){0,2}\s*[:：]", rest):
            continue  # 后面是另一栏的名称，年龄印在下面一行
        word = (value.split() or [""])[0]
        is_an_age = label["colon"] or re.search(r"[岁月天周]$", word)
        if is_an_age and re.search(r"\w", word) and not re.search(r"[:：<>≥≤~～—-]", word) and "\n" not in gap:
            return word[:20]
    return None


def _find_age(text: str) -> str | None:
    """没有“年龄”字样时，姓名旁边的年龄。"""
    age = re.search(rf"(?<![\d.<>≥≤~-])\d{{1,3}}(?:\.\d)?\s*(?:周?岁|个月|月龄|日龄|天)(?:\s*{_AGE_PART})*半?", text)
    return _tidy(age[0]) if age else None


def _tidy(age: str) -> str:
    """字之间的空白去掉，英文单词之间的留下。"""
    return re.sub(r"\s+(?=[^A-Za-z])|(?<=[^A-Za-z\d])\s+|(?<=\d)\s+(?=[A-Za-z]\b)", "", age.strip())


def _about_person(page: str, head: str, report_type: str, sex: str | None, age: str | None) -> str:
    """科别、诊断、孕周这几栏里说到的孕妇或孩子；报告名里已经说了的、这个人不可能的不写。"""
    fields = [field[0] for field in _ABOUT.finditer(page)] + re.findall(r"孕\s*\d{1,2}\s*(?:\+\s*\d\s*)?周", head)
    text = ";".join(fields)
    known = person_of(ReadReport(report_type=report_type, sex=sex, age=age, items=[]))
    words = pregnancy_words(text)
    with_words = person_of(ReadReport(report_type=f"{report_type} {words}", sex=sex, age=age, items=[]))
    if (
        words
        and with_words.pregnant
        and (with_words.pregnant, with_words.trimester) != (known.pregnant, known.trimester)
    ):
        return words
    if known.age_years is None and not known.is_minor and not known.pregnant and (child := _CHILD_WARD.search(text)):
        return child[0]
    return ""


def is_lab_report(lines: list[list[TextBox]], rows: list[Row], has_header: bool = False) -> bool:
    """小票、成绩单、收费清单也有“名称 数字”，所以要有结果，还要认得。

    认得是指：有目录里的项目，带单位、范围或定性结果，而且占到四分之一；
    或者项目都不认得（少见的检验），但写着检验报告，又有结果与范围俱全的行，或 has_header：表头是化验单的。
    收费、处方、食品一类的字样要求更多的证据；标题是别的单子的，引用的化验数不算，要有范围的。
    """
    page = " ".join(box.text for line in lines for box in line)
    filled = [row for row in rows if row.name and row.result and not _NOT_TESTED.fullmatch(row.result.text)]
    known = [row for row in filled if _is_known(row) and (row.limits or _is_plausible(row))]
    complete = [row for row in filled if row.limits and any(box.interval for box in row.limits)]
    measured = [row for row in filled if row.unit and kind_of_unit(row.unit.text) and row.result.kind == "number"]
    if other_papers(lines) and not has_lab_title(lines):
        return _has_sure(known)
    if _OTHER_PAPER.search(_CLOTTING_TIME.sub(" ", page)):
        return len([row for row in known if row in complete]) >= 2
    is_quoted = len(filled) == 1 and not complete and reads_like_another(lines)  # PET-CT 里写着的血糖
    if known and len(known) * 4 >= len(filled) and not is_quoted:
        return True
    if reads_like_another(lines):
        return False
    listed = [row for row in filled if row.name.is_label and is_known(row.name.text) and row.result.kind == "number"]
    if len(listed) >= _MIN_LISTED and len(listed) == len(filled):
        return True  # 聊天里一项接一项写着的，多半没有单位
    if _has_sure(known):
        return True  # 别国文字的单子，多半的名称不认得
    typed = [row for row in filled if row.result.kind != "text"] if has_header else []
    if has_header and max(len(complete), len(measured)) * 2 >= len(filled) > 0:
        return True
    return bool(_LAB_WORDS.search(page)) and max(map(len, (complete, measured, typed))) * 2 >= len(filled) > 0


def _has_sure(known: list[Row]) -> bool:
    """至少两行范围看得懂，单位也是这一项的。"""
    return sum(any(box.interval for box in row.limits) and _is_plausible(row) for row in known) >= 2


def _is_known(row: Row) -> bool:
    """认得名称；名称后面括着代号（`Trombosit (PLT)`）、说了标本（`ALT(SGPT) - SERUM`），单位是这一项的也算。"""
    name = row.name.text
    return is_known(name) or bool(code_behind(name) or _SPECIMEN.search(name)) and _is_plausible(row)


def _is_plausible(row: Row) -> bool:
    """没有范围的行：结果是阴性、阳性一类，或单位正是目录里这一项的。"""
    name, code, result, unit, _ = row_text(row)
    analyte = find_analyte(name, code, unit)
    return classify(result) == "term" or bool(unit and analyte and analyte.convert(Decimal(1), unit) is not None)
