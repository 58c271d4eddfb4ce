"""Ollama 的 Modelfile 渲染出的提示与训练时的 ChatML 一字不差。"""

import re
from pathlib import Path

from jinja2 import Template

from health_assistant.training.tiny_models import LLM_RECIPE

MODELFILE = Path(__file__).resolve().parents[2] / "3-fine-tuning-llm/Modelfile"


def test_the_prompt_is_the_one_trained_on():
    text = MODELFILE.read_text(encoding="utf-8")
    template = re.search(r'^TEMPLATE """(.*?)"""', text, re.DOTALL | re.MULTILINE)[1]
    system = re.search(r'^SYSTEM """(.*)"""$', text, re.MULTILINE)[1]
    template = re.sub(r"{{ if \.System }}(.*?){{ end }}", r"\1", template, flags=re.DOTALL)
    turns = [("咳嗽怎么办？", "多喝水。"), ("要去医院吗？", "")]
    rendered = ""
    for turn, (question, answer) in enumerate(turns):  # 像 Ollama 那样一轮一轮渲染，最后一轮停在 .Response
        one = template if turn == 0 else template[template.index("<|im_start|>user") :]
        one = one if answer else one[: one.index("{{ .Response }}")]
        for field, value in ((".System", system), (".Prompt", question), (".Response", answer)):
            one = one.replace(f"{{{{ {field} }}}}", value)
        rendered += one
    asked, answered, asking = turns[0][0], turns[0][1], turns[1][0]
    messages = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": answered},
        {"role": "user", "content": asking},
    ]
    assert rendered == Template(LLM_RECIPE["template"]).render(messages=messages, add_generation_prompt=True)
