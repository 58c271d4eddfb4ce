"""训练到哪里了、多快：终端里的进度条，与词元数、用时。断点之前的接着算。"""

import time

WARM_UP_UPDATES = 3  # 每次启动后的头几次更新单独计时：GPU 在编译，内存在热身
COUNTED = ("tokens", "padded_tokens", "step_seconds", "steady_tokens", "steady_seconds")


class Speed:
    """各次更新的词元数与秒数之和（counted，名字见 COUNTED）；steady_ 的两项不算预热。

    transformers 也数词元、算速度，但把编译的头几步算在内，也不认一项是几次前向的批。
    """

    def __init__(self):
        self.counted = dict.fromkeys(COUNTED, 0)
        self.updates, self.started = 0, 0.0
        self.sizes = [0, 0]
        """正在算的这次更新的真词元数，与连填充的词元数。"""

    def start(self) -> None:
        """开始计时。"""
        self.started = time.perf_counter()

    def finish(self) -> None:
        """一次更新算完了。"""
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.updates += 1
        seconds = time.perf_counter() - self.started
        steady = [self.sizes[0], seconds] if self.updates > WARM_UP_UPDATES else [0, 0.0]
        for name, more in zip(COUNTED, [*self.sizes, seconds, *steady], strict=True):
            self.counted[name] += more


def progress_bar(speed: Speed, names: dict[str, str] | None = None):
    """Trainer 的回调：进度条上是最近的损失（或 names 的几项：日志里的名字 -> 显示的），不是每步一行；计时。"""
    from transformers import ProgressCallback

    class ProgressBar(ProgressCallback):
        losses: dict[str, str] = {}

        def on_train_begin(self, args, state, control, **kwargs):
            super().on_train_begin(args, state, control, **kwargs)
            last = state.log_history[-1] if state.log_history else {}
            speed.counted = {name: last.get(name, 0) for name in COUNTED}

        def on_log(self, args, state, control, logs=None, **kwargs):
            shown = names or {"loss": "损失", "eval_loss": "验证损失"}
            self.losses |= {label: f"{logs[name]:.3f}" for name, label in shown.items() if name in logs}
            if self.training_bar:
                self.training_bar.set_postfix(self.losses, refresh=False)

        def on_step_end(self, args, state, control, **kwargs):
            speed.finish()
            super().on_step_end(args, state, control, **kwargs)

    return ProgressBar()
