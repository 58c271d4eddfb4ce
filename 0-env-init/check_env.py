"""阶段 0：看看这台机器能不能跑课程、合适哪份配方。

只用标准库，也不导入 torch：Python 版本不对、依赖没装好的时候，它也要能把话说完。
退出码：0 能跑，1 不能跑（并说怎么办）。
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import unicodedata
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata, util
from pathlib import Path
from urllib import error, request

ROOT = Path(__file__).resolve().parent.parent
# 装好依赖以后还要的余量；run.sh 在安装前要 6 GB，装完约占 2.4 GB，所以这里不能高于 3.6
MIN_DISK_GB = 3
MIN_MEMORY_GB = 3
DRIVERS = {12: 525, 13: 580}  # NVIDIA：CUDA 的每个大版本最低要多新的驱动
OLDEST_CARDS = {12: 7.0, 13: 7.5}  # 按 CUDA 的哪个大版本编译的 torch，要算力多少的卡（V100 是 7.0，T4 是 7.5）
BF16_FROM = 8.0  # 算力：A100、RTX 30 系起
FOR_CUDA_12 = "运行 bash 0-env-init/autodl.sh 或 cloudstudio.sh，换成按 CUDA 12 编译的一组"
HUB_SECONDS = 2
HUBS = {
    "ModelScope": "https://www.modelscope.cn",
    "Hugging Face": "https://huggingface.co",
    "HF 镜像": "https://hf-mirror.com",
}


@dataclass
class Gpu:
    """一块卡；memory_gb 照通常的说法，问不出是 0。"""

    name: str
    driver: str
    memory_gb: int
    compute: float = BF16_FROM  # 算力（compute capability）；驱动太旧，问不出的，当它够新


@dataclass
class Pin:
    name: str
    wanted: str
    installed: str | None  # 没有装是 None


@dataclass
class Machine:
    """一台机器的事实；问不出的留空。"""

    python: tuple[int, int, int]
    cpu: str
    cores: int
    memory_gb: float
    disk_gb: float
    gpus: list[Gpu] = field(default_factory=list)
    driver_cuda: str | None = None  # 驱动最高支持的 CUDA
    torch_cuda: str | None = None  # 装着的 torch 按哪个 CUDA 编译；CPU 版是 None
    pins: list[Pin] = field(default_factory=list)
    hubs: dict[str, int | None] = field(default_factory=dict)  # 答话用的毫秒，None 是没有答话


@dataclass
class FittingRecipe:
    config: str  # 阶段 3、6 的 configs/ 里的哪一份
    peak_gib: float  # 训练的峰值，按配方的上限估计；用不用 Unsloth 都一样
    disk_gb: int

    @property
    def card_gb(self) -> float:
        """要多大的卡：峰值，5% 的碎片，CUDA 上下文与桌面约 0.5 GB。"""
        return self.peak_gib * 1.05 + 0.5 if self.peak_gib else 0


# 显存是 health_assistant/training/memory.py 的估计，与 H100、H200 上量到的差不到 15%；两边一致由 test_memory.py 核对。
# 磁盘按权重大小估计：要下载的基座（QLoRA 另有一份 4 位的）、合并后的 16 位模型，阶段 6 另有约 2 GB 的图。
LLM_RECIPES = [
    FittingRecipe("3-fine-tuning-llm/configs/qwen2.5-14b-lora.yaml", 29.7, 60),
    FittingRecipe("3-fine-tuning-llm/configs/qwen2.5-14b-qlora.yaml", 10.2, 70),
    FittingRecipe("3-fine-tuning-llm/configs/qwen2.5-7b-qlora.yaml", 6.0, 36),
    FittingRecipe("3-fine-tuning-llm/configs/qwen2.5-0.5b.yaml", 1.6, 4),
    FittingRecipe("3-fine-tuning-llm/configs/tiny.yaml", 0, MIN_DISK_GB),
]
VL_RECIPES = [
    FittingRecipe("6-fine-tuning-vl/configs/qwen2-vl-7b-lora.yaml", 19.6, 36),
    FittingRecipe("6-fine-tuning-vl/configs/qwen2-vl-7b-qlora.yaml", 8.8, 42),
    FittingRecipe("6-fine-tuning-vl/configs/qwen2-vl-2b-qlora.yaml", 5.1, 14),
    FittingRecipe("6-fine-tuning-vl/configs/tiny.yaml", 0, MIN_DISK_GB),
]


@dataclass
class Problem:
    row: str  # 说的是表里哪一行
    fatal: bool  # 不解决，课程就跑不了
    text: str
    remedy: str


# ---- 判断：只看 Machine 里的事实，测试可以造一台假机器 ----


def choose_recipes(machine: Machine) -> dict[str, FittingRecipe]:
    """语言模型（llm）、视觉模型（vl）各放得下的最大的一份。按最大的一块卡选，因为配方都是单卡的。"""
    vram = max((gpu.memory_gb for gpu in machine.gpus), default=0)
    kinds = {"llm": LLM_RECIPES, "vl": VL_RECIPES}
    return {kind: next(recipe for recipe in recipes if vram >= recipe.card_gb) for kind, recipes in kinds.items()}


def judge(machine: Machine) -> list[Problem]:
    """这台机器有什么不合适，各自怎么办。"""
    findings = []

    def notice(row: str, text: str, remedy: str, fatal: bool = False):
        findings.append(Problem(row, fatal, text, remedy))

    if not (3, 11) <= machine.python[:2] < (3, 13):
        remedy = "装好后运行 PYTHON=python3.12 bash run.sh --no-serve"
        notice("Python", "课程要 Python 3.11 或 3.12", remedy, fatal=True)
    if machine.memory_gb < MIN_MEMORY_GB:
        notice("内存", f"不到 {MIN_MEMORY_GB} GB", "关掉别的程序，或换一台内存更大的机器", fatal=True)
    if any(pin.installed != pin.wanted for pin in machine.pins):
        remedy = f"在仓库根目录运行 {sys.executable} -m pip install -r requirements.txt"
        notice("依赖", "与 requirements.txt 不一致", remedy, fatal=True)
    largest = max(choose_recipes(machine).values(), key=lambda recipe: recipe.disk_gb)
    if machine.disk_gb < MIN_DISK_GB:
        remedy = "清理磁盘，或把仓库移到更大的盘（AutoDL 是 /root/autodl-tmp）"
        notice("磁盘剩余", f"不到 {MIN_DISK_GB} GB", remedy, fatal=True)
    elif machine.disk_gb < largest.disk_gb:
        notice("磁盘剩余", f"{largest.config} 估计要 {largest.disk_gb} GB", "扩容数据盘，或用小一号的配方")

    cuda = _major(machine.torch_cuda or "13")
    if not machine.gpus:
        notice("GPU", "没有可用的 NVIDIA GPU", "读化验单和网页不需要它；真实模型的训练要租一台 GPU，这里用 tiny 配方")
    elif not machine.torch_cuda:
        notice("CUDA", "装的不是 CUDA 版 torch，GPU 现在用不上", "见 0-env-init/requirements-gpu.txt 开头的说明")
    elif machine.driver_cuda and _major(machine.driver_cuda) < cuda:  # CUDA 只保证同一大版本内兼容
        text = f"驱动只到 {machine.driver_cuda}，torch 按 {machine.torch_cuda} 编译，GPU 现在用不上"
        remedy = f"升级 NVIDIA 驱动（CUDA {cuda} 要 {DRIVERS[cuda]} 起），或租驱动支持 CUDA {cuda} 的机器"
        if _major(machine.driver_cuda) == 12:
            remedy += f"；都不行就{FOR_CUDA_12}"
        notice("CUDA", text, remedy)

    for gpu in machine.gpus:
        if gpu.compute < OLDEST_CARDS.get(cuda, 0):
            remedy = "换一张卡" if gpu.compute < OLDEST_CARDS[12] else FOR_CUDA_12
            notice("GPU", f"{gpu.name} 的算力是 {gpu.compute}，按 CUDA {cuda} 编译的 torch 用不了它", remedy)
        elif gpu.compute < BF16_FROM:
            text = f"{gpu.name} 没有 bf16，训练会改用 fp16（损失缩放）；在这样的卡上还没有验证过"
            notice("GPU", text, "先用 --max_steps 20 试；损失变成 nan 脚本会停下来说")

    if machine.hubs and set(machine.hubs.values()) == {None}:  # 只有一两个不答话不要紧：下载时自己换下一个
        notice("模型站", "一个也没有答话", "读化验单和网页不受影响；下载真实模型前要先通网络")
    return findings


def _major(version: str) -> int:
    return int(version.split(".")[0])


# ---- 事实：问这台机器 ----


def look_at_machine() -> Machine:
    """问一遍这台机器；问不出的留空，不抛错。"""
    gpus, driver_cuda = read_gpus()
    torch_cuda = read_torch_cuda()
    pins = wanted_pins(ROOT / "requirements.txt")
    if torch_cuda and _major(torch_cuda) == 12:  # 驱动旧的机器装的是另一组，见 cloud_setup.sh
        cuda_12 = wanted_pins(ROOT / "0-env-init/requirements-gpu-cu12.txt")
        pins |= {name: version for name, version in cuda_12.items() if name in pins}
    return Machine(
        python=sys.version_info[:3],
        cpu=_read_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=round(read_memory() / 2**30, 1),
        disk_gb=round(free_disk(ROOT) / 2**30, 1),
        gpus=gpus,
        driver_cuda=driver_cuda,
        torch_cuda=torch_cuda,
        pins=[Pin(name, wanted, installed_version(name)) for name, wanted in pins.items()],
        hubs=ask_hubs(HUBS, HUB_SECONDS),
    )


def free_disk(root: Path) -> int:
    """环境与产物所在的盘还剩几个字节；.venv 可能是指向数据盘的链接。"""
    venv = root / ".venv"
    return shutil.disk_usage(venv if venv.exists() else root).free


def _read_cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    name = re.search(r"^model name\s*:\s*(.+)", cpuinfo.read_text() if cpuinfo.exists() else "", re.MULTILINE)
    return name[1] if name else platform.processor() or platform.machine()


def read_memory() -> int:
    """物理内存；在容器里（AutoDL 等）以 cgroup 的上限为准，整台宿主机的内存用不了。"""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # 没有这个文件，或写着 max（不限）
            sizes.append(int(Path(limit).read_text()))
    return min(sizes)


def read_gpus() -> tuple[list[Gpu], str | None]:
    """nvidia-smi 说的各块卡，与驱动最高支持的 CUDA；没有 nvidia-smi 就是没有卡。"""

    def nvidia_smi(*options: str) -> str:
        with suppress(OSError, subprocess.SubprocessError):
            return subprocess.check_output(["nvidia-smi", *options], stderr=subprocess.DEVNULL, text=True, timeout=10)
        return ""

    query, csv = "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits"
    gpus = parse_gpus(nvidia_smi(f"{query},compute_cap", csv) or nvidia_smi(query, csv))  # 旧驱动不认 compute_cap
    cuda = re.search(r"CUDA[^:|]*Version:\s*(\d+\.\d+)", nvidia_smi()) if gpus else None
    return gpus, cuda[1] if cuda else None


def parse_gpus(csv: str) -> list[Gpu]:
    """每行形如 `NVIDIA GeForce RTX 4090, 570.124.04, 24564, 8.9`；显存是 MiB，四舍五入成通常说的 24 GB。"""
    gpus = []
    for line in csv.splitlines():
        name, driver, memory, *compute = (part.strip() for part in line.split(","))
        memory_gb = round(int(memory) / 1024) if memory.isdigit() else 0
        gpus.append(Gpu(name, driver, memory_gb, *(float(part) for part in compute if part[0].isdigit())))
    return gpus


def read_torch_cuda() -> str | None:
    """torch 把编译时的 CUDA 版本写在 torch/version.py 里；读文件是为了省下导入 torch 的几秒。"""
    torch = util.find_spec("torch")
    if not torch or not torch.origin:
        return None
    version = Path(torch.origin).with_name("version.py").read_text()
    cuda = re.search(r"^cuda\b.*=\s*'([\d.]+)'", version, re.MULTILINE)
    return cuda[1] if cuda else None


def wanted_pins(requirements: Path) -> dict[str, str]:
    """清单里的 `名字==版本`；`-e .` 就是课程自己的包，装了就行。"""
    text = requirements.read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", text, re.MULTILINE))  # evalscope[perf] 就是 evalscope
    if "-e ." in text.splitlines():
        pins["health-assistant"] = installed_version("health-assistant") or "（本仓库）"
    return pins


def installed_version(name: str) -> str | None:
    """装着的版本，不带 +cpu 这样的尾巴；没有装是 None。"""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name).partition("+")[0]
    return None


def ask_hubs(hubs: dict[str, str], seconds: float) -> dict[str, int | None]:
    """同时问，最多等 seconds 秒。用守护线程，因为域名解析不受 timeout 约束，不能让它拖住退出。"""
    answers = dict.fromkeys(hubs)

    def ask(name: str, url: str):
        started = time.monotonic()
        question = request.Request(url, method="HEAD", headers={"User-Agent": "Mozilla/5.0"})
        try:
            request.urlopen(question, timeout=seconds).close()
        except (OSError, ValueError) as reason:
            if not isinstance(reason, error.HTTPError) or reason.code >= 500:  # 4xx 也是答话
                return
        answers[name] = round((time.monotonic() - started) * 1000)

    threads = [threading.Thread(target=ask, args=hub, daemon=True) for hub in hubs.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return dict(answers)


def _table_rows(machine: Machine) -> list[tuple[str, str]]:
    wrong = [pin for pin in machine.pins if pin.installed != pin.wanted]
    rows = [
        ("Python", ".".join(map(str, machine.python))),
        ("CPU", f"{machine.cpu}，{machine.cores} 核"),
        ("内存", f"{machine.memory_gb} GB"),
        ("磁盘剩余", f"{machine.disk_gb} GB"),
        ("GPU", "；".join(gpu.name for gpu in machine.gpus) or "没有"),
        ("驱动", machine.gpus[0].driver if machine.gpus else "没有"),
        ("CUDA", f"驱动支持到 {machine.driver_cuda}" if machine.driver_cuda else "没有"),
        ("torch 的 CUDA", machine.torch_cuda or "没有"),
        ("显存", "；".join(f"{gpu.memory_gb} GB" for gpu in machine.gpus) or "没有"),
        ("依赖", f"{len(machine.pins)} 个里 {len(machine.pins) - len(wrong)} 个与 requirements.txt 一致"),
    ]
    rows += [(f"  {pin.name}", f"要 {pin.wanted}，现在 {pin.installed or '没有装'}") for pin in wrong]
    for name, answered in machine.hubs.items():
        rows.append((name, f"没有答话（最多等 {HUB_SECONDS} 秒）" if answered is None else f"{answered} 毫秒答话"))
    for kind, chosen in choose_recipes(machine).items():
        task = {"llm": "微调语言模型（估计）", "vl": "微调视觉模型（估计）"}[kind]
        rows.append((task, chosen.config + (f"，训练约 {chosen.peak_gib:.1f} GiB" if chosen.peak_gib else "")))
    return rows


def pad(text: str, width: int) -> str:
    """补空格到指定的显示宽度：终端里一个汉字占两格。"""
    shown = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
    return text + " " * max(0, width - shown)


def print_table(machine: Machine, findings: list[Problem]) -> None:
    """打印各项事实，有问题的行前面有记号；下面是各处问题与办法。"""
    marks = {finding.row: "✗" if finding.fatal else "!" for finding in reversed(findings)}
    for name, value in _table_rows(machine):
        print(f"  {marks.get(name, ' ')} {pad(name, 20)} {value}")
    print()
    for finding in findings:
        print(f"  {'✗' if finding.fatal else '!'} {finding.row}：{finding.text}\n      → {finding.remedy}")


def main() -> int:
    """看一遍、说出来；返回退出码：0 能跑，1 不能跑。"""
    parser = argparse.ArgumentParser(description="检查这台机器能不能跑课程、合适哪份配方（配方按显存估计）。")
    parser.add_argument("--json", action="store_true", help="输出 JSON，给程序读")
    args = parser.parse_args()
    machine = look_at_machine()
    findings = judge(machine)
    ready = not any(finding.fatal for finding in findings)
    if args.json:
        recipes = {kind: asdict(recipe) for kind, recipe in choose_recipes(machine).items()}
        report = {"ready": ready, "machine": asdict(machine), "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(report | {"recipes": recipes}, ensure_ascii=False, indent=2))
    else:
        print_table(machine, findings)
        print("\n" + ("结论：这台机器能跑课程。" if ready else "结论：还不能跑，请先解决上面标 ✗ 的。"))
    return 0 if ready else 1


if __name__ == "__main__":
    sys.exit(main())
