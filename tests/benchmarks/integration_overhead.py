"""阶段 7 自己的开销：两个立刻就答的假上游，一张很小的照片，同一次运行里与别的做法比。

    python tests/benchmarks/integration_overhead.py [--litellm 装了 litellm[proxy] 的虚拟环境] [--seconds 5]

比的是四十行的 Flask（bare_chain.py），和经 LiteLLM 的代理发同样的两个请求。
退出码 1：一个客户端时，自己的时间多于 Flask 的 2.5 倍，或不比 LiteLLM 快；十六个客户端时吞吐不到 LiteLLM 的 3 倍。
“自己的时间”是减去直接问上游两次之后的。
"""

import argparse
import base64
import io
import json
import sys
import tempfile
from pathlib import Path

from http_load import ROOT, Load, check_not_degraded, measure, post, running_server, running_upstream, upload
from PIL import Image

GUNICORN = ["-m", "gunicorn", "--chdir", ROOT / "tests/benchmarks", "-k", "gthread", "--threads", "24"]
PROXY = """
model_list:
  - {model_name: vision, litellm_params: {model: openai/vision, api_base: UPSTREAM, api_key: x}}
  - {model_name: advice, litellm_params: {model: openai/advice, api_base: UPSTREAM, api_key: x}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--litellm", type=Path, help="装了 litellm[proxy] 的虚拟环境；不给就不比")
    parser.add_argument("--seconds", type=float, default=5, help="每一格量几秒（默认 5）")
    args = parser.parse_args()
    photo = tiny_photo()
    with running_upstream() as upstream, tempfile.TemporaryDirectory() as folder:
        port = int(upstream.split(":")[2].split("/")[0])
        results = {"直接问上游两次": both(port, two_calls(photo), args.seconds)}
        with running_server([sys.executable, *GUNICORN, "-b", "127.0.0.1:PORT", "bare_chain:app"], "/health",
                            {"UPSTREAM": upstream}) as bare:  # fmt: skip
            results["四十行的 Flask"] = both(bare, [upload(photo)], args.seconds)
        with running_server(stage_7(), "/ready", settings(upstream)) as ours:
            results["阶段 7"] = both(ours, [upload(photo)], args.seconds)
            check_not_degraded(ours)
        if args.litellm:
            config = Path(folder) / "config.yaml"
            config.write_text(PROXY.replace("UPSTREAM", upstream))
            command = [args.litellm / "bin/litellm", "--config", config, "--host", "127.0.0.1", "--port", "PORT"]
            local = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}  # 只在本机上量
            with running_server(command, "/health/liveliness", local) as proxy:
                results["LiteLLM 的代理"] = both(proxy, two_calls(photo), args.seconds)
    return report(results)


def tiny_photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (100, 100), "white").save(buffer, "JPEG")
    return buffer.getvalue()


def two_calls(photo: bytes) -> list[bytes]:
    url = "data:image/jpeg;base64," + base64.b64encode(photo).decode()
    contents = {"vision": [{"type": "image_url", "image_url": {"url": url}}], "advice": "请解释这张化验单"}
    bodies = [{"model": model, "messages": [{"role": "user", "content": text}]} for model, text in contents.items()]
    return [post("/v1/chat/completions", "application/json", json.dumps(body).encode()) for body in bodies]


def stage_7() -> list:
    return [sys.executable, ROOT / "7-endpoint-integration-server/medical_report_server.py", "--port", "PORT"]


def settings(upstream: str) -> dict[str, str]:
    given = {f"{name}_{field}": value for name in ("VISION", "ADVICE")
             for field, value in (("API_BASE", upstream), ("MODEL", name.lower()))}  # fmt: skip
    return given | {"VERIFY": "false", "RATE_LIMIT": "1000000/minute"}


def both(port: int, requests: list[bytes], seconds: float) -> tuple[Load, Load]:
    """热身之后，一个客户端与十六个客户端。"""
    measure(port, requests, 16, 1)
    return measure(port, requests, 1, seconds), measure(port, requests, 16, seconds)


def report(results: dict[str, tuple[Load, Load]]) -> int:
    print("| | 一个客户端，毫秒（中位数） | 十六个客户端，次/秒 | 不是 200 的 |\n|---|---|---|---|")
    for name, (one, many) in results.items():
        others = sum(count for load in (one, many) for status, count in load.statuses.items() if status != 200)
        print(f"| {name} | {1000 * one.median:.1f} | {many.per_second:.0f} | {others} |")
    direct, bare, ours = (results[name] for name in ("直接问上游两次", "四十行的 Flask", "阶段 7"))
    own = (ours[0].median - direct[0].median) / (bare[0].median - direct[0].median)
    checks = [("自己的时间是 Flask 的几倍", own, own <= 2.5)]
    if litellm := results.get("LiteLLM 的代理"):
        quicker, more = ours[0].median / litellm[0].median, ours[1].per_second / litellm[1].per_second
        checks += [("时间是 LiteLLM 的几倍", quicker, quicker < 1), ("吞吐是 LiteLLM 的几倍", more, more >= 3)]
    for name, value, passed in checks:
        print(f"{'✓' if passed else '✗'} {name}：{value:.2f}")
    return int(not all(passed for *_, passed in checks))


if __name__ == "__main__":
    sys.exit(main())
