"""不会读的语言要说出来；拉丁字母的语言照样读；拍糊的中文单子绝不能说成外文。"""

import pytest
from lab_report.foreign_pages import ROWS, draw_sheet
from PIL import ImageFilter

from health_assistant.lab_report.reading.languages import unsupported_language, western_notice
from health_assistant.lab_report.rendering import render
from health_assistant.lab_report.report import UnreadableReport

NUMBERS = [
    (text, 0.99) for text in ["7.8", "4.0-9.0", "4.52", "3.8-5.1", "131", "120-155", "245", "150-400", "5.4", "3.9-6.1"]
]
UNKNOWN = "多半既不是中文，也不是英文"
REFUSED = {
    "russian": UNKNOWN, "arabic": UNKNOWN, "hebrew": UNKNOWN, "armenian": UNKNOWN, "georgian": UNKNOWN,
    "korean": UNKNOWN, "greek": "希腊文", "japanese": "日文", "vietnamese": "越南文",
}  # fmt: skip
FAST = {"russian"}


@pytest.mark.parametrize(
    ("language", "words"),
    [pytest.param(*one, id=one[0], marks=() if one[0] in FAST else pytest.mark.slow) for one in REFUSED.items()],
)
def test_a_sheet_in_a_language_that_is_not_read_is_said_to_be_that(reader, language, words):
    with pytest.raises(UnreadableReport, match=words) as refusal:
        reader.read(draw_sheet(language))
    assert refusal.value.code == "unsupported_language"


@pytest.mark.parametrize(
    "language", ["german", *(pytest.param(one, marks=pytest.mark.slow) for one in ("french", "spanish"))]
)
def test_other_sheets_in_latin_letters_are_read(reader, language):
    items = reader.read(draw_sheet(language)).items
    assert [(item.result, item.reference_range) for item in items] == [(result, limits) for result, _, limits in ROWS]


@pytest.mark.slow
@pytest.mark.parametrize("radius", [2.5, 3.5, 4, 4.5])
def test_a_blurred_chinese_sheet_is_never_taken_for_another_language(reader, radius):
    image = render("classic", "clean", 8300).image
    blurred = image.filter(ImageFilter.GaussianBlur(radius * image.width / 1600))
    try:
        reader.read(blurred)
    except UnreadableReport as refusal:
        assert refusal.code != "unsupported_language"


def spelled(words: str, score: float) -> list[tuple[str, float]]:
    return [*NUMBERS, *((word, score) for word in words.split())]


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (spelled("K Na Cl Ca Mg P", 0.95), None),
        (spelled("白细胞 红细胞 血红蛋白 血小板", 0.75), None),
        ([*spelled("钾 钠 氯 钙", 0.95), ("", 0.0)], None),
        (spelled("白细胞 μ乱 Hop aJe cBt oBn", 0.72), None),
        (spelled("ロ カ ニ エ 白细胞 血小板", 0.9), None),
        (spelled("μmol/L β2-MG α1-AT γ-GT α-HBDH", 0.95), None),
        (spelled("Hop aJe cBt oBn Wa", 0.72), "不认得的文字"),
        ([(text, 0.9) for text, _ in spelled("Hop aJe cBt oBn Wa", 0.72)], None),
        ([*NUMBERS, ("", 0.0), ("", 0.0), ("", 0.0)], None),
    ],
    ids=["only codes", "blurred", "names of one character", "one name left", "kana for strokes",
         "greek letters in names", "gibberish", "numbers blurred too", "too little to tell"],
)  # fmt: skip
def test_what_the_recognised_texts_say(texts, language):
    assert unsupported_language(texts) == language


@pytest.mark.parametrize(
    ("texts", "is_western"),
    [
        (["Prueba", "Resultado", "Unidades", "Valores de referencia", "Potasio"], True),
        (["Analyse", "Résultat", "Unités", "Kaliémie"], True),
        (["Untersuchung", "Ergebnis", "Einheit", "Referenzbereich"], True),
        (["Test Adı", "Sonuç", "Birim", "Referans Değerleri"], True),
        (["Esame", "Risultato", "Valori di riferimento"], True),
        (["Test", "Result", "Unit", "Reference Range", "Patient", "Specimen"], False),
        (["Test", "Result", "Units", "Reference Range", "Test", "Result", "Units", "Measure", "Units"], False),
        (["检验项目", "结果", "单位", "参考范围", "Resultado"], False),
    ],
)
def test_a_sheet_in_a_western_language_is_said_to_be_little_known(texts, is_western):
    assert bool(western_notice(texts)) == is_western
