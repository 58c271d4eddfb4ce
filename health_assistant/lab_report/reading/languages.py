"""单子是哪种文字的：不会读的语言要说出来，而不是说“不是化验单”。

识别的模型认得汉字、拉丁字母、假名和一部分希腊字母；俄文、阿拉伯文、泰文、韩文、印地文它给的是空串或没有把握的乱码，
而旁边的数照样认得很清楚。实测（画的 24 种语言）：数的把握都在 0.97 以上，单词认得的不到四分之一。
"""

import re
from statistics import median

from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.word_lists import any_of

_FOUND = {
    "日文": (re.compile(r"[ぁ-ゖァ-ヺ]{2}|検|単"), 0.85),
    "希腊文": (re.compile(r"[Α-ΩΆ-Ώα-λν-ωά-ώ]{3}"), 0.65),
    "越南文": (re.compile(r"[đĐưƯơƠ]"), 0.9),
}
"""各种语言独有的字，与算数的识别把握。μ、β 这样单个的希腊字母哪里都有。"""
_UNKNOWN = "不认得的文字"
_MIN_SEGMENTS, _MIN_SHARE = 4, 0.2
_NUMBER = re.compile(r"[<>≤≥]?\d[\d.,]*(\s*[-–~]\s*\d[\d.,]*)?")
_HANZI = re.compile(r"[一-鿿].*[一-鿿]")
_WORD = re.compile(r"[A-Za-zÀ-ɏ]")
_UNIT = re.compile(r"[\d×x*^\s]*[A-Za-zμµ%]+(/[A-Za-z\d.]+)+|[x×*]?10.*|mmol|[nμp]?mol|fl|pg|mmHg|%", re.IGNORECASE)
_CLEAR_NUMBER, _CLEAR_WORD, _MAYBE_HANZI = 0.97, 0.93, 0.7
_WESTERN = any_of("western")
"""西、葡、意、法、德、土文的表头与页眉。"""
_FEW_KNOWN = (
    "这张单子不是中文，也不是英文：只认得最要紧的几项，别的项没有与危急的界限比过。"
    + "请给懂它的医生看，或向医院要一份中文、英文的。"
)


def western_notice(texts: list[str]) -> list[str]:
    """西欧语言的单子要告诉用户的话；别的为空列表。"""
    count = sum(bool(_WESTERN.search(text)) for text in texts)
    has_hanzi = sum(bool(_HANZI.search(text)) for text in texts) >= _MIN_SEGMENTS
    return [_FEW_KNOWN] if count >= 2 and not has_hanzi else []


def unsupported_language(texts: list[tuple[str, float]]) -> str | None:
    """识别出的各段文字与把握（没有认出的是空串）-> “日文”一类，或“不认得的文字”；会读的、说不准的为 None。"""
    words = [(text, score) for text, score in texts if not _NUMBER.fullmatch(text) and not _UNIT.fullmatch(text)]
    for language, (letters, enough) in _FOUND.items():
        count = sum(score >= enough and bool(letters.search(text)) for text, score in words)
        if count >= max(_MIN_SEGMENTS, _MIN_SHARE * len(words)):
            return language
    return _UNKNOWN if _is_unknown_script(texts, words) else None


def explain_language(language: str) -> str:
    """`unsupported_language` 的结果 -> 对人说的话。"""
    supported = "现在会读的是中文和英文的化验单；请向医院要一份中文或英文的，或请懂它的医生看。"
    if language == _UNKNOWN:
        return f"这张单子上的数看得清，文字却都认不得，多半既不是中文，也不是英文。{supported}"
    return f"这是一张{language}的单子，还不会读。{supported}"


def _is_unknown_script(texts: list[tuple[str, float]], words: list[tuple[str, float]]) -> bool:
    """数都认得清楚，单词却几乎都认不出，也不像汉字。

    拍糊的中文单子上，数还清楚时总有两成以上的段像汉字；韩文也有几段像，可是四成以上的段什么也认不出。
    """
    numbers = [score for text, score in texts if _NUMBER.fullmatch(text)]
    if len(numbers) < 2 * _MIN_SEGMENTS or median(numbers) < _CLEAR_NUMBER or len(words) < _MIN_SEGMENTS:
        return False
    hanzi = sum(
        score >= _MAYBE_HANZI and bool(_HANZI.search(text) or not text.isascii() and is_known(text))
        for text, score in words
    )
    clear = sum(score >= _CLEAR_WORD and bool(_WORD.search(text)) for text, score in words)
    unread = sum(not text for text, _ in words)
    is_hanzi = hanzi > len(words) * (0.3 if unread >= 0.4 * len(words) else 0.1)
    return not is_hanzi and clear <= len(words) / 4
