"""两次评测的比较，写给人看：结论，哪些题变好、变坏；写成 Markdown、PNG 和一页自包含的 HTML。"""

from dataclasses import dataclass
from pathlib import Path

import pairwise
from paired_difference import RESAMPLES, TIE, MetricDelta, Run

from health_assistant import artifacts, templates
from health_assistant.evaluation import checklist, metrics, safety
from health_assistant.evaluation.answers import describe_endings
from health_assistant.evaluation.evaluate import Question, label

EXTREMES = 5  # 列出变化最大的几题
# 结论看哪个，有前面的就不看后面的；1 到 5 分里看“专业”：医学上是否正确
HEADLINE = ("choice", "checklist", "judge_proficiency", "pairwise", "rouge_l")
LEXICAL = (
    "字词重合的分（ROUGE-L、BLEU、chrF）量的是写法像不像参考答案：有研究里 LoRA 微调让它们全都涨了，"
    "裁判却略偏向基座（arXiv 2603.00314），所以它们涨不等于答得好。"
)
MARKDOWN, PAGE = (Path(__file__).with_name(f"comparison.{kind}") for kind in ("md.jinja", "html"))


def write_reports(folder: Path, before: Run, after: Run, changes: list[MetricDelta], questions: list) -> list[Path]:
    """写 compare.md、compare.png、compare.html（不联网也能看：每题的两个回答，能筛选、排序）、compare.json。"""
    from health_assistant.plotting import save_png

    files = [folder / f"compare.{kind}" for kind in ("md", "png", "html", "json")]
    shared = {
        "headline": headline(changes),
        "facts": facts(before, after),
        "header": HEADER,
        "metrics": table(changes),
        "notes": NOTES,
        "safety": safety_report(before, after, changes),
        "safety_header": SAFETY_HEADER,
    }
    main = main_change(changes).name
    moves = extremes(before, after, main, questions)
    artifacts.write_text(files[0], templates.fill(MARKDOWN, **shared, main=metrics.NAMES[main], extremes=moves))
    save_png(draw(before, changes), files[1])
    artifacts.write_text(files[2], templates.fill(PAGE, **shared, data=page_data(before, after, changes, questions)))
    rows = [vars(change) | {"difference": change.difference, "verdict": change.verdict} for change in changes]
    artifacts.write_json(files[3], rows)
    return files


def main_change(changes: list[MetricDelta]) -> MetricDelta:
    """结论看的那一个：HEADLINE 里最前的。"""
    by_name = {change.name: change for change in changes}
    return next(by_name[name] for name in HEADLINE if name in by_name)


def headline(changes: list[MetricDelta]) -> list[str]:
    """两句结论：裁判的成对差（没有请就直说），再是字词重合的 ROUGE-L F 与提醒。"""
    main, lexical = main_change(changes), next(change for change in changes if change.name == "rouge_l")
    first = "没有可比的裁判分（没有请裁判，或两次的裁判、清单不同）：下面只是字词重合，说不了答得好不好。"
    warning, null = LEXICAL, lexical.shuffled_after
    if null is not None and lexical.after - null < TIE:
        warning += f"对着打乱的参考答案也有 {null:.2f} 分：像是学会了写法，看不出答得更对。"
    return [first if main is lexical else _conclusion(main), _conclusion(lexical) + warning]


def _conclusion(change: MetricDelta) -> str:
    meaning = {
        "提高": "区间在 0 以上：微调后确实提高了",
        "下降": "区间在 0 以下：微调后确实下降了",
        "分不出": "区间跨过 0：这些题还分不出变好还是变坏",
    }[change.verdict]
    name = metrics.NAMES[change.name]
    gap = f"{name} 从 {change.before:.2f} 到 {change.after:.2f}，平均每题 {change.difference:+.2f}"
    return f"{gap}（{change.n} 题，95% 区间 {change.low:+.2f} 到 {change.high:+.2f}），{meaning}。"


def facts(before: Run, after: Run) -> dict[str, str]:
    """报告抬头的几项。"""
    old, new = before.scores, after.scores
    rows = {
        "注意": label(old),
        "基座模型": old["base_model"],
        "之前": f"{old['model']}（{old['machine']}，{old['seconds']:.0f} 秒）",
        "之后": f"{new['model']}（{new['machine']}，{new['seconds']:.0f} 秒）",
        "评测数据": f"{old['data_source']}，{old['n']} 题，sha256 {old['data_sha256'][:12]}",
        "提问与生成": f"{old['prompt_version']}；贪心，最多 {old['generation']['max_new_tokens']} 个词元",
        "空回答、失败": f"之前 {old['empty']}、{old['failed']}，之后 {new['empty']}、{new['failed']}，都按 0 分计",
        "截断与打转": f"之前：{describe_endings(old)}；之后：{describe_endings(new)}",
    }
    for when, scores in [("之前", old), ("之后", new)]:
        if "checklist" in scores:
            rows[f"{when}的清单"] = "；".join(checklist.describe(scores["checklist"]))
    if "pairwise" in new:
        rows["成对评审"] = pairwise.describe(new["pairwise"])
    return {name: text for name, text in rows.items() if text}


SAFETY_HEADER = ["类", "题数", "之前通过", "之后通过"]
HEADER = ["指标", "n（之前）", "n（之后）", "之前", "之后", "差", "95% 区间", "胜/平/负", "打乱后（之前→之后）", "结论"]


def table(changes: list[MetricDelta]) -> list[list[str]]:
    """HEADER 那几列，一个指标一行。"""
    rows = []
    for change in changes:
        span = record = "–"
        if change.low is not None:
            span, record = f"{change.low:+.2f} 到 {change.high:+.2f}", f"{change.win}/{change.tie}/{change.loss}"
        null = [change.shuffled_before, change.shuffled_after]
        shuffled = "–" if None in null else " → ".join(f"{value:.2f}" for value in null)
        values = [f"{change.before:.2f}", f"{change.after:.2f}", f"{change.difference:+.2f}"]
        name, n = metrics.NAMES[change.name], str(change.n)
        rows.append([name, n, n, *values, span, record, shuffled, change.verdict])
    return rows


NOTES = (
    f"胜平负：逐题比，相差不到 {TIE} 分算平。区间：成对自助法，按病例重抽 {RESAMPLES} 次。"
    "打乱后：同样的回答对着别的病例的参考答案的得分，“什么都没答对”大约就是这个分。"
    "成对评审：之前、之后各是说它好的题的百分比，两种次序说法不同的算平。"
)


def extremes(before: Run, after: Run, metric: str, questions: list[Question]) -> dict[str, list[list[str]]]:
    """metric 提高、下降最多的几题，一题一行：题号、病例、问题、之前、之后、差。"""
    moves = []
    for question in questions:
        old, new = (run.rows[question.id]["scores"].get(metric) for run in (before, after))
        if old is not None and new is not None:
            last_line = question.messages[-1]["content"].splitlines()[-1][:40]
            row = [question.id, question.title, last_line, f"{old:.1f}", f"{new:.1f}", f"{new - old:+.1f}"]
            moves.append((new - old, row))
    rows = [row for _, row in sorted(moves, key=lambda move: move[0])]
    return {"提高最多": rows[: -EXTREMES - 1 : -1], "下降最多": rows[:EXTREMES]}


def draw(before: Run, changes: list[MetricDelta]):
    """左：前后得分，短横线是打乱后的得分。右：平均差与 95% 区间。"""
    import pandas as pd

    from health_assistant.plotting import new_figure

    shown = [change for change in changes if change.name in ("checklist", *metrics.PER_QUESTION)]
    names, places = [metrics.NAMES[change.name] for change in shown], range(len(shown))
    figure, (left, right) = new_figure(11, 4.2, columns=2)
    values = pd.DataFrame(
        {"之前": [each.before for each in shown], "之后": [each.after for each in shown]}, index=names
    )
    values.plot.bar(ax=left, color=["#9aa5b1", "#2b6cb0"], width=0.76, rot=0, ylabel="得分（满分 100）")
    for place, change in enumerate(shown):
        for middle, shuffled in ((place - 0.19, change.shuffled_before), (place + 0.19, change.shuffled_after)):
            if shuffled is not None:
                left.hlines(shuffled, middle - 0.19, middle + 0.19, color="#c05621")
    left.hlines([], [], [], color="#c05621", label="打乱参考答案后")
    left.legend()
    errors = [[each.difference - each.low for each in shown], [each.high - each.difference for each in shown]]
    right.errorbar([each.difference for each in shown], places, xerr=errors, fmt="o", capsize=4)
    right.axvline(0, color="#9aa5b1", linewidth=1)
    right.set_yticks(places, names)
    right.set_ylim(len(shown) - 0.5, -0.5)
    right.set_xlabel("平均每题的差与 95% 区间")
    scores = before.scores
    title = f"{scores['base_model']}，{scores['n']} 题，{scores['machine']}"
    figure.suptitle("　".join(filter(None, [title, label(scores)])), fontsize=10)
    return figure


def page_data(before: Run, after: Run, changes: list[MetricDelta], questions: list[Question]) -> dict:
    """网页里的脚本要的：各题的两个回答、参考答案、得分。脚本只用 textContent 显示它们。"""
    per_question = [change.name for change in changes if change.low is not None and change.name != "safety"]
    answers = []
    for question in questions:
        of_page = question.model_dump(include={"id", "title", "messages", "reference"})
        for when, run in (("before", before), ("after", after)):
            row = run.rows[question.id]
            of_page[when] = {"text": row["prediction"], "error": row.get("error"), "scores": row["scores"]}
        answers.append(of_page)
    return {"names": {name: metrics.NAMES[name] for name in per_question}, "tie": TIE, "questions": answers}


@dataclass(frozen=True)
class SafetyReport:
    """安全题前后的比较，给人看的：一句话；是不是要用红字说；各类一行（类、题数、之前、之后）；变坏的题（之前、之后）。"""

    message: str
    costs: bool = False
    rows: tuple[tuple[str, int, int, int], ...] = ()
    lost: tuple[tuple[dict, dict], ...] = ()


def safety_report(before: Run, after: Run, changes: list[MetricDelta]) -> SafetyReport:
    """通过率低了，或急症少认出了，就算微调损害了安全：漏掉急症比什么都糟，别类涨了也抵不过。"""
    change = next((change for change in changes if change.name == "safety"), None)
    if change is None:
        both_asked = all("safety" in run.scores for run in (before, after))
        why = "两次的题或规则不是同一版" if both_asked else "不是两次都问了（配方里写 safety: true，不用 --limit）"
        return SafetyReport(f"安全题没有比：{why}。再跑一次评测就有，别的题不重问。")
    groups = [run.scores["safety"]["categories"] for run in (before, after)]
    rows = tuple((title, old["n"], old["passed"], groups[1][title]["passed"]) for title, old in groups[0].items())
    lost = []
    for name, old_row in before.safety.items():
        new_row = after.safety[name]
        if old_row["passed"] and not new_row["passed"]:
            lost.append((old_row, new_row))
    title, _, old, new = rows[0]
    missed = f"“{title}”从 {old} 题通过到 {new} 题。" if new < old else ""
    costs = change.difference < 0 or bool(missed)
    sides = [safety.ratio(run.scores["safety"]["passed"], change.n) for run in (before, after)]
    span = f"{change.difference:+.1f} 个百分点，95% 区间 {change.low:+.1f} 到 {change.high:+.1f}"
    sure = "区间跨过 0，分不出" if change.verdict == "分不出" else f"通过率确实{change.verdict}"
    verdict = "微调损害了安全" if costs else "没有看出微调损害安全"
    null = change.shuffled_after
    chance = f"打乱后也有 {null:.0f}% 通过，多是碰巧。" if null >= change.after / 2 else ""
    message = f"{verdict}：安全题通过 {sides[0]} → {sides[1]}（{span}），{sure}。{missed}{chance}"
    return SafetyReport(message, costs, rows, tuple(lost))
