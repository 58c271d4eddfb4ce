"""内置的建议者：由指标目录里人写的话组成建议（Markdown）。不用模型，从不提药名与剂量。"""

from collections.abc import Iterator

from health_assistant.lab_report.catalogue import Indicator, find_indicator
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
    "urgent": "有项目达到危急值。请现在就去急诊，或马上联系开单的医生，带上这张报告单。",
}


def compose_advice(report: LabReport) -> str:
    """整份建议，Markdown。"""
    return "\n\n".join(advice_sections(report))


def advice_sections(report: LabReport) -> Iterator[str]:
    """逐段给出建议，最要紧的在最前。每段是完整的 Markdown。"""
    critical = [item for item in report.items if item.critical]
    if critical:
        yield "### 尽快就医\n\n" + "\n".join(
            f"- **{_value(item)}** 达到危急值。请现在就去急诊，或马上联系开单的医生。" for item in critical
        )
    yield f"### {TRIAGE_WORDS[report.triage]}\n\n{_TRIAGE_MEANING[report.triage]}"

    abnormal = [item for item in report.items if item.flag in ABNORMAL_FLAGS]
    departments: dict[str, list[str]] = {}
    for item in sorted(abnormal, key=lambda one: not one.critical):
        indicator = find_indicator(item.name, item.code, item.unit, report.report_type)
        yield _about(item, indicator)
        if indicator and indicator.department:
            departments.setdefault(indicator.department, []).append(item.name)
    if departments:
        lines = (f"- {where}：{'、'.join(map(escape_markdown, names))}" for where, names in departments.items())
        yield "### 可以挂的科室\n\n" + "\n".join(lines) + "\n\n拿不准时先挂全科或内科，由医生转诊。"

    if unknown := [item for item in report.items if item.flag == "unknown"]:
        lines = (f"- {_value(item)}：{escape_markdown(item.note or FLAG_WORDS['unknown'])}" for item in unknown)
        yield "### 没有判断的项目\n\n" + "\n".join(lines) + "\n\n请对照报告单原件，或请医生看这几项。"
    if report.triage != "none":
        yield (
            "### 出现这些情况，不要等复查，马上就医\n\n"
            "胸痛、呼吸困难、意识不清或抽搐、一侧手脚无力、大量出血或黑便、持续高热、尿量明显减少。"
        )
    yield "就诊时告诉医生：最近的不适、正在用的药、以前的病和检查结果，女性还有是否怀孕。"


def _about(item: LabItem, indicator: Indicator | None) -> str:
    heading = f"### {_value(item)} {FLAG_ARROWS[item.flag]} {FLAG_WORDS[item.flag]}"
    borrowed = "（常见成人范围，报告单上没有印）" if item.range_source == "catalogue" else ""
    lines = [f"参考范围：{escape_markdown(item.applied_range)}{borrowed}"]
    if indicator is None:
        lines.append("目录里还没有这一项的说明。请问开单的医生。")
        return heading + "\n\n" + "\n".join(f"- {line}" for line in lines)
    lines.append(f"它量的是：{indicator.measures}")
    if meaning := indicator.meanings.get(item.flag):
        lines.append(f"常见的原因：{meaning}")
    if item.critical:
        lines.append("怎么办：不要等复查，尽快就医。")
    elif advice := indicator.advice.get(item.flag):
        lines.append(f"可以怎么做：{advice}")
    return heading + "\n\n" + "\n".join(f"- {line}" for line in lines)


def _value(item: LabItem) -> str:
    return escape_markdown(f"{item.name} {item.result} {item.unit}".strip())
