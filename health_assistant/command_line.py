"""各阶段脚本的命令行：中文的 --help；出了错，一句话说清，给出退出码。"""

import argparse
import functools
import sys
from collections.abc import Callable

_CHINESE = {
    "usage: ": "用法：",
    "positional arguments": "参数",
    "options": "选项",
    "%(prog)s: error: %(message)s\n": "✗ %(prog)s：%(message)s\n",
    "argument %(argument_name)s: %(message)s": "%(argument_name)s %(message)s",
    "unrecognized arguments: %s": "不认识的参数：%s",
    "the following arguments are required: %s": "还要写：%s",
    "expected one argument": "后面要写一个值",
    "expected at least one argument": "后面至少写一个值",
    "invalid %(type)s value: %(value)r": "不能是 %(value)r，要写成 %(type)s",
    "invalid choice: %(value)r (choose from %(choices)s)": "不能是 %(value)r，只能是 %(choices)s",
    "not allowed with argument %s": "不能与 %s 一起写",
    "one of the arguments %s is required": "%s 要写一个",
    "ignored explicit argument %r": "后面不能写值：%r",
}
# argparse 的话都经过它自己的 gettext；给它中文，--help 与用法不对的话就都是中文
argparse._ = lambda words: _CHINESE.get(words, words)  # type: ignore[attr-defined]


class CannotGoOn(Exception):
    """检查没有通过，做不下去；消息是给人看的中文，说哪里不对，remedy 说怎么办。"""

    code = 1

    def __init__(self, message: str = "", remedy: str = ""):
        super().__init__(message)
        self.remedy = remedy


class BadInput(CannotGoOn):
    """输入或用法不对。"""

    code = 2


def command(main: Callable[..., int]) -> Callable[..., int]:
    """装饰脚本的 main：抛出的 `CannotGoOn` 印出来，返回它的退出码。"""

    @functools.wraps(main)
    def run(*args) -> int:
        try:
            return main(*args)
        except CannotGoOn as error:
            return fail(error, error.code, error.remedy)

    return run


_UNREADABLE = {
    FileNotFoundError: "没有这个文件",
    IsADirectoryError: "是文件夹，不是文件",
    PermissionError: "没有权限",
    UnicodeDecodeError: "不是 UTF-8 的文字",
}


def why_unreadable(error: Exception) -> str:
    """读一个文件时的 `OSError` 或 `UnicodeDecodeError` -> 一句中文；不认得的种类照它自己说的。"""
    return next((words for kind, words in _UNREADABLE.items() if isinstance(error, kind)), str(error))


class OneLineErrors(argparse.ArgumentParser):
    """用法不对抛 `BadInput`，一句话，不印整段用法。"""

    def error(self, message: str):
        """argparse 说的一句，抛成 BadInput。"""
        raise BadInput(f"命令行：{message}")


def new_parser(description: str, kind=argparse.ArgumentParser, **options) -> argparse.ArgumentParser:
    """description 照原样分行；--help 的说明也是中文。"""
    layout = argparse.RawDescriptionHelpFormatter
    parser = kind(description=description, formatter_class=layout, add_help=False, **options)
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    return parser


def fail(reason: object, code: int = 2, solution: str = "") -> int:
    """打印哪里不对、怎么办，返回退出码：1 是检查没有通过，2 是用法或输入不对。"""
    print(f"✗ {reason}", file=sys.stderr)
    if solution:
        print(f"  解决：{solution}", file=sys.stderr)
    return code
