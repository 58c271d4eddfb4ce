"""服务的计量，Prometheus 格式：`/metrics` 给监控，`/status` 给人看。只有次数与时间，没有内容。"""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("health_requests", "回答了的请求", ["route", "status"])
ERRORS = Counter("health_errors", "没有办成的请求", ["code"])
IN_PROGRESS = Gauge("health_in_progress", "正在处理的照片与报告")
_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
STEP_SECONDS = Histogram("health_step_seconds", "每一步的用时", ["step"], buckets=_BUCKETS)
"""step：vision 视觉模型，verify 内置读者核对，read 只有内置读者时的读，advice 建议，total 从头到尾。"""
UPSTREAM_FAILURES = Counter("health_upstream_failures", "上游没有答好", ["upstream", "kind"])
DEGRADED = Counter("health_degraded", "改用内置引擎的回答", ["step"])
GUARDED = Counter("health_guarded_advice", "没有通过检查、被换掉的建议")


def count(metric: Counter) -> dict[str, int]:
    """各标签组合的次数：`{"vision timeout": 3}`。"""
    samples = [sample for family in metric.collect() for sample in family.samples if sample.name.endswith("_total")]
    return {" ".join(sample.labels.values()): int(sample.value) for sample in samples if sample.value}


def summarize_steps() -> dict[str, dict[str, float]]:
    """每一步的次数、平均、估计的第 95 百分位，秒。"""
    steps: dict[str, dict] = {}
    for sample in next(iter(STEP_SECONDS.collect())).samples:
        kind, step = sample.name.rpartition("_")[2], sample.labels["step"]
        totals = steps.setdefault(step, {"buckets": []})
        if kind == "bucket":
            totals["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            totals[kind] = sample.value
    return {
        step: {
            "count": int(totals["count"]),
            "mean": round(totals["sum"] / totals["count"], 3),
            "p95": _percentile(totals["buckets"], 0.95),
        }
        for step, totals in steps.items()
        if totals["count"]
    }


def _percentile(buckets: list[tuple[float, float]], share: float) -> float:
    """直方图里的百分位：在落到的那一格里按比例取；落在最后一格（没有上限）时是它的下限。"""
    rank, below, low = share * buckets[-1][1], 0.0, 0.0
    for high, total in buckets[:-1]:
        if total >= rank:
            return round(low + (high - low) * (rank - below) / (total - below), 3)
        below, low = total, high
    return low
