"""测试用的 OpenAI 兼容接口，另起一个进程：回答由问题决定；可以慢、可以出错、可以空着。每收到一问，在日志里记一行。"""

import argparse
import hashlib
import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WORDS = ["患者", "诊断", "肺炎", "高血压", "治疗", "检查", "胸部CT", "抗感染", "病史", "体征", "建议", "复查"]
VERDICT = '好的：\n```json\n{"fluency": 4, "relevance": 3, "completeness": 2, "proficiency": 3}\n```'


def write_questions(folder: Path, cases: int = 13, turns: int = 3) -> Path:
    """cases × turns 道题，和阶段 1 写的同一格式。"""
    rows = []
    for case in range(cases):
        history = []
        for turn in range(1, turns + 1):
            question = f"第{case}例第{turn}问：患者{20 + case}岁，咳嗽{turn}天，体温{37 + turn / 10}℃。诊断是什么？"
            words = [WORDS[number % 12] for number in (case, case + turn, case * turn)]
            reference = f"考虑{words[0]}，先做{words[1]}，再{words[2]}，第{case}例。"
            history = [*history, {"role": "user", "content": question}]
            row = {"id": f"{case}-{turn}", "case_id": str(case), "turn": turn, "title": f"病例{case}"}
            rows.append(row | {"messages": history, "reference": reference})
            history = [*history, {"role": "assistant", "content": reference}]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "cmb-clin.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    (folder / "data.json").write_text('{"source": "bundled-sample", "is_sample": true}', encoding="utf-8")
    return file


class Endpoint:
    def __init__(self, url: str, log: Path):
        self.url, self.log = url, log

    def asked(self) -> list[dict]:
        """至今收到的每一问：messages、status、began、ended。"""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def questions(self) -> list[str]:
        return [one["messages"][-1]["content"] for one in self.asked()]


@contextmanager
def running(folder: Path, **options):
    """起一个接口，用完停掉。options：latency、suffix、empty、fail、verdict、special、lists，见 main。"""
    log = folder / f"endpoint-{time.monotonic_ns()}.jsonl"
    log.touch()
    settings = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, __file__, "--log", str(log), *settings]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Endpoint(f"http://127.0.0.1:{process.stdout.readline().strip()}/v1", log)
    finally:
        process.kill()
        process.wait()


def scripted(folder: Path, **contents: str):
    """同 running；contents 是问里有的字 -> 答的话。"""
    return running(folder, special=json.dumps({words: {"content": text} for words, text in contents.items()}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--latency", type=float, default=0, help="每一问过多少秒才答")
    parser.add_argument("--suffix", default="", help="每个回答后面加上的字")
    parser.add_argument("--empty", help="问题里有这几个字的，答空")
    parser.add_argument("--fail", help="问题里有这几个字的，答 500")
    parser.add_argument("--special", default="{}", help="JSON：问题里有的几个字 -> 盖过回答消息与结束原因的几项")
    parser.add_argument("--lists", default="fake", help="它有的唯一的模型；问别的答 404")
    parser.add_argument("--verdict", default=VERDICT, help="请它评审时的回答")
    args = parser.parse_args()
    lock, special = threading.Lock(), json.loads(args.special)

    def answer(messages: list[dict]) -> str:
        if "打分" in messages[0]["content"]:
            return args.verdict
        if args.empty and args.empty in messages[-1]["content"]:
            return ""
        digest = hashlib.sha256(json.dumps(messages).encode()).digest()
        return "".join(WORDS[byte % len(WORDS)] for byte in digest) + args.suffix

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.reply(200, {"object": "list", "data": [{"id": args.lists, "object": "model"}]})

        def do_POST(self):
            began = time.time()
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            messages = request["messages"]
            time.sleep(args.latency)
            status = 500 if args.fail and args.fail in messages[-1]["content"] else 200
            status = 404 if request["model"] != args.lists else status
            reply = {"role": "assistant", "content": answer(messages), "finish_reason": "stop"}
            for words, change in special.items():
                reply |= change if words in messages[-1]["content"] else {}
            choice = {"index": 0, "finish_reason": reply.pop("finish_reason"), "message": reply}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            body = {"id": "1", "object": "chat.completion", "created": 1, "model": "fake"}
            body |= {"choices": [choice], "usage": usage}
            entry = {"messages": messages, "status": status, "began": began, "ended": time.time()}
            with lock, open(args.log, "a", encoding="utf-8") as log:
                log.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self.reply(
                status, body if status == 200 else {"error": {"message": "坏了" if status == 500 else "no such model"}}
            )

        def reply(self, status: int, body: dict) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
