"""阶段 7：接口集成服务。收化验单照片，读出各行，由代码判断高低，给出建议；在 / 提供网页。

python 7-endpoint-integration-server/medical_report_server.py
curl -F image=@照片.jpg http://127.0.0.1:8000/analyze_medical_report
"""

import os
import sys
from pathlib import Path

# 读一页时的矩阵都小，numpy 分给几个线程算，空等费的核比算还多；导入 numpy 之前说才有用
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from medical_report import create_app
from medical_report.analysis import get_analyst
from medical_report.middleware import log_as_json
from medical_report.settings import SettingsError, load_settings

from health_assistant.command_line import fail, new_parser
from health_assistant.lab_report.language import load_english
from health_assistant.lab_report.patterns import load_patterns
from health_assistant.serving import serve


def main() -> int:
    """按设置起服务，直到 Ctrl-C；返回退出码：2 是设置不对。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="监听的地址；0.0.0.0 让别的机器也能访问（默认 127.0.0.1）")
    parser.add_argument("--port", type=int, default=8000, help="端口（默认 8000）")
    parser.add_argument("--env-file", type=Path, help="设置文件，一行一个 名字=值；环境变量优先")
    parser.add_argument("--certfile", type=Path, help="HTTPS 的证书；与 --keyfile 一起给")
    parser.add_argument("--keyfile", type=Path, help="HTTPS 的私钥")
    args = parser.parse_args()
    try:
        settings = load_settings(args.env_file)
        https = _https(args.certfile, args.keyfile)
    except SettingsError as error:
        return fail(error)
    log_as_json()

    def make_app():
        app = create_app(settings)
        # 在后台装模型，先读好目录：第一位用户不用等，一起来的几位也不用各读一遍
        get_analyst(app).reader.load()
        load_patterns()
        load_english()
        return app

    print(f"健康助手：{'https' if https else 'http'}://{args.host}:{args.port}（Ctrl-C 结束）", flush=True)
    serve(make_app, args.host, args.port, threads=settings.threads, **https)
    return 0


def _https(certfile: Path | None, keyfile: Path | None) -> dict[str, str]:
    """gunicorn 的 HTTPS 设置；两个文件都不给就是 HTTP。"""
    if not certfile and not keyfile:
        return {}
    for name, file in (("--certfile", certfile), ("--keyfile", keyfile)):
        if not file or not file.is_file():
            raise SettingsError(f"HTTPS 要证书和私钥：{name} {file or '没有给'}，不是文件。做一份的办法见 README。")
    return {"certfile": str(certfile), "keyfile": str(keyfile)}


if __name__ == "__main__":
    sys.exit(main())
