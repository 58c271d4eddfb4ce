"""transformers 后端比裸的 model.generate 慢多少：每秒词元数之比，第一个词元晚多少毫秒。

    python tests/benchmarks/transformers_backend.py

同一个微型模型（阶段 3 的 merged）、同样的问题、种子与设置，裸的与服务（流式）轮流做，只算 128 个词元以上的回答。
机器忙闲会变，所以每一对相邻的相比，再取中位数。达不到时退出码 1。
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from health_assistant import artifacts

ROOT = Path(__file__).resolve().parents[2]
SAMPLING = {"temperature": 1.0, "top_p": 1.0}
LEAST_TOKENS, LEAST_RATIO, MOST_DELAY_MS = 128, 0.8, 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=artifacts.llm_dir("tiny") / "merged")
    parser.add_argument("--tokens", type=int, default=256, help="一个回答最多几个词元")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()

    import openai

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, ROOT / "5-build-server/serve.py", "--backend", "transformers", "--port", str(port)]
    command += ["--model", args.model, "--served-model-name", "tiny"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        bare = Bare(args.model, args.tokens)
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=50)
        messages = [{"role": "user", "content": "请详细讲讲高血压要注意什么。"}]
        pairs = []
        for seed in range(1000):
            pair = bare.ask(messages, seed), ask_server(client, messages, seed, args.tokens)
            assert pair[0][2] == pair[1][2], "种子相同，词元数就应当相同"
            if seed >= 3 and pair[0][2] >= LEAST_TOKENS:  # 前几轮热身
                pairs.append(pair)
            if len(pairs) == args.rounds:
                break
    finally:
        server.terminate()
        server.wait()

    for name, runs in zip(("裸的", "服务"), zip(*pairs, strict=True), strict=True):
        speed = statistics.median(tokens / seconds for _, seconds, tokens in runs)
        first = 1000 * statistics.median(first for first, *_ in runs)
        print(f"{name}：每秒 {speed:.0f} 个词元，第一个词元 {first:.1f} ms（{len(runs)} 个回答的中位数）")
    ratio = statistics.median(bare[1] / served[1] for bare, served in pairs)
    delay = 1000 * statistics.median(served[0] - bare[0] for bare, served in pairs)
    print(f"速度之比 {ratio:.2f}（要 ≥ {LEAST_RATIO}），第一个词元晚 {delay:.1f} ms（要 ≤ {MOST_DELAY_MS}）")
    print(f"{os.cpu_count()} 核，负载 {os.getloadavg()[0]:.1f}")
    return int(ratio < LEAST_RATIO or delay > MOST_DELAY_MS)


class Bare:
    """没有服务：切词、generate、解码。"""

    def __init__(self, folder: Path, tokens: int) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from health_assistant.training.tiny_models import use_one_thread_if_small

        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        use_one_thread_if_small(self.model)
        self.tokenizer, self.tokens = AutoTokenizer.from_pretrained(folder), tokens

    def ask(self, messages: list[dict], seed: int) -> tuple[float, float, int]:
        """第一个词元与全部词元各用了几秒，共几个词元。"""
        import torch

        arrived = []

        class Clock:
            def put(self, value):
                arrived.append(time.perf_counter())

            def end(self):
                pass

        torch.manual_seed(seed)
        started = time.perf_counter()
        inputs = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        settings = SAMPLING | {"do_sample": True, "top_k": 0, "max_new_tokens": self.tokens, "streamer": Clock()}
        output = self.model.generate(**inputs, **settings)
        written = output[0, inputs["input_ids"].shape[1] :]
        self.tokenizer.decode(written, skip_special_tokens=True)
        return arrived[1] - started, time.perf_counter() - started, len(written)  # arrived[0] 是提问


def ask_server(client, messages: list[dict], seed: int, tokens: int) -> tuple[float, float, int]:
    started, first, usage = time.perf_counter(), None, None
    stream = client.chat.completions.create(
        model="tiny",
        messages=messages,
        seed=seed,
        max_tokens=tokens,
        stream=True,
        stream_options={"include_usage": True},
        **SAMPLING,
    )
    for chunk in stream:
        if first is None and chunk.choices and chunk.choices[0].delta.content:
            first = time.perf_counter() - started
        usage = chunk.usage or usage
    return first, time.perf_counter() - started, usage.completion_tokens


if __name__ == "__main__":
    sys.exit(main())
