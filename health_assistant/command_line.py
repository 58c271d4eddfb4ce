"""各阶段脚本的命令行：中文的 --help；出了错，一句话说清，给出退出码。"""

import argparse
import sys


def new_parser(description: str) -> argparse.ArgumentParser:
    """description 照原样分行；--help 的说明也是中文。"""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=False
    )
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    return parser


def fail(reason: object, code: int = 2, solution: str = "") -> int:
    """打印哪里不对、怎么办，返回退出码：1 是检查没有通过，2 是用法或输入不对。"""
    print(f"✗ {reason}", file=sys.stderr)
    if solution:
        print(f"  解决：{solution}", file=sys.stderr)
    return code
