"""遗忘检查：同一个模型再考 C-Eval、CMMLU 里的医学选择题。题目在 hub 上，连不上就说明白、跳过。"""

from pathlib import Path

HUBS = {"modelscope": "https://www.modelscope.cn", "huggingface": "https://huggingface.co"}
EXAMS = {
    "ceval": ["basic_medicine", "clinical_medicine", "physician"],
    "cmmlu": ["anatomy", "clinical_knowledge", "college_medicine", "genetics", "nutrition", "professional_medicine"]
    + ["traditional_chinese_medicine", "virology"],
}
LIMIT = 50  # 每科最多几题


def check_forgetting(folder: Path, task: dict) -> dict[str, float] | str:
    """各套题的正确率（百分数）；没有联网时返回跳过的原因。"""
    hub = reachable_hub()
    if not hub:
        return "跳过：连不上 ModelScope 和 Hugging Face，题目下载不到"
    from health_assistant.evaluation.benchmark import evaluate

    reports = evaluate(
        model_id="model",
        datasets=list(EXAMS),
        dataset_args={exam: {"subset_list": subjects} for exam, subjects in EXAMS.items()},
        dataset_hub=hub,
        limit=LIMIT,
        work_dir=str(folder),
        **task,
    )
    return {exam: round(100 * report.score, 1) for exam, report in reports.items() if report}


def reachable_hub() -> str | None:
    import requests

    for name, address in HUBS.items():
        try:
            requests.head(address, timeout=2)
            return name
        except requests.RequestException:
            continue
    return None
