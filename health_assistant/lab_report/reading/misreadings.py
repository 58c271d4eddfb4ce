"""文字识别常见的误读，按目录或固定的写法改正：代号、希腊字母、单位、符号。不确定的照原样。"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache

from health_assistant.lab_report.catalogue import Analyte, load_catalogue
from health_assistant.lab_report.printed_interval import exponent
from health_assistant.lab_report.printed_text import fold_code, fold_name, join_wide_digits, normalize


@cache
def _spellings() -> dict[str, set[str]]:
    """目录里的代号，按易混字符归一。"""
    folded: dict[str, set[str]] = {}
    for item in load_catalogue():
        for code in (item.code.removeprefix("U-"), *item.aliases):
            if code.isascii():
                folded.setdefault(fold_code(code), set()).add(code)
    return folded


_VALUE = re.compile(r"[<>≤≥]\d+|[<>≤≥]?\d+\.\d+")
_DECIMAL_RANGE = re.compile(r"(?P<low>\d{1,3}\.\d+)\s*[-~—–]+\s*(?P<high>\d{1,3}\.\d+)")


def repair_code(code: str) -> str:
    """按目录改正易混的字符：`E0%` -> `EO%`、`PC02` -> `PCO2`；目录里没有的、全是字母的（CI 也许是凝血指数）照原样。"""
    if re.fullmatch("[A-Za-z]+", code):
        return code
    same = _spellings().get(fold_code(code), set())
    if fold_name(code) in map(fold_name, same):
        return code
    return next(iter(same)) if len(same) == 1 else code


_GREEK = {"α": "aA", "β": "BbßP", "γ": "yYr", "ε": "e", "κ": "kK", "λ": "A入", "μ": "uU"}


@cache
def _greek_starts() -> dict[str, str]:
    """认错了的开头 -> 目录里希腊字母开头的名称的头三个字：`y谷氨` 是 `γ谷氨`。"""
    names = [name for item in load_catalogue() for name in (item.name, *item.aliases) if name[:1] in _GREEK]
    return {wrong + name[1:3]: name[:3] for name in names for wrong in _GREEK[name[0]]}


def repair_greek(name: str) -> str:
    """按目录改正名称开头认错的希腊字母：`y-谷氨酰转肽酶` -> `γ-谷氨酰转肽酶`。"""
    return _greek_starts().get(name[:3], name[:3]) + name[3:]


_MISREAD_LETTERS = (
    (re.compile(r"(?<![A-Za-z])([st]?)[l1](?=g[AEGMD](?![a-z]))"), r"\1I"),
    (re.compile(r"C0(?=[23])"), "CO"),
    (re.compile(r"a[l1](?=-?(?:微球|抗胰|酸性糖))"), "α1"),
    (re.compile(r"(?<=溶血素)\s*0"), "O"),
    (re.compile("眞(?=菌)"), "真"),
    (re.compile(r"(?<![A-Za-z])([spFSP]|Fi)02"), r"\1O2"),
    *((re.compile(rf"^{wrong}$"), right) for wrong, right in zip("纳气钓", "钠氯钙", strict=True)),
)


def repair_letters(name: str) -> str:
    """改正名称里固定认错的：`总lgE` -> `总IgE`，`al微球蛋白` -> `α1微球蛋白`，`s02` -> `sO2`，`纳` -> `钠`。"""
    for misread, right in _MISREAD_LETTERS:
        name = misread.sub(right, name)
    return name


def repair_unit(unit: str, find: Callable[[], Analyte | None] = lambda: None) -> str:
    """改正单位里固定的误读：`10~9/L`、`×109/L` -> `×10^9/L`，`umol/1` -> `umol/L`，`1U/mL` -> `IU/mL`。

    指数认不出来的（`10%/L`），才用 find 找目录里的这一项，凭它的单位补上。
    """
    unit = re.sub(r"\s+", "", unit).strip("()（）[]")
    unit = re.sub(r"^([mu]?)[1l|](?=U/m?L$)", r"\1I", unit).replace("0sm", "Osm")
    if count := re.fullmatch(r"([×xX*]?)1[0oO](?P<power>[^/]{0,3})/[Ll1|]", unit):
        power = re.sub(r"[^\d]", "", count["power"].replace("⁹", "9").replace("¹", "1").replace("²", "2"))
        if power not in ("9", "12", "6", "3"):
            analyte = find()
            usual = analyte and re.fullmatch(r"10\^(\d+)/L", analyte.unit)
            power = usual[1] if usual else ""
        if power:
            return f"{count[1]}10^{power}/L"
    return re.sub(r"/[1|]$", "/L", unit)


_SAME_SIGNS = str.maketrans("（）［］【】：％＃＜＞＝／＋．—–−‐‑‒―─～〜∼", "()[][]:%#<>=/+.--------~~~")
_SIGNS_READ_AS_WORDS = {"一": "-", "十": "+", "土": "±", "士": "±"}
_ZERO_BEFORE_UNIT = re.compile(r"(?<=\d)[Oo]+(?=(?:[mkμuµ]?I?U|[mnpuμµ]?(?:mol|g))/[A-Za-z]*L)")
"""数末尾的 0 读成了字母 O，后面连着单位。"""
_TICKS, _BLANKS = "☑☒✓✔√", "□☐"
_CHOICES = (
    r"[弱强可疑]*[阴阳]性|未?检出|未见|正常|异常|[男女有无是否]|[+±-]{1,4}"
    r"|(?:non-?)?reactive|positive|negative|(?:fe)?male|yes|no"
)
"""方框旁边的选项；别的字前面的 ☑ 多是竖线、墨点认出来的。"""
_OPTION = re.compile(rf"([{_TICKS}{_BLANKS}])\s*({_CHOICES})(?![一-鿿A-Za-z])\s*", re.IGNORECASE)
_OPTIONS = re.compile(rf"(?:{_OPTION.pattern})+", re.IGNORECASE)


def _ticked(options: re.Match[str]) -> str:
    """打了勾的那一个；没有打勾、打了几个的照原样。"""
    ticked = [word for sign, word in _OPTION.findall(options[0]) if sign in _TICKS]
    return ticked[0] if len(ticked) == 1 else options[0]


def repair_signs(text: str) -> str:
    """全角的括号、冒号、比较符与各种横线，文字识别分不清：一律写成半角的。

    数右上角的脚注号（`97¹`、`97²⁾`）不要；10 右上角的是乘方。
    乘方一律写成 ^：`3.62×10⁵`、上标认成平常数字的 `3.62×105` 都是 `3.62×10^5`；后面是斜线的是单位，另有 `repair_unit`。
    括号里单独一个 `(一)` 是阴性的一横，`(十)`、`(土)` 是加号与 ±；`阴性一弱阳性` 的一也是一横。
    数里印在半高的小数点（`3·80`）是点；`□阳性 ☑阴性` 是打了勾的那一个。
    `9.12mmo1/L`、`ng/mI`、`80-100f1` 里的 1、I 是字母 l，`<1C01` 是 `<1COI`：不改，就分不出数与单位。
    """
    text = re.sub(
        r"(?<=\d)(\s*[×xX*]\s*10)([⁰¹²³⁴-⁹]+)(?!\s*/)",
        lambda power: f"{power[1]}^{normalize(power[2])}",
        join_wide_digits(text).translate(_SAME_SIGNS),
    )
    closing = "" if "(" in text else "[)⁾]?"
    text = re.sub(rf"(?<=\d)(?<!10)[¹²³⁴-⁹ªᵃᵇᶜᵈ†‡§]+{closing}", "", text)
    text = re.sub(r"^\(([一十土士])\)$", lambda sign: f"({_SIGNS_READ_AS_WORDS[sign[1]]})", text)
    text = re.sub(r"(?<=阴性)\(一\)?$", "(-)", text)
    text = re.sub(r"(?<=[阴阳]性)\s*一+\s*(?=[弱可]?[阴阳疑]性?)", "-", text)
    text = re.sub(r"^(\d+(?:\.\d+)?)=(?=\d+(?:\.\d+)?$)", r"\1-", text)  # 糊了的 `3.90=6.10`
    text = re.sub(r"(?<=mo)[1I|](?=/)|(?<=/[mdu])[1I|](?![A-Za-z\d])|(?<=^f)1$|(?<=\df)1$|(?<=\d f)1$", "l", text)
    text = re.sub(r"(?<=\d)C[O0][Il1|]$|^C(?:0[Il]|Ol)$", "COI", text)
    text = _ZERO_BEFORE_UNIT.sub(lambda zeros: "0" * len(zeros[0]), text)
    text = re.sub(r"%[o。](?![A-Za-z])", "‰", text)
    text = re.sub(r"(?<=\d)[·•∙・](?=\d)(?!10(?:\^|[⁰¹²³⁴-⁹]|9|12))", ".", text)
    text = _OPTIONS.sub(_ticked, text)
    return re.sub(r"(?<=\d)\s*[×xX*]\s*10\s?((?:9|12)(?=/L)|\d{1,2}(?![\d/.]))", r"×10^\1", text)


_LEADERS = re.compile(
    r"(?<=[一-鿿)\]])[\s.·…_]+$|(?<=[A-Za-z]{4})[\s.·…_]+$|[.·…_]{2,}$|(?<=[a-z]{4})-+$|(?<=[一-鿿])-{2,}$"
)
"""名称后面的引线，认出来的有长有短；缩写后面的一点（`Lym.`）照旧。"""


def without_leaders(text: str) -> str:
    """去掉名称与结果之间的引线：`钾(K)..`、`Potassium.`、`葡萄糖--`；引线的末一点粘在数前面的（`.118.0`）也去掉。"""
    if re.fullmatch(r"[.·…_]+\d+\.\d+", text):
        return text.lstrip(".·…_")
    return _LEADERS.sub("", text) or text


_PEN_TICK = re.compile(r"(\d+\.(\d+))\s?[.。℃°Cc,，、]")
"""数后面挨着用笔打的一钩，认出来的字；箭头不会认成这些。"""


def without_pen_tick(result: str, limits: str) -> str:
    """去掉结果后面用笔打的一钩：`35.8℃`、`13.9.`。小数比范围的少，也许是遮住了一位的，不去。"""
    ticked = _PEN_TICK.fullmatch(result)
    places = max((len(digits) for digits in re.findall(r"\d\.(\d+)", limits)), default=0)
    return ticked[1] if ticked and limits and len(ticked[2]) >= places else result


def end_of_value(text: str) -> int:
    """数与小数的范围连成了一段（`3.391.80-6.30`、`>50.62~1.13`）时，数到第几个字符为止。

    没有连着的、断得开的不止一处的（`45.235.0-45.0`）为 0。
    """
    places = []
    for at in range(1, len(text)):
        limits = _DECIMAL_RANGE.fullmatch(text[at:])
        if not limits or not _VALUE.fullmatch(text[:at]):
            continue
        low, high = Decimal(limits["low"]), Decimal(limits["high"])
        if low < high and exponent(low) == exponent(high):
            places.append(at)
    return places[0] if len(places) == 1 else 0
