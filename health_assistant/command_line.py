"""各脚本的命令行：说明就是脚本开头的文字；输入不对时说一行中文，退出码 2。"""

import argparse
import functools
import sys
from collections.abc import Callable


class BadInput(Exception):
    """输入或用法不对；消息是给人看的中文，说哪里不对、怎么办。"""


def command(main: Callable[[], int]) -> Callable[[], int]:
    """装饰脚本的 main：抛出的 `BadInput` 印出来，返回 2。"""

    @functools.wraps(main)
    def run() -> int:
        try:
            return main()
        except BadInput as error:
            print(f"✗ {error}", file=sys.stderr)
            return 2

    return run


def make_parser(description: str) -> argparse.ArgumentParser:
    """命令行参数；说明里的换行照原样。"""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=False
    )
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    return parser
