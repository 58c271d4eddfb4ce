"""阶段 7 的客户端：把一份化验单（照片、PDF，可以有几页）发给服务，打印结果并存下来。

python 7-endpoint-integration-server/test_client.py 照片.jpg
python 7-endpoint-integration-server/test_client.py 第一页.jpg 第二页.jpg 报告.pdf
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import requests

from health_assistant import artifacts
from health_assistant.addresses import is_this_machine
from health_assistant.api_keys import key_problem
from health_assistant.command_line import fail, new_parser
from health_assistant.lab_report.report import FLAG_ARROWS, FLAG_WORDS, TRIAGE_WORDS


def main() -> int:
    """发一份化验单，印出并写下结果；返回退出码：1 是没有答成，2 是文件、密钥不对。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument(
        "files", type=Path, nargs="+", help="同一份化验单的照片（JPEG、PNG、WebP、HEIC）或 PDF，按页的先后"
    )
    parser.add_argument("--server", default="http://127.0.0.1:8000", help="服务的地址（默认 http://127.0.0.1:8000）")
    parser.add_argument("--key", default=os.environ.get("API_KEY"), help="服务要密钥时的密钥（默认取环境变量 API_KEY）")
    parser.add_argument("--force", action="store_true", help="同样的文件问过了也重问")
    parser.add_argument("--recall", action="store_true", help="不问，只看问过没有：退出码 0 问过了，1 没有")
    args = parser.parse_args()
    problem = key_problem(args.key or "", "--key 或 API_KEY")
    if problem:
        return fail(problem)
    for path in args.files:
        if not path.is_file():
            return fail(f"没有这个文件：{path}")

    folder = artifacts.report_server_dir()
    fingerprint = artifacts.fingerprint({"server": args.server}, args.files)
    names = "、".join(path.name for path in args.files)
    if artifacts.is_finished(folder, fingerprint) and not args.force:
        print(f"{names} 问过了，结果在 {folder}；要重问加 --force。")
        return 0
    if args.recall:
        return 1

    print(f"发送 {names} 到 {args.server} …")
    try:
        result = analyse(args.files, args.server, args.key)
    except requests.RequestException as error:
        return fail(f"连不上服务 {args.server}：{error}", 1, "先在另一个终端运行 bash run.sh app")
    if "error" in result:
        return fail(f"{result['error']}（{result['code']}，请求号 {result['request_id']}）", 1)

    show(result)
    files = [folder / "result.json", folder / "analysis.md", folder / "advice.md"]
    artifacts.write_json(files[0], result)
    artifacts.write_text(files[1], result["analysis_result"] + "\n")
    artifacts.write_text(files[2], result["health_recommendations"] + "\n")
    artifacts.mark_finished(folder, fingerprint, files)
    return 0


def analyse(paths: list[Path], server: str, key: str | None = None) -> dict:
    """发一份化验单的各个文件，随着事件报告进度；返回 done 的完整回答，或 error 的说明。"""
    headers = {"Accept": "text/event-stream"} | ({"X-API-Key": key} if key else {})
    files = [("image", (path.name, path.read_bytes())) for path in paths]
    session = requests.Session()
    session.trust_env = not is_this_machine(server)  # 本机的服务不走代理
    url = f"{server}/analyze_medical_report"
    with session, session.post(url, files=files, headers=headers, stream=True, timeout=(5, 300)) as response:
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            return response.json()
        for name, data in events(response):
            if name == "accepted":
                print("  服务收到了，在读图 …")
            elif name == "page":
                done = f"没有读成：{data['problem']}" if data["problem"] else "读完了"
                print(f"  第 {data['page']} 页（共 {data['pages']} 页）{done}")
            elif name == "report":
                print(f"  读到 {len(data['items'])} 行，在写建议 …")
            elif name in ("done", "error"):
                return data
    raise requests.ConnectionError("服务中途断开了")


def events(response: requests.Response) -> Iterator[tuple[str, dict]]:
    """逐个给出 SSE 事件：名字与内容。"""
    name = ""
    for line in response.iter_lines():
        field, _, value = line.decode().partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def show(result: dict) -> None:
    """把 done 的完整回答打印成几行。"""
    report = result["report"]
    print(f"\n{report['report_type']}　{TRIAGE_WORDS[result['triage']]}")
    for notice in result["notices"]:
        print(f"  ! {notice}")
    for item in report["items"]:
        verdict = f"{FLAG_ARROWS[item['flag']]} {FLAG_WORDS[item['flag']]}"
        limits = item["applied_range"] or "没有印"
        doubt = "　请核对原件" if item["verified"] is False else ""
        print(f"  {verdict:<6}{item['name']}　{item['result']} {item['unit']}（参考 {limits}）{doubt}")
    engines, seconds = result["engines"], result["timings_ms"]["total"] / 1000
    checked = f"；核对：{engines['verified_by']}" if engines.get("verified_by") else ""
    print(f"\n读图：{engines['vision']}{checked}；建议：{engines['advice']}；用时 {seconds:.1f} 秒")
    print(result["disclaimer"])


if __name__ == "__main__":
    sys.exit(main())
