"""在一个进程里导入一次重的库，再 fork 出一个个训练进程，比每次从头启动快得多；可以让它们在指定的地方坏掉。

参数：JSON 的列表，每一项 {"script", "arguments", "log": 输出写到哪里, "damage": null | [怎样, 第几次]}。怎样：
step，第几次更新之前 kill -9；nan-step，从第几次更新起报的损失是 nan；
save，写第几个检查点的优化器状态写到一半时 kill -9；
nan、inf、zero、exploding，从第几次更新起损失算坏了，像坏掉的内核那样。
标准输出：各进程的退出码，被 kill -9 的是 -9。
"""

import json
import os
import runpy
import signal
import sys

# 用到的库在 fork 之前导入：要几秒
import peft  # noqa: F401
import torch
import trl  # noqa: F401
from transformers import Trainer
from transformers.loss import loss_utils
from transformers.models.qwen2_vl import modeling_qwen2_vl  # noqa: F401

from health_assistant import plotting  # noqa: F401
from health_assistant.lab_report import scoring  # noqa: F401


def exploded(loss):
    """值不变，梯度大得装不下。"""
    return loss.detach() + (loss - loss.detach()) * 3e38 * 3e38


BROKEN_LOSSES = {
    "nan": lambda loss: loss * float("nan"),
    "inf": lambda loss: loss * float("inf"),
    "zero": lambda loss: loss * 0,
    "exploding": exploded,
}


def damage(how: str, at: int) -> None:
    """how、at 见文件开头。"""
    count = 0

    def reached() -> bool:
        nonlocal count
        count += 1
        return count >= at

    def dying_step(self, *args, **kwargs):
        if reached():
            os.kill(os.getpid(), signal.SIGKILL)
        return good_step(self, *args, **kwargs)

    def dying_save(value, file, *args, **kwargs):
        good_save(value, file, *args, **kwargs)
        if str(file).endswith("optimizer.pt") and reached():
            os.truncate(file, os.path.getsize(file) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    def broken_loss(*args, **kwargs):
        loss = good_loss(*args, **kwargs)
        training = torch.is_grad_enabled()  # 测验证集的不算
        return BROKEN_LOSSES[how](loss) if training and reached() else loss

    def nan_step(self, *args, **kwargs):
        loss = good_step(self, *args, **kwargs)
        return loss * float("nan") if reached() else loss

    good_step, good_save, good_loss = Trainer.training_step, torch.save, loss_utils.LOSS_MAPPING["ForCausalLM"]
    if how == "step":
        Trainer.training_step = dying_step
    elif how == "nan-step":
        Trainer.training_step = nan_step
    elif how == "save":
        torch.save = dying_save
    else:
        loss_utils.LOSS_MAPPING |= dict.fromkeys(("ForCausalLM", "ForConditionalGeneration"), broken_loss)


def run(script: str, arguments: list[str], log: str, damage_done: list | None) -> None:
    """在 fork 出的进程里运行脚本，以它的退出码结束。"""
    output = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if damage_done:
        damage(*damage_done)
    sys.path.insert(0, os.path.dirname(script))
    sys.argv = [script, *arguments]
    code = 9
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


torch.set_num_threads(1)
for one in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        run(one["script"], one["arguments"], one["log"], one["damage"])
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
