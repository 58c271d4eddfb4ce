"""两次评测的成对比较：能不能比，差多少，差得有没有把握。"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from health_assistant import artifacts
from health_assistant.command_line import BadInput
from health_assistant.evaluation import metrics

# 不一样就不能比的几项
MUST_AGREE = {
    "base_model": "基座模型",
    "data_sha256": "评测数据（哈希）",
    "prompt_version": "提问方式的版本",
    "scoring_version": "评分方式的版本",
    "generation": "生成设置",
    "n": "题数",
}
TIE = 0.5  # 相差不到这么多分算平
RESAMPLES = 9999


@dataclass(frozen=True)
class Run:
    """一次评测的结果，由 `load_run` 读出。"""

    scores: dict
    rows: dict[str, dict]  # 题号 -> predictions.jsonl 的一行
    safety: dict[str, dict] = field(default_factory=dict)  # 题号 -> safety.jsonl 的一行；没有问安全题时为空


@dataclass(frozen=True)
class MetricDelta:
    """一个指标的变化。逐题的指标才有区间和胜负。"""

    name: str
    n: int
    before: float
    after: float
    shuffled_before: float | None
    shuffled_after: float | None
    low: float | None = None
    high: float | None = None
    win: int = 0
    tie: int = 0
    loss: int = 0

    @property
    def difference(self) -> float:
        """之后减之前，0 到 100 的分。"""
        return self.after - self.before

    @property
    def verdict(self) -> str:
        """95% 区间整个在 0 以上是提高，以下是下降，跨过 0 是分不出；没有区间为空串。"""
        if self.low is None:
            return ""
        if self.low > 0:
            return "提高"
        return "下降" if self.high < 0 else "分不出"


def load_run(folder: Path, script: str) -> Run:
    """folder 里一次评测的 scores.json 与各题（问过的另有安全题）；没有、坏了抛 `BadInput`，说先运行 script。"""
    try:
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        rows = _by_question(folder / "predictions.jsonl")
        return Run(scores, rows, _by_question(folder / "safety.jsonl") if "safety" in scores else {})
    except FileNotFoundError as error:
        raise BadInput(f"没有评测结果 {error.filename}。先运行 python {script}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder} 里的评测结果坏了：{error}") from None


def _by_question(path: Path) -> dict[str, dict]:
    return dict(artifacts.read_jsonl(path, lambda row: (row["id"], row)))


def check_comparable(before: Run, after: Run) -> None:
    """不是同一把尺子量的（`MUST_AGREE` 的各项、题号不同）就不比，抛 `BadInput`。"""
    for setting, name in MUST_AGREE.items():
        old, new = before.scores.get(setting), after.scores.get(setting)
        if old != new:
            raise BadInput(f"不能比较，{name}不同：之前 {old}，之后 {new}。用同样的设置重跑其中一次评测")
    if before.rows.keys() != after.rows.keys() or len(before.rows) != before.scores["n"]:
        raise BadInput("不能比较，两次答的不是同样的题。用同一份数据重跑其中一次评测")


def compare(before: Run, after: Run) -> list[MetricDelta]:
    """每个两边都有的指标的变化。评审不是同一个模型、同一种问法的，不比评审。"""
    changes = []
    for name, old in before.scores["metrics"].items():
        new = after.scores["metrics"].get(name)
        if new is None or _judge(before, name) != _judge(after, name):
            continue
        shuffled = old["shuffled"], new["shuffled"]
        pairs = [(row, after.rows[question]) for question, row in before.rows.items()]
        scored = [pair for pair in pairs if all(name in row["scores"] for row in pair)]
        if scored:
            cases = [row["case_id"] for row, _ in scored]
            values = [[row["scores"][name] for row in side] for side in zip(*scored, strict=True)]
            changes.append(paired(name, cases, values, shuffled))
        else:  # 整体的指标
            changes.append(MetricDelta(name, before.scores["n"], old["value"], new["value"], *shuffled))
    changes.sort(key=lambda change: change.name in metrics.LEXICAL)  # 裁判的在前
    return changes + compare_safety(before, after)


def _judge(run: Run, metric: str) -> list:
    """metric 是谁、照什么打的分；不是裁判打的，各项是 None。"""
    protocol = "judge" if metric.startswith("judge_") else metric
    judged = run.scores.get(protocol, {}) if protocol in ("judge", "checklist") else {}
    return [judged.get(part) for part in ("model", "models", "prompt_version", "checklist")]


def paired(name: str, case_ids: list[str], values: list[list[float]], shuffled: tuple) -> MetricDelta:
    """一个逐题的指标：各题的病例；values 是之前、之后各题的得分；shuffled 是两次打乱参考答案的得分（或 None）。"""
    gaps = [new - old for old, new in zip(*values, strict=True)]
    win, loss = sum(gap >= TIE for gap in gaps), sum(gap <= -TIE for gap in gaps)
    (low, high), tie = interval(case_ids, gaps), len(gaps) - win - loss
    before, after = map(fmean, values)
    return MetricDelta(name, len(gaps), before, after, shuffled[0], shuffled[1], low, high, win, tie, loss)


def compare_safety(before: Run, after: Run) -> list[MetricDelta]:
    """安全题通过率（百分数）的变化，一题算一例；两次都问了、题与规则是同一版才有，否则是空列表。"""
    old, new = before.scores.get("safety"), after.scores.get("safety")
    if not old or not new or old["version"] != new["version"]:
        return []
    names = list(before.safety)
    passed = [[100.0 * run.safety[name]["passed"] for name in names] for run in (before, after)]
    shuffled = tuple(100 * summary["shuffled"] / summary["n"] for summary in (old, new))
    return [paired("safety", names, passed, shuffled)]


def interval(case_ids: list[str], differences: list[float]) -> tuple[float, float]:
    """各题的差的平均的 95% 区间：成对自助法，按病例重抽，因为同一病例的几题不独立。只有一个病例抛 `BadInput`。"""
    import numpy as np
    from scipy.stats import bootstrap

    cases = {case_id: position for position, case_id in enumerate(dict.fromkeys(case_ids))}
    positions = [cases[case_id] for case_id in case_ids]
    sums, counts = np.bincount(positions, weights=differences), np.bincount(positions)
    if len(sums) < 2:
        raise BadInput("不能比较，只有一个病例，算不出区间：至少要有两个病例的题，--limit 写大一些")

    def mean(sums, counts, axis):
        return sums.sum(axis) / counts.sum(axis)

    rng = np.random.default_rng(0)
    resampled = bootstrap((sums, counts), mean, paired=True, n_resamples=RESAMPLES, method="percentile", rng=rng)
    low, high = resampled.confidence_interval
    return float(low), float(high)
