"""阶段 5：bench.sh 的下手——找模型、定目录，把 EvalScope 的记录汇总成表和图。

python 5-build-server/bench_results.py report 模型名
"""

import json
import os
import sys
from pathlib import Path

from served_model import ModelClient

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, fail, new_parser


@command
def main() -> int:
    """打印模型名或结果的目录，或汇总；返回退出码：1 是有请求没有成功，2 是没有模型、没有记录。"""
    parser = new_parser(__doc__)
    parser.add_argument("what", choices=["model", "folder", "report"], help="问服务上的模型；结果的目录；汇总")
    parser.add_argument("names", nargs="+", help="model：地址与（可以没有的）模型名；其余：模型名")
    args = parser.parse_args()
    if args.what == "model":
        print(find_model(*args.names))
        return 0
    folder = artifacts.bench_dir(args.names[0])
    if args.what == "folder":
        print(folder)
        return 0
    return report(folder, args.names[0])


def find_model(url: str, model: str | None = None) -> str:
    """服务上的模型名；不给 model 就是第一个。连不上、没有这个模型时抛 BadInput。"""
    return ModelClient(url, os.environ.get("MODEL_SERVER_API_KEY") or "none", model).model


def report(folder: Path, model: str) -> int:
    """把 folder 里各档的记录写成表（bench.md）与图（bench.png）；返回退出码，有请求没有成功的是 1。"""
    runs = sorted((read_run(file) for file in folder.rglob("benchmark_summary.json")), key=lambda run: run["并发"])
    if not runs:
        raise BadInput(f"{folder} 里没有 EvalScope 的记录：先运行 bench.sh")
    columns = [name for name in runs[0] if name != "失败"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [f"| {' | '.join(str(run[column]) for column in columns)} |" for run in runs]
    table = "\n".join(lines)
    artifacts.write_text(folder / "bench.md", f"# {model}\n\n{table}\n")
    draw(runs, model, folder / "bench.png")
    print(f"{table}\n写了：{folder / 'bench.md'}、{folder / 'bench.png'}")
    failed = sum(run["失败"] for run in runs)
    if failed:
        return fail(f"{failed} 个请求没有成功，原因在 {folder / 'evalscope.log'}", 1)
    return 0


def read_run(file: Path) -> dict:
    """一档并发：EvalScope 的汇总与分位数。时间都从客户端看，排队也算在内。"""
    total = json.loads(file.read_text(encoding="utf-8"))
    spread = json.loads(file.with_name("benchmark_percentile.json").read_text(encoding="utf-8"))
    seconds = {row["Percentiles"]: row["Latency (s)"] for row in spread}
    return {
        "并发": total["Concurrency"],
        "成功": f"{total['Success Requests']}/{total['Total Requests']}",
        "失败": total["Failed Requests"],
        "每秒请求": round(total["Req Throughput (req/s)"], 2),
        "每秒词元": round(total["Output Throughput (tok/s)"], 1),
        "首字（毫秒）": round(total["Avg TTFT (ms)"]),
        "每个词元（毫秒）": round(total["Avg TPOT (ms)"], 2),
        "全程中位（秒）": round(seconds["50%"], 2),
        "全程 P99（秒）": round(seconds["99%"], 2),
    }


def draw(runs: list[dict], model: str, path: Path) -> None:
    """各档（`read_run` 的样子，按并发从小到大）画成两张图：吞吐与等待。"""
    import pandas as pd

    from health_assistant.plotting import new_figure, save_png

    table = pd.DataFrame(runs).set_index("并发")
    table["首字（秒）"] = table["首字（毫秒）"] / 1000
    figure, axes = new_figure(width=10, height=4, columns=2)
    look = {"xlabel": "并发", "ylim": (0, None), "grid": True}
    table["每秒词元"].plot(ax=axes[0], style="o-", title="吞吐", ylabel="每秒词元", **look)
    waits = ["全程中位（秒）", "全程 P99（秒）", "首字（秒）"]
    table[waits].plot(ax=axes[1], style=["o-", "o-", "o--"], title="等待", ylabel="秒", **look)
    figure.suptitle(model)
    save_png(figure, path)


if __name__ == "__main__":
    sys.exit(main())
