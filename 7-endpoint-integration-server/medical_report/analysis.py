"""一份报告（一张照片，或几页）从读到建议。JSON 与 SSE 两种回答用的是同一串事件。

视觉模型读、内置读者核对、代码判断、建议模型挑、代码检查；哪一个外部的模型没有答好，就换成内置的，并且说出来。
"""

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from flask import Flask
from pydantic import BaseModel, Field

from health_assistant.images import BadImage
from health_assistant.lab_report import advice
from health_assistant.lab_report.assessment import Assessment, assess, raise_to
from health_assistant.lab_report.groups import ADULT_AGE_YEARS
from health_assistant.lab_report.joining import join_pages
from health_assistant.lab_report.language import Language, say, speaking, translate
from health_assistant.lab_report.person import MAX_AGE_YEARS, person_of
from health_assistant.lab_report.reference_range import is_blank
from health_assistant.lab_report.report import DISCLAIMER, Reading, Sex, ToldField
from health_assistant.lab_report.vl_protocol import data_url
from medical_report.advice_prompt import advice_messages, choice_format, parse_choice
from medical_report.counters import DEGRADED, GUARDED
from medical_report.page_reading import MAX_REPORT_ROWS, Analyst, Job, PageRead, read_page
from medical_report.spoken import describe, report_json, speaking_about, to_html
from medical_report.upload import Page
from medical_report.upstreams import UpstreamError
from medical_report.verification import assess_verified

log = logging.getLogger(__name__)
Event = tuple[str, dict[str, Any]]
"""事件名与内容：accepted、page（有几页的，或 PDF）、report、advice、done；出错时由视图发 error。"""

ADVICE_TOKENS = 512
EXTRA_PAGE_SECONDS = 20
"""每多一页，全程的时限宽这么多秒；2 核上读一页 2 到 6 秒。"""

VISION_FAILED = "视觉模型没有答上来，这张单子由内置程序识别。"
NOT_VERIFIED = "这张单子没有经过第二个读者核对，请对照原件看一遍。"
TOO_MANY_ROWS = "各页合起来超过 {most} 行。请分几次读。"
ADVICE_FAILED = "建议模型没有答上来，下面的建议由内置程序给出。"
ADVICE_REFUSED = "建议模型答的没有通过检查，下面的建议由内置程序给出。"


class Told(BaseModel):
    """用的人填的：性别、出生的年份；没有填为 None。"""

    sex: Sex | None = None
    birth_year: int | None = Field(None, ge=1900, le=2100)


def get_analyst(app: Flask) -> Analyst:
    """这个应用的读者与建议者。"""
    return app.extensions["analyst"]


def analyse_pages(
    analyst: Analyst,
    pages: list[Page],
    told: Told,
    request_id: str,
    trace: list[dict] | None = None,
    language: Language = "zh",
) -> Iterator[Event]:
    """一份报告的各页 -> 事件，程序的话用这种语言。trace 给了就记下与上游的来往，给操作的人看。

    told 是用的人填的，单子上没有印的才用。

    一页也读不出时抛第一页的 `UnreadableReport` 或 `BadImage`；排不上时抛 `Busy`。
    """
    job = Job(request_id, analyst.settings.total_seconds + EXTRA_PAGE_SECONDS * (len(pages) - 1), trace, language)
    # 排不上的，还没有开口就说
    pending = None if analyst.vision else analyst.start_reading(pages[0])
    yield "accepted", {"request_id": request_id}
    reads: list[PageRead] = []
    for number, page in enumerate(pages, 1):
        read = read_page(analyst, page, number, job, pending if number == 1 else None)
        if read.row_count + sum(before.row_count for before in reads) > MAX_REPORT_ROWS:
            read = PageRead(number, error=BadImage(413, "too_many_pages", TOO_MANY_ROWS.format(most=MAX_REPORT_ROWS)))
        reads.append(read)
        if len(pages) > 1 or page.preview:
            with speaking(language):
                problem = read.problem and translate(read.problem)
            progress = {"page": number, "pages": len(pages), "file": page.file, "problem": problem}
            yield "page", progress | {"preview": data_url(page.preview) if page.preview else None}
    report, engines = judge_pages(reads, analyst.settings.verify, told)
    yield from _explain(analyst, report, engines, job)


def analyse_rows(analyst: Analyst, corrected: Reading, request_id: str, language: Language = "zh") -> Iterator[Event]:
    """人核对、改正过的各行 -> 事件；判断与建议重新做，不信传来的判断。

    还有疑问的行不作判断；notices 是整张的疑问，人改正不了的（有一页没有读成）。
    """
    job = Job(request_id, analyst.settings.total_seconds, language=language)
    yield from _explain(analyst, assess(corrected), {"vision": "人工核对"}, job)


def judge_pages(reads: Sequence[PageRead], verify: bool, told: Told) -> tuple[Assessment, dict[str, str]]:
    """各页的读数 -> 判断过的一份报告，与谁读的、谁核对的。没有读成的页说出来；都没有读成时抛第一页的错误。"""
    pages = [read for read in reads if not read.problem]
    if not pages:
        raise reads[0].error
    readings = [reading for read in pages for reading in (read.embedded, read.vision) if reading]
    told, disputed = set_disputed_aside(pages, told, date.today().year)
    filled = fill_in(readings, told, date.today().year)
    unread = [f"第 {read.number} 页没有读成：{read.problem}" for read in reads if read.problem]
    joined, floor = join_pages([(read.number, read.vision or read.embedded) for read in pages])
    joined.notices = unread + disputed + joined.notices
    engines = {"vision": joined.engine}
    verifiers = {read.number: read.embedded.engine for read in pages if read.vision and read.embedded}
    if verifiers:
        # 只有一个读者的页，两边放同一份：不会说读得不一样，也不说核对过
        embedded, _ = join_pages([(read.number, read.embedded or read.vision) for read in pages])
        engines["verified_by"] = "、".join(dict.fromkeys(verifiers.values()))
        report = assess_verified(joined, embedded)
        for item in report.items:
            item.verified = item.verified if item.page in verifiers else None
    else:
        report = assess(joined)
    report.told = filled
    raise_to(report, floor)
    failed = [read.number for read in pages if read.vision_failed]
    unverified = [read.number for read in pages if read.vision and not read.embedded] if verify else []
    raise_to(report, "slight" if unverified else None)  # 没有核对过，不是没有事
    for numbers, words in ((failed, VISION_FAILED), (unverified, NOT_VERIFIED)):
        if numbers:
            where = f"第 {'、'.join(map(str, numbers))} 页：" if len(numbers) < len(reads) else ""
            report.notices.append(where + words)
    return report, engines


# ---- 单子上没有印性别、年龄时，用人填的顶上；印着的总是优先 ----


CHILD = "儿童"
"""只知道出生的年份，差得出一岁：孩子的范围一岁一个样，所以按不知几岁的孩子判断，不猜。"""


def fill_in(readings: Sequence[Reading], told: Told, this_year: int) -> list[ToldField]:
    """各页、各读者的读数里谁也没有读到的，换成填的；返回换了哪几个。

    年龄算到采样（没有印就是报告）的那一年，都没有印算到 this_year。
    与单子上的话矛盾的（儿科的单子、孕妇）不用：多半选错了人。
    """
    filled: list[ToldField] = []
    given: list[tuple[ToldField, str | None]] = [("sex", told.sex), ("age", _age(readings, told.birth_year, this_year))]
    for field, value in given:
        if value and all(is_blank(getattr(reading, field) or "") for reading in readings):
            changed = [reading.model_copy(update={field: value}) for reading in readings]
            if all(map(_agree, readings, changed)):
                filled.append(field)
                for reading in readings:
                    setattr(reading, field, value)
    return filled


def set_disputed_aside(pages: Sequence[PageRead], told: Told, this_year: int) -> tuple[Told, list[str]]:
    """性别、年龄只有视觉模型读到，内置读者没有看见，又与人填的不一样：两个都不信。返回还可以用的填的，和要说的话。

    不一样的年龄，说的是一个成年、一个没有成年；写上两个，就是看不懂的年龄，从不当作成人。
    """
    sex, birth_year, said = told.sex, told.birth_year, []
    for read in pages:
        vision, embedded = read.vision, read.embedded
        if not (vision and embedded):
            continue
        if told.sex and vision.sex and not embedded.sex and vision.sex != told.sex:
            vision.sex = sex = None
            said.append("填的性别与视觉模型读到的不一样，两个都没有用。请核对原件。")
        age = _age([vision, embedded], told.birth_year, this_year)
        if age and vision.age and not embedded.age:
            as_told = vision.model_copy(update={"age": age})
            if person_of(as_told).is_minor != person_of(vision).is_minor:
                vision.age, birth_year = f"{vision.age} 或 {age}", None
                said.append("填的年龄与视觉模型读到的不一样，两个都没有用。请核对原件。")
    return Told(sex=sex, birth_year=birth_year), list(dict.fromkeys(said))


def _age(readings: Sequence[Reading], birth_year: int | None, this_year: int) -> str | None:
    """写成单子上的样子；那一年还没有出生、大得不可能的为 None。"""
    if birth_year is None:
        return None
    printed = [reading.origin.get("collected") or reading.origin.get("reported") for reading in readings]
    years = next((int(time.value[:4]) for time in printed if time), this_year) - birth_year
    if not 0 <= years <= MAX_AGE_YEARS:
        return None
    if years == ADULT_AGE_YEARS:
        return None  # 也许成年了，也许还没有：不说，照成人的界限，它更早报警
    return f"{years}岁" if years > ADULT_AGE_YEARS else CHILD


def _agree(printed: Reading, filled: Reading) -> bool:
    before, after = person_of(printed), person_of(filled)
    return before.pregnant == after.pregnant and (after.is_minor or not before.is_minor)


# ---- 建议 ----


def _explain(analyst: Analyst, report: Assessment, engines: dict[str, str], job: Job) -> Iterator[Event]:
    yield "report", report_json(report, job.language)
    started = time.monotonic()
    chosen = _ask_advice(analyst, report, job)
    engines["advice"] = analyst.advice.model if chosen else advice.ENGINE_NAME
    # 说完了再给出去：说哪种语言是这个线程的，不能跨着 yield
    with speaking_about(report, job.language):
        sections = list(advice.advice_sections(report, chosen or ()))
        summary, disclaimer = describe(report), say(DISCLAIMER)
        engines = {role: translate(engine) for role, engine in engines.items()}
    html = ""
    for section in sections:
        section_html = to_html(section)
        html += section_html
        yield "advice", {"advice_html": section_html}
    job.note("advice", started)
    job.note("total")
    spoken = report_json(report, job.language)
    answer = {
        "request_id": job.request_id,
        "analysis_result": summary,
        "health_recommendations": "\n\n".join(sections),
        "advice_html": html,
        "report": spoken,
        "triage": report.triage,
        "notices": spoken["notices"],
        "engines": engines,
        "timings_ms": job.timings_ms,
        "disclaimer": disclaimer,
    }
    yield "done", answer


def _ask_advice(analyst: Analyst, report: Assessment, job: Job) -> list[str] | None:
    """建议模型挑的话的编号；没有设、没有可挑的、没有答好、没有通过检查的为 None，后两种在 notices 里说出来。"""
    offered = advice.choices(report) if analyst.advice else {}
    if not offered:
        return None
    try:
        return choose(analyst, advice_messages(report, offered), offered, job)
    except UpstreamError:
        report.notices.append(ADVICE_FAILED)
    except RefusedChoice:
        report.notices.append(ADVICE_REFUSED)
    return None


class RefusedChoice(ValueError):
    """建议模型答的没有通过检查。"""


def choose(analyst: Analyst, messages: list[dict], offered: dict[str, str], job: Job, least: int = 1) -> list[str]:
    """请建议模型从 offered（编号 -> 话）里至少挑 least 句 -> 编号。

    没有答上来抛 `UpstreamError`，没有通过检查抛 `RefusedChoice`。
    """
    deadline = job.deadline(analyst.settings.advice_seconds)
    response_format = analyst.asking_for(choice_format(offered, least))
    try:
        answer = analyst.advice.ask(messages, ADVICE_TOKENS, deadline, job.trace, response_format)
    except UpstreamError as error:
        log.warning("建议模型%s", error)
        DEGRADED.labels("advice").inc()
        raise
    chosen = parse_choice(answer, offered, least)
    if job.trace:
        job.trace[-1]["problems"] = ["不是约定的 JSON，或挑了没有给它的话"] if chosen is None else []
    if chosen is None:
        log.warning("建议没有通过检查")
        GUARDED.inc()
        DEGRADED.labels("advice").inc()
        raise RefusedChoice
    return chosen
