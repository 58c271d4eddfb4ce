"""各阶段的练习怎样查对错：依次做几项检查，第一项不对就停下，说哪里不对。"""

import sys
import traceback
from collections.abc import Callable


def grade(task: str, *checks: Callable[[], None]) -> int:
    """依次做 checks，返回退出码：0 做对了，1 还没有做对。

    检查不通过时抛 AssertionError，消息是给学生的提示。--help 时只印题目 task。
    """
    if {"-h", "--help"} & {*sys.argv[1:]}:
        print(task.strip())
        return 0
    for number, check in enumerate(checks, 1):
        place = f"第 {number} 项检查（共 {len(checks)} 项）"
        try:
            check()
        except AssertionError as error:
            return _not_yet(f"{place}：{error}")
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            line = [frame.lineno for frame in frames if frame.filename == check.__code__.co_filename][-1]
            return _not_yet(f"{place}：exercise.py 第 {line} 行出了错，{type(error).__name__}：{error}")
    print(f"✓ 做对了：{len(checks)} 项检查都通过。")
    return 0


def _not_yet(reason: str) -> int:
    print(f"✗ 还没有做对。{reason}", file=sys.stderr)
    return 1
