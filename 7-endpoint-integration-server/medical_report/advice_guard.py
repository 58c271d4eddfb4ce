"""建议模型写的草稿，先由代码检查，才给人看。数与高低不由它写，这里只拦它的话：宁可错拦，换成内置的建议。"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from health_assistant.lab_report.catalogue import load_catalogue
from health_assistant.lab_report.patterns import TIERS
from health_assistant.lab_report.report import ABNORMAL_FLAGS, TRIAGE_WORDS, LabReport
from medical_report.advice_request import Draft, known_rows

# 以下都是正则，用在 `_plain` 之后的文字上
_NEAR = "[^,。;!?]"
"""同一个分句里的一个字。"""
_COUNT = r"[〇零一二两三四五六七八九十百半几壹贰叁肆伍陆柒捌玖拾\d]"
_ALLOWED_COUNT = (
    rf"{_COUNT}+(?:[-~到至]{_COUNT}+)?个?半?(?:分钟|小时|天|日|周|星期|月|年)|(?:拨打|呼叫)120|十二指肠"
    r"|(?<![a-z])(?:[a-z]{1,2}\d|b12|ca\d{2,3})(?!\d)"
)
"""许写的数：时间，急救电话，C3、T4 这样的名称。"""
_NUMBER = rf"\d|(?!半|几){_COUNT}{{2,}}|{_COUNT}(?:倍|成(?![分人年为])|点{_COUNT})|分之|[%‰]"
_REFUSED = {
    "标记、链接或繁体": (
        r"[<>\[\]{}|`#@\\=&]|//|www|\.(?:com|cn|net)|[微v]信|公众号|二维码|扫码|加群|热线|[藥醫無沒觀擔檢診復應為]"
    ),
    "用量": (
        rf"{_COUNT}(?:[片粒颗丸滴袋枚喷贴克]|支(?!持)|毫克|微克|毫升|单位)|[每一隔][日天晚早餐]{_NEAR}{{0,6}}[次回顿]"
        rf"|每隔?{_COUNT}+个?小时|早晚各|早中晚|剂量|用量|疗程|顿服|{_COUNT}[次回顿][/每一]"
    ),
    "药名": (
        "西林|头孢|沙星|他汀|洛尔|地平|普利(?!能)|沙坦|双胍|格列|列汀|列净|霉素|米松|泼尼松|可的松|阿司匹林|布洛芬|洛芬|对乙酰"
        "|[拉硝康咪]唑|肝素|法林|格雷|沙班|优甲乐|甲状腺素片|硫脲|铁剂|钙片|亚铁|多糖铁|噻嗪|呋塞米|螺内酯|别嘌醇|非布司他"
        "|溴马隆|秋水仙碱|飞蓟|双环醇|甘草酸|卡韦|诺福韦|夫定|干扰素|激素类|阿胶|连花|板蓝根|红曲|鱼油|偏方|保健品|胶囊|口服液|冲剂"
        "|颗粒剂|[a-z]片|胰岛素(?!抵抗)|立普妥|波立维|络活喜|拜新同|芬必得|泰诺|安宫|六味|善存|钙尔奇|aspirin|cillin|mycin|floxacin"
        "|statin|metformin|insulin|warfarin|heparin|profen|prednis|olol|sartan|dipine|azole"
    ),
    "诊断": (
        rf"确诊[为了是]|诊断[为是]|(?:肯定|一定|必然|就)是|属于{_NEAR}{{0,9}}[病症癌炎血]"
        rf"|(?<!如果)(?<![若如])[您你](?:已经?|可能|这|多半|大概|应该)*(?:得了|患|(?:是|有){_NEAR}{{0,8}}[病症癌炎衰])"
    ),
    "不用就医": (
        "无需|无须|毋须|不用|不必|不需要|没有?必要|用不着|犯不着|不去|不看医|不就[医诊]|也行|没意义|忽略"
        "|(?:不要|别|勿)(?:再|先|急[着于]|马上|立刻|特意)*(?:去|到|看|就[医诊]|复查)"
    ),
}
_REASSURING = (
    rf"(?<!不)(?<!恢复)正常(?!范围|饮食|作息|生活)|[在属是]于?(?:正常|参考|健康|合理|标准)+值?的?[范区]|范围[之以]?内"
    rf"|已{_NEAR}{{0,3}}恢复|恢复了|阴性|(?:没有?|未见?|无)(?:什么|明显|大)*(?:事|异常|问题|大碍|毛病|危险|不正常|关系)"
    "|大碍|放心|不要紧|不打紧|不算什么|当回事|大不了|无妨|无碍"
    "|[不别勿](?:要|太|会|很|算|过[度于分])*(?:担心|紧张|焦虑|害怕|在意|严重|危险|理会|管)|[题响]不大|小问题|虚惊|达标|合格"
    r"|理想(?!体重)|(?:身体|[很挺蛮都还])[很挺是]?(?:好(?!转)|健康)"
    "|(?:不|没有?|并非|未)(?:明显|太|算|是)*[偏升增降减过]?[高低]"
)
_DELAYING = (
    rf"(?<!不要)(?<!别)再等|等等|等一等|先等|等几|不急|不着急|[先再]观察|观察[几一两看]|观察{_NEAR}{{0,3}}[天周月]|居家"
    rf"|改天|择期|有空|有时间|过[几些]|过一[阵段会]|过段|下次|下个|明年|再说|[吃喝等试]{_NEAR}{{0,6}}看看"
)
_TOO_LIGHT_WHEN_URGENT = (
    "(?:小时|[天日周月年]|星期)[之以]?[后内]|明天|明早|后天|下周|慢慢|轻微|轻度|[略稍]|门诊|挂号|[在回]家|假象"
    "|误[差报]|不准"
)
_MEDICINE = (
    "药(?!物?过敏)|服用(?!某些)|口服|内服|注射|静滴|点滴|输液|打针|停用|停掉|加量|减量|处方|抗生素|利尿剂|补剂|补血"
    "|(?:消炎|退烧|退热|止痛|降压|降糖|降脂|保肝|护肝)[的片丸针]"
    "|补充?(?:[铁钾钙](?!的食)|叶酸|维生素|锌|镁|硒|激素|蛋白粉)"
)
_NOT_MEDICATING = (
    rf"(?:不要|不可|不能|不宜|不应|不得|别|勿|切忌)(?:(?:自行|自己|擅自|随意|盲目|乱|私自){_NEAR}{{0,8}})?[吃用买停]?$"
    rf"|避免(?:(?![漏忘错停断]){_NEAR}){{0,8}}$|(?:正在|最近|近期|平时)[使服吃用]*的?$|(?:某些|有些|部分|一些)$"
)
_MORE, _LESS = "增多|偏多|太多|上升", "减少|偏少|太少|下降"
"""也是高、低；没有说是哪一项时，多半在说症状。"""
_HIGH = "偏高|升高|增高|过高|[略稍太很较也都]高|高[于出]|超[过出]了?(?:参考|范围|上限)|超标|↑|高(?=$|[,。;!?)、了])"
_LOW = "偏低|降低|减低|过低|[略稍太很较也都]低|低于|↓|低(?=$|[,。;!?)、了])"
_CLAIMS: dict[str, set[str]] = {
    f"{_HIGH}|{_MORE}": {"high", "abnormal"},
    f"{_LOW}|{_LESS}": {"low"},
    "异常|阳性|不正常": set(ABNORMAL_FLAGS),
}
"""说一项怎样，与容许这样说的判断。"""
_OTHER_THINGS = (
    "(?:功能|能力|排泄|排出|清除|尿量|饮水|活动|体重|食欲|血压|体温|心率|消耗|丢失|流失|破坏|需要|出血|月经量?|摄入|合成)"
    rf"{_NEAR}{{0,2}}(?:{_HIGH}|{_LOW}|{_MORE}|{_LESS})"
)
"""说的是别的事的高低：排泄减少，破坏增多，血压升高。"""
_COMMON = "[钾钠氯钙磷镁铁锌]|[红白]细胞|血小板|胰岛素"
"""也是平常的字，后面紧跟着高低才算是说那一项。"""


def find_problems(draft: Draft, report: LabReport) -> list[str]:
    """草稿里不能给人看的地方，一条一句；没有则为空。"""
    flags: dict[str, set[str]] = {}
    for item, indicator in known_rows(report):
        flags.setdefault(indicator.name, set()).add(item.flag)
    abnormal = {name for name, found in flags.items() if found & set(ABNORMAL_FLAGS)}
    names = [item.name for item in draft.items]
    problems = [f"“{name}”不是给它的异常项目" for name in names if name not in abnormal]
    problems += [f"“{name}”写了 {names.count(name)} 次" for name in dict.fromkeys(names) if names.count(name) > 1]
    written = [(item.meaning, [{item.name}]) for item in draft.items]
    written += [(text, []) for text in draft.next_steps + draft.warning_signs]
    for text, subjects in written:
        text = _plain(text)
        problems += [*_bad_words(text, report), *_false_claims(text, flags, subjects)]
    return problems


def _plain(text: str) -> str:
    """便于检查的形式：全角转半角，小写，去掉空白、看不见的字符与夹在字里的符号。"""
    text = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf")
    return re.sub(r"[\s*_~·・•'\"“”‘’]", "", text).lower()


def _bad_words(text: str, report: LabReport) -> Iterator[str]:
    refused = dict(_REFUSED)
    if report.triage != "none":
        refused["安慰"] = _REASSURING
    if report.triage in ("soon", "urgent"):
        milder = TIERS[: TIERS.index(report.triage)]
        refused["拖延"] = "|".join([_DELAYING, *(TRIAGE_WORDS[tier] for tier in milder)])
    if report.triage == "urgent":
        refused["说轻了的话"] = _TOO_LIGHT_WHEN_URGENT
    for what, words in refused.items():
        if found := re.search(words, text):
            yield f"有{what}“{found[0]}”"
    if found := re.search(_NUMBER, re.sub(_ALLOWED_COUNT, "", text)):
        yield f"有数“{found[0]}”"
    if len(re.findall("[一-鿿]", text)) < 0.5 * len(re.findall(r"[^\W\d_]", text)):
        yield "多半不是中文"
    for clause in re.split("[,。;!?]", text):
        for found in re.finditer(_MEDICINE, clause):
            if not (re.search(_NOT_MEDICATING, clause[: found.start()]) or re.search("遵医嘱|由医生", clause)):
                yield f"劝人用药或停药“{found[0]}”"


def _false_claims(text: str, flags: dict[str, set[str]], subjects: list[set[str]]) -> Iterator[str]:
    """高低与代码判断的不合：提到的每一项都要合；一项也没有提到的，总要有一项合。"""
    named = subjects + _mentioned(text)
    text = re.sub(_OTHER_THINGS if named else f"{_OTHER_THINGS}|{_MORE}|{_LESS}", "", text)
    everything = set().union(*flags.values())
    for words, agreeing in _CLAIMS.items():
        if found := re.search(words, text):
            told = [set().union(*(flags.get(name, set()) for name in names)) for names in named]
            if not (all(one and one <= agreeing for one in told) if named else everything & agreeing):
                yield f"与判断不合的“{found[0]}”"


def _mentioned(text: str) -> list[set[str]]:
    """文字里提到的指标；每一个是可能的几个目录名称。长的名称在先，铁蛋白不算铁。"""
    found = []
    near = {word for at in range(len(text)) for word in _starts().get(text[at : at + 2], ())}
    for word in sorted(near, key=lambda word: (-len(word), word)):
        names = _names()[word]
        if word not in text or re.fullmatch(_COMMON, word):
            continue
        if not word.isascii() or re.search(rf"(?<![a-z\d]){re.escape(word)}(?![a-z\d])", text):
            found.append(names)
            text = text.replace(word, "|")
    degree = "(?:也|都|均|明显|轻度|水平|浓度|数量?|计数)*"
    common = re.findall(rf"({_COMMON}){degree}(?:{'|'.join(_CLAIMS)})", text)
    return found + [_names()[word] for word in common]


@cache
def _names() -> dict[str, set[str]]:
    """指标的各种叫法 -> 目录里的名称。两个字的只取“血钾”这样的：别的太像平常的话。"""
    names: dict[str, set[str]] = {}
    for indicator in load_catalogue():
        for word in map(_plain, (indicator.name, *indicator.aliases, indicator.code)):
            if re.fullmatch(
                rf"{_COMMON}|[a-z].+|(?!蛋白质).{{3,}}|[血尿](?![液型]).|肌酐|孕酮|睾酮|乳酸|酮体|[潜隐]血", word
            ):
                names.setdefault(word, set()).add(indicator.name)
    return names


@cache
def _starts() -> dict[str, list[str]]:
    """开头的两个字 -> 各种叫法：几千个叫法，不用个个都找一遍。"""
    starts: dict[str, list[str]] = {}
    for word in _names():
        starts.setdefault(word[:2], []).append(word)
    return starts
