"""一次更新切成几次前向：每次按词元数装满，不按行数。

前向要把整个基座过一遍（4 位的还要先还原），在 GPU 上几百个词元与几千个词元花的时间差不多；装得满，GPU 才不空转。
CPU 上每个词元的计算就占满了时间，不值得为少一次前向多算填充：配方的 pass_overhead 说一次前向的开销抵多少个词元。
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

IGNORED = -100  # 交叉熵不计这个标签
EVALUATED_TOGETHER = 64  # 验证集按长度排好，这么多条一起切；再多也省不了多少填充


def cut(lengths: Sequence[int], most_tokens: int, processes: int = 1, overhead: int = 2000) -> list[list[int]]:
    """lengths 的下标切成几组，一组是一次前向。

    一组的行数 × 最长的一行（填充也算）不超过 most_tokens；单独一行就超过的自成一组。少切一组省 overhead 个词元的时间，
    却要多算填充：总的算来最少的切法。组数是 processes 的倍数；行数凑不出时，用 ~下标 补上不计损失的组。
    """
    order = by_length(lengths)
    # 按长度排好，一组就是连续的一段。cheapest[end]：前 end 行切成的组数除以 processes 的余数 -> （代价，各段的终点）
    cheapest: list[dict[int, tuple[int, tuple[int, ...]]]] = [{0: (0, ())}]
    for end, row in enumerate(order, 1):
        longest = lengths[row]
        first = max(0, end - max(1, most_tokens // longest))
        ways: dict[int, tuple[int, tuple[int, ...]]] = {}
        for start in range(first, end):
            added = (end - start) * longest + overhead
            for groups, (cost, ends) in cheapest[start].items():
                way = (cost + added, (*ends, end))
                left = (groups + 1) % processes
                ways[left] = min(way, ways.get(left, way))
        cheapest.append(ways)
    _, ends = cheapest[-1].get(0) or min(cheapest[-1].values())
    cuts = [order[start:end] for start, end in zip((0, *ends[:-1]), ends, strict=True)]
    return cuts + [[~order[0]]] * (-len(cuts) % processes)


def shuffled(lengths: Sequence[int], seed: int, epoch: int) -> list[int]:
    """训练数据第 epoch 遍的次序；只由种子与第几遍决定，从断点续训时与没断过的一样。"""
    order = list(range(len(lengths)))
    random.Random(f"{seed}-{epoch}").shuffle(order)
    return order


def by_length(lengths: Sequence[int]) -> list[int]:
    """各条的次序，由短到长：[条数] 个下标。"""
    return sorted(range(len(lengths)), key=lengths.__getitem__)


@dataclass
class PassSampler:
    """DataLoader 的 batch_sampler：每一项是这个进程在一次更新（together 行）里的各次前向，前向是行号的列表。

    一次更新用哪几行，与有几个进程无关；每个进程的前向一样多次。
    """

    lengths: Sequence[int]
    together: int
    most_tokens: int
    overhead: int
    order: Callable[[], list[int]]
    process: int = 0
    processes: int = 1

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.together)

    def __iter__(self) -> Iterator[list[list[int]]]:
        order = self.order()
        for start in range(0, len(order), self.together):
            rows = order[start : start + self.together]
            groups = cut([self.lengths[row] for row in rows], self.most_tokens, self.processes, self.overhead)
            passes = [[rows[at] if at >= 0 else ~rows[~at] for at in group] for group in groups]
            yield passes[self.process :: self.processes]


@dataclass
class PassRows:
    """DataLoader 的数据集：给一次前向的行号，取出那几行。"""

    rows: list[dict]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: list[int]) -> list[dict]:
        return [self.rows[at] if at >= 0 else self.rows[~at] | {"idle": True} for at in chosen]


def pass_loader(rows: list[dict], sampler: PassSampler, collate: Callable[[list[dict]], dict], **options):
    """DataLoader，每一项是一次更新的各次前向：collate 出来的一批，另加真的词元数与计损失的词元数。"""
    from torch.utils.data import DataLoader

    def collate_passes(passes: list[list[dict]]) -> list[dict]:
        return [collate(chosen) | {"tokens": tokens(chosen), "supervised": supervised(chosen)} for chosen in passes]

    return DataLoader(PassRows(rows), batch_sampler=sampler, collate_fn=collate_passes, **options)  # type: ignore


def tokens(rows: list[dict]) -> int:
    """几条里真的词元有几个，补齐的、空转的不算。"""
    return sum(len(row["input_ids"]) for row in rows if "idle" not in row)


def supervised(rows: list[dict]) -> int:
    """几条里计损失的词元有几个（label 不是 IGNORED）。"""
    return sum(label != IGNORED for row in rows if "idle" not in row for label in row["labels"])


def pad_batch(rows: list[dict], pad_id: int) -> dict:
    """右边补齐到这几条里最长的一条：input_ids、labels、attention_mask，各 [行数, 最长的一条]。行与行互相看不见。"""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    return DataCollatorForLanguageModeling(pad_id)(rows)
