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


def progress_bar(speed: Speed):
    """Trainer 的回调：一行进度条，上面有损失；计时；最后一步也测验证集、存检查点（Trainer 只存不测）。"""
    from tqdm import tqdm
    from transformers import TrainerCallback

    class ProgressBar(TrainerCallback):
        bar, shown = None, {}

        def on_train_begin(self, args, state, control, **kwargs):
            last = state.log_history[-1] if state.log_history else {}
            speed.counted = {name: last.get(name, 0) for name in COUNTED}
            silent = not state.is_world_process_zero
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="训练", unit="步", disable=silent)

        def on_log(self, args, state, control, logs, **kwargs):
            losses = {"损失": logs.get("loss"), "验证损失": logs.get("eval_loss")}
            self.shown |= {name: f"{loss:.3f}" for name, loss in losses.items() if loss}
            self.bar.set_postfix(self.shown, refresh=False)

        def on_step_end(self, args, state, control, **kwargs):
            speed.finish()
            self.bar.update()
            if state.global_step >= state.max_steps:
                control.should_evaluate = control.should_save = True

        def on_train_end(self, args, state, control, **kwargs):
            self.bar.close()

    return ProgressBar()
