"""一个回答值多少：拿真值逐行核对，不要人、也不要模型来评。train_vl_grpo.py 照它训练。

规矩只有一条：读对比不说好，不说比读错好。所以空着的结果当作没有这一行，读错的结果倒扣，多出的行倒扣。
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.person import person_of
from health_assistant.lab_report.report import ReadReport
from health_assistant.lab_report.scoring import TrueItem, score_report
from health_assistant.lab_report.vl_protocol import parse_answer

WEIGHTS = {"json": 4.0, "item": 1.0, "value": 3.0, "unit": 0.5, "range": 1.0, "invented": 2.0, "refusal": 1.0}
"""各部分的权重。value 比 item、unit、range 合起来还重：名称、单位、范围背得出来，数全猜错，合计仍是负的。

json 最重：读不成的比读成了、全错的还少，要修补的也是。起先轻得多，微型模型两次都学会了乱写（README）。
"""


@lru_cache(maxsize=1024)  # TRL 一部分问一次，同一个回答要问七次
def reward_parts(answer: str, truth: str) -> dict[str, float]:
    """一个回答的各部分，名字见 `WEIGHTS`。truth 是这一页 `ReadReport` 的 JSON，破坏到读不出的页是空串。

    json：严格合格 0，修补之后才读得成 -0.75，读不成 -1；item、unit、range：对的行占真值行数的几分之几，0 到 1；
    value：结果对的行减去错的行，除以行数，-1 到 1；invented：多出（或重复）的行占的比例，-1 到 0；
    refusal：读不出的页说看不清是 1，别的页总是 0——读得出的页说看不清，一分没有，也不扣。
    """
    said = parse_answer(answer)
    parts = dict.fromkeys(WEIGHTS, 0.0) | {"json": {"failed": -1.0, "lenient": -0.75}.get(said.how, 0.0)}
    rows = [row for row in said.report.items if row.result.strip()] if said.report else []
    if not truth:
        return parts | {"refusal": float(said.how == "unreadable"), "invented": -float(bool(rows))}
    if not rows:
        return parts
    true = ReadReport.model_validate_json(truth)
    items = [TrueItem(**item.model_dump()) for item in true.items]
    read = assess(said.report.model_copy(update={"items": rows}))
    score = score_report(read, items, true.report_type or None, person=person_of(true))
    counts = {"item": score.found, "value": 2 * score.result_right - score.found, "unit": score.unit_right}
    counts |= {"range": score.range_right, "invented": -min(score.rows, score.invented)}
    return parts | {name: count / score.rows for name, count in counts.items()}


def reward_functions() -> list[Callable]:
    """TRL 的 reward_funcs，一部分一个，次序同 `WEIGHTS`（TRL 乘上再加起来）：各部分分开看。数据里要有 truth 一列。"""

    def of(part: str) -> Callable:
        def reward(completions: list, truth: list[str], **_) -> list[float]:
            pairs = zip(completions, truth, strict=True)
            return [reward_parts(said[0]["content"], true)[part] for said, true in pairs]

        reward.__name__ = part
        return reward

    return [of(part) for part in WEIGHTS]


def reward_curves(history: list[dict]) -> dict[str, list[dict]]:
    """Trainer 的 log_history -> train、held_out 各步的 {"step", "reward"（合计）, 各部分}，都是各回答的平均。"""
    names = {"reward": "reward"} | {name: f"rewards/{name}/mean" for name in WEIGHTS}
    return {
        split: [
            {"step": logs["step"]} | {name: logs[prefix + key] for name, key in names.items()}
            for logs in history
            if f"{prefix}reward" in logs
        ]
        for split, prefix in (("train", ""), ("held_out", "eval_"))
    }


def draw_curves(curves: dict[str, list[dict]], path: Path) -> None:
    """合计与各部分各一格，写成 PNG。"""
    from health_assistant.plotting import new_figure, save_png

    figure, axes = new_figure(12, 5, 2, 4)
    for axis, name in zip(axes, ["reward", *WEIGHTS], strict=True):
        for split, label in (("train", "训练"), ("held_out", "验证")):
            axis.plot([point["step"] for point in curves[split]], [point[name] for point in curves[split]], label=label)
        axis.set(title="合计" if name == "reward" else f"{name} × {WEIGHTS[name]:g}")
    axes[0].legend()
    save_png(figure, path)
