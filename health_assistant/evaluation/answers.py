"""看一个回答：去掉推理模型的思考；末尾是不是在打转。"""

import re

_NAME = "think|thinking|thought|thoughts|reasoning|seed:think"
# 各家的写法：<think>、<thinking>、<reasoning>、[THINK]（Mistral）、◁think▷（Kimi）、<seed:think>（豆包）
_MARK = re.compile(rf"[<\[◁](?P<end>/?)(?:{_NAME})[>\]▷]", re.IGNORECASE)

LOOPS = ((20, 3), (60, 2))
"""末尾这么多个字，全文里出现这么多次，就是打转。自定的：CMB-Clin 的 208 个参考答案没有一个算打转（有测试）。"""


def without_thinking(text: str) -> tuple[str, bool]:
    """回答的全文 -> （去掉思考之后的，有没有思考）。

    成对的整段去掉；只有结束标记的（开始标记写在提问的模板里），到它为止都是思考；没有结束的，从开始标记起都是。
    """
    kept: list[str] = []
    at, inside = 0, False
    for mark in _MARK.finditer(text):  # 从头走一遍：回溯的正则在几万字的回答上要算几十秒
        if mark["end"]:
            kept = kept if inside else []
        elif not inside:
            kept.append(text[at : mark.start()])
        at, inside = mark.end(), not mark["end"]
    answer = "".join(kept if inside else [*kept, text[at:]])
    return answer.strip(), answer != text


def ends_in_loop(text: str) -> bool:
    """末尾的一段话是不是前面已经说过几遍。不计空白再看一遍，数字都当作一样：编着号重复的也认得出。"""
    letters = re.sub(r"\d", "0", re.sub(r"\s+", "", text))
    for written in (text, letters):
        for size, times in LOOPS:
            repeats = re.findall(f"(?={re.escape(written[-size:])})", written)
            if len(written) > size and len(repeats) >= times:
                return True
    return False


def count_endings(rows: list[dict]) -> dict[str, int]:
    """predictions.jsonl 的各行 -> 几题有思考、几题只有思考、几题写满被截断、几题末尾打转。"""
    return {
        "thinking": sum(row["thought"] for row in rows),
        "only_thinking": sum(row["thought"] and not row["prediction"] for row in rows),
        "cut": sum(row["finish_reason"] == "max_tokens" for row in rows),
        "looping": sum(row["loop"] for row in rows),
    }


def describe_endings(scores: dict) -> str:
    """scores.json 的内容 -> 一句话：几题被截断、打转、带思考。"""
    said = f"写满 {scores['generation']['max_new_tokens']} 个词元被截断 {scores['cut']}，末尾打转 {scores['looping']}"
    if scores["thinking"]:
        said += f"，带思考 {scores['thinking']}（思考不算在回答里）"
    return said + (f"，其中只有思考、没有回答 {scores['only_thinking']}" if scores["only_thinking"] else "")


def why_all_empty(rows: list[dict], most: int) -> str:
    """没有一题有回答时，多半是为什么、怎么办；most 是 max_new_tokens。"""
    endings = count_endings(rows)
    if endings["only_thinking"]:
        cut = f"，{endings['cut']} 题写满了 {most} 个词元还没想完" if endings["cut"] else ""
        reason = f"{endings['only_thinking']} 题只有思考（<think> 或 reasoning_content 里）{cut}"
        return f"{reason}：把配方的 max_new_tokens 调大，或让服务关掉思考（enable_thinking: false）"
    if endings["cut"]:
        return f"写的全是空白，{endings['cut']} 题写满了 {most} 个词元：多半是模型没有训练好，或对话模板不对"
    return "给的都是空串：多半是模型名或对话模板不对，先问它一句看看"
