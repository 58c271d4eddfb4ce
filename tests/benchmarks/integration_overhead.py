"""阶段 7 自己的开销：两个立刻就答的假上游，一张很小的照片，同一次运行里与别的做法比。

    PYTHONPATH=tests python tests/benchmarks/integration_overhead.py --litellm 装了 litellm[proxy] 的虚拟环境

比的是四十行的 Flask（bare_chain.py），和经 LiteLLM 的代理发同样的两个请求。几个服务都开着，一轮一轮轮流量，
取各轮的中位数：机器忽快忽慢，对谁都一样。
退出码 1：一个客户端时，自己的时间多于 Flask 的 2.5 倍，或不比 LiteLLM 快；十六个客户端时吞吐不到 LiteLLM 的 3 倍。
“自己的时间”是减去直接问上游两次之后的。
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from http_load import ROOT, Load, check_not_degraded, measure, post, running_server, running_upstream, upload
from PIL import Image
from tqdm import trange

from health_assistant.images import encoded
from health_assistant.lab_report.vl_protocol import data_url

DIRECT, BARE, OURS, LITELLM = "直接问上游两次", "四十行的 Flask", "阶段 7", "LiteLLM 的代理"
GUNICORN = ["-m", "gunicorn", "--chdir", ROOT / "tests/benchmarks", "-k", "gthread", "--threads", "24"]
PROXY = """
model_list:
  - {model_name: vision, litellm_params: {model: openai/vision, api_base: UPSTREAM, api_key: x}}
  - {model_name: advice, litellm_params: {model: openai/advice, api_base: UPSTREAM, api_key: x}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--litellm", type=Path, help="装了 litellm[proxy] 的虚拟环境；不给就不比")
    parser.add_argument("--rounds", type=int, default=7, help="轮流量几轮（默认 7）")
    parser.add_argument("--seconds", type=float, default=2, help="每一格每轮量几秒（默认 2）")
    args = parser.parse_args()
    photo = encoded(Image.new("RGB", (100, 100), "white"), "JPEG")
    with ExitStack() as running:
        upstream = running.enter_context(running_upstream())
        bare = [sys.executable, *GUNICORN, "-b", "127.0.0.1:PORT", "bare_chain:app"]
        ours = running.enter_context(running_server(stage_7(), "/ready", settings(upstream)))
        asked = {
            DIRECT: (int(upstream.split(":")[2].split("/")[0]), two_calls(photo)),
            BARE: (running.enter_context(running_server(bare, "/health", {"UPSTREAM": upstream})), [upload(photo)]),
            OURS: (ours, [upload(photo)]),
        }
        if args.litellm:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
            (folder / "config.yaml").write_text(PROXY.replace("UPSTREAM", upstream))
            command = [args.litellm / "bin/litellm", "--config", folder / "config.yaml", "--host", "127.0.0.1"]
            local = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}  # 只在本机上量
            proxy = running_server([*command, "--port", "PORT"], "/health/liveliness", local)
            asked[LITELLM] = (running.enter_context(proxy), two_calls(photo))
        for port, requests in asked.values():  # 热身
            measure(port, requests, 16, args.seconds)
        rounds = [
            {name: [measure(*one, clients, args.seconds) for clients in (1, 16)] for name, one in asked.items()}
            for _ in trange(args.rounds, desc="轮", leave=False)
        ]
        check_not_degraded(ours)
    return report(rounds)


def two_calls(photo: bytes) -> list[bytes]:
    contents = {"vision": [{"type": "image_url", "image_url": {"url": data_url(photo)}}], "advice": "请解释这张化验单"}
    bodies = [{"model": model, "messages": [{"role": "user", "content": text}]} for model, text in contents.items()]
    return [post("/v1/chat/completions", "application/json", json.dumps(body).encode()) for body in bodies]


def stage_7() -> list:
    return [sys.executable, ROOT / "7-endpoint-integration-server/medical_report_server.py", "--port", "PORT"]


def settings(upstream: str) -> dict[str, str]:
    given = {f"{name}_{field}": value for name in ("VISION", "ADVICE")
             for field, value in (("API_BASE", upstream), ("MODEL", name.lower()))}  # fmt: skip
    return given | {"VERIFY": "false", "RATE_LIMIT": "1000000/minute"}


def report(rounds: list[dict[str, list[Load]]]) -> int:
    print("| | 一个客户端，毫秒（中位数） | 十六个客户端，次/秒 | 不是 200 的 |\n|---|---|---|---|")
    for name in rounds[0]:
        ms = 1000 * median(one[name][0].median for one in rounds)
        per_second = median(one[name][1].per_second for one in rounds)
        statuses = sum((load.statuses for one in rounds for load in one[name]), Counter())
        print(f"| {name} | {ms:.1f} | {per_second:.0f} | {statuses.total() - statuses[200]} |")

    def own_ms(one: dict, name: str) -> float:
        return one[name][0].median - one[DIRECT][0].median

    own = median(own_ms(one, OURS) / own_ms(one, BARE) for one in rounds)
    checks = [("自己的时间是 Flask 的几倍", own, own <= 2.5)]
    if LITELLM in rounds[0]:
        quicker = median(one[OURS][0].median / one[LITELLM][0].median for one in rounds)
        more = median(one[OURS][1].per_second / one[LITELLM][1].per_second for one in rounds)
        checks += [("时间是 LiteLLM 的几倍", quicker, quicker < 1), ("吞吐是 LiteLLM 的几倍", more, more >= 3)]
    for name, value, passed in checks:
        print(f"{'✓' if passed else '✗'} {name}：{value:.2f}")
    return int(not all(passed for *_, passed in checks))


if __name__ == "__main__":
    sys.exit(main())
