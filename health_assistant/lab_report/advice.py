"""内置的建议者：由指标目录、组合与分级表里人写的话组成建议（Markdown）。不用模型，从不提药名与剂量。

先是开头：要做的一件事、什么时候、为什么，一屏读得完；一条横线之后是每一项的说明、科室和要马上就医的情况。
建议模型（若有）只能从同一些话里挑几句放进开头，见 `choices`；急的话、先做什么总在，谁也删不掉。
"""

from collections.abc import Iterable, Iterator, Sequence

from health_assistant.lab_report.alarms import CHECK
from health_assistant.lab_report.assessment import Assessment, severity_of
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.language import join_names, join_sentences, say, translate
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    FLAG_WORDS,
    TRIAGE_WORDS,
    WHEN_WORDS,
    Severity,
    at_least,
    escape_markdown,
    worst,
)
from health_assistant.lab_report.subjects import (
    Subject,
    Subjects,
    find_subjects,
    is_a_little_out,
    name_some,
    value_text,
    with_range,
)

ENGINE_NAME = "embedded-health-advisor"
MAX_REASONS = 3
"""开头最多说几条为什么：再多，手机上一屏放不下。"""
FOLD = "---"
"""开头与其余之间的横线；网页把它之后的折起来。"""

_WHAT_TO_DO: dict[Severity, str] = {
    "moderate": "不用急，请在几周内挂{where}，带上这张报告单。",
    "marked": "请在几天内挂{where}，带上这张报告单；等的时候不舒服就提前去。",
    "severe": "请今天就去医院看{where}，挂不上号就去急诊，带上这张报告单。",
    "grave": "请现在就去急诊，或马上联系开单的医生，带上这张报告单。",
}
_ASK_EARLY = "请在几周内挂{where}，带上这张报告单；{items}，程序说不出要不要紧，请早点问开单的医生。"
"""不认识的异常项目，和都没有判断的，不能说不用急。"""
_AT_THE_CHECK_UP = "请在一两周内挂{where}，产检更近的就在产检时看，带上这张报告单。"
_GENERAL_RED_FLAGS = "胸痛、呼吸困难、意识不清或抽搐、一侧手脚无力、大量出血或黑便、持续高热、尿量明显减少。"
_BRING = "带上：报告单原件、以前的报告、正在用的药的包装或名单。"
_ALWAYS_ASK = ["要不要复查，隔多久，要不要空腹？", "正在用的药和保健品，会不会影响这些结果？"]
_TELL_THE_DOCTOR = "就诊时告诉医生：最近的不适、正在用的药、以前的病和检查结果。"
_MAYBE_PREGNANT = "女性还有是否怀孕。"


def choices(report: Assessment, for_question: bool = False) -> dict[str, str]:
    """建议模型可以挑的话：编号（`代号.why`、`.do`、`.watch`）-> 话。答人问的（for_question），开头说过的也在内。"""
    return {choice: text for choice, (_, text) in _choices(find_subjects(report), for_question).items()}


def describe_choices(report: Assessment) -> dict[str, str]:
    """答人问的时候 `choices` 的各句给人看的样子（Markdown），前面说是哪一件事；用现在的语言。"""
    offered = _choices(find_subjects(report), for_question=True)
    return {choice: _about(subject, text) for choice, (subject, text) in offered.items()}


def first_things(report: Assessment) -> list[str]:
    """最先说的，Markdown 各段：分级与什么时候，要做的一件事，先做什么。不靠任何模型。"""
    return _first_things(find_subjects(report))


def _choices(subjects: Subjects, for_question: bool) -> dict[str, tuple[Subject, str]]:
    """编号 -> 说的是哪一件事，和那句话；同一项有两行的，是重的那一行。"""
    offered: dict[str, tuple[Subject, str]] = {}
    for subject in subjects.each:
        for part in ("why", "do", "watch"):
            text = getattr(subject, part)
            # 明显以上的“怎么办”，开头已经说了：哪天去，和为它写的那一句
            is_first = bool(subject.say) and at_least(subject.severity, "marked") and not for_question
            is_said = {"why": text in subject.do, "do": is_first, "watch": False}[part]
            if text and not is_said:
                offered.setdefault(f"{subject.id}.{part}", (subject, text))
    return offered


def advice_sections(report: Assessment, chosen: Sequence[str] = ()) -> Iterator[str]:
    """逐段给出建议，最要紧、最有用的在最前。每段是完整的 Markdown。

    `chosen` 是建议模型从 `choices` 里挑的编号，排在开头的“为什么”之后。

    不在 `choices` 里的不理：模型挑的时候看的是中文，换成英文以后，有的话与别的一句重了，就不单说。
    """
    subjects = find_subjects(report)
    opening = _opening(subjects)
    yield opening
    # 开头已经说了的不再说
    offered = _choices(subjects, for_question=False) if chosen else {}
    picked = [offered[choice] for choice in dict.fromkeys(chosen) if choice in offered]
    lines = [_about(subject, text) for subject, text in picked if text not in opening]
    if lines:
        yield section("先看这几句", lines)
    details = list(_details(subjects))
    if details:
        yield FOLD
        yield from details


def section(title: str, lines: Iterable[str], after: str = "") -> str:
    """一段 Markdown：标题、一列、后面的一句。lines 里从照片上来的文字要先转义。"""
    after = f"\n\n{after}" if after else ""
    return f"### {say(title)}\n\n" + "\n".join(f"- {line}" for line in lines) + after


def _about(subject: Subject, words: str) -> str:
    return say("**{title}**：{words}", title=subject.title, words=words)


# ---- 开头 ----


def _opening(subjects: Subjects) -> str:
    """要做的一件事与什么时候，先做什么，为什么。"""
    parts = _first_things(subjects)
    weighty = _weighty(subjects)
    if weighty:
        reasons = [_about(subject, subject.warning or subject.say or subject.why) for subject in weighty[:MAX_REASONS]]
        parts.append("\n".join(f"- {reason}" for reason in reasons))
        left = len(weighty) - MAX_REASONS
        if left > 0:
            parts.append(say("另有 {left} 件在下面。", left=left))
    signs = _first_signs(weighty)
    if signs:
        parts.append(say("路上和等的时候：{signs}", signs=signs))
    return "\n\n".join(part for part in parts if part)


def _first_things(subjects: Subjects) -> list[str]:
    triage, when = say(TRIAGE_WORDS[subjects.report.triage]), subjects.report.when
    head = say("{triage}：{when}", triage=triage, when=say(WHEN_WORDS[when])) if when else triage
    parts = [f"### {head}", _what_to_do(subjects) if when else _reassurance(subjects)]
    first_aid = list(dict.fromkeys(text for subject in subjects.each for text in subject.first_aid))
    if first_aid:
        parts.append(say("**先做**：{words}", words=join_sentences(*first_aid)))
    return parts


def _weighty(subjects: Subjects) -> list[Subject]:
    """开头要说为什么的几件事，由重到轻；今天就要去的，只说明显以上的。"""
    floor: Severity = "marked" if subjects.report.when in ("now", "today") else "moderate"
    return [subject for subject in subjects.each if at_least(subject.severity, floor)]


def _first_signs(weighty: list[Subject]) -> str:
    """开头要说的、出现了就马上就医的情况：最重的那一件的，几天内就要看的才说。"""
    return weighty[0].watch if weighty and at_least(weighty[0].severity, "marked") else ""


def _what_to_do(subjects: Subjects) -> str:
    severity, reason = severity_of(subjects.report), ""
    heaviest = worst(subject.severity for subject in subjects.each)
    checks = any(notice.startswith(CHECK) for notice in subjects.report.notices)
    if checks and not at_least(heaviest, severity):
        reason = say("请先对照报告单原件，看最上面说的那一项有没有读错；没有读错的，按下面做。")
    own = next((subject.department for subject in subjects.each if subject.severity == severity), "")
    is_antenatal = severity == "moderate" and subjects.report.person.pregnant
    where = own or say("开单的科室或全科")
    strange = [finding for finding in subjects.strange if at_least(finding.severity, "moderate")]
    strange += [] if own else subjects.unjudged
    if strange and severity == "moderate" and not is_antenatal:
        return join_sentences(reason, say(_ASK_EARLY, where=where, items=name_some(strange)))
    words = _AT_THE_CHECK_UP if is_antenatal else _WHAT_TO_DO[severity]
    return join_sentences(reason, say(words, where=where))


def _reassurance(subjects: Subjects) -> str:
    """小事给一句真话，让人放心。"""
    report = subjects.report
    if report.triage == "none":
        return say("报告上读到的项目都在参考范围内。报告正常不等于没有疾病，有不舒服仍要看医生。")
    if report.doubts:
        return say("读到的项目里没有要马上处理的问题；但这份报告没有读全，或有疑问（见最上面），请对照原件。")
    slight = [finding for finding in report.items if finding.severity == "slight"]
    if slight:
        return say(
            "没有要马上处理的问题。{items} 只是轻微超出，健康的人也常有；按下面的时间复查，有不舒服就提前去看医生。"
            if all(map(is_a_little_out, slight))
            else "没有要马上处理的问题。{items} 说明什么、怎么办，见下面；有不舒服就提前去看医生。",
            items=name_some(slight, MAX_REASONS),
        )
    if subjects.harmless or any(finding.flag in ABNORMAL_FLAGS for finding in report.items):
        return say("没有要马上处理的问题，偏离范围的几项没有大碍。有不舒服仍要看医生。")
    if subjects.unjudged and not any(finding.flag == "normal" for finding in report.items):
        return say("这份报告的项目都没有能判断，不是说正常：请对照原件，请开单的医生讲清楚。有不舒服不要等。")
    if subjects.unjudged:
        return say("读懂的项目都在参考范围内；没有判断的，请对照报告单原件。有不舒服仍要看医生。")
    return say("没有要马上处理的问题。有不舒服仍要看医生。")


# ---- 折起来的 ----


def _details(subjects: Subjects) -> Iterator[str]:
    report = subjects.report
    for subject in subjects.each:
        yield section(subject.title, subject.lines)
    if subjects.harmless:
        title = "别的偏离" if report.when in ("now", "today") else "一般没有大碍的偏离"
        yield section(title, map(_briefly, subjects.harmless))
    if subjects.strange:
        yield section("目录里还没有说明的异常项目", map(with_range, subjects.strange), say("请问开单的医生。"))
    # 只有一个科室的，开头已经说了
    departments = _departments(subjects.each) if report.triage == "soon" else []
    if len(departments) > 1:
        yield section("可以挂的科室", departments, say("拿不准时先挂全科或内科，由医生转诊。"))
    if subjects.unscaled:
        values = _grouped((say(row.analyte.measures), value_text(row)) for row in subjects.unscaled)
        yield section("不分高低的项目", values)
    if subjects.unjudged:
        notes = [escape_markdown(translate(row.note or FLAG_WORDS["unknown"])) for row in subjects.unjudged]
        lines = _grouped(zip(notes, map(value_text, subjects.unjudged), strict=True))
        yield section("没有判断的项目", lines, say("请对照报告单原件，或请医生看这几项。"))
    signs = _warning_signs(subjects)
    if signs:
        yield section("出现这些情况，不要等复查，马上就医", signs)
    if report.triage in ("soon", "urgent"):
        pregnancy = say(_MAYBE_PREGNANT) if report.person.may_be_pregnant else ""
        after = join_sentences(say(_BRING), say(_TELL_THE_DOCTOR), pregnancy)
        yield section("问医生之前先想好问什么", _questions(subjects), after)


def _questions(subjects: Subjects) -> list[str]:
    """值得问医生的三到五个问题：最要紧的两件事，不认识的、没有判断的，和总要问的。"""
    weighty = [subject for subject in subjects.each if at_least(subject.severity, "moderate")]
    questions = [say("{title}：最可能是什么原因，还要查什么？", title=subject.title) for subject in weighty[:2]]
    if subjects.strange:
        questions.append(say("{items}：说明什么，要不要紧？", items=name_some(subjects.strange)))
    if subjects.unjudged:
        questions.append(say("{items}：没有判断出高低，按医院的范围算正常吗？", items=name_some(subjects.unjudged)))
    return questions[:3] + [say(question) for question in _ALWAYS_ASK]


def _briefly(finding: Finding) -> str:
    way = finding.analyte.direction(finding.flag)
    words = join_sentences(say(finding.analyte.meanings[way]), say(finding.analyte.advice[way]))
    return say("{item}：{words}", item=with_range(finding), words=words)


def _owners(said: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """（说法，谁）若干对 -> {说法: [谁, ...]}。"""
    owners: dict[str, list[str]] = {}
    for words, name in said:
        owners.setdefault(words, []).append(name)
    return owners


def _grouped(said: Iterable[tuple[str, str]]) -> list[str]:
    """（说法，谁）若干对 -> “谁、谁：说法”，说法相同的并作一条。"""
    return [say("{item}：{words}", item=join_names(names), words=words) for words, names in _owners(said).items()]


def _departments(subjects: list[Subject]) -> list[str]:
    weighty = [(subject.department, subject.title) for subject in subjects if at_least(subject.severity, "moderate")]
    return [
        say("{item}：{words}", item=where, words=say("；").join(names)) for where, names in _owners(weighty).items()
    ]


def _warning_signs(subjects: Subjects) -> list[str]:
    """要马上就医的情况，一条一句，说法相同的并作一条；要紧而没有专门的说法时，是一般的那些。"""
    said = _first_signs(_weighty(subjects))
    others = [(subject.watch, subject.title) for subject in subjects.each if subject.watch not in ("", said)]
    if others or said:
        return _grouped(others)
    is_weighty = any(at_least(subject.severity, "moderate") for subject in subjects.strange)
    return [say(_GENERAL_RED_FLAGS)] if is_weighty or subjects.report.when in ("now", "today", "days") else []
