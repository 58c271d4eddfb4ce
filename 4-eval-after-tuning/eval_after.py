"""阶段 4：微调之后，用同样的题、同样的设置再打一次分。

    python 4-eval-after-tuning/eval_after.py                                    # 微型模型，CPU 上半分钟
    python 4-eval-after-tuning/eval_after.py --config 2-eval-before-tuning/configs/qwen2.5-7b-qlora.yaml
    python 4-eval-after-tuning/compare.py                                       # 然后比较前后

读：阶段 1 的评测数据，阶段 3 的 artifacts/llm/<配方>/merged（或 adapter，看配方的 tuned）。
做：与阶段 2 完全相同，只换模型。
写：artifacts/eval/<配方>/after/ 里的 predictions.jsonl 和 scores.json。
"""

import sys

from health_assistant.artifacts import ROOT
from health_assistant.evaluation.evaluate import run_script

if __name__ == "__main__":
    # 与阶段 2 同一份配方，前后才能比
    sys.exit(run_script(__doc__, "after", ROOT / "2-eval-before-tuning/configs/tiny.yaml"))
