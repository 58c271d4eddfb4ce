"""认字用的词表：几十个并列的词写成一个正则看不清，都在 word_lists.yaml 里，一行一个，由人编辑。"""

import re
from functools import cache
from pathlib import Path

from health_assistant.checked_yaml import Entry, read_yaml


class _WordLists(Entry):
    """word_lists.yaml 的内容：名字 -> 一组词，每个是正则。"""

    lists: dict[str, tuple[str, ...]]


@cache
def _load() -> _WordLists:
    return read_yaml(_WordLists, Path(__file__).with_name("word_lists.yaml"))


def any_of(name: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    """word_lists.yaml 里叫 name 的一组，说到哪一个都算的正则；没有这一组的抛 KeyError。"""
    return re.compile("|".join(_load().lists[name]), flags)
