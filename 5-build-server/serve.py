"""阶段 5：模型服务，OpenAI 兼容的接口。

    python 5-build-server/serve.py --backend embedded --port 8001
    curl http://127.0.0.1:8001/v1/models
"""

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], add_help=False)
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    parser.add_argument(
        "--backend", choices=["embedded"], default="embedded", help="用什么回答：embedded 是内置引擎（默认）"
    )
    parser.add_argument("--host", default="127.0.0.1", help="监听的地址；0.0.0.0 让别的机器也能访问（默认 127.0.0.1）")
    parser.add_argument("--port", type=int, default=8001, help="端口（默认 8001）")
    args = parser.parse_args()

    from health_assistant.serving import serve

    def make_app():
        from model_server.api import create_app
        from model_server.embedded import EmbeddedBackend

        # 模型装好才开始答话
        return create_app(EmbeddedBackend())

    print(f"模型服务：http://{args.host}:{args.port}/v1（Ctrl-C 结束）", flush=True)
    serve(make_app, args.host, args.port)


if __name__ == "__main__":
    main()
