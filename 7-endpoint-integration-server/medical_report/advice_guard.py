"""建议模型写的，先由代码检查，才给人看：结构、药与剂量、分级、说每一项是高是低、数。宁可错拦，换成内置的建议。"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from itertools import groupby

from health_assistant.lab_report.catalogue import fold_name, load_catalogue
from health_assistant.lab_report.patterns import TIERS
from health_assistant.lab_report.reference_range import Terms, parse_result
from health_assistant.lab_report.report import ABNORMAL_FLAGS, TRIAGE_WORDS, LabItem, LabReport
from medical_report.advice_request import HEADINGS, known_rows

MIN_LENGTH, MAX_LENGTH = 60, 3000

_HEADING = re.compile(r"^#+\s*(.*?)\s*:?$", re.MULTILINE)
_FOREIGN = re.compile(
    r"<[a-z/!]|&\w+;|https?:|www\.|\]\(|`|^\s*\||!\[|\w@\w|\b\w+\.(?:com|cn|net|org)\b|微信|公众号|二维码",
    re.IGNORECASE | re.MULTILINE,
)
_AMOUNT = r"(?:\d+(?:\.\d+)?|[半几一二两三四五六七八九十]+)\s*"
_DOSE = re.compile(
    rf"{_AMOUNT}(?:mg|毫克|[uμ]g|微克|克|g|ml|毫升|片|粒|丸|支(?!持)|滴|袋|枚|喷|贴|iu|国际单位|万?单位)(?![/a-z])"
    rf"|(?:每|一|隔)[日天晚早周餐](?!.{{0,6}}(?:测|量|查|记录)).{{0,4}}{_AMOUNT}(?:次|回|顿)"
    r"|\d+\s*[次片]/[日天]|(?:首剂|顿服|剂量|用量|疗程)|\b(?:bid|tid|qid|qd|qn|prn|q\d+h|po|iv|im)\b",
    re.IGNORECASE,
)
_DRUG = re.compile(
    r"西林|头孢|沙星|他汀|洛尔|地平|普利(?!能)|沙坦|双胍|格列|列汀|列净|霉素|米松|泼尼松|可的松|阿司匹林|布洛芬|对乙酰|洛芬"
    r"|拉唑|硝唑|康唑|肝素|法林|格雷|沙班|优甲乐|甲状腺素片|巯咪唑|硫脲|铁剂|钙片|亚铁|多糖铁|噻嗪|呋塞米|螺内酯|别嘌醇|非布司他"
    r"|溴马隆|秋水仙碱|飞蓟|双环醇|甘草酸|替卡韦|诺福韦|拉米夫定|干扰素|促红|激素[类药]|中成药|中药|阿胶|连花|板蓝根|偏方"
    r"|保健品|胶囊|口服液|冲剂|颗粒剂|注射液|胰岛素(?!抵抗|样|释放|分泌|水平)"
    r"|aspirin|cillin|mycin|floxacin|statin|metformin|insulin|warfarin|heparin|profen|prednis|olol\b|sartan|dipine|azole",
    re.IGNORECASE,
)
_MEDICATE = re.compile(
    r"服用|口服|内服|注射|静滴|静脉滴注|输液|打针|含服|吃[^,。;]{0,3}药|用药|服药|给药|买[^,。;]{0,3}药|停药|停用|停掉|换药|[加减]药|加量|减量"
    r"|补(?:充)?(?:铁(?!的?食)|叶酸|维生素|钾|钙(?!的?食)|锌|激素)|处方"
)
_UP_TO_DOCTOR = re.compile(r"遵医嘱|医生(?:决定|评估|判断|指导)")
_NOT_MEDICATING = re.compile(
    r"(?:不要|不能|不可|不宜|不应|不得|别|勿|避免|切忌|禁止)[^,。;]{0,10}$|(?:正在|近期|最近|目前|平时)[^,。;]{0,4}$|(?:是否|有没有)[^,。;]{0,4}$|告诉医生.*$"
)
_DIAGNOSIS = re.compile(
    r"(?<!不能据此)(?<!不能)(?<!不)(?<!才能)(?:确诊为|确诊了|诊断为)|您(?:已经?)?(?:得了|患有|患了|就是)"
)
_NO_DOCTOR = re.compile(
    r"(?:无需|无须|不用|不必|不需要|没(?:有)?必要|用不着|别)(?:再|去|到|看|做|特意|专门|任何|医院|接受|进行)*"
    r"(?:就医|就诊|看医生|看病|医生|医院|急诊|门诊|复查|治疗|处理|理会|检查)"
)
_NO_WORRY = re.compile(
    r"(?:不用|不必|无需|不需要|别)[^,。;]{0,4}(?:担心|紧张|着急|急)|没(?:有)?(?:什么)?大碍|可以(?:再)?等|不要紧|没事"
)
_ALL_FINE = re.compile(
    r"(?:一切|全部|全都|所有(?:的)?(?:项目|指标|结果)?|各项(?:指标|结果)?|完全|整体|总体|身体)(?:都|均|很|基本|是)*(?:正常|健康|没有?问题|在[^,。]{0,6}范围)"
    r"|(?:报告|单子|结果|指标)[^,。;]{0,3}(?:正常(?!范围)|没有?问题)|身体健康"
)
_REST_FINE = re.compile(
    r"(?:其余|其他|其它|另外|剩下|余下|别的)[^,。;]*(?:正常(?!范围)|范围内|异常|没有?问题)|(?:未见|没有|无)(?:明显)?异常"
)
_URGED = re.compile(r"就医|急诊|急救|120")
_MILD = re.compile(r"轻微|轻度|略[高低微]|稍[高低微]")

# 一句话里的零件；先列的优先
_SKIPPED = r"(?:恢复|回到|回归|降到|升到|降至|升至|转)(?:至|到|为)?(?:了)?正常(?:范围|水平|值)?|正常(?:参考)?(?:范围|值|区间|人|饮食|作息|生活|活动|上班|工作|进食|吃|上限|下限)"
_RANGE = r"(?:正常|参考)?(?:参考)?(?:范围|区间)"
_HIGH = r"偏高|升高|增高|过高|[略稍太很较]高|(?:轻度|明显)高|高于|超过(?!\s*\d)|↑|超标|增多|偏多|上升"
_LOW = r"偏低|降低|减低|过低|[略稍太很较]低|(?:轻度|明显)低|低于|↓|减少|偏少|不足|下降"
_NOT = r"(?:不|没有|没|并非|并未|未|未见|不算|不是|并不)(?:明显|太|算|是)?"
_CLAIMS = {
    "not_high": f"{_NOT}(?:{_HIGH}|高)",
    "not_low": f"{_NOT}(?:{_LOW}|低)",
    "abnormal": f"不(?:太|是|完全)?正常|(?:超出|超过|不在|偏离)了?{_RANGE}",
    "normal": f"(?:未见|没有|没|无|不算|并非)(?:明显)?异常|正常|在{_RANGE}之?内|达标|没有?问题|合格",
    "any_abnormal": "异常",
    "high": _HIGH,
    "low": _LOW,
    "positive": "弱?阳性",
    "negative": "阴性",
}
_CARRIED = re.compile(r"偏高|偏低|正常|异常|内$|于$|↑|↓|^不|^没|^未|阳性|阴性")
_LINKING = re.compile(
    r"(?:结果|属于|属|为|是|也|都|均|且|但|仍|处于|明显|轻度|轻微|略微?|稍微?|而|目前|这次|数值|[\s\d(:-])*"
)
_DURATION = r"\d+(?:\.\d+)?(?:\s*[-~到至]\s*\d+)?\s*(?:个)?(?:半)?(?:分钟|小时|天|日|周|星期|月|年)|(?:急救|拨打|呼叫|电话)\D{0,4}120|120\D{0,3}(?:急救|电话)"
_SUPPOSED = re.compile(r"如果|如(?=[^,。]{0,8}(?:进一步|继续|持续))|若(?!干)|一旦|要是|假如|万一|是否|有没有")
_LATER = re.compile(r"复查|恢复|以后|之后")


def find_problems(written: str, report: LabReport) -> list[str]:
    """建议里不能给人看的地方，一条一句；没有则为空。"""
    text = _plain(written)
    return [
        *_structure_problems(written, text),
        *_medicine_problems(text),
        *_triage_problems(text, report),
        *_finding_problems(text, report),
    ]


def _plain(written: str) -> str:
    """便于检查的形式：全角转半角，去掉看不见的字符、强调符号与汉字之间的空格。"""
    superscripts = {"⁹": "^9", "⁶": "^6", "³": "^3", "¹²": "^12"}
    text = re.sub("(?<=10)(¹²|[⁹⁶³])", lambda found: superscripts[found[0]], written)
    text = unicodedata.normalize("NFKC", text)
    text = "".join(one for one in text if unicodedata.category(one) != "Cf")
    text = re.sub(r"\*\*|__|(?<!^)\*", "", text)
    return re.sub(r"(?<=[一-鿿])[ \t]+(?=[一-鿿])", "", text)


def _structure_problems(written: str, text: str) -> Iterator[str]:
    if not MIN_LENGTH <= len(written) <= MAX_LENGTH:
        yield f"有 {len(written)} 个字，应当是 {MIN_LENGTH} 到 {MAX_LENGTH} 个"
    if tuple(_HEADING.findall(text)) != HEADINGS:
        yield f"标题不是约定的{len(HEADINGS)}个"
    letters = re.findall(r"[^\W\d_]", text)
    if sum("一" <= one <= "鿿" for one in letters) < 0.7 * len(letters):
        yield "多半不是中文"
    if found := _FOREIGN.search(text):
        yield f"有不该有的写法“{found[0]}”"


def _medicine_problems(text: str) -> Iterator[str]:
    for pattern, what in ((_DOSE, "用量"), (_DRUG, "药名"), (_DIAGNOSIS, "诊断")):
        if found := pattern.search(_without_units(text)):
            yield f"有{what}“{found[0]}”"
    for clause in re.split(r"[,。;!?\n]", text):
        for found in _MEDICATE.finditer(clause):
            if not (_NOT_MEDICATING.search(clause[: found.start()]) or _UP_TO_DOCTOR.search(clause)):
                yield f"劝人用药或停药“{found[0]}”"


def _triage_problems(text: str, report: LabReport) -> Iterator[str]:
    conclusion = _section(text, HEADINGS[0])
    tier = TIERS.index(report.triage)
    said = [word for one in TIERS if (word := TRIAGE_WORDS[one]) in conclusion]
    if TRIAGE_WORDS[report.triage] not in said:
        yield f"“{HEADINGS[0]}”里没有分级“{TRIAGE_WORDS[report.triage]}”"
    if lower := [TRIAGE_WORDS[one] for one in TIERS[1:tier] if TRIAGE_WORDS[one] in text]:
        yield f"说成了更缓的“{lower[0]}”"
    if report.triage == "urgent":
        if not _URGED.search(re.split(r"[。!?;\n]", conclusion.strip())[0]):
            yield "第一句没有请人就医"
        if found := _NO_WORRY.search(text):
            yield f"急的时候说“{found[0]}”"
    if report.triage == "none":
        return
    if found := _NO_DOCTOR.search(text):
        yield f"说“{found[0]}”"
    if found := _ALL_FINE.search(text):
        yield f"说“{found[0]}”，而有项目不正常或没有判断"


# ---- 逐项 ----


@dataclass
class _Mention:
    """文字里提到的一个指标，和报告里对应的行；报告里没有的，行是空的。"""

    word: str
    items: list[LabItem] = field(default_factory=list)

    def numbers(self) -> set[Decimal]:
        return {number for item in self.items for number in _numbers_of(item)}


def _finding_problems(text: str, report: LabReport) -> Iterator[str]:
    rows: dict[str, list[LabItem]] = {}
    for item, indicator in known_rows(report):
        rows.setdefault(indicator.code, []).append(item)
    every_number = {number for items in rows.values() for item in items for number in _numbers_of(item)}
    has_unknown = any(item.flag == "unknown" for item in report.items)
    body = _HEADING.sub("", text)
    for sentence in re.split(r"[。;!?\n]", body):
        sentence = re.sub(r"^\s*(?:\d+[.、)]|[-+*])\s*", "", sentence)
        yield from _Sentence(rows, every_number).problems(sentence)
        if (found := _REST_FINE.search(sentence)) and report.triage != "none":
            names = [one for one in _tokens().finditer(sentence) if one.lastgroup == "name"]
            is_about_rest = re.match("其余|其他|其它|另外|剩下|余下|别的", found[0])
            if has_unknown if is_about_rest else not names:
                yield f"说“{found[0]}”，而有项目不正常或没有判断"
    yield from _misplaced(_section(text, HEADINGS[1]), rows)


def _misplaced(section: str, rows: dict[str, list[LabItem]]) -> Iterator[str]:
    """列在“异常项目”里、又没有说它正常的正常项目。"""
    for line in re.findall(r"^\s*(?:\d+[.、)]|[-+*])\s*(.+)", section, re.MULTILINE):
        tokens = list(_tokens().finditer(line))
        items = _find_items(tokens[0][0], rows) if tokens and tokens[0].lastgroup == "name" else []
        says_so = any(token.lastgroup in ("normal", "negative", "not_high", "not_low") for token in tokens)
        if items and not says_so and all(item.flag == "normal" for item in items):
            yield f"把正常的 {tokens[0][0]} 列为异常"


class _Sentence:
    """从左到右读一句话：提到谁，说它怎样，给了什么数。"""

    def __init__(self, rows: dict[str, list[LabItem]], every_number: set[Decimal]) -> None:
        self._rows = rows
        self._every_number = every_number

    def problems(self, sentence: str) -> Iterator[str]:
        subjects: list[_Mention] = []
        """这一句里提到过的。"""
        for clause in sentence.split(","):
            here: list[_Mention] = []
            """这个分句里、上一个说法之后提到的。"""
            is_told, pending = False, None
            for token in _tokens().finditer(clause):
                kind, before = token.lastgroup, clause[: token.start()]
                if kind == "name":
                    mention = _Mention(token[0], _find_items(token[0], self._rows))
                    here, is_told = ([], False) if is_told else (here, False)
                    here.append(mention)
                    subjects.append(mention)
                    if pending:
                        yield from _check(pending, [mention], clause)
                elif kind == "number":
                    yield from self._check_number(token[0], here or subjects[-1:])
                elif kind in _CLAIMS and not _is_supposed(kind, before, clause):
                    about = subjects if re.search(r"[均都全]\w{0,2}$", before) else here
                    if not about and _CARRIED.search(token[0]) and _LINKING.fullmatch(_without_numbers(before)):
                        about = subjects[-1:]
                    if about:
                        yield from _check(kind, about, clause)
                    elif re.match(r"的?(?:项目|指标|结果)?(?:有|是|为|包括|:|的)", clause[token.end() :]):
                        pending = kind
                    is_told = True

    def _check_number(self, text: str, about: list[_Mention]) -> Iterator[str]:
        number = Decimal(re.match(r"[\d.]*\d", text)[0])
        allowed = {one for mention in about for one in mention.numbers()} if about else self._every_number
        if number not in allowed:
            yield (
                f"单子上没有的数 {number}"
                if number not in self._every_number
                else f"{about[0].word} 的数不对：{number}"
            )


def _check(kind: str, about: list[_Mention], clause: str) -> Iterator[str]:
    for mention in about:
        if not mention.items:
            yield f"单子上没有 {mention.word}，却说了它的结果"
        elif not any(_agrees(kind, item) for item in mention.items):
            yield f"把 {mention.word} 说错了：“{clause.strip()}”"
        elif any(item.critical for item in mention.items) and _MILD.search(clause):
            yield f"{mention.word} 达到危急值，却说得很轻"


def _agrees(kind: str, item: LabItem) -> bool:
    result = parse_result(item.result)
    words = result.words if isinstance(result, Terms) else ()
    allowed = {
        "high": ("high", "abnormal"),
        "low": ("low",),
        "normal": ("normal",),
        "abnormal": ABNORMAL_FLAGS,
        "any_abnormal": ABNORMAL_FLAGS,
        "not_high": ("low", "normal"),
        "not_low": ("high", "normal", "abnormal"),
        "positive": ("high", "abnormal"),
        "negative": ("normal",),
    }
    is_printed = (kind == "positive" and {"阳性", "弱阳性"} & {*words}) or (kind == "negative" and "阴性" in words)
    return bool(is_printed) or item.flag in allowed[kind]


def _is_supposed(kind: str, before: str, clause: str) -> bool:
    """“如果继续降低”“看是否升高”是假设，不是说结果；假设它正常的，要说的是以后才算。"""
    return bool(_SUPPOSED.search(before)) and (kind != "normal" or bool(_LATER.search(clause)))


def _find_items(word: str, rows: dict[str, list[LabItem]]) -> list[LabItem]:
    return [item for code in _names().get(fold_name(word), ()) for item in rows.get(code, [])]


def _numbers_of(item: LabItem) -> set[Decimal]:
    return {Decimal(one) for text in (item.result, item.applied_range) for one in re.findall(r"\d+(?:\.\d+)?", text)}


def _section(text: str, heading: str) -> str:
    found = re.search(rf"^#+\s*{heading}\s*:?$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@cache
def _names() -> dict[str, tuple[str, ...]]:
    """名称的比较形式 -> 指标的代号。两个字的只取“血钾”这样的：别的太像平常的话；代号至少两个字符。"""
    names: dict[str, set[str]] = {}
    for indicator in load_catalogue():
        for word in (indicator.name, *indicator.aliases, indicator.code):
            is_clear = re.fullmatch(r"[A-Za-z].+|.{3,}|[血尿](?!液).|肌酐|[钾钠氯钙磷镁铁]", word)
            if is_clear and (len(word) > 1 or word == indicator.name):
                names.setdefault(fold_name(word), set()).add(indicator.code)
    return {name: tuple(sorted(codes)) for name, codes in names.items() if name}


@cache
def _unit_pattern() -> str:
    units = {
        unit for one in load_catalogue() for unit in (one.unit, *one.other_units, *one.more_units, *one.conversions)
    }
    spelled = sorted((re.escape(unicodedata.normalize("NFKC", unit)) for unit in units if unit), key=len, reverse=True)
    return rf"(?:\s*[×x*]?\s*(?:{'|'.join(spelled)})(?![A-Za-z]))"


@cache
def _tokens() -> re.Pattern:
    """一句话里的零件：跳过的、说法、时间、名称、数。"""
    spelled = (word for one in load_catalogue() for word in (one.name, *one.aliases, one.code))
    words = {
        unicodedata.normalize("NFKC", word).upper() for word in spelled if len(word) > 1 and fold_name(word) in _names()
    }
    latin, others = (_any_of({word for word in words if word.isascii() is is_ascii}) for is_ascii in (True, False))
    # 一个字的名称只在不是“补铁”“低钾饮食”这样的词里才算
    single = "(?<![补含缺高低排保富限吃])(?:钾|钠|氯|钙|磷|镁|铁)(?![性剂盐的一-鿿]{0,1}(?:食|饮|蛋白|丰富))"
    name = rf"(?<![A-Za-z0-9])(?:{latin})(?![A-Za-z0-9])|{others}|{single}"
    claims = "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _CLAIMS.items())
    number = rf"(?P<number>\d+(?:\.\d+)?{_unit_pattern()}?)"
    return re.compile(rf"(?P<skip>{_SKIPPED}|{_DURATION})|(?P<name>{name})|{claims}|{number}", re.IGNORECASE)


def _any_of(words: set[str]) -> str:
    """几千个词之一，长的优先；按第一个字分组，不用每个位置都把几千个词试一遍。"""
    ordered = sorted(words, key=lambda word: (word[0], -len(word)))
    groups = groupby(ordered, key=lambda word: word[0])
    return "|".join(f"{re.escape(first)}(?:{'|'.join(re.escape(word[1:]) for word in same)})" for first, same in groups)


@cache
def _measured() -> re.Pattern:
    return re.compile(rf"\d+(?:\.\d+)?{_unit_pattern()}", re.IGNORECASE)


def _without_units(text: str) -> str:
    """去掉带检验单位的数：104 g/L 不是用量。"""
    return _measured().sub(lambda found: found[0] if "/" not in found[0] and "%" not in found[0] else "", text)


def _without_numbers(text: str) -> str:
    return re.sub(rf"\d+(?:\.\d+)?{_unit_pattern()}?", "", text, flags=re.IGNORECASE)
