"""一页读出的行与真值逐行比：数值与判断都对才算对，说 未判断 不算错，不说而错的是无声的错。"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from difflib import SequenceMatcher

from lab_report.paper_pages import PaperPage
from scipy.special import betaincinv

from health_assistant.images import upright_rgb
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.report import ABNORMAL_FLAGS, LabItem, UnreadableReport

_DIRECTED = ("high", "low")


@dataclass
class Count:
    """计数，可以相加。extra 是多出的行；多出而又下了判断的也是无声的错。"""

    rows: int = 0
    right: int = 0
    unknown: int = 0
    missing: int = 0
    extra: int = 0
    refused: int = 0
    silent: list[str] = field(default_factory=list)

    def __add__(self, other: "Count") -> "Count":
        return Count(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def decided(self) -> int:
        """没有说 未判断 的行（真值本来不能判断而说了 未判断 的也算对，算在内）。"""
        return self.right + len(self.silent)

    @property
    def bound(self) -> float:
        """无声错误率的单侧 95% 上限（Clopper-Pearson，没有错时就是“三除以 n”）。"""
        rest = self.decided - len(self.silent)
        return float(betaincinv(len(self.silent) + 1, rest, 0.95)) if rest else 1.0

    def __str__(self) -> str:
        parts = {
            "行": self.rows, "对": self.right, "未判断": self.unknown, "无声的错": len(self.silent), "缺": self.missing,
            "多": self.extra, "拒读的页": self.refused, "无声错误率上限": f"{self.bound:.2%}",
        }  # fmt: skip
        return "  ".join(f"{word} {value}" for word, value in parts.items())


def read_items(reader: ReportReader, page: PaperPage) -> list[LabItem] | None:
    """读一页、判断；拒读是 None。透明的图照上传时那样铺底。"""
    try:
        reading = reader.read(upright_rgb(page.image.copy()))
    except UnreadableReport:
        return None
    return assess(reading).items


def count_rows(items: Sequence[LabItem] | None, truth: Sequence[dict[str, str]]) -> Count:
    """逐行比；名称、代号相同的先配，再配名称互相包含的、只差一两个字的。"""
    count, left = Count(rows=len(truth), refused=int(items is None)), list(items or [])
    for want in truth:
        got = _find(left, want)
        if got is None:
            count.missing += 1
            continue
        left.remove(got)
        is_same = _fold(got.result).strip("()") == _fold(want["result"]).strip("()")
        if got.flag == "unknown":
            count.unknown += want["flag"] != "unknown"
            count.right += want["flag"] == "unknown"
        elif is_same and _agree(got.flag, want["flag"]):
            count.right += 1
        else:
            count.silent.append(f"{want['name']}：读成 {got.result} [{got.reference_range}] {got.flag}，"
                                f"真值 {want['result']} [{want['range']}] {want['flag']}")  # fmt: skip
    count.extra = len(left)
    count.silent += [f"多出 {one.name} {one.result} 判为 {one.flag}" for one in left if one.flag != "unknown"]
    return count


def _find(items: Sequence[LabItem], want: dict[str, str]) -> LabItem | None:
    name, code = _fold(want["name"]), _fold(want["code"])
    same = [one for one in items if _fold(one.name) == name] or [
        one for one in items if code and _fold(one.code) == code
    ]
    near = [one for one in items if (found := _fold(one.name)) and name and (name in found or found in name)]
    alike = [one for one in items if SequenceMatcher(None, _fold(one.name), name).ratio() >= 0.7]
    return next(iter(same or near or alike), None)


def _agree(flag: str, true: str) -> bool:
    """定性的异常不分方向。"""
    return flag == true or ("abnormal" in (flag, true) and {flag, true} <= {*ABNORMAL_FLAGS})


def _fold(text: str | None) -> str:
    folded = re.sub("[—–]", "-", unicodedata.normalize("NFKC", text or "")).replace("×", "x").lower()
    # `×10^4`、`x10⁴`、`*10^4` 是同一个数
    return re.sub(r"[\s*★^]|x(?=10)", "", folded)
