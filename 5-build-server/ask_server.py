"""阶段 5 的演示：用官方 openai 客户端问模型服务——先请它读一张化验单，再请它给建议。

python 5-build-server/serve.py &
python 5-build-server/ask_server.py --photo 照片.jpg
"""

import json
import mimetypes
import sys
from pathlib import Path

from health_assistant import artifacts
from health_assistant.addresses import bypass_proxy
from health_assistant.command_line import fail, new_parser

READER, ADVISOR = "embedded-report-reader", "embedded-health-advisor"
EXAMPLE = artifacts.ROOT / "8-frontend-apps/HealthAssistantWebApp/examples/blood-count.png"


def main() -> int:
    """请服务读一张照片、给建议，写下回答；返回退出码：1 是服务没有答成。"""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--base-url", default="http://127.0.0.1:8001/v1", help="服务的地址（默认 http://127.0.0.1:8001/v1）"
    )
    parser.add_argument(
        "--photo", type=Path, default=EXAMPLE, help="化验单照片：JPEG、PNG 或 WebP（默认：网页的示例化验单）"
    )
    parser.add_argument("--force", action="store_true", help="同一个服务、同一张照片问过了也重问")
    parser.add_argument("--recall", action="store_true", help="不问，只看问过没有：退出码 0 问过了，1 没有")
    args = parser.parse_args()
    if not args.photo.is_file():
        return fail(f"没有这个文件：{args.photo}")

    from health_assistant.lab_report.vl_protocol import READ_PROMPT

    folder = artifacts.model_server_dir()
    recipe = {"server": args.base_url, "models": [READER, ADVISOR], "prompt": READ_PROMPT}
    fingerprint = artifacts.fingerprint(recipe, [args.photo])
    if artifacts.is_finished(folder, fingerprint) and not args.force:
        print(f"{args.photo.name} 问过了，回答在 {folder}；要重问加 --force。")
        return 0
    if args.recall:
        return 1

    import openai

    try:
        # 服务不要密钥，客户端非要一个
        bypass_proxy(args.base_url)
        client = openai.OpenAI(base_url=args.base_url, api_key="none", max_retries=0, timeout=300)
        files = ask(client, args.photo, READ_PROMPT, folder)
    except openai.APIConnectionError as error:
        solution = "先在另一个终端运行 python 5-build-server/serve.py"
        return fail(f"连不上模型服务 {args.base_url}：{error}", 1, solution)
    except openai.APIError as error:
        reason = error.body.get("message") if isinstance(error.body, dict) else None
        return fail(f"服务没有照办：{reason or error}", 1)
    except ValueError as error:
        return fail(f"{READER} 的回答不是约定的 JSON，{args.base_url} 是这门课的模型服务吗？\n{error}", 1)
    artifacts.mark_finished(folder, fingerprint, files)
    return 0


def ask(client, photo: Path, prompt: str, folder: Path) -> list[Path]:
    """照片 -> 各行 -> 判断 -> 建议；返回写下的文件。client 是 openai 的客户端，prompt 是读照片的提示词。

    服务不答时抛 openai.APIError，答的不是约定的 JSON 时抛 ValueError。
    """
    from health_assistant.lab_report.assessment import assess
    from health_assistant.lab_report.report import DISCLAIMER, TRIAGE_WORDS, Reading
    from health_assistant.lab_report.vl_protocol import data_url, read_messages

    print("服务上的模型：" + "、".join(model.id for model in client.models.list()))

    print(f"请 {READER} 读 {photo} …", flush=True)
    kind = mimetypes.guess_type(photo.name)[0] or "image/jpeg"
    messages = read_messages(data_url(photo.read_bytes(), kind), prompt)
    completion = client.chat.completions.create(model=READER, messages=messages)
    answer = json.loads(completion.choices[0].message.content or "")

    # 模型只抄录，高低由代码判断；把握不大的行不判断
    read = Reading.model_validate(answer)
    judged = assess(read)
    print(f"  读到 {read.report_type or '化验单'}，{len(read.items)} 行；代码的分级：{TRIAGE_WORDS[judged.triage]}")

    print(f"请 {ADVISOR} 给建议 …\n", flush=True)
    pieces = []
    question = [{"role": "user", "content": judged.model_dump_json()}]
    for chunk in client.chat.completions.create(model=ADVISOR, messages=question, stream=True):
        piece = chunk.choices[0].delta.content or ""
        print(piece, end="", flush=True)
        pieces.append(piece)
    print(f"\n\n{DISCLAIMER}")

    files = [folder / "read-report.json", folder / "advice.md"]
    artifacts.write_json(files[0], answer)
    artifacts.write_text(files[1], "".join(pieces) + f"\n\n{DISCLAIMER}\n")
    return files


if __name__ == "__main__":
    sys.exit(main())
