"""阶段 2：微调之前，给基座模型打分。

    python 2-eval-before-tuning/eval_before.py                                  # 微型模型，CPU 上半分钟
    python 2-eval-before-tuning/eval_before.py --config 2-eval-before-tuning/configs/qwen2.5-7b-qlora.yaml

读：阶段 1 的 artifacts/eval-data/cmb-clin.jsonl，每题带着到它为止的对话。
做：把每一题问一遍模型（本地模型或 OpenAI 兼容接口），贪心解码；逐题、整体评分。
写：artifacts/eval/<配方>/before/ 里的 predictions.jsonl（每题的回答与得分）和 scores.json。
"""

import sys
from pathlib import Path

from health_assistant.evaluation.evaluate import run_script

if __name__ == "__main__":
    sys.exit(run_script(__doc__, "before", Path(__file__).parent / "configs" / "tiny.yaml"))
