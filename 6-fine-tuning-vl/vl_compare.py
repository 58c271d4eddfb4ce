"""几个读者并排：终端里的表、图、一页不联网也能看的 HTML。"""

from pathlib import Path

from health_assistant import templates
from health_assistant.images import encoded
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.scoring import align
from health_assistant.lab_report.vl_protocol import data_url
from health_assistant.training.vision import open_page

TEMPLATE = Path(__file__).with_name("vl_compare.html")
SHOWN_PAGES, SHOWN_WIDTH = 12, 560
READERS = {"before": "微调前", "after": "微调后", "grpo": "GRPO 后", "embedded": "内置引擎", "endpoint": "接口"}
COLORS = {"before": "#9aa5b1", "after": "#2b6cb0", "grpo": "#805ad5", "embedded": "#c05621", "endpoint": "#2f855a"}
RATES = {
    "item_recall": "项目认对",
    "result_recall": "结果读对",
    "range_recall": "范围读对",
    "abnormal_recall": "异常找到",
    "abnormal_precision": "异常判对",
    "silent_error_rate": "无声的错",
}


def table(summary: dict) -> list[str]:
    """终端里的表，一个读者一行。"""
    pages, ruined = summary["pages"], summary["unreadable_pages"]
    count = next(iter(summary["readers"].values()))["total"]["rows"]
    lines = [f"{summary['dataset']}：{pages} 页，{count} 行。各列是百分数；无声的错越低越好，其余越高越好。"]
    lines += ["  ".join(["读者", "严格JSON", "宽松之后", *RATES.values(), "看不清的答看不清", "时间医院标本"])]
    for reader in summary["readers"].values():
        strict = reader["answers"]["strict"]
        parsed = strict + reader["answers"]["lenient"]
        shares = [strict / pages, parsed / pages, *rates(reader["total"])]
        cells = ["–" if share is None else f"{100 * share:.1f}" for share in shares]
        cells += [f"{reader['refused_unreadable']}/{ruined}", origin_words(reader["total"])]
        lines.append("  ".join([reader["reader"], *cells]))
    official = [reader for reader in summary["readers"].values() if "official" in reader]
    if official:
        lines += ["MedRepBench 官方口径的召回，%：多读一行、名称多个代号都算错，所以只为与别人的数对照。"]
        lines += ["  ".join(["读者", *official[0]["official"]])]
    for reader in official:
        cells = [f"{100 * share:.1f}" for share in reader["official"].values()]
        lines.append("  ".join([reader["reader"], *cells]))
    return lines


def origin_words(total: dict) -> str:
    """时间、医院、标本读对几栏；真值里没有的是一横。"""
    if not total["origin"]:
        return "–"
    return f"{total['origin_right']}/{total['origin']}（错 {total['origin_wrong']}）"


def rates(total: dict) -> list[float | None]:
    """RATES 的各项；一行也没有判为异常、一行也没有判断的，对应的率没有意义，是 None。"""
    decided = {"abnormal_precision": total["abnormal_found"] + total["abnormal_false"]}
    decided["silent_error_rate"] = total["decided"]
    return [total[name] if decided.get(name, 1) else None for name in RATES]


def draw(summary: dict):
    """左：各种率；右：按破坏与版式分开的“结果读对”。"""
    import pandas as pd

    from health_assistant.plotting import new_figure

    readers = summary["readers"].values()
    first = next(iter(readers))
    groups = [*first["by_degradation"], *first["by_layout"]]
    overall, right_of = {}, {}
    for reader in readers:
        overall[reader["reader"]] = rates(reader["total"])
        scores = [*reader["by_degradation"].values(), *reader["by_layout"].values()]
        right_of[reader["reader"]] = [score["result_recall"] for score in scores]
    look = {"color": [COLORS.get(name, f"C{at}") for at, name in enumerate(summary["readers"])], "width": 0.8}
    figure, (left, right) = new_figure(12, 4.5 + 0.12 * len(groups), columns=2)
    shares = 100 * pd.DataFrame(overall, index=RATES.values(), dtype=float)
    shares.plot.bar(ax=left, ylabel="%", ylim=(0, 105), rot=0, **look)
    by_group = 100 * pd.DataFrame(right_of, index=groups)
    by_group.plot.barh(ax=right, xlim=(0, 105), xlabel="结果读对，%（破坏在上，版式在下）", legend=False, **look)
    right.invert_yaxis()
    figure.suptitle(f"{summary['recipe']}，{summary['dataset']}，{summary['pages']} 页　{summary['note']}", fontsize=10)
    return figure


def page_html(summary: dict, pages: list[dict], reads: dict[str, list[dict]]) -> str:
    """错得多的页在前；每页有图、真值的框、各读者读到的每一行。"""
    scores = [read["score"] for read in reads.get("after") or list(reads.values())[-1]]
    missed = [score.rows - score.result_right + score.invented for score in scores]
    worst = sorted(range(len(pages)), key=lambda at: -missed[at])
    half = SHOWN_PAGES // 2
    if len(worst) > SHOWN_PAGES:  # 一半是错得最多的，一半是错得最少的
        worst = worst[:half] + worst[-half:]
    shown = []
    for at in worst:
        of_page = {name: of_reader[at] for name, of_reader in reads.items()}
        shown.append(_page(pages[at], of_page))
    return templates.fill(
        TEMPLATE,
        title=f"{summary['recipe']}，{summary['dataset']}，{summary['pages']} 页",
        note=summary["note"],
        table="\n".join(table(summary)),
        readers={name: reader["reader"] for name, reader in summary["readers"].items()},
        pages=shown,
    )


def _page(page: dict, reads: dict) -> dict:
    """模板里一页要的：标题、图、各行真值的框（x、y、宽、高）、每一行与各读者读到的、各读者的原话。"""
    image, scale = _small_image(page["image"])
    boxes = []
    for box in page["boxes"]:
        if "row" in box:
            x0, y0, x1, y1 = [round(side * scale) for side in box["row"]]
            boxes.append((x0, y0, x1 - x0, y1 - y0))
    results = zip(*(_results(read, page["truth"]) for read in reads.values()), strict=True)
    return {
        "title": f"{page['file_name']}　{page['layout']}　{page['degradation']}",
        "image": image,
        "boxes": boxes,
        "rows": list(zip(page["truth"], results, strict=True)),
        "reads": reads,
    }


def _results(read: dict, truth: list) -> list[tuple[str, bool]]:
    """每一行真值，这个读者读到的结果与对不对。"""
    items = read["report"].items if read["report"] else []
    read_as = {}
    for item, true in align(items, truth):
        right = normalize(item.result) == normalize(true.result)
        read_as[id(true)] = (f"{item.result} {item.flag}", right)
    return [read_as.get(id(true), ("—", False)) for true in truth]


def _small_image(path: Path) -> tuple[str, float]:
    image = open_page(path)
    scale = min(1.0, SHOWN_WIDTH / image.width)
    small = image.resize([max(1, round(side * scale)) for side in image.size])
    return data_url(encoded(small, "JPEG", quality=70)), scale
