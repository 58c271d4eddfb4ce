"""内置的建议者：由指标目录与组合里人写的话组成建议（Markdown）。不用模型，从不提药名与剂量。"""

from collections.abc import Iterable, Iterator

from health_assistant.lab_report.assessment import is_slight
from health_assistant.lab_report.catalogue import Indicator, find_indicator
from health_assistant.lab_report.patterns import Match, ReportRow, find_patterns
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    FLAG_ARROWS,
    FLAG_WORDS,
    TRIAGE_WORDS,
    LabItem,
    LabReport,
    escape_markdown,
)

ENGINE_NAME = "embedded-health-advisor"

_TRIAGE_MEANING = {
    "none": "报告上读到的项目都在参考范围内。报告正常不等于没有疾病，有不舒服仍要看医生。",
    "routine": "没有发现要马上处理的问题。可以先在家观察，按下面的时间复查；有不舒服就提前去看医生。",
    "soon": "有项目需要医生结合您的情况来看。请近期挂门诊，带上这张报告单；下面写着要更快就诊的，以那一句为准。",
    "urgent": "请今天就去急诊，或马上联系开单的医生，带上这张报告单。",
}
_GENERAL_RED_FLAGS = "胸痛、呼吸困难、意识不清或抽搐、一侧手脚无力、大量出血或黑便、持续高热、尿量明显减少。"


def compose_advice(report: LabReport) -> str:
    """整份建议，Markdown。"""
    return "\n\n".join(advice_sections(report))


def advice_sections(report: LabReport) -> Iterator[str]:
    """逐段给出建议，最要紧、最有用的在最前。每段是完整的 Markdown。"""
    rows = report_rows(report)
    matches = find_patterns(report, rows)
    abnormal = [row for row in rows if row[0].flag in ABNORMAL_FLAGS]
    explained = {id(item) for match in matches for item in match.items}
    alone = sorted((row for row in abnormal if id(row[0]) not in explained), key=lambda row: not row[0].critical)
    strange = [item for item, indicator in alone if indicator is None]
    known = [(item, indicator) for item, indicator in alone if indicator]
    harmless = [row for row in known if row[1].is_harmless(row[0].flag)]
    notable = [row for row in known if not row[1].is_harmless(row[0].flag)]
    panels = [indicator.panel for _, indicator in abnormal if indicator]

    yield from opening_sections(report, matches)
    yield from map(_about_pattern, matches)
    for item, indicator in notable:
        yield _about(item, indicator, is_isolated=panels.count(indicator.panel) == 1)
    if harmless:
        yield section("一般没有大碍的偏离", (_briefly(item, indicator) for item, indicator in harmless))
    if strange:
        yield section("目录里还没有说明的异常项目", map(_with_range, strange)) + "\n\n请问开单的医生。"
    if departments := _departments(matches, notable):
        yield section("可以挂的科室", departments) + "\n\n拿不准时先挂全科或内科，由医生转诊。"
    yield from unjudged_sections(rows)
    if signs := warning_signs(report, matches, abnormal):
        yield section("出现这些情况，不要等复查，马上就医", signs)
    if report.triage in ("soon", "urgent"):
        yield "就诊时告诉医生：最近的不适、正在用的药、以前的病和检查结果，女性还有是否怀孕。"


def report_rows(report: LabReport) -> list[ReportRow]:
    """每一行，和目录里对应的指标；目录不认识的为 None。"""
    return [(one, find_indicator(one.name, one.code, one.unit, report.report_type)) for one in report.items]


def section(title: str, lines: Iterable[str]) -> str:
    """一段 Markdown：标题与一列。lines 里从照片上来的文字要先转义。"""
    return f"### {title}\n\n" + "\n".join(f"- {line}" for line in lines)


def opening_sections(report: LabReport, matches: list[Match]) -> Iterator[str]:
    """最前面的：危急值，一句分级。"""
    if critical := [item for item in report.items if item.critical]:
        words = "达到危急值。请现在就去急诊，或马上联系开单的医生。"
        yield section("尽快就医", (f"**{value_text(item)}** {words}" for item in critical))
    yield _triage(report, matches)


def _triage(report: LabReport, matches: list[Match]) -> str:
    """一句分级。组合使它急时，说出是哪一组。"""
    reason = ""
    titles = [f"“{match.pattern.title}”" for match in matches if match.pattern.tier == report.triage == "urgent"]
    if titles and not any(item.critical for item in report.items):
        reason = f"按几项放在一起看的结果：{'、'.join(titles)}。"
    return f"### {TRIAGE_WORDS[report.triage]}\n\n{reason}{_TRIAGE_MEANING[report.triage]}"


def _about_pattern(match: Match) -> str:
    pattern = match.pattern
    has_critical = any(item.critical for item in match.items)
    lines = [
        "；".join(map(_with_range, match.items)),
        f"这几项放在一起，常见于{pattern.common}，不能据此确诊。{pattern.says or ''}",
        f"怎么办：{'其中有危急值，不要等复查，尽快就医。' if has_critical else pattern.action}",
    ]
    return section(f"一起看：{pattern.title}", lines)


def _about(item: LabItem, indicator: Indicator, is_isolated: bool) -> str:
    way = indicator.direction(item.flag)
    advice = indicator.advice.get(way, "")
    lines = [f"参考范围：{range_text(item)}", f"它量的是：{indicator.measures}"]
    if is_isolated and not item.critical and is_slight(item):
        recheck = "" if "复查" in advice or "重抽" in advice else "没有不适的，1–3 个月内复查一次。"
        lines.append(f"只是轻微超出，而且同类项目里只有它，这很常见，多数没有大碍。{recheck}")
    lines.append(f"常见的原因：{indicator.meanings[way]}" if way else "目录里没有这个方向的说明，请问开单的医生。")
    if item.critical:
        lines.append("怎么办：不要等复查，尽快就医。")
    elif advice:
        lines.append(f"可以怎么做：{advice}")
    arrow = f"{FLAG_ARROWS[item.flag]} " if item.flag in ("high", "low") else ""
    return section(f"{value_text(item)} {arrow}{FLAG_WORDS[item.flag]}", lines)


def _briefly(item: LabItem, indicator: Indicator) -> str:
    way = indicator.direction(item.flag)
    return f"{_with_range(item)}：{indicator.meanings[way]}{indicator.advice[way]}"


def unjudged_sections(rows: list[ReportRow]) -> Iterator[str]:
    """没有判断的行，理由相同的并作一条；血型这样不分高低的另说。"""
    plain: dict[str, list[str]] = {}
    unknown: dict[str, list[str]] = {}
    for item, indicator in rows:
        if item.flag != "unknown":
            continue
        if indicator and not indicator.meanings:
            plain.setdefault(indicator.measures, []).append(value_text(item))
        else:
            unknown.setdefault(escape_markdown(item.note or FLAG_WORDS["unknown"]), []).append(value_text(item))
    if plain:
        yield section("不分高低的项目", _grouped(plain))
    if unknown:
        yield section("没有判断的项目", _grouped(unknown)) + "\n\n请对照报告单原件，或请医生看这几项。"


def _grouped(owners: dict[str, list[str]]) -> list[str]:
    """{说法: [谁, ...]} -> “谁、谁：说法”。"""
    return [f"{'、'.join(names)}：{text}" for text, names in owners.items()]


def _departments(matches: list[Match], notable: list[ReportRow]) -> list[str]:
    departments: dict[str, list[str]] = {}
    for match in matches:
        if match.pattern.tier != "none":
            departments.setdefault(match.pattern.department, []).append(match.pattern.title)
    for item, indicator in notable:
        departments.setdefault(indicator.department, []).append(escape_markdown(item.name or item.code))
    return [f"{where}：{'、'.join(names)}" for where, names in departments.items()]


def warning_signs(report: LabReport, matches: list[Match], abnormal: list[ReportRow]) -> list[str]:
    """要马上就医的情况，一条一句；现有的异常没有专门的说法时，是一般的那些。"""
    # 说法相同的并作一条；组合已经说了的，里面的行不再说
    warning = [match for match in matches if match.pattern.red_flag]
    told = {id(item) for match in warning for item in match.items}
    owners: dict[str, list[str]] = {}
    for match in warning:
        owners.setdefault(match.pattern.red_flag, []).append(match.pattern.title)
    for item, indicator in abnormal:
        text = indicator and indicator.red_flags.get(indicator.direction(item.flag))
        if text and id(item) not in told:
            owners.setdefault(text, []).append(escape_markdown(item.name or item.code) + FLAG_WORDS[item.flag])
    if owners:
        return _grouped(owners)
    is_notable = any(indicator and not indicator.is_harmless(item.flag) for item, indicator in abnormal)
    return [_GENERAL_RED_FLAGS] if report.triage in ("soon", "urgent") or is_notable else []


def value_text(item: LabItem) -> str:
    """名称、结果、单位，转义过的。"""
    return escape_markdown(f"{item.name or item.code} {item.result} {item.unit}".strip())


def range_text(item: LabItem) -> str:
    """判断用的范围，转义过的；借用目录的注明。"""
    borrowed = "，常见成人范围，报告单上没有印" if item.range_source == "catalogue" else ""
    return escape_markdown(item.applied_range) + borrowed


def _with_range(item: LabItem) -> str:
    word = FLAG_ARROWS[item.flag] if item.flag in ("high", "low") else FLAG_WORDS[item.flag]
    return f"{value_text(item)} {word}（参考 {range_text(item)}）"
