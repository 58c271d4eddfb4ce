"""阶段 7：接口集成服务。收化验单照片，读出各行，由代码判断高低，给出建议；在 / 提供网页。

    python 7-endpoint-integration-server/medical_report_server.py
    curl -F image=@照片.jpg http://127.0.0.1:8000/analyze_medical_report
"""

import argparse
import logging

from medical_report import create_app
from medical_report.analysis import get_analyst

from health_assistant.serving import serve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], add_help=False)
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    parser.add_argument("--host", default="127.0.0.1", help="监听的地址；0.0.0.0 让别的机器也能访问（默认 127.0.0.1）")
    parser.add_argument("--port", type=int, default=8000, help="端口（默认 8000）")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    def make_app():
        app = create_app()
        # 在后台装模型，第一位用户不用等
        get_analyst(app).reader.load()
        return app

    print(f"健康助手：http://{args.host}:{args.port}（Ctrl-C 结束）", flush=True)
    serve(make_app, args.host, args.port)


if __name__ == "__main__":
    main()
