"""内置的读者：图片 -> `Reading`，每行附把握与位置。不用 GPU，不联网，图片只在内存里。"""

import re
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from statistics import median

import cv2
import numpy as np
from PIL import Image

from health_assistant.images import upright_rgb
from health_assistant.lab_report.person import person_of
from health_assistant.lab_report.printed_text import SIMPLIFIED, printed_letters
from health_assistant.lab_report.reading import arrow_templates
from health_assistant.lab_report.reading.arrangement import Arrangement, arrange
from health_assistant.lab_report.reading.cells import ARROW_LIKE
from health_assistant.lab_report.reading.columns import Columns
from health_assistant.lab_report.reading.cutting import is_long, most_pixels
from health_assistant.lab_report.reading.dividers import without_dividers
from health_assistant.lab_report.reading.languages import explain_language, unsupported_language, western_notice
from health_assistant.lab_report.reading.misreadings import repair_signs, without_leaders
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.ocr import TextReader
from health_assistant.lab_report.reading.origin import read_origin
from health_assistant.lab_report.reading.other_papers import has_lab_title, is_other_row, left_out, refusal
from health_assistant.lab_report.reading.page_head import is_lab_report, read_head, several_people
from health_assistant.lab_report.reading.pdf import PdfPage
from health_assistant.lab_report.reading.printing_habits import without_habits, without_name_colons
from health_assistant.lab_report.reading.quoted import (
    findings_outside,
    grown_outside,
    pressures_outside,
    with_grave_quotes,
)
from health_assistant.lab_report.reading.read_row import Surroundings, outline, read_row
from health_assistant.lab_report.reading.recognition import read_texts
from health_assistant.lab_report.reading.row import Row
from health_assistant.lab_report.reading.rows import common_range, count_unread, prints_signs
from health_assistant.lab_report.reading.small_marks import count_dashed, find_mark, mark_column, plain_start
from health_assistant.lab_report.reading.strips import read_strips, without_repeats
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reading.text_layer import read_text_layer
from health_assistant.lab_report.reading.upright import Page, find_page, to_text_boxes
from health_assistant.lab_report.report import (
    MIN_CONFIDENCE,
    Origin,
    PrintedField,
    Reading,
    ReadReport,
    UnreadableReport,
    translated,
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
_SURE_TURN = 0.9
"""转过的页面，文字的把握的中位数不到它，再照没有转的读一遍。"""
_DARK = 60
"""最亮处还不到它（0 到 255），纸也是黑的：调亮了读，少丢几行；小数点照样会丢，读到的数都不作数。"""
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
        """模型装好了没有。"""
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
            arrow_templates.warm_up()
        self._text_reader = reader

    def _read(self, open_photo: Callable[[], Image.Image | PdfPage]) -> Reading:
        self._load()
        try:
            return self._read_photo(open_photo)
        except Exception as error:
            # 异常记着调用栈，栈里有整张图；收到异常的线程放手以前，图就一直在
            for failure in filter(None, (error, error.__cause__)):
                traceback.clear_frames(failure.__traceback__)
            raise

    def _read_photo(self, open_photo: Callable[[], Image.Image | PdfPage]) -> Reading:
        image = open_photo()
        if isinstance(image, PdfPage):
            printed = read_text_layer(image, self._text_reader) if image.chars else None
            with suppress(UnreadableReport):  # 文字层读不成的，再看像素
                if printed:
                    return read_boxes(*printed)
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
        brightest = float(np.percentile(photo[::4, ::4], 99.9))
        if brightest >= _DARK:
            return self._read_lit(photo)
        reading = self._read_lit(cv2.convertScaleAbs(photo, alpha=255 / max(brightest, 1)))
        for row in reading.items:
            row.doubt = row.doubt or "照片太暗，数也许认错了，请开灯重拍"
        return reading

    def _read_lit(self, photo: np.ndarray) -> Reading:
        if is_long(photo.shape[1], photo.shape[0]):
            return read_boxes(*read_strips(photo, self._text_reader))
        page = find_page(photo, self._text_reader)
        texts = read_texts(page, self._text_reader)
        if page.is_turned and _clarity(texts) < _SURE_TURN:
            # 也许转错了：曲线、条码一类的图形会被当成竖着的文字，不认得的文字看不出正反；取认得清楚的
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
    as_printed = printed_letters(box.text for box in boxes)  # 规则里的词是简体的；行里的字最后照印着的写
    boxes = [replace(box, text=box.text.translate(SIMPLIFIED)) for box in boxes]
    undivided = without_dividers(boxes := without_habits(boxes))
    arranged = arrange(without_name_colons(undivided))
    lines = arranged.lines
    texts = [" ".join(box.text for box in line) for line in lines]

    # 是不是化验单；血压、身高不是化验，不能凭它们说是，是化验单的照样读出来
    others = _names_on_other_papers(arranged)
    tests = [row for rows in arranged.rows_of for row in rows if not (row.name and row.name.text in others)]
    origin = _origin(lines, page)
    head = read_head(lines, origin)
    person = person_of(ReadReport(items=[], **head))
    if not is_lab_report(lines, tests, any(table.columns.is_complete for table in arranged.tables)):
        raise with_grave_quotes(refusal(lines, tests), texts, person)

    # 一行行读
    left = [name for name in others if not is_measured(name)]
    has_drugs = any(_SUSCEPTIBILITY.search(box.text) for box in arranged.boxes)
    can_mark = not arranged.is_turned and undivided is boxes  # 画出来的竖线也像箭头
    gray, read, unread = page.gray(), [], 0
    for table, rows in zip(arranged.tables, arranged.rows_of, strict=True):
        _doubt(rows, has_drugs)
        marks = mark_column(rows, table.columns) if can_mark else None
        mark_of = partial(find_mark, page=page, gray=gray, boxes=arranged.boxes, column=marks)
        around = Surroundings(
            page=page,
            gray=gray,
            boxes=arranged.boxes,
            columns=Columns({}) if arranged.is_turned else table.columns,
            marks=marks,
            start=plain_start(rows, mark_of) if can_mark else None,
            prints_signs=prints_signs(rows),
            common_range=common_range(rows, arranged.boxes),
        )
        read += [read_row(row, around) for row in rows if not (row.name and row.name.text in left)]
        unread += count_unread(table, rows)
        if not arranged.is_turned:
            unread += count_dashed(table, rows, gray, arranged.boxes)

    # 另要说的话、页眉
    notices = left_out(lines, left) + several_people(lines) + western_notice([box.text for box in arranged.boxes])
    if unread:
        notices.append(f"表里有 {unread} 行没有读成，请对照原件。")
    grown = grown_outside(texts, read) if has_drugs else []
    outside = [*findings_outside(texts, read), *pressures_outside(texts, read, person)]
    items = [*grown, *without_repeats(read), *outside]
    return translated(Reading(items=items, engine=ENGINE_NAME, notices=notices, origin=origin, **head), as_printed)


def _names_on_other_papers(arranged: Arrangement) -> list[str]:
    """不是化验单上的那些名称；标题说了是化验单的，不看。"""
    if has_lab_title(arranged.lines):
        return []
    names = dict.fromkeys(row.name.text for rows in arranged.rows_of for row in rows if row.name)
    return [name for name in names if is_other_row(name)]


def _doubt(rows: list[Row], has_drugs: bool) -> None:
    """一张表里要看整页、整列才知道可疑的行：药敏的药、范围被纸边切掉的。"""
    cut = _cut_ranges(rows)
    for row in rows:
        is_drug = has_drugs and not (row.name and is_known(row.name.text))
        row.doubt = row.doubt or ("药敏结果看印着的敏感、中介、耐药，不比高低" if is_drug else None)
        row.doubt = row.doubt or ("参考范围的末尾可能被纸边切掉了" if id(row) in cut else None)


def _is_picture(box: TextBox, boxes: list[TextBox]) -> bool:
    """认成了一个字的图（聊天的头像）：没有把握，比字高得多，不像箭头。"""
    is_lone = len(box.text) == 1 and box.text not in ARROW_LIKE and box.score < MIN_CONFIDENCE
    return is_lone and box.height > _PICTURE * median(other.height for other in boxes)


def _origin(lines: list[list[TextBox]], page: Page) -> Origin:
    """页眉里的时间、医院、标本，连同在照片上的位置。"""
    return {
        field: PrintedField(
            value=printed.value, confidence=round(printed.score, 3), box=page.photo_box(*outline(printed.boxes))
        )
        for field, printed in read_origin(lines).items()
    }


def _cut_ranges(rows: list[Row]) -> set[int]:
    """参考范围一列被纸边切掉了末尾的那些行（id）：`13.5-17.5` 只剩 `13.5-17`，好几行都这样，右端又齐。"""
    cut = [
        (row, row.limits[-1])
        for row in rows
        if row.limits and re.search(r"\d\.\d+\s*[-~—–]+\s*\d*$", row.limits[-1].text)
    ]
    ends = [box.x1 for _, box in cut]
    if len(cut) < _MIN_CUT or max(ends) - min(ends) > 0.6 * median(box.height for _, box in cut):
        return set()
    rest = max((box.x1 for row in rows for box in row.limits), default=0.0)
    return {id(row) for row, _ in cut} if max(ends) > rest - 1 else set()
