"""阶段 3：在终端里和微调后的模型对话；--compare 让基座与微调后的各答一遍。

python 3-fine-tuning-llm/chat.py --compare
python 3-fine-tuning-llm/chat.py --ask 高血压能吃党参吗？
"""

import sys
from functools import partial
from pathlib import Path

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, new_parser
from health_assistant.training import loading, run

NOTICE = "（模型的回答只供学习，不能代替医生。）"


@command
def main() -> int:
    """读一句、答一句，直到没有输入；返回退出码：1 是放不下，2 是选项不对、没有训练过。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="tiny", help="配方名（默认 tiny）")
    parser.add_argument("--compare", action="store_true", help="基座与微调后的各答一遍")
    parser.add_argument("--ask", help="只问这一句就结束，给脚本用")
    parser.add_argument("--max-new-tokens", type=int, default=256, help="一次回答最多多少个词元（默认 256）")
    args = parser.parse_args()
    folder = artifacts.llm_dir(args.recipe)
    base_model = run.read_training(folder, "train_llm.py")["base_model"]
    if args.ask is not None and not args.ask.strip():
        raise BadInput("--ask 后面要写问题")

    model, tokenizer = load(base_model, folder / "adapter")
    answer = partial(compare if args.compare else stream, model, tokenizer, max_new_tokens=args.max_new_tokens)
    if args.ask:
        answer([{"role": "user", "content": args.ask}])
        return 0

    print(f"和配方 {args.recipe} 对话。空行重新开始，Ctrl-D 结束。{NOTICE}")
    messages: list[dict] = []
    while True:
        try:
            question = input("\n你：").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return 0
        if not question:
            messages = []
            print("—— 新的对话 ——")
            continue
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer(messages)})


def load(base_model: str, adapter: Path):
    """基座加 adapter：同一份权重，关掉 adapter 就是基座。放不下抛 DoesNotFit。"""
    from transformers.utils import logging

    logging.disable_progress_bar()
    base = loading.find_model(base_model)
    return loading.load_to_run(base, if_short="four_bits", adapter=adapter), loading.load_tokenizer(base)


def stream(model, tokenizer, messages: list[dict], max_new_tokens: int) -> str:
    """messages 的下一句回答（贪心，至多 max_new_tokens 个词元），边生成边打印。"""
    from transformers import TextStreamer

    inputs = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    output = model.generate(
        **inputs,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        repetition_penalty=1.05,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.pad_token_id,
        streamer=TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True),
    )
    return tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def compare(model, tokenizer, messages: list[dict], max_new_tokens: int) -> str:
    """基座（关掉 adapter）与微调后的各答一遍。对话接着微调后的回答往下走。"""
    print("基座：")
    with model.disable_adapter():
        stream(model, tokenizer, messages, max_new_tokens)
    print("微调后：")
    return stream(model, tokenizer, messages, max_new_tokens)


if __name__ == "__main__":
    sys.exit(main())
