"""参考范围所属的人群：性别、年龄、生理期。文字 -> 人群，以及某个人可能属于哪几群。"""

import re

ADULT_AGE_YEARS = 18

_PER_YEAR = {"岁": 1, "月": 12, "天": 365, "日": 365}
_AGE_WORDS: dict[str, tuple[float, float | None]] = {
    "成人": (ADULT_AGE_YEARS, None),
    "成年人": (ADULT_AGE_YEARS, None),
    "老年人": (60, None),
    "老年": (60, None),
    # 各院的“儿童”到 14 或 18 岁不等；14 到 18 岁不能确定，两边都不算
    "儿童": (0, 14),
    "小儿": (0, 14),
    "婴幼儿": (0, 4),
    "幼儿": (1, 4),
    "婴儿": (0, 1),
    "新生儿": (0, 29 / 365),
}
"""以年为单位的 [low, high)。"""
_AGE_SPAN = (
    r"(?<![\d.~-])(?:[<>]=?)?\d{1,3}(?:(?:周?岁|个?月|天|日)?[-~至到]\d{1,3})?(?:周?岁|个?月|天|日)龄?(?:及?以[上下])?"
)
_PHASE = r"非?[早中晚]?(?:卵泡|排卵|黄体|绝经|妊娠|孕)(?:[早中晚]?期|[前后]|妇)?"
_PART = re.compile(rf"男性?|女性?|{'|'.join(_AGE_WORDS)}|{_AGE_SPAN}|{_PHASE}")
_GROUP = re.compile(rf"(?:{_PART.pattern})(?:[:(\[]?(?:{_PART.pattern}))*")
_ENGLISH = (
    (re.compile(r"(?<![a-z])non-?pregnant(?:wom[ae]n|females?|adults?)?(?=[:,\d<>])", re.IGNORECASE), "非妊娠期"),
    (re.compile(r"(?<![a-z])(?:females?|wom[ae]n|girls?|f)(?=[:\d<>])", re.IGNORECASE), "女"),
    (re.compile(r"(?<![a-z])(?:males?|m[ae]n|boys?|m)(?=[:\d<>])", re.IGNORECASE), "男"),
    (re.compile(r"(?<=\d)(?:years?|yrs?|y)(?=[:\d<>])", re.IGNORECASE), "岁"),
    (re.compile(r"(?<![a-z])adults?(?=[:\d<>])", re.IGNORECASE), "成人"),
    (re.compile(r"(?<![a-z])child(?:ren)?(?=[:\d<>])", re.IGNORECASE), "儿童"),
    (re.compile(r"(?<![a-z])newborns?(?=[:\d<>])", re.IGNORECASE), "新生儿"),
)


def find_groups(text: str) -> list[tuple[str, str]]:
    """`男:130-175,女:115-150` -> [(`男`, `:130-175,`), (`女`, `:115-150`)]；不分人群或自相矛盾时为空列表。"""
    for pattern, word in _ENGLISH:
        text = pattern.sub(word, text)
    starts = list(_GROUP.finditer(text))
    if not starts or text[: starts[0].start()].strip("[("):
        return []
    ends = [start.start() for start in starts[1:]] + [len(text)]
    people = ["".join(part.removesuffix("性") for part in _PART.findall(start[0])) for start in starts]
    if not all(map(_is_possible, people)):
        return []
    return [(who, text[start.end() : end]) for who, start, end in zip(people, starts, ends, strict=True)]


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
    unknown = {
        "性别": sex is None and bool(parts & {"男", "女"}),
        "年龄": age_years is None and bool(parts - phases - {"男", "女"}),
        "生理期": sex != "男" and bool(phases),
    }
    return [what for what, is_unknown in unknown.items() if is_unknown]


def _is_possible(who: str) -> bool:
    spans = [_age_span(part) for part in re.findall(_AGE_SPAN, who)]
    return not ("男" in who and "女" in who) and all(high is None or low < high for low, high in spans)


def _may_apply(part: str, sex: str | None, age_years: float | None) -> bool:
    if part in "男女":
        return sex in (None, part)
    if re.fullmatch(_PHASE, part):
        # 生理期无从得知，只排除男性
        return sex != "男"
    if age_years is None:
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
