"""测试用的 OpenAI 兼容接口：回答由问题决定；可以慢、可以出错、可以空着。"""

import hashlib
import json
import time
from pathlib import Path

from local_servers import Handler, LocalServer

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


class Endpoint(LocalServer):
    """with 里是一个活着的接口；asked 是收到的每一问：messages、status、began、ended。

    每一问过 latency 秒才答；suffix 加在每个回答的后面；问里有 empty 的答空，有 fail 的答 500；
    special 是问里有的字 -> 盖过回答消息与结束原因的几项；lists 是它有的唯一的模型，问别的答 404；
    verdict 是请它评审时的回答。
    """

    def __init__(
        self,
        latency: float = 0,
        suffix: str = "",
        empty: str | None = None,
        fail: str | None = None,
        special: dict[str, dict] | None = None,
        lists: str = "fake",
        verdict: str = VERDICT,
    ) -> None:
        super().__init__(_Handler)
        self.url += "/v1"
        self.latency, self.suffix, self.empty, self.fail = latency, suffix, empty, fail
        self.special, self.lists, self.verdict = special or {}, lists, verdict
        self.asked: list[dict] = []

    def questions(self) -> list[str]:
        return [one["messages"][-1]["content"] for one in self.asked]

    def answer(self, messages: list[dict]) -> str:
        if "打分" in messages[0]["content"]:
            return self.verdict
        if self.empty and self.empty in messages[-1]["content"]:
            return ""
        digest = hashlib.sha256(json.dumps(messages).encode()).digest()
        return "".join(WORDS[byte % len(WORDS)] for byte in digest) + self.suffix


def scripted(contents: dict[str, str]) -> Endpoint:
    """contents 是问里有的字 -> 答的话。"""
    return Endpoint(special={words: {"content": text} for words, text in contents.items()})


class _Handler(Handler):
    server: Endpoint

    def do_GET(self) -> None:
        self.send(200, {"object": "list", "data": [{"id": self.server.lists, "object": "model"}]})

    def do_POST(self) -> None:
        endpoint, began, request = self.server, time.time(), self.body()
        messages = request["messages"]
        time.sleep(endpoint.latency)
        status = 500 if endpoint.fail and endpoint.fail in messages[-1]["content"] else 200
        status = 404 if request["model"] != endpoint.lists else status
        reply = {"role": "assistant", "content": endpoint.answer(messages), "finish_reason": "stop"}
        for words, change in endpoint.special.items():
            reply |= change if words in messages[-1]["content"] else {}
        choice = {"index": 0, "finish_reason": reply.pop("finish_reason"), "message": reply}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "fake", "choices": [choice]}
        endpoint.asked.append({"messages": messages, "status": status, "began": began, "ended": time.time()})
        problem = {"error": {"message": "坏了" if status == 500 else "no such model"}}
        self.send(status, body | {"usage": usage} if status == 200 else problem)
