"""箭头不是数字：文字识别会把 ↑ 读成 1，`↑6.71` 成了 16.71。在像素里找出箭头，擦掉它再认一次数。

一块墨迹（`blobs.py`）像不像箭头，由 `arrow_templates.py` 比着画出来的字说：手写的规则分不清糊了的小箭头与 1。
"""

import re
from dataclasses import dataclass

import numpy as np

from health_assistant.lab_report.matching import is_known_name
from health_assistant.lab_report.reading.arrow_templates import ARROWS, arrow_likelihoods
from health_assistant.lab_report.reading.blobs import FAINTEST, find_blobs
from health_assistant.lab_report.reading.ocr import DOUBTED_SCORE, TextReader, crop, widened
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.report import MIN_CONFIDENCE

_SHAPES = set("↑↓→←⬆⬇⇧⇩▲▼△▽†")
_READ_AS = {"1": 0.8, "0": 0.9, "4": 0.9, "8": 0.9} | dict.fromkeys("⊥τ{}丨|!个千凸tTiIlVY^+", 0.4)
"""箭头会被读成的字 -> 像箭头到什么程度才算。实测 1500 个箭头里读成 1 的 80 个，0、8、4 共 14 个，t、T 等共 75 个。
另画 5500 段：读成 1 的 183 个箭头有 154 个像到 0.8；2688 个真的 1（粗的、有衬线的、糊的）像到 0.6 的 6 个，
到 0.8 的没有。"""
_SURE, _SUSPICIOUS = 0.4, 0.2
"""调参用的一批（1192 行有箭头、2000 行只有数）：0.4 时漏 17 行、数上多出 15 处；0.2 时 10 行、38 处；方向都不错。
0.15 时只漏 6 行，但真照片上的 11.40 也会被怀疑。"""
_COLOURED, _SAME_COLOUR = 0.1, 0.85
"""与别的字不是一个颜色的 1（墨色之差的夹角余弦不到 0.85）像到 0.1 就算：细得像 1 的红箭头只有 0.04 到 0.5。"""
_ONE_COLOUR = 0.97
"""到这样才说得准是一个颜色；一般的红（210, 40, 40）与黑是 0.89。"""
_LONE = 0.5
"""没有读出字、单独的墨迹像到这样才算。画的各 60 个里：箭头 120 个有 113 个够，1、4、7、V、A、Y、“个”都不够，
T 有 15 个够（糊了的真像箭头）。"""
_SURELY_READ = 0.98
"""连着箭头认的把握不到 `MIN_CONFIDENCE`、擦掉箭头认的到它时，信后者：`92↓` 先读成 121（0.73），后读成 92（0.994）。"""
_WIDE = 1.0
"""只读出一个字、而放宽的框有高的这么多倍宽，里面不止一块墨：`98↓` 读成 8、`9 ↓` 读成 ↓，旁边的数没有读出来。"""
_TWO = 0.95
"""只读出一个数字、而放宽的框有高的这么多倍宽，也许还有一个箭头：`9↓` 读成 6；一个数字的约 0.8。"""
MAYBE_ARROW = {("↑", False): 0.5, ("↑", True): 0.4996, ("↓", False): 0.4992, ("↓", True): 0.4988}
"""像 1 又像箭头的数，识别把握降到这几个之一，低于判断要的 0.8；键是像朝哪边的，和是不是末一个字。

画的箭头里像到 0.2 至 0.6 的 657 个，方向看反了 14 个。
"""
COLOURED_MAYBE = {way: score - 0.0002 for way, score in MAYBE_ARROW.items()}
"""同上，而且与别的字不是一个颜色：多半是人后来用红笔、蓝笔写的。"""
_LARGE = 36
"""放宽的框高到这么多像素，墨的浓淡才作数：真的浓淡不一的 8 个箭头高 44 到 54，看错的数字 1 高 24、31。"""
_OUTSIDE = 0.2
"""放宽的框（`widened`）上下各有这么多不是字。"""
_OVERLAP = 0.35
"""两段叠着这么多个字高，而且后一段的头一个字就是前一段的末一个，后一段是从那个字找起的；实测的四处是 0.39 到 0.55。"""


@dataclass(frozen=True)
class Arrow:
    """一个箭头：x0、x1 与 y 是小图里的左右两端与中线，像素；likelihood 是有多像，0 到 1；ink 是墨迹多浓，灰度级。"""

    direction: str
    x0: float
    x1: float
    y: float
    likelihood: float
    ink: float


def find_arrows(pixels: np.ndarray, whole: bool = False) -> list[Arrow]:
    """pixels（一行字，BGR）里的箭头，从左到右，像不像的都给。whole：碰到边的墨迹不算，那是邻字的一部分。"""
    height, width = pixels.shape[:2]
    blobs = find_blobs(pixels)
    if whole:
        blobs = [b for b in blobs if b.x0 > 0 and b.y0 > 0 and b.x1 < width and b.y1 < height]
    if not blobs:
        return []
    odds = arrow_likelihoods(np.stack([blob.patch for blob in blobs]))
    arrows: list[Arrow] = []
    for at in np.argsort(-odds.max(axis=1)):
        blob, which = blobs[at], int(odds[at].argmax())
        if any(arrow.x0 < (blob.x0 + blob.x1) / 2 < arrow.x1 for arrow in arrows):
            continue
        # 两个界限下都像才算：只在一个界限下像的，多半是断了或连了的笔画
        same = [odds[i, which] for i, b in enumerate(blobs) if blob.x0 - 1 < (b.x0 + b.x1) / 2 < blob.x1 + 1]
        likelihood = sum(sorted(same)[-2:]) / 2
        y = (blob.y0 + blob.y1) / 2
        arrows.append(Arrow(ARROWS[which], blob.x0, blob.x1, y, float(likelihood), blob.ink))
    return sorted(arrows, key=lambda arrow: arrow.x0)


def find_arrow(
    pixels: np.ndarray,
    zone: tuple[float, float, float, float],
    text_height: float,
    inside: tuple[float, float] | None = None,
    is_read_as_one: bool = False,
) -> str | None:
    """zone（x0, y0, x1, y1，页面像素）里的箭头：↑、↓ 或 None。有几个而方向不一时为 None。

    箭头要在 zone 的上下正中：偏了的是邻行的。inside 是它的横坐标的范围，不写时在 zone 里就行。
    is_read_as_one：文字识别在那里认出了单独的一个字，不是空白，像到 `_SUSPICIOUS` 就算。
    """
    height, width = pixels.shape[:2]
    (x0, x1), (y0, y1) = (np.clip(np.round(zone[at::2]).astype(int), 0, (width, height)[at]) for at in (0, 1))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    left, right = inside or (x0, x1)
    middle = (zone[1] + zone[3]) / 2
    directions = {
        arrow.direction
        for arrow in find_arrows(pixels[y0:y1, x0:x1], whole=True)
        if arrow.likelihood >= (_SUSPICIOUS if is_read_as_one else _LONE)
        and abs(y0 + arrow.y - middle) < 0.3 * text_height
        and left <= x0 + (arrow.x0 + arrow.x1) / 2 <= right
    }
    return directions.pop() if len(directions) == 1 else None


def take_out_arrows(page: Page, texts: list[tuple[str, float]], reader: TextReader) -> list[tuple[str, float]]:
    """把粘着数与范围的箭头分成单独的一段，数再认一次；改 page.quads，返回与它一一对应的文字与把握。

    粘着汉字名称的不分开，只把误读改成箭头。像 1 又像箭头、或擦掉箭头以后认得不一样的，把握降到 0.5 以下。
    """
    quads: list[np.ndarray] = []
    separated: list[tuple[str, float]] = []
    texts = [_without_tail(page, at, texts) for at in range(len(texts))]
    for quad, wide, (text, score) in zip(page.quads, widened(page.quads), texts, strict=True):
        parts = [(quad, text, score)]
        is_doubtful = score < MIN_CONFIDENCE and re.fullmatch(r"\d\d", text)
        if _may_be_arrow(text, False) or _may_be_arrow(text, True) or is_doubtful or re.fullmatch(r"[235679]", text):
            parts = _parted(crop(page.pixels, wide), quad, wide, text, score, reader)
        quads += [part[0] for part in parts]
        separated += [part[1:] for part in parts]
    if quads:
        page.quads = np.stack(quads)
    return separated


def _without_tail(page: Page, at: int, texts: list[tuple[str, float]]) -> tuple[str, float]:
    """框从前一段的末一个数字找起的一段，那个字不要，框也改小：`320~360` 后面的 g/L 读成 `0 g/L`。

    单独一个箭头只会读成那个字（`39.2` 后面的 ↓ 读成 2），看它自己的像素；不像箭头的照原样。
    """
    quad, (text, score) = page.quads[at], texts[at]
    parts = re.fullmatch(r"\d ?(?:[1↑↓]?|(?P<unit>[A-Za-z%].*))", text)
    height = np.linalg.norm(quad[3] - quad[0])
    for other, (before, _) in zip(page.quads, texts, strict=True) if parts else ():
        overlap, drop = (other[1] - quad[0])[0], (other.mean(axis=0) - quad.mean(axis=0))[1]
        is_tail = before[-1:] == text[0] and _OVERLAP < overlap / height < 1 and other[0][0] < quad[0][0]
        ahead = (quad[1] - other[0])[0] / height
        is_head = before[:1] == text != before and _OVERLAP < ahead < 1 and quad[0][0] < other[0][0]
        if is_head and abs(drop) < 0.5 * height:
            return "", 0.0  # 框到后一段的头一个字为止，里面没有别的字：`2.72` 前面的一个 2
        if not is_tail or abs(drop) > 0.5 * height:
            continue
        own = _slice(quad, overlap / (quad[1] - quad[0])[0], 1)
        sure = [arrow for arrow in find_arrows(crop(page.pixels, own)) if arrow.likelihood > _READ_AS["1"]]
        if parts["unit"] or len(sure) == 1:
            page.quads[at] = own
            return (parts["unit"], score) if parts["unit"] else (sure[0].direction, sure[0].likelihood)
    return text, score


def _may_be_arrow(text: str, is_last: bool) -> bool:
    """头上（或尾上）的一个字会不会是读错的箭头：它挨着数，或跟在汉字后面，或只有它一个。"""
    character, rest = (text[-1:], text[:-1].strip()) if is_last else (text[:1], text[1:].strip())
    if character in _SHAPES or character in _READ_AS and not rest:
        return character != "+"  # 单独的 + 是结果
    if character not in _READ_AS or not rest:
        return False
    if is_last and rest[-1] > "\u2e80":
        return not is_known_name(text)  # 肌钙蛋白T 的 T 是名称里的
    return re.fullmatch(r"[\d.,<>≤≥~^xX×*/+\- —]+", rest) is not None and rest[-1 if is_last else 0].isdigit()


Part = tuple[np.ndarray, str, float]


def _parted(
    pixels: np.ndarray, quad: np.ndarray, wide: np.ndarray, text: str, score: float, reader: TextReader
) -> list[Part]:
    """一段文字分成箭头与其余；没有箭头时照原样。pixels 是 wide 拉平的小图。"""
    inked = np.flatnonzero(_inked_columns(pixels))
    arrows = find_arrows(pixels)
    if not arrows or not len(inked):
        return [(quad, text, score)]
    is_wide = len(text) == 1 and pixels.shape[1] >= _TWO * pixels.shape[0]
    is_two = text.isdigit() and (is_wide or len(text) == 2 and score < MIN_CONFIDENCE)  # 没有把握的 16 也许是 `9↓`
    for is_last, arrow in ((False, arrows[0]), (True, arrows[-1])):
        gap = inked[-1] + 1 - arrow.x1 if is_last else arrow.x0 - inked[0]
        character = text[-1] if is_last else text[0]
        if gap > 0.15 * pixels.shape[0] or not (is_two or _may_be_arrow(text, is_last)):
            continue
        rest = (text[:-1] if is_last else text[1:]).strip()
        others = [other.ink for other in arrows if other is not arrow]
        # 比别的字浓得多、淡得多的 1 不是同一次印的数字；字小的，细的笔画本来就浓淡不一
        is_large = pixels.shape[0] >= _LARGE
        stands_out = character == "1" and is_large and others and not 0.7 * min(others) < arrow.ink < 1.3 * max(others)
        alike = _colour_likeness(pixels, arrow) if character == "1" else 1.0
        is_coloured = alike < _SAME_COLOUR
        least = _COLOURED if is_coloured else _SUSPICIOUS if stands_out else _READ_AS.get(character, _SURE)
        if arrow.likelihood < least:
            if character == "1" and (is_coloured or arrow.likelihood > _SUSPICIOUS):
                doubted = (MAYBE_ARROW if alike > _ONE_COLOUR else COLOURED_MAYBE)[arrow.direction, is_last]
                score = doubted if score >= MIN_CONFIDENCE else score
        elif not rest and (len(arrows) == 1 or pixels.shape[1] < _WIDE * pixels.shape[0]):
            return [(quad, arrow.direction, arrow.likelihood)]
        elif rest and not any(letter.isdigit() for letter in rest) or any(letter > "\u2e80" for letter in rest):
            return [(quad, rest + arrow.direction if is_last else arrow.direction + rest, score)]
        else:
            neighbor = arrows[-2 if is_last else 1] if len(arrows) > 1 else None
            # 连着箭头认得没有把握的数不作证；没有认箭头的（`0.38 ↓` 读成 0.38），擦掉以后还是原来那些字
            before = {rest, text} if rest and score >= MIN_CONFIDENCE else None
            return _without(pixels, wide, arrow, neighbor, before, reader)
    return [(quad, text, score)]


def _without(
    pixels: np.ndarray,
    wide: np.ndarray,
    arrow: Arrow,
    neighbor: Arrow | None,
    before: set[str] | None,
    reader: TextReader,
) -> list[Part]:
    width, margin = pixels.shape[1], 0.15 * pixels.shape[0]
    is_last = neighbor is not None and neighbor.x0 < arrow.x0
    # 箭头糊开的边也擦掉，不到邻字
    gap = max(0.0, arrow.x0 - neighbor.x1 if is_last else neighbor.x0 - arrow.x1) if neighbor else margin
    blur = min(0.08 * pixels.shape[0], gap / 2)
    x0, x1 = max(0, int(arrow.x0 - blur)), min(width, round(arrow.x1 + blur + 0.5))
    bare = pixels.copy()
    bare[:, x0:x1] = np.median(pixels.reshape(-1, 3), axis=0)
    start, end = (0, min(x1, round(x0 + margin))) if is_last else (max(x0, round(x1 - margin)), width)
    ((again, score),) = reader.recognize_crops([bare[:, start:end]])
    # 擦掉箭头以后，别的字应当还是那些；原来就没有把握的，看擦掉以后的
    if before is None:
        score = score if score >= _SURELY_READ else min(score, DOUBTED_SCORE)
    elif again.replace(" ", "") not in {text.replace(" ", "") for text in before}:
        again, score = again or min(before, key=len), min(score, DOUBTED_SCORE)
    number = _slice(wide, start / width, end / width), again, score
    mark = _slice(wide, x0 / width, x1 / width), arrow.direction, arrow.likelihood
    return [number, mark] if is_last else [mark, number]


def _colour_likeness(pixels: np.ndarray, arrow: Arrow) -> float:
    """箭头的墨与同一段别的墨颜色有多像：墨色之差的夹角余弦，没有墨的为 1。"""
    ink = np.median(pixels.reshape(-1, 3), axis=0) - pixels.astype(np.float32)
    x0, x1 = int(arrow.x0), int(arrow.x1 + 1)
    own, rest = (_mean_ink(part) for part in (ink[:, x0:x1], np.hstack([ink[:, :x0], ink[:, x1:]])))
    lengths = np.linalg.norm(own) * np.linalg.norm(rest)
    return float(own @ rest / lengths) if lengths else 1.0


def _mean_ink(ink: np.ndarray) -> np.ndarray:
    """最浓的墨的颜色（与底色之差，BGR）；一点墨也没有时为 0。"""
    strength = np.abs(ink).max(axis=2)
    return ink[strength > 0.6 * strength.max(initial=1.0)].sum(axis=0)


def _slice(quad: np.ndarray, start: float, end: float) -> np.ndarray:
    """四边形从左到右的一截，start 与 end 是 0 到 1。"""
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    return np.stack([quad[0] + start * top, quad[0] + end * top, quad[3] + end * bottom, quad[3] + start * bottom])


def _inked_columns(pixels: np.ndarray) -> np.ndarray:
    ink = np.abs(pixels - np.median(pixels.reshape(-1, 3), axis=0)).max(axis=2)
    # 只看中间：放宽的一圈里可能有表格的横线，糊了、斜了的占不满一行
    margin = round(_OUTSIDE * len(ink))
    middle = ink[margin : len(ink) - margin]
    is_inked = middle > max(FAINTEST, 0.32 * middle.max(initial=0))
    is_rule = is_inked.mean(axis=1) > 0.9  # 占满一行的不是字
    return is_inked[~is_rule].any(axis=0)
