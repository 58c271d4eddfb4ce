"""报告单表格以外的内容：医院名、标题、病人信息、页脚、水印。医院与人都是编的。"""

from health_assistant.lab_report.rendering.drawing import Page
from health_assistant.lab_report.rendering.sampling import pick

HOSPITALS = (
    "星河市第一人民医院", "青禾市中心医院", "远山县人民医院", "示例大学附属医院", "明湖市中医医院",
    "长桥区妇幼保健院", "白鹭市第三人民医院", "松风医院", "向阳街道社区卫生服务中心", "安澜医学检验所",
)  # fmt: skip
_NAMES = ("张某某", "李某", "王某某", "赵某", "陈某某", "刘某", "杨某某", "示例")
_DEPARTMENTS = ("内科门诊", "急诊科", "消化内科", "心血管内科", "儿科", "普外科", "体检中心", "呼吸科一病区")
_DIAGNOSES = ("发热待查", "体检", "高血压病", "腹痛待查", "2型糖尿病", "贫血", "咳嗽", "孕检")
_DOCTORS = ("甲医生", "乙医生", "周某", "吴某某", "郑某")
_NOTES = ("本报告仅对该标本负责", "此结果仅对本次标本负责，如有疑问请于3日内联系检验科", "结果仅供临床参考", "")


def _time(page: Page, seconds: bool = False) -> str:
    """送检在上午，出报告（带秒）在下午，同一天。"""
    rng, hour = page.rng, int(page.rng.integers(13, 18) if seconds else page.rng.integers(7, 12))
    clock = f"{hour:02d}:{rng.integers(60):02d}" + (f":{rng.integers(60):02d}" if seconds else "")
    return f"{page.date} {clock}"


def patient(page: Page, english: bool = False) -> list[tuple[str, str]]:
    """（标签，内容）的若干对，有的医院有、有的没有；性别、年龄在报告里有才写。"""
    rng, report = page.rng, page.report
    if english:
        sex = {"男": "Male", "女": "Female"}.get(report.sex, "")
        who = [("Name", pick(rng, ("ZHANG X", "LI X", "WANG XX"))), ("Sex", sex)]
        rest = [("Patient ID", f"{rng.integers(10**7, 10**8)}"), ("Specimen", "Serum"), ("Collected", _time(page)),
                ("Physician", "Dr. Zhou")]  # fmt: skip
        age = [("Age", report.age or "")]
    else:
        who = [("姓名", pick(rng, _NAMES)), ("性别", report.sex or "")]
        age = [("年龄", report.age or "")]
        kind = report.report_type
        specimen = "尿液" if "尿" in kind else "粪便" if "便" in kind else pick(rng, ("静脉血", "全血"))
        specimen = pick(rng, ("血清", specimen)) if "血" not in kind and specimen == "静脉血" else specimen
        rest = [
            (pick(rng, ("科别", "科室", "申请科室")), pick(rng, _DEPARTMENTS)),
            ("床号", f"{rng.integers(1, 60)}床"),
            (pick(rng, ("标本种类", "标本类型", "样本类型")), specimen),
            (pick(rng, ("样本号", "标本号", "条码号")), f"{rng.integers(10**9, 10**10)}"),
            (pick(rng, ("病历号", "门诊号", "住院号", "就诊卡号")), f"{rng.integers(10**6, 10**8)}"),
            (pick(rng, ("临床诊断", "诊断")), pick(rng, _DIAGNOSES)),
            (pick(rng, ("申请医生", "送检医生")), pick(rng, _DOCTORS)),
            (pick(rng, ("送检时间", "采集时间", "采样时间")), _time(page)),
            ("费别", pick(rng, ("自费", "医保"))),
        ]
    kept = [pair for pair in rest if rng.random() < 0.75]
    pairs = who + age + kept
    if rng.random() < 0.2:
        pairs = pairs[:1] + kept[:1] + who[1:] + age + kept[1:]
    return [(label, value) for label, value in pairs if value]


def head(page: Page, x0: int, x1: int, y: int, columns: int = 4, titles: str = "two", english: bool = False) -> int:
    """画页头，返回下边的 y。titles：two 医院一行、标题一行，one 合成一行，left 靠左，none 没有标题。"""
    rng, size = page.rng, page.size
    suffix = " Report" if english else pick(rng, ("报告单", "检验报告单", "检验报告", " 检验报告单"))
    hospital, title = "Example General Hospital" if english else pick(rng, HOSPITALS), page.report.report_type + suffix
    big, middle = round(size * pick(rng, (1.4, 1.6, 1.8))), (x0 + x1) // 2
    fit = lambda text: min(big, int(big * (x1 - x0) * 0.95 / max(1, page.measure(text, big))))  # noqa: E731
    if titles == "two":
        page.text(middle, y + big * 0.6, hospital, fit(hospital), anchor="m")
        page.text(middle, y + big * 2, title, fit(title), anchor="m", bold=bool(rng.random() < 0.5))
        y += round(big * 3)
    elif titles in ("one", "left"):
        where, anchor = (middle, "m") if titles == "one" else (x0, "l")
        page.text(where, y + big * 0.6, f"{hospital} {title}", fit(f"{hospital} {title}"), anchor=anchor, bold=True)
        y += round(big * 1.7)
    colon = ": " if english else pick(rng, ("：", "：", ":", "： "))
    cell, pitch, at = (x1 - x0) / columns, round(size * pick(rng, (1.5, 1.7))), 0
    for label, value in patient(page, english):
        text = f"{label}{colon}{value}"
        takes = min(columns, _ceil((page.measure(text) + size * 0.6) / cell))
        if at % columns + takes > columns:
            at += columns - at % columns
        page.text(x0 + at % columns * cell, y + (at // columns + 0.5) * pitch, text)
        at += takes
    return y + (-(-at // columns)) * pitch + round(size * 0.5)


def _ceil(value: float) -> int:
    return int(-(-value // 1))


def foot(page: Page, x0: int, x1: int, y: int, english: bool = False) -> int:
    """画页脚，返回下边的 y；有的医院没有。"""
    rng, size = page.rng, page.size
    if english:
        page.text(x0, y + size, f"Reported: {_time(page)}    Verified by: Wu", round(size * 0.9))
        return y + size * 2
    parts = [f"检验者：{pick(rng, _DOCTORS)}", f"审核者：{pick(rng, _DOCTORS)}",
             f"报告时间：{_time(page, seconds=True)}",
             f"接收时间：{_time(page)}", f"打印时间：{page.date}"]  # fmt: skip
    at = x0
    for part in [part for part in parts if rng.random() < 0.8]:
        if at > x0 and at + page.measure(part) > x1:
            at, y = x0, y + round(size * 1.6)
        page.text(at, y + size, part)
        at += page.measure(part) + size * 2
    y += round(size * 2)
    if note := pick(rng, _NOTES):
        page.text(x0, y + size * 0.7, note, round(size * 0.85))
        y += round(size * 1.5)
    return y


def overlay(page: Page, bottom: int) -> None:
    """偶尔叠一层淡水印，或在页脚附近盖一个淡印章。"""
    rng, width = page.rng, page.image.width
    chance = rng.random()
    if chance < 0.12:
        text = pick(rng, ("仅供参考", "检验科", "复印无效"))
        for k in range(1, 3):
            page.stamp(width / 2, bottom * k / 3, text, width // 12, "#7a8a9a", 25, 0.16)
    elif chance < 0.27:
        page.stamp(width * rng.uniform(0.6, 0.85), bottom - page.size * 2, pick(rng, ("检验专用章", "已审核")),
                   round(page.size * 1.3), "#c0392b", rng.uniform(-12, 12), 0.45, framed=True)  # fmt: skip
