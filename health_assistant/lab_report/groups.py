"""参考范围所属的人群：性别、年龄、生理期，与采样的条件（空腹、立位）。文字 -> 人群，以及某个人可能属于哪几群。"""

import re
from pathlib import Path

from health_assistant.checked_yaml import load_yaml

ADULT_AGE_YEARS = 18

_PER_YEAR = {"岁": 1, "月": 12, "天": 365, "日": 365}
_AGE_WORDS: dict[str, tuple[float, float | None]] = {
    "成人": (ADULT_AGE_YEARS, None),
    "成年人": (ADULT_AGE_YEARS, None),
    "成年": (ADULT_AGE_YEARS, None),
    "老年人": (60, None),
    "老年": (60, None),
    # 各院的“儿童”到 14 或 18 岁不等；14 到 18 岁不能确定，两边都不算
    "儿童": (0, 14),
    "小儿": (0, 14),
    "婴幼儿": (0, 4),
    "幼儿": (1, 4),
    "婴儿": (0, 1),
    "新生儿": (0, 29 / 365),
    "足月儿": (0, 29 / 365),
    "早产儿": (0, 29 / 365),
}
"""以年为单位的 [low, high)。"""
_AGE_SPAN = (
    r"(?:(?<![\d.~-])|(?=[<>]))(?:[<>]=?)?\d{1,3}"
    r"(?:(?:周?岁|个?月|天|日)?[-~至到]\d{1,3})?(?:周?岁|个?月|天|日)龄?(?:及?以[上下])?"
)
_PHASE = r"[非未]?[早中晚]?(?:卵泡|滤泡|排卵|黄体|绝经|妊娠|怀?孕)(?:[早中晚]?期|[前后]|妇)?"
_CONDITION = (
    r"(?:[不非]?吸烟(?:者|人群)?|空腹|餐[前后]|随机|[站直]?立位|平?卧位|[谷峰](?:浓度|值)?|血[清浆]|全血|(?:动脉|静脉|末梢|毛细血管)血?|(?:清晨|早晨|晨起?|上午|下午|夜间|午夜)"
    r"(?:\d{1,2}(?:[-~至到]\d{1,2})?[点时])?)(?:(?<=餐后)\d(?:小时|h))?"
    r"|(?<![\d.:~-])\d{1,2}[时点](?=[;(:,])|(?<![\d.:~-])\d{1,2}:\d\d(?:[-~至到]\d{1,2}:\d\d)?(?=[;(:,])"
)
"""采样的条件、吸不吸烟：不知道是哪一种时，哪一种都不排除。"""
_PART = re.compile(rf"男[性子]?|女[性子]?|{'|'.join(_AGE_WORDS)}|{_AGE_SPAN}|{_PHASE}|{_CONDITION}", re.IGNORECASE)
_GROUP = re.compile(rf"(?:{_PART.pattern})(?:[:(\[,]?(?:{_PART.pattern}))*")
_ENGLISH = tuple(
    (re.compile(rf"(?<![a-z])(?:{words})(?=[:,;\d<>()\]]|$)", re.IGNORECASE), word)
    for words, word in load_yaml(Path(__file__).with_name("group_words.yaml")).items()
)


def find_groups(text: str) -> list[tuple[str, str]]:
    """`男:130-175,女:115-150` -> [(`男`, `:130-175,`), (`女`, `:115-150`)]；不分人群或自相矛盾时为空列表。

    人群也可以印在范围后面：`130-175(男),115-150(女)`。
    """
    for pattern, word in _ENGLISH:
        text = pattern.sub(word, text)
    starts = list(_GROUP.finditer(text))
    if not starts:
        return []
    edges = [0, *(edge for start in starts for edge in start.span()), len(text)]
    between = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    if not between[0].strip("[("):
        bodies = between[1:]
    elif not between[-1].strip(")],;。"):
        bodies = between[:-1]
    else:
        return []
    people = [re.sub(r"(?<=[男女])[性子]|[(\[,]|(?<!\d):", "", start[0]) for start in starts]
    return list(zip(people, bodies, strict=True)) if all(map(_is_possible, people)) else []


_AGES = re.compile(
    r"(?=.*[a-z周岁月天])[<>≤≥]?(?:[\d.\s~至-]|to|孕|days?|weeks?|wks?|mo(?:nth)?s?|years?|yrs?|周|岁|个?月|天"
    r"|(?:1?st|2?nd|3?rd) trimester)+",
    re.IGNORECASE,
)
"""年龄、孕期：`0 - 4 days`、`1st trimester`、`孕3-4周`；数也许断在了别的格里。"""


def is_group(text: str) -> bool:
    """整段说的是哪一群人：`20-24岁`、`孕早期(1-12周)`、`绝经期`、`2 - 20 weeks`；采样的条件（空腹）不算。"""
    plain = re.sub(r"\s|[(（].*[)）]$", "", text)
    is_people = len(find_groups(f"{plain}:1-2")) == 1 and not re.search(_CONDITION, plain)
    return is_people or bool(_AGES.fullmatch(text.strip()))


def of_condition(groups: list[str], said_words: str) -> list[bool]:
    """said_words（空腹血糖、皮质醇(上午)、孕早期）说了采样的条件、孕期，各群是不是它；没有说、没有一群是的，都算。"""
    words = "空腹|餐前|餐后|随机|立位|卧位|上午|下午|谷|峰|孕[早中晚]"
    plain = [re.sub("([早中晚])期?孕", r"孕\1", text.replace("妊娠", "孕")) for text in (said_words, *groups)]
    said = [set(re.findall(words, text)) for text in plain]
    is_said = [bool(said[0] & of_group) for of_group in said[1:]]
    return is_said if any(is_said) else [True] * len(groups)


def may_all_apply(groups: list[str], sex: str | None, age_years: float | None) -> list[bool]:
    """这个人可能属于哪几群；`sex` 是男、女或 None。性别、年龄未知时不排除任何一群。

    只分出一种性别而这个人的性别未知时都不算：另一种性别的范围可能没有读到。
    """
    people = "".join(groups)
    if sex is None and ("男" in people) != ("女" in people) and not re.search(_PHASE, people):
        return [False] * len(groups)
    return [all(_may_apply(part, sex, age_years) for part in _PART.findall(who)) for who in groups]


def missing_of(groups: list[str], sex: str | None, age_years: float | None) -> list[str]:
    """要分出这个人属于哪一群，还不知道什么。"""
    parts = {part for who in groups for part in _PART.findall(who)}
    phases = {part for part in parts if re.fullmatch(_PHASE, part)}
    conditions = {part for part in parts if _is_condition(part)}
    smoking = {part for part in conditions if "烟" in part}
    unknown = {
        "性别": sex is None and bool(parts & {"男", "女"}),
        "年龄": age_years is None and bool(parts - phases - conditions - {"男", "女"}),
        "生理期": sex != "男" and bool(phases),
        "吸不吸烟": bool(smoking),
        "采样的时间或条件": bool(conditions - smoking),
    }
    return [what for what, is_unknown in unknown.items() if is_unknown]


def _is_condition(part: str) -> bool:
    return bool(re.match(_CONDITION, part + ";"))


def _is_possible(who: str) -> bool:
    spans = [_age_span(part) for part in re.findall(_AGE_SPAN, who)]
    return not ("男" in who and "女" in who) and all(high is None or low < high for low, high in spans)


def _may_apply(part: str, sex: str | None, age_years: float | None) -> bool:
    if part in "男女":
        return sex in (None, part)
    if re.fullmatch(_PHASE, part):
        # 生理期无从得知，只排除男性
        return sex != "男"
    if age_years is None or _is_condition(part):
        return True
    low, high = _AGE_WORDS.get(part) or _age_span(part)
    # 整岁数是满几岁：3 岁可能是 3 到 4 之间的任何一点
    is_old_enough = age_years + 1 > low if age_years == int(age_years) else age_years >= low
    return is_old_enough and (high is None or age_years < high)


def _age_span(part: str) -> tuple[float, float | None]:
    """`0-3岁`、`>60岁`、`28天以下` -> 以年为单位的 [low, high)；两可的端点算在内。"""
    numbers = [int(number) for number in re.findall(r"\d+", part)]
    units = [_PER_YEAR[unit] for unit in re.findall(r"[岁月天日]", part)]
    low, high = numbers[0] / units[0], (numbers[-1] + 1) / units[-1]
    if re.match(r"<\d", part):
        return 0, low
    if part.startswith("<=") or part.endswith("以下"):
        return 0, high
    return low, None if part.startswith(">") or part.endswith("以上") else high
