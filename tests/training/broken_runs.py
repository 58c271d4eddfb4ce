"""在一个进程里导入一次重的库，再 fork 出一个个训练进程；它们的损失函数从第三次更新起算坏了，像坏掉的内核那样。

参数：JSON，每一项 {"script", "arguments", "break": "nan" | "inf" | "zero" | "exploding" | "", "log": 输出写到哪里}。
标准输出：各进程的退出码。
"""

import json
import os
import runpy
import sys

import peft  # noqa: F401
import torch
import trl  # noqa: F401
from transformers.loss import loss_utils
from transformers.models.qwen2_vl import modeling_qwen2_vl  # noqa: F401

from health_assistant import plotting  # noqa: F401
from health_assistant.lab_report import scoring  # noqa: F401

GOOD_CALLS = 2  # 一次更新一次前向：头两次更新是好的


def exploded(loss):
    """值不变，梯度大得装不下。"""
    return loss.detach() + (loss - loss.detach()) * 3e38 * 3e38


BREAKS = {
    "nan": lambda loss: loss * float("nan"),
    "inf": lambda loss: loss * float("inf"),
    "zero": lambda loss: loss * 0,
    "exploding": exploded,
}


def break_loss(how: str) -> None:
    good, calls = loss_utils.LOSS_MAPPING["ForCausalLM"], 0

    def bad(*args, **kwargs):
        nonlocal calls
        loss = good(*args, **kwargs)
        calls += torch.is_grad_enabled()  # 测验证集的不算
        return BREAKS[how](loss) if calls > GOOD_CALLS and torch.is_grad_enabled() else loss

    for name in ("ForCausalLM", "ForConditionalGeneration"):
        loss_utils.LOSS_MAPPING[name] = bad


torch.set_num_threads(1)
for one in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        log = os.open(one["log"], os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if one["break"]:
            break_loss(one["break"])
        sys.path.insert(0, os.path.dirname(one["script"]))
        sys.argv = [one["script"], *one["arguments"]]
        code = 9
        try:
            runpy.run_path(one["script"], run_name="__main__")
        except SystemExit as end:
            code = end.code
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
