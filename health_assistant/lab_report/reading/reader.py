"""内置的读者：图片 -> `Reading`，每行附把握与位置。不用 GPU，不联网，图片只在内存里。"""

import re
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from statistics import median

import cv2
import numpy as np
from PIL import Image

from health_assistant.images import upright_rgb
from health_assistant.lab_report.interval import Interval, compare
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.reading import arrow_shapes
from health_assistant.lab_report.reading.arrangement import arrange
from health_assistant.lab_report.reading.cells import ARROW_LIKE, classify
from health_assistant.lab_report.reading.cutting import is_long, most_pixels
from health_assistant.lab_report.reading.dividers import without_dividers
from health_assistant.lab_report.reading.habits import without_habits, without_name_colons
from health_assistant.lab_report.reading.languages import explain_language, unsupported_language, western_notice
from health_assistant.lab_report.reading.misreadings import repair_signs, without_leaders
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.origin import read_origin
from health_assistant.lab_report.reading.other_papers import has_lab_title, is_other_row, left_out, refusal
from health_assistant.lab_report.reading.page_head import is_lab_report, read_head, several_people
from health_assistant.lab_report.reading.pdf import PdfPage
from health_assistant.lab_report.reading.quoted import grown_outside, with_grave_quotes
from health_assistant.lab_report.reading.recognition import read_texts
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import common_range, count_unread, prints_signs
from health_assistant.lab_report.reading.small_marks import (
    count_dashed,
    find_mark,
    find_signs_in,
    has_dash,
    has_doubtful_arrow,
    mark_column,
    settle_values,
)
from health_assistant.lab_report.reading.strips import read_strips, without_repeats
from health_assistant.lab_report.reading.tables import Columns
from health_assistant.lab_report.reading.text import TextBox, TextReader
from health_assistant.lab_report.reading.text_layer import read_text_layer
from health_assistant.lab_report.reading.upright import TEXT_CONTRAST, Page, find_page, to_text_boxes
from health_assistant.lab_report.reference_range import parse_range, parse_result
from health_assistant.lab_report.report import (
    MIN_CONFIDENCE,
    UNREAD_MARK,
    Origin,
    PrintedField,
    Reading,
    ReadRow,
    UnreadableReport,
)
from health_assistant.lab_report.severity import is_measured

ENGINE_NAME = "embedded-report-reader"
_SUSCEPTIBILITY = re.compile(
    r"(?i)^(抗菌药物|抗生素)(名称)?$|折点|药敏|敏感度$|breakpoint|susceptib\w++(?! of| to| patient| person| host)"
)
_MIN_CUT = 3
"""这么多行的参考范围都缺了末尾，才是被纸边切掉的。"""
MIN_BOXES = 4
"""认得清的文字不到这么多段，就是没有拍清楚。"""
_PICTURE = 1.6
"""单独一个字比一页的字高这么多倍，是图不是字（见 `_is_picture`）。"""
MIN_TEXT_HEIGHT = 13
"""文字段的高（像素，含上下留白）小于它就不读：字高 14 像素的段约高 19，7 像素的约高 10，那时数字会认错。"""


class ReportReader:
    """读化验单。多个线程共用一个实例，逐张读。

    读都在同一个线程里做：glibc 给每个线程各留一份用过的内存，8 个线程轮流读时峰值是 1.9 GB，这样是 0.8 GB。
    """

    def __init__(self, threads: int | None = None) -> None:
        """threads 是识别用几个核，默认全部（至多 4 个）。"""
        self._threads = threads
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="report-reader")
        self._text_reader: TextReader | None = None

    @property
    def is_loaded(self) -> bool:
        return self._text_reader is not None

    def load(self, warm: bool = True) -> Future:
        """开始装入模型（约 1 秒），不等它做完；不调用则在第一次 `read` 时装入。

        warm：再空读一张，占下识别要的内存，备好认箭头用的样子，多约 2 秒；以后收到大图时内存不会再涨。
        """
        return self._worker.submit(self._load, warm)

    def read(self, image: Image.Image) -> Reading:
        """读一张图；图可以还没有解码，轮到它时才解码、按 EXIF 摆正。

        读不出时抛 `UnreadableReport`，图片损坏时抛 `BadImage`。
        """
        return self.start(lambda: image).result()

    def start(self, open_photo: Callable[[], Image.Image | PdfPage]) -> Future:
        """排队读一张图或 PDF 的一页，不等它读完；轮到它时才打开，解码完就放掉。结果与异常同 `read`。"""
        return self._worker.submit(self._read, open_photo)

    def _load(self, warm: bool = False) -> None:
        reader = self._text_reader or TextReader(self._threads)
        if warm:
            reader.warm_up()
            arrow_shapes.warm_up()
        self._text_reader = reader

    def _read(self, open_photo: Callable[[], Image.Image | PdfPage]) -> Reading:
        self._load()
        try:
            return self._read_photo(open_photo)
        except Exception as error:
            # 异常记着调用栈，栈里有整张图；收到异常的线程放手以前，图就一直在
            for one in filter(None, (error, error.__cause__)):
                traceback.clear_frames(one.__traceback__)
            raise

    def _read_photo(self, open_photo: Callable[[], Image.Image | PdfPage]) -> Reading:
        image = open_photo()
        if isinstance(image, PdfPage):
            found = read_text_layer(image, self._text_reader) if image.chars else None
            with suppress(UnreadableReport):  # 文字层读不成的，再看像素
                if found:
                    return read_boxes(*found)
            return self._read_pixels(image.pixels)
        side = max(image.size)
        photo = cv2.cvtColor(np.asarray(upright_rgb(image, most_pixels(*image.size))), cv2.COLOR_RGB2BGR)
        del image
        reading = self._read_pixels(photo)
        shrunk = side / max(photo.shape)
        for row in reading.items:
            row.boxes = {name: tuple(round(shrunk * at) for at in box) for name, box in row.boxes.items()}
        return reading

    def _read_pixels(self, photo: np.ndarray) -> Reading:
        """photo 是 BGR。"""
        if is_long(photo.shape[1], photo.shape[0]):
            return read_boxes(*read_strips(photo, self._text_reader))
        page = find_page(photo, self._text_reader)
        texts = read_texts(page, self._text_reader)
        if page.is_turned and _clarity(texts) < MIN_CONFIDENCE:
            # 多半转错了：曲线、条码一类的图形也会被当成竖着的文字
            unturned = find_page(photo, self._text_reader, turns=False)
            again = read_texts(unturned, self._text_reader)
            if _clarity(again) > _clarity(texts):
                page, texts = unturned, again
        return read_page(page, texts)


def _clarity(texts: list[tuple[str, float]]) -> float:
    """识别把握的中位数；没有文字时为 0。"""
    return median([score for _, score in texts] or [0.0])


def read_page(page: Page, texts: list[tuple[str, float]]) -> Reading:
    """识别出的文字 -> 读数；page.quads 与 texts 一一对应。"""
    if sum(score > MIN_CONFIDENCE for _, score in texts) < MIN_BOXES:
        raise _too_few(texts)
    if page.text_height() >= MIN_TEXT_HEIGHT and (language := unsupported_language(texts)):
        raise UnreadableReport("unsupported_language", explain_language(language))
    return read_boxes(page, to_text_boxes(page.quads, texts))


def _too_few(texts: list[tuple[str, float]]) -> UnreadableReport:
    """认得清的文字太少：没有拍清楚，或只拍了一角。"""
    is_clear = texts and min(score for _, score in texts) > MIN_CONFIDENCE
    what = f"图里只有 {len(texts)} 段文字，不像一张化验单。" if is_clear else "没有看清文字。"
    how = "请把报告单放平、对准、光线充足，靠近一些重拍一张；手写的读不了。"
    return with_grave_quotes(UnreadableReport("report_unreadable", what + how), (text for text, _ in texts))


def read_boxes(page: Page, boxes: list[TextBox]) -> Reading:
    """文字框（坐标是 page 的像素）-> 读数；读不出时抛 `UnreadableReport`。"""
    if sum(box.score > MIN_CONFIDENCE for box in boxes) < MIN_BOXES:
        raise _too_few([(box.text, box.score) for box in boxes])
    if page.text_height() < MIN_TEXT_HEIGHT:
        raise UnreadableReport("report_unreadable", "字太小，看不清。请用原图，或靠近一些重拍一张，不要用缩略图。")
    boxes = [replace(box, text=without_leaders(repair_signs(box.text))) for box in boxes if not _is_picture(box, boxes)]
    undivided = without_dividers(boxes := without_habits(boxes))
    is_drawn, boxes = undivided is not boxes, undivided
    page_text = arrange(without_name_colons(boxes))
    boxes, lines, tables, rows_of = page_text.boxes, page_text.lines, page_text.tables, page_text.rows_of
    names = [] if has_lab_title(lines) else [row.name.text for rows in rows_of for row in rows if row.name]
    others = [name for name in dict.fromkeys(names) if is_other_row(name)]
    # 血压、身高不是化验，不能凭它们说这是化验单；是化验单的，照样读出来
    left = [name for name in others if not is_measured(name)]
    found = [
        (row, table)
        for table, rows in zip(tables, rows_of, strict=True)
        for row in rows
        if not (row.name and row.name.text in left)
    ]
    tests = [row for row, _ in found if not (row.name and row.name.text in others)]
    texts = [" ".join(box.text for box in line) for line in lines]
    if not is_lab_report(lines, tests, any(table.columns.is_complete for table in tables)):
        raise with_grave_quotes(refusal(lines), texts)
    if has_drugs := any(_SUSCEPTIBILITY.search(box.text) for box in boxes):
        for row, _ in found:
            is_drug = not (row.name and is_known(row.name.text))
            row.doubt = row.doubt or ("药敏结果看印着的敏感、中介、耐药，不比高低" if is_drug else None)
    for table_rows in rows_of:
        for row in _cut_ranges(table_rows):
            row.doubt = row.doubt or "参考范围的末尾可能被纸边切掉了"
    gray, is_turned = page.gray(), page_text.is_turned
    of_table = {
        id(table): (
            None if is_turned or is_drawn else mark_column(rows, table.columns),  # 画出来的竖线也像箭头
            prints_signs(rows),
            common_range(rows, boxes),
        )
        for table, rows in zip(tables, rows_of, strict=True)
    }
    read = [
        _read_row(row, Columns({}) if is_turned else table.columns, gray, boxes, page, *of_table[id(table)])
        for row, table in found
    ]
    notices = left_out(lines, left) + several_people(lines) + western_notice([box.text for box in boxes])
    unread = sum(count_unread(table, rows) for table, rows in zip(tables, rows_of, strict=True))
    if not is_turned:
        unread += sum(count_dashed(table, rows, gray, boxes) for table, rows in zip(tables, rows_of, strict=True))
    if unread:
        notices.append(f"表里有 {unread} 行没有读成，请对照原件。")
    grown, origin = grown_outside(texts, read) if has_drugs else [], _origin(lines, page)
    items = [*grown, *without_repeats(read)]
    return Reading(items=items, engine=ENGINE_NAME, notices=notices, origin=origin, **read_head(lines, origin))


def _is_picture(box: TextBox, boxes: list[TextBox]) -> bool:
    """认成了一个字的图（聊天的头像）：没有把握，比字高得多，不像箭头。"""
    is_lone = len(box.text) == 1 and box.text not in ARROW_LIKE and box.score < MIN_CONFIDENCE
    return is_lone and box.height > _PICTURE * median(one.height for one in boxes)


def _origin(lines: list[list[TextBox]], page: Page) -> Origin:
    """页眉里的时间、医院、标本，连同在照片上的位置。"""
    return {
        field: PrintedField(
            value=printed.value, confidence=round(printed.score, 3), box=page.photo_box(*_outline(printed.boxes))
        )
        for field, printed in read_origin(lines).items()
    }


def _outline(boxes: Sequence[TextBox]) -> tuple[float, float, float, float]:
    """几段文字合在一起的外接矩形，页面像素。"""
    return min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes)


def _cut_ranges(rows: list[Row]) -> list[Row]:
    """参考范围一列被纸边切掉了末尾的那些行：`13.5-17.5` 只剩 `13.5-17`，好几行都这样，右端又齐。"""
    cut = [
        (row, row.limits[-1])
        for row in rows
        if row.limits and re.search(r"\d\.\d+\s*[-~—–]+\s*\d*$", row.limits[-1].text)
    ]
    ends = [box.x1 for _, box in cut]
    if len(cut) < _MIN_CUT or max(ends) - min(ends) > 0.6 * median(box.height for _, box in cut):
        return []
    rest = max((box.x1 for row in rows for box in row.limits), default=0.0)
    return [row for row, _ in cut] if max(ends) > rest - 1 else []


def _read_row(
    row: Row,
    columns: Columns,
    gray: np.ndarray,
    boxes: list[TextBox],
    page: Page,
    marks: float | None,
    prints_signs: bool,
    common_range: str,
) -> ReadRow:
    """marks 见 `mark_column`，prints_signs 见 `rows.prints_signs`；common_range 是表外印着的、各行共用的范围。"""
    mark = find_mark(row, page, gray, boxes, marks)
    settle_values(row, gray, mark, has_marks=marks is not None)
    name, code, result, unit, limits = row_text(row)
    if not result:
        result = find_signs_in(row, columns, gray, boxes)
        is_lone = result == "-" and not limits and is_known(name)
        if is_lone and find_signs_in(row, columns, gray, boxes, "range") == "-":
            limits = "-"
        # 单独一横、加号只在范围是定性词时、在没有范围而印着加号的尿条上，才算结果
        is_sign = isinstance(parse_range(limits), QualitativeResult) or prints_signs and not limits
        if result != "-----" and not is_sign:
            result = ""
    elif re.fullmatch(r"[-—一二_~]", result) and has_dash(row.result, gray):
        # 单独一横文字识别总是没有把握，像素看得清楚
        result, row.result = "-", replace(row.result, score=1.0)
    elif result in ("土", "士") and isinstance(parse_range(limits), QualitativeResult):
        # 定性的结果里没有这两个字：是 ±，字形认得准，把握低只因为它不是那个字
        result, row.result = "±", replace(row.result, score=1.0)
    elif re.fullmatch(r"[+十]+", result):
        result = "+" * len(result)
    if (
        not limits
        and re.fullmatch(r"\d?[-+±]+\d?", result)
        and find_signs_in(row, columns, gray, boxes, "range") == "-"
    ):
        limits = "-"  # 与结果一样，单独一横文字识别常常读不到
    if not limits and common_range and classify(result) == "term":
        limits = common_range
    doubt = row.doubt
    if any(_touches_edge(box, gray) for box in [row.result, *row.limits] if box):
        doubt = doubt or "结果或参考范围到了照片的边上，可能没有拍全"
    if mark is None and any(box.text == "1" for box in row.maybe_arrows):
        doubt = "结果旁边有个 1，不能确定是箭头还是数"
    doubt = doubt or ("另有箭头，挨着数的可能是 1" if has_doubtful_arrow(row) else None)
    if result == "1" and re.search(r"\.\d", limits):
        doubt = "结果只读到一个 1，可能是箭头，不是数"
    if row.word and _contradicts(row.word.text, result, limits):
        doubt = doubt or "数与另一列的阳性、阴性不符"
    # 没有范围的，高低要看标记
    decisive = [
        *([row.result] if row.result else []),
        *row.limits,
        *([row.mark] if row.mark and mark != UNREAD_MARK and not limits else []),
        *([] if is_known(name) else [row.anchor]),
    ]
    values = [row.result, *row.limits] if row.result else []
    confidence = min((box.score for box in decisive), default=row.anchor.score)
    return ReadRow(
        name=name, code=code, result=result, unit=unit, reference_range=limits, mark=mark,
        confidence=round(confidence, 3), boxes={"row": page.photo_box(*_outline(row.boxes()))}, doubt=doubt,
        copied=bool(values) and all(box.is_printed for box in values),
    )  # fmt: skip


def _contradicts(word: str, result: str, limits: str) -> bool:
    """数在范围之内而另一列印着阳性，或在范围之外而印着阴性。"""
    number, reference, said = parse_result(result), parse_range(limits), parse_result(word)
    if not (isinstance(number, Interval) and reference and isinstance(said, QualitativeResult)):
        return False
    flag = compare(number, reference)
    return flag != "unknown" and (flag == "normal") != (said.words[0] == "阴性")


def _touches_edge(box: TextBox, gray: np.ndarray) -> bool:
    """字的墨迹碰到图的左边或右边：后面可能还有字没有拍进来。gray 的字与纸相差 `TEXT_CONTRAST`。"""
    line = gray[max(0, round(box.y0)) : round(box.y1)]
    near = max(2, round(0.15 * box.height))
    edges = [line[:, :near]] * (box.x0 <= 1) + [line[:, -near:]] * (box.x1 >= gray.shape[1] - 1)
    return any(edge.size and edge.min() < np.median(line) - TEXT_CONTRAST / 2 for edge in edges)
