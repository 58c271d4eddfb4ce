"""各脚本的命令行：说明就是脚本开头的文字，换行照原样。"""

import argparse


def make_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=False
    )
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    return parser
