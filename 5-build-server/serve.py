"""阶段 5：模型服务，OpenAI 兼容的接口。

python 5-build-server/serve.py                                        # 内置引擎，端口 8001
python 5-build-server/serve.py --backend transformers                 # 阶段 3 微调好的微型模型
python 5-build-server/serve.py --backend transformers --model 基座目录 --adapter tuned=artifacts/llm/tiny/adapter
python 5-build-server/serve.py --backend vllm --config 5-build-server/configs/配方.yaml --dry-run
"""

import argparse
import json
import math
import os
import shlex
import sys
from pathlib import Path

from health_assistant import artifacts
from health_assistant.addresses import read_origins
from health_assistant.api_keys import check_key
from health_assistant.command_line import BadInput, CannotGoOn, command, new_parser

KEY_VARIABLE, ORIGINS_VARIABLE = "MODEL_SERVER_API_KEY", "MODEL_SERVER_ALLOWED_ORIGINS"
QUESTIONS = {
    "embedded": '{"items": [{"name": "钾", "result": "5.6", "unit": "mmol/L", "reference_range": "3.5-5.3"}]}',
    "transformers": "高血压要注意什么？",
    "vllm": "高血压要注意什么？",
}


@command
def main() -> int:
    """选好后端，一直服务到 Ctrl-C；返回退出码：2 是选项不对。"""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add(
        "--backend",
        choices=["embedded", "transformers", "vllm"],
        default="embedded",
        help="用什么回答：embedded 内置引擎（默认）；transformers 一个模型，CPU 或一张 GPU；vllm 几张 GPU",
    )
    add("--model", help="检查点的目录、模型站上的名字，或 tiny（微型基座）；transformers 默认是阶段 3 合并好的微型模型")
    add("--adapter", action="append", default=[], metavar="名字=目录", help="LoRA，可以写几个；请求里用名字选")
    add("--config", type=Path, help="vllm 的配方（YAML）")
    add("--served-model-name", help="请求里写的模型名（默认就是 --model 写的）")
    add("--host", default="127.0.0.1", help="监听的地址；0.0.0.0 让别的机器也能访问（默认 127.0.0.1）")
    add("--port", type=int, default=8001, help="端口（默认 8001）")
    add("--api-key", default=os.environ.get(KEY_VARIABLE), help=f"客户端要带的密钥；也可以放环境变量 {KEY_VARIABLE}")
    add(
        "--allowed-origins",
        default=os.environ.get(ORIGINS_VARIABLE, ""),
        metavar="来源,来源",
        help="许可哪些网页跨域访问，如 https://app.example；* 是谁都行（默认都不行）；"
        f"也可以放环境变量 {ORIGINS_VARIABLE}",
    )
    add("--dry-run", action="store_true", help="只说会运行什么")
    args = parser.parse_args()
    check_key(args.api_key or "", f"--api-key 或 {KEY_VARIABLE}")
    try:
        args.allowed_origins = list(read_origins(args.allowed_origins))
    except ValueError as error:
        raise BadInput(f"--allowed-origins 或 {ORIGINS_VARIABLE}：{error}") from None
    adapters = read_adapters(args.adapter)
    if args.config and args.backend != "vllm":
        raise BadInput("--config 只给 vllm 用")
    run = {"embedded": run_embedded, "transformers": run_transformers, "vllm": run_vllm}[args.backend]
    run(args, adapters)
    return 0


def read_adapters(options: list[str]) -> dict[str, Path]:
    """“名字=目录”的各项 -> 名字与目录；写错、重名、不是 LoRA 时抛 BadInput。"""
    adapters = {}
    for option in options:
        name, _, path = option.partition("=")
        if not name or not path:
            raise BadInput(f"--adapter 要写成 名字=目录，写的是 {option}")
        if name in adapters:
            raise BadInput(f"--adapter 的名字 {name} 写了两次")
        if not (Path(path) / "adapter_config.json").is_file():
            raise BadInput(f"{path} 不是 LoRA：里面没有 adapter_config.json")
        adapters[name] = Path(path)
    return adapters


def run_embedded(args: argparse.Namespace, adapters: dict[str, Path]) -> None:
    """起内置引擎的服务，--dry-run 只打印地址；写了它没有的选项时抛 BadInput。"""
    if args.model or adapters or args.served_model_name:
        raise BadInput("内置引擎没有别的模型可选：不用写 --model、--adapter、--served-model-name")
    print("后端：内置引擎（读化验单、给建议），CPU，不下载模型")
    if args.dry_run:
        print(f"地址：{address(args)}")
        return

    from health_assistant.serving import serve

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # 读一页时的矩阵都小，numpy 不必分给几个线程

    def make_app():
        from model_server.api import create_app
        from model_server.embedded import ADVISOR, EmbeddedBackend

        # 模型装好才开始答话
        backend = EmbeddedBackend()
        print_examples(args, ADVISOR)
        return create_app(backend, args.api_key, args.allowed_origins)

    serve(make_app, args.host, args.port)


def run_transformers(args: argparse.Namespace, adapters: dict[str, Path]) -> None:
    """起 transformers 的服务；adapters 是名字 -> PEFT 目录。没有模型、放不下时抛说得出办法的错。"""
    from model_server import transformers_backend

    from health_assistant.serving import CannotStart, serve

    model = args.model or str(artifacts.llm_dir("tiny") / "merged")
    name = args.served_model_name or model
    if Path(model).is_absolute() and not (Path(model) / "config.json").is_file():
        hint = "" if args.model else "：先运行 3-fine-tuning-llm 的 train_llm.py 与 merge_llm.py"
        raise BadInput(f"没有模型 {model}{hint}")
    if name in adapters:
        raise BadInput(f"--adapter 的名字 {name} 与模型的名字相同，请求里分不出来")
    if args.dry_run:
        print(*transformers_backend.describe(model, adapters), f"地址：{address(args)}", sep="\n")
        return

    def make_app():
        from model_server.api import create_app

        print(*transformers_backend.describe(model, adapters), sep="\n", flush=True)
        try:
            backend = transformers_backend.TransformersBackend(model, adapters, name)
        except (CannotGoOn, OSError, ValueError, RuntimeError) as error:
            raise CannotStart(f"✗ 装不了模型：{error}") from error
        print_examples(args, name)
        return create_app(backend, args.api_key, args.allowed_origins)

    # 每个排队的请求占一个线程；另外的几个用来马上说 429、答 /health
    serve(make_app, args.host, args.port, transformers_backend.WAITING + 9, timeout=1800)


def run_vllm(args: argparse.Namespace, adapters: dict[str, Path]) -> None:
    """换成 vLLM 的进程，不再回来；--dry-run 只打印它的命令。"""
    from model_server.vllm_command import vllm_command

    folders = {name: str(path) for name, path in adapters.items()}
    command = vllm_command(args.config, args.model, folders, args.host, args.port, args.served_model_name)
    command += ["--allowed-origins", json.dumps(args.allowed_origins)]  # 不写，vLLM 谁都许可
    print(shlex.join(command), flush=True)
    if args.dry_run:
        return
    if Path(command[2]).is_absolute() and not Path(command[2]).is_dir():
        raise BadInput(f"没有模型 {command[2]}：先训练、合并，或另写 --model")
    if (Path(command[2]) / "config.json").is_file():  # 模型站上的名字还没有下载，不知道多大
        check_memory(Path(command[2]), command)
    ready = f"vLLM 装好模型之后（{address(args).removesuffix('/v1')}/health 答 200）就可以用"
    name_option = "--served-model-name" if "--served-model-name" in command else "serve"
    print_examples(args, command[command.index(name_option) + 1], ready)
    if args.api_key:
        os.environ["VLLM_API_KEY"] = args.api_key  # 不写在命令行上：别的用户看得到
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        raise BadInput(
            f"没有 {command[0]} 这个命令：它要装在另一个虚拟环境里，装法与用法写在 0-env-init/requirements-vllm.txt"
        ) from None


def check_memory(folder: Path, command: list[str]) -> None:
    """folder 里的模型由 command（`vllm serve` 的 argv）切到几张卡上：先说要多少；一张卡放不下时抛 DoesNotFit。"""
    from health_assistant.training.memory import DoesNotFit, for_running

    needed = for_running(folder, vision="--limit-mm-per-prompt" in command)
    splits = ("--tensor-parallel-size", "--pipeline-parallel-size")
    cards = math.prod(int(command[command.index(split) + 1]) for split in splits)
    print(f"{needed}，切到 {cards} 张卡", flush=True)
    if needed.needed / cards > needed.free:
        raise DoesNotFit(
            f"放不下：一张卡要 {needed.needed / cards:.1f} GiB，{needed.where}只空着 {needed.free:.1f} GiB。"
            "换小一号的配方，或在配方里把 tensor_parallel_size 写大（要更多的卡）"
        )


def address(args: argparse.Namespace) -> str:
    """客户端要写的地址，到 /v1 为止。"""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(args.host, args.host)
    return f"http://{host}:{args.port}/v1"


def print_examples(args: argparse.Namespace, model: str, ready: str = "服务好了") -> None:
    """拿来就能用的 curl 与 openai 两段。密钥不打印。"""
    messages = [{"role": "user", "content": QUESTIONS[args.backend]}]
    body = json.dumps({"model": model, "messages": messages}, ensure_ascii=False)
    header = f' -H "Authorization: Bearer ${KEY_VARIABLE}"' if args.api_key else ""
    api_key = f'os.environ["{KEY_VARIABLE}"]' if args.api_key else '"none"'
    print(
        f"{ready}：{address(args)}（Ctrl-C 结束）\n\n"
        f"curl {address(args)}/chat/completions{header} -d {shlex.quote(body)}\n\n"
        f"{'import os' + chr(10) if args.api_key else ''}from openai import OpenAI\n"
        f'client = OpenAI(base_url="{address(args)}", api_key={api_key})\n'
        f"answer = client.chat.completions.create(model={model!r}, messages={messages!r})\n"
        "print(answer.choices[0].message.content)\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
