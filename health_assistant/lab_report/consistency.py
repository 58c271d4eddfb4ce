"""行与行之间：恒等式（MCV 由 HCT 与 RBC 算出）对不上，就是至少有一处读错；印着的单位是邻行的，就是错了行。"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise, product
from math import log

from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.interval import Interval, Value
from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.observation import Observation
from health_assistant.lab_report.printed_interval import exponent
from health_assistant.lab_report.range_likeness import range_distance
from health_assistant.lab_report.units import kind_of_unit

TOLERANCE = Decimal("0.03")
"""在各数末位的舍入之外再容许的相对误差：仪器有的两个都是测得的，不是算得的。"""


@dataclass(frozen=True)
class Relation:
    """第一个代号的数由其余几个算出；`is_minimum` 时算出的只是它的下限，`slack` 是额外容许的绝对误差（小数）。"""

    text: str
    codes: tuple[str, ...]
    derive: Callable[..., Decimal]
    is_minimum: bool = False
    slack: str = "0"

    @property
    def conflict(self) -> str:
        """对不上时，写在每一行上的疑问。"""
        return f"与“{self.text}”对不上，可能有一处读错"

    def is_violated(self, numbers: dict[str, Interval]) -> bool:
        """这几行对不对得上；`numbers` 见 `measure`。缺了哪一行，或除数不是正数，就无从说起，为 False。"""
        if not all(code in numbers for code in self.codes):
            return False
        derived, *inputs = (numbers[code] for code in self.codes)
        if any(number.low <= 0 for number in inputs) and "÷" in self.text:
            return False
        possible = [self.derive(*corner) for corner in product(*((number.low, number.high) for number in inputs))]
        middles = [(number.low + number.high) / 2 for number in inputs]
        margin = TOLERANCE * abs(self.derive(*middles)) + Decimal(self.slack)
        is_below = derived.high < min(possible) - margin
        return is_below or (not self.is_minimum and derived.low > max(possible) + margin)


_SHARES = {"NEUT": "中性粒细胞", "LYMPH": "淋巴细胞", "MONO": "单核细胞", "EO": "嗜酸性粒细胞", "BASO": "嗜碱性粒细胞"}
_CELLS = _SHARES | {"MID": "中间细胞", "IG": "幼稚粒细胞"}
_SUM = Relation(
    "五类白细胞百分比之和 = 100", tuple(f"{code}%" for code in _SHARES), lambda *rest: 100 - sum(rest), slack="4"
)
"""有的仪器另有第六类细胞（未染色大细胞），平常占百分之几，白血病时更多。"""
RELATIONS = (
    Relation("平均红细胞体积 = 红细胞压积 ÷ 红细胞", ("MCV", "HCT", "RBC"), lambda hct, rbc: hct / rbc * 10),
    Relation("平均血红蛋白量 = 血红蛋白 ÷ 红细胞", ("MCH", "HGB", "RBC"), lambda hgb, rbc: hgb / rbc),
    Relation("平均血红蛋白浓度 = 血红蛋白 ÷ 红细胞压积", ("MCHC", "HGB", "HCT"), lambda hgb, hct: hgb / hct * 100),
    *(
        Relation(f"{name} = 白细胞 × {name}百分比", (f"{code}#", "WBC", f"{code}%"), lambda wbc, part: wbc * part / 100)
        for code, name in _CELLS.items()
    ),
    _SUM,
    Relation("大血小板数 = 血小板 × 大血小板比率", ("P-LCC", "PLT", "P-LCR"), lambda plt, part: plt * part / 100),
    Relation("血小板压积 = 血小板 × 平均血小板体积", ("PLTCRIT", "PLT", "MPV"), lambda plt, mpv: plt * mpv / 10000),
    Relation("总蛋白 = 白蛋白 + 球蛋白", ("TP", "ALB", "GLB"), lambda alb, glb: alb + glb),
    Relation("白球比 = 白蛋白 ÷ 球蛋白", ("A/G", "ALB", "GLB"), lambda alb, glb: alb / glb),
    Relation("谷草谷丙比 = 谷草转氨酶 ÷ 谷丙转氨酶", ("AST/ALT", "AST", "ALT"), lambda ast, alt: ast / alt),
    Relation("总胆红素 = 直接 + 间接胆红素", ("TBIL", "DBIL", "IBIL"), lambda dbil, ibil: dbil + ibil),
    Relation("总铁结合力 = 血清铁 + 未饱和铁结合力", ("TIBC", "FE", "UIBC"), lambda fe, rest: fe + rest),
    Relation("非高密度 = 总胆固醇 - 高密度", ("NON-HDL", "TC", "HDL-C"), lambda tc, hdl: tc - hdl),
    # INR =（PT ÷ 正常人的 PT）^ISI：正常人的至少 10 秒、ISI 至多 2（WHO 的定义；两个界凭记忆）
    Relation("国际标准化比值 ≈ 凝血酶原时间 ÷ 正常人的", ("PT", "INR"), lambda inr: 10 * inr.sqrt(), True, slack="1"),
    # 低密度是另一种方法测的，略有出入
    Relation("总胆固醇 ≥ 高密度 + 低密度", ("TC", "HDL-C", "LDL-C"), lambda hdl, ldl: hdl + ldl, True, slack="0.3"),
)


def measure(result: Value | None, unit: str, analyte: Analyte) -> Interval | None:
    """以 unit 计的一个数最低、最高可能是多少（末位加减一），换成目录的单位；不是单个的数、单位换不了的为 None。"""
    if not isinstance(result, Interval) or not result.is_point:
        return None
    if analyte.code == "PLTCRIT":
        unit = analyte.unit  # 有的单子错印成 L/L：真以 L/L 计是 0.002，谁也不这样印
    # 有的仪器只测到一位小数，却补两个零印成三位（7.700）
    places = -1 if exponent(result.low) == -3 and result.low.as_tuple().digits[-2:] == (0, 0) else exponent(result.low)
    step = Decimal(1).scaleb(places)
    low, high = analyte.bounds(Interval(result.low - step, result.low + step), unit)
    return None if low is None else Interval(low, high)


def find_conflicts(numbers: dict[str, Interval]) -> dict[str, str]:
    """对不上的代号 -> 说明；`numbers` 是目录代号 -> 数（见 `measure`）。"""
    broken = [relation for relation in RELATIONS if relation.is_violated(numbers)]
    counts = [relation for relation in RELATIONS if relation.codes[0] in {f"{code}#" for code in _SHARES}]
    if all(numbers.keys() >= set(count.codes) and count not in broken for count in counts):
        # 五个百分比各与自己的绝对值对得上，就没有读错：和不到 100，是另有别的细胞
        broken = [
            relation for relation in broken if relation is not _SUM or sum(numbers[c].low for c in _SUM.codes) > 100
        ]
    return {code: relation.conflict for relation in reversed(broken) for code in relation.codes}


_SHIFTED = "有几行印着的是相邻一行的单位，名称与结果可能错开了一行"
_MIN_SHIFTED, _ALIKE = 2, 1.3


def shifted_doubts(observations: list[Observation], report_type: str) -> list[str]:
    """两行以上印着的单位与范围是同一边的邻行的（压积 86.6 fL、体积 28.3 pg）时，每一行的疑问；不是的为空列表。

    弯的照片会把结果连同单位、范围错给邻行，单看一行什么都对得上。
    """
    rows = [
        (seen.analyte or find_analyte(seen.row.name, seen.row.code, "", report_type=report_type), seen)
        for seen in observations
    ]
    most = max(_count_shifted(pairwise(rows)), _count_shifted(pairwise(rows[::-1])))
    return [_SHIFTED] * len(rows) if most >= _MIN_SHIFTED else []


_Named = tuple[Analyte | None, Observation]


def _count_shifted(pairs: Iterable[tuple[_Named, _Named]]) -> int:
    """每一对的前一行印着的单位与范围，有几行是后一行那一项的。"""
    return sum(_is_of(other, seen) and not own.knows_unit(seen.row.unit) for (own, seen), (other, _) in pairs if own)


def _is_of(analyte: Analyte | None, seen: Observation) -> bool:
    unit = seen.row.unit
    if analyte is None or not kind_of_unit(unit) or not analyte.knows_unit(unit):
        return False
    gap = range_distance(analyte, unit, seen.interval)
    return gap is not None and gap < log(_ALIKE)  # 有的单子只是单位印错了
