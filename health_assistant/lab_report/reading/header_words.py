"""表头的词：一段文字是哪一列的名字。"""

import re
from collections.abc import Iterator
from typing import Literal

from health_assistant.lab_report.groups import find_groups
from health_assistant.lab_report.reading.header_dates import DATE
from health_assistant.lab_report.reading.text import TextBox, part_of

Role = Literal[
    "name", "code", "serial", "result", "unit", "range", "low", "high", "mark", "method", "mean", "replicate", "date",
    "percent", "absolute", "ignored", "unknown",
]  # fmt: skip
"""一列是什么。ignored 是不必看的：上次的结果、危急值；unknown 是认不得的；mean、replicate 是测了几次的平均、每一次；
percent、absolute 是同一项的百分数与绝对数。"""

_WORDS: tuple[tuple[Role, str], ...] = (
    # 先长后短：“上次结果”不是结果，“项目代码”不是项目，“参考下限”不是参考范围。
    # 上次的结果、危急值、日期都是数，却不是这次的结果
    (
        "ignored",
        r"(?:上一?次|前次|前前次|历史|既往|历次|previous|prior|last)\s*(?:检测|检验)?\s*(?:结果|数?值|results?|values?)?"
        r"(?:\s*(?:[&＆/]|and)\s*(?:date|日期))?|危[急机]界?限?值?(?:范围)?|(?:警戒|中毒|毒性|报警|警告)界?限?(?:值|浓度|水平|范围)"
        r"|\b(?:critical|panic|toxic)\b\s*(?:values?|ranges?|limits?|levels?)?|\b(?:alert|action|warning)\s+(?:values?|ranges?|limits?|levels?)"
        r"|(?:检测|测量|测定|线性|报告)(?:范围|区间)|\b(?:reportable|measur\w+|analytical|linear)\s+(?:range|interval)s?"
        r"|(?:扩展|标准)?(?:测量)?不确定度|\b(?:expanded\s+)?uncertainty\b|上限倍数|^\s*倍数\s*$|[x×]\s*ULN\b"
        r"|(?:采样|检测|报告|检验|审核|collected|report)?\s*(?:日期|时间|\bdate\b)|(?:标本|样[本品]|\bspecimen\b|\bsample\b)\s*(?:类型|种类|名称|编?号|type)?"
        r"|原(?:报告|结果|值)|[更修]正前|\boriginal\b|级别|等级|分级|敏感[度性]|仪器(?:名称|设备)?|设备|实验室(?!参)|\binstrument\b|\blab\b(?!\s*(?:ref|range|interval|normal|limit))|备注|说明|(?:结果)?解[释读]|临床意义|收费|\bremarks?\b|\bcomments?\b",
    ),
    ("result", r"\b(?:in|out\s*of|within)\s*(?:the\s*)?range\b"),
    ("method", r"(?:检测|检验|测定|分析|实验|试验)?方\s*法(?:学|名称)?|\b(?:test )?method(?:ology)?\b|\btechnology\b"),
    ("low", r"(?:参考|正常)?(?:范围|值)?(?:下限|最低值?|最小值?|低值)|\b(?:lower|min(?:imum)?\.?)\s*(?:limit)?\b"),
    ("high", r"(?:参考|正常)?(?:范围|值)?(?:上限|最高值?|最大值?|高值)|\b(?:upper|max(?:imum)?\.?)\s*(?:limit)?\b"),
    (
        "range",
        # 单独的“正常”是结果
        r"(?:生物|正常|标准|定[性量])?参\s*[考照比]\s*(?:参考)?\s*(?:区间值?|范围值?|值?范围|结果|值|数值|区域)?"
        r"|(?:正常|标准|健康|允许|推荐|适宜|理想)\s*(?:区间值?|范围值?|值?范围|结果|值|数值|区域)|(?:\(|^)范\s*围|(?:有效|治疗|目标)(?:血药)?(?:浓度范围|浓度|范围)|治疗窗|折点|截断值|临界值|\bcut-?off\b"
        r"|\w*referenz\w*|(?:bio(?:logical)?\.?\s*)?\bref(?:erence|\.)?\s*(?:intervals?|ranges?|values?)?"
        r"|(?:normal|standard|expected|healthy|desirable|optimal|ideal|target|therapeutic)\s*(?:ranges?|values?|intervals?|limits?)|\b(?:intervals?|ranges?)\b|normbereich|normwerte?",
    ),
    ("unit", r"(?:计量|结果)?单\s*位|\bunits?\b|\beinheit\b|\bunité\b|\bunidad(?:es)?\b"),
    (
        "mark",
        r"(?:结果|异常)?(?:提\s*示|标\s*[志识记](?!物)|状态|判断|判定|评价|报警|警示|高低|异常)(?:标[志识])?|↑↓|\bflags?\b"
        r"|\bh/l\b|\babn(?:ormal)?\b|\bstatus\b",
    ),
    (
        "code",
        r"(?:项目|英文|检验)?(?:代号|代码|缩写|简称|编码)|缩略语|英\s*缩|英文(?:名称?|缩写|简称|代号)?|\bcode\b|\babbr(?:eviation)?\b\.?",
    ),
    ("serial", r"序\s*号|编号|行号|\bno\b\.?|^#$|№|^[序行]$"),
    (
        "result",
        r"(?:本次|检测|检验|测定|测量|化验|测试|实验|定量|定性|检查)?\s*结\s*果(?:值|数值)?|(?:测定|检测|测量|检验|实测|观测|测试)数?值"
        r"|数\s*值|本次|[更修]正后(?:结果)?|\b(?:corrected|amended|revised)\b|^\s*定[性量]\s*$|风险[值率]|(?:测定|检测)?浓度(?!范围)|含量|效价|\bmic\b|抑菌圈(?:直径)?|(?:(?:current|observed|your|test)\s*)?(?:results?|values?)(?:\s*(?:[&＆/]|and)\s*flags?)?|\bergebnis(?:se)?\b|\bwert\b"
        r"|\brésultats?\b|\bresultados?\b",
    ),
    (
        "name",
        r"\btest\s+report\s+status\b|(?:检验|检测|检查|化验|测试|分析|中文|收费|试验)?\s*项\s*目\s*(?:名称?|内容)?|(?:检验|检测|检查|中文|指标|分析物)\s*(?:名称|内容|指标|参数)"
        r"|名\s*称|指标|参\s*数|基因型|型别|亚型|标[志记]物|过敏原|变应原|\b(?:tests?|investigations?|analytes?|components?|parameters?|items?|examinations?|assay)\b"
        r"\s*(?:\bnames?|description)?|\bname\b|\banalysen?\b|\buntersuchung\b",
    ),
)
_BESIDE_OTHERS: tuple[tuple[Role, str], ...] = (
    ("low", r"(?:(?:ref\w*\.?|normal|range)\s*)?(?:low|lln|from)(?:\s*(?:limit|value|ref\w*|range|end))?"),
    ("high", r"(?:(?:ref\w*\.?|normal|range)\s*)?(?:high|uln|to)(?:\s*(?:limit|value|ref\w*|range|end))?"),
    ("range", r"(?:normal|正常)(?:\s*\W?[%#]\W?)?"),
    (
        "percent",
        r"(?:结果|results?)?\s*\[?\(?\s*%\s*\)?\]?|(?:百分[比率数]|比[例率]|percent(?:age)?|relative)(?:\s*\W?%\W?)?",
    ),
    (
        "absolute",
        r"(?:结果|results?)?\s*\[?\(?\s*(?:abs(?:olute)?\.?|#)\s*\)?\]?(?:\s*(?:counts?|values?))?(?:\s*\(.*\))?|绝对(?:值|计数|数)(?:\s*[(（].*[)）])?",
    ),
    ("mean", r"平均(?:值|结果)?|均值|mean|average"),
    (
        "replicate",
        r"第\s*[一二三四1-4]\s*次(?:结果|测定|检测)?|(?:测定|结果)\s*[1-4]|(?:rep(?:licate)?|run|reading)\.?\s*[1-4]",
    ),
    # 血脂一类的单子一档一列：只有合适的那一档是范围
    ("range", r"(?:合适|适宜|理想|最佳)(?:水平)?|低(?:风险|危)(?:人群)?|optimal|desirable|ideal|low\s+risk"),
    (
        "ignored",
        r"(?:边缘|临界)?(?:升高|增高|偏高|降低|减低|偏低)(?:水平|范围)?|极?[中高](?:风险|危)(?:人群)?"
        r"|(?:(?:very\s+)?high|moderate|medium|intermediate|average|increased|elevated)\s+risk"
        r"|near\s+optimal|borderline(?:\s+high)?|moderate|intermediate|very\s+high",
    ),
)
"""与别的表头词印在一行才是表头的；单独一格多半是标记（`High`、`偏高`）。"""
_AT_TEMPERATURE = re.compile(
    r"(?:(?:检测|测定)?(?:结果|值))?\s*[(（]?\s*((?:3\d|4[0-3])(?:\.\d)?)\s*(?:[°º]\s*C?|℃)?\s*[)）]?(?:结果|值)?"
)
"""℃ 常认不出来：`结果(37`。"""
_CORRECTED = re.compile(
    r"(?:结果|值)?\s*[(（]?(?:病人|患者)?(?:体温|温度|T)\s*[校矫]正(?:后|值|结果)*[)）]?"
    r"|(?:temp(?:erature)?\.?|T)[- ]?corrected.*",
    re.IGNORECASE,
)
_SIMPLIFIED = str.maketrans(
    "檢結單參項數異標範圍測驗編號稱儀備註歷區間級實", "检结单参项数异标范围测验编号称仪备注历区间级实"
)
"""繁体的表头词。"""
HEAD_WORD = re.compile("|".join(f"({words})" for _, words in _WORDS), re.IGNORECASE)
_RANGE_WORD = re.compile(dict(_WORDS)["range"], re.IGNORECASE)
_BEST = re.compile(
    r"\b(?:optimal|desirable|ideal|functional|low\s+risk)\b|合适|适宜|理想|最佳|低风险|低危", re.IGNORECASE
)
_WHOSE = re.compile(r"男|女|\b(?:fe)?male\b", re.IGNORECASE)
"""`参考值(男)`：这一列是谁的范围。"""
_AROUND_MEAN = re.compile(r"(?:均[值数]|\bmean|[Xx]̄?)\s*(?:±|\+/?-)\s*[12]?\s*SD?", re.IGNORECASE)
"""`正常值(均值±2SD)`：说的是范围怎样写。"""
_MAX_WIDTH = 12
"""表头一格里认不得的字至多占多少；“检验结果仅对本次标本负责”这样的句子不是表头。"""


def group_of(head: str) -> str:
    """表头说这一列是一群人的范围（`男性`、`参考值(男)`、`Adult`）时，那一群；不是的为空串。"""
    bare = re.sub(r"[\s()（）:：]", "", _RANGE_WORD.sub("", head.translate(_SIMPLIFIED)))
    groups = find_groups(f"{bare}:1-2")
    return bare if len(groups) == 1 and groups[0][1] == ":1-2" else ""


def role_beside_others(head: str) -> Role:
    """与别的表头词印在一行的这一段说的是哪一列；不认得的是 unknown。"""
    if group_of(head) and not re.search(r"\d", head):  # `46岁` 是病人的年龄
        return "range"
    text = head.strip().translate(_SIMPLIFIED)
    return next((role for role, words in _BESIDE_OTHERS if re.fullmatch(words, text, re.IGNORECASE)), "unknown")


def role_at_temperature(head: str) -> Role | None:
    """血气的结果按体温分列的：`37℃`、`结果(37℃)` 是结果（范围说的是它），别的体温、`体温校正` 不看；不是的为 None。"""
    at = _AT_TEMPERATURE.fullmatch(head.strip())
    if at:
        return "result" if float(at[1]) == 37 else "ignored"
    return "ignored" if _CORRECTED.fullmatch(head.strip()) else None


def is_best(head: str) -> bool:
    """表头说这一列是合适的一档，不是参考范围。"""
    return bool(_BEST.search(head))


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


HEAD_UNIT = re.compile(r"(?<=\S)\s*[(（\[][^()（）\[\]/]{1,8}/[^()（）\[\]/]{1,8}[)）\]]$")
"""表头词后面括着的单位：`结果(mmol/L)`。"""


def words_in(box: TextBox) -> Iterator[tuple[Role, TextBox]]:
    """一段文字里的各个表头词（`提示单位` 是两个）；不像表头的没有。"""
    text = HEAD_UNIT.sub(_blank, _AROUND_MEAN.sub(_blank, box.text.translate(_SIMPLIFIED)))
    found = [one for one in HEAD_WORD.finditer(text) if one[0].strip()]
    rest = re.sub(r"[\s()（）:：*/&·.,，、|☑口]", "", DATE.sub("", _WHOSE.sub("", HEAD_WORD.sub("", text))))
    # `WHO第5版参考值` 末了才说是什么列，前面可以多几个字
    spare = 6 if found and found[-1].end() == len(text.strip()) else 3
    if not found or len(rest) > max(spare, sum(len(one[0]) for one in found) // 2) or len(rest) > _MAX_WIDTH:
        return
    if len(found) > 1:  # `浓度(分级)` 是浓度一列
        found = [one for one in found if text[: one.start()][-1:] not in ("(", "（")] or found
    roles = [_WORDS[one.lastindex - 1][0] for one in found]
    for role, one in zip(roles, found, strict=True):
        if role not in ("low", "high") or "range" not in roles:  # `检测下限/参考值` 是一列
            yield role, part_of(box, *one.span())
