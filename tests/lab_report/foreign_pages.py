"""画别种语言的血常规：字体都是 requirements.txt 里的包带的（matplotlib 的 DejaVu、思源黑体、文泉驿）。"""

from importlib import resources

from PIL import Image, ImageDraw, ImageFont

ROWS = [
    ("7.8", "x10^9/L", "4.0-9.0"), ("4.52", "x10^12/L", "3.8-5.1"), ("13.1", "g/dL", "12.0-15.5"),
    ("245", "x10^9/L", "150-400"), ("5.4", "mmol/L", "3.9-6.1"), ("88", "μmol/L", "44-97"),
]  # fmt: skip
"""结果、单位、范围。"""

DEJAVU, SANS, HEI = "dejavu", "sans", "hei"
SHEETS: dict[str, tuple[str, str]] = {
    "russian": (DEJAVU, "Общий анализ крови|Пациент: Иванова А. П.   Пол: жен   Возраст: 45|"
                "Показатель Результат Единицы Норма|"
                "Лейкоциты|Эритроциты|Гемоглобин|Тромбоциты|Глюкоза|Креатинин"),
    "arabic": (DEJAVU, "تحليل صورة الدم الكاملة|اسم المريض: محمد أحمد|التحليل النتيجة الوحدة الطبيعي|"
               "كريات الدم البيضاء|كريات الدم الحمراء|الهيموجلوبين|الصفائح الدموية|سكر الدم|الكرياتينين"),
    "hebrew": (DEJAVU, "ספירת דם מלאה|שם המטופל: כהן דוד|בדיקה תוצאה יחידות טווח|"
               "כדוריות לבנות|כדוריות אדומות|המוגלובין|טסיות דם|גלוקוז|קריאטינין"),
    "armenian": (DEJAVU, "Արյան անալիզ|Հիվանդ: Արամ   Տարիք: 45|Ցուցանիշ Արդյունք Միավոր Նորմա|"
                 "Լեյկոցիտներ|Էրիթրոցիտներ|Հեմոգլոբին|Թրոմբոցիտներ|Գլյուկոզա|Կրեատինին"),
    "georgian": (DEJAVU, "სისხლის ანალიზი|პაციენტი: გიორგი   ასაკი: 45|მაჩვენებელი შედეგი ერთეული ნორმა|"
                 "ლეიკოციტები|ერითროციტები|ჰემოგლობინი|თრომბოციტები|გლუკოზა|კრეატინინი"),
    "korean": (HEI, "혈액 검사 결과지|환자명: 김철수   성별: 남   나이: 45세|검사항목 결과 단위 참고치|"
               "백혈구|적혈구|혈색소|혈소판|포도당|크레아티닌"),
    "greek": (DEJAVU, "Γενική εξέταση αίματος|Ονοματεπώνυμο: Παπαδοπούλου|Εξέταση Αποτέλεσμα Μονάδες Τιμές|"
              "Λευκά αιμοσφαίρια|Ερυθρά αιμοσφαίρια|Αιμοσφαιρίνη|Αιμοπετάλια|Γλυκόζη|Κρεατινίνη"),
    "japanese": (SANS, "血液検査結果報告書|患者氏名：山田 太郎   性別：男|"
                 "検査項目 結果 単位 基準値|白血球数|赤血球数|ヘモグロビン|"
                 "血小板数|グルコース|クレアチニン"),
    "vietnamese": (DEJAVU, "KẾT QUẢ XÉT NGHIỆM HUYẾT HỌC|Họ tên: Nguyễn Văn An   Giới tính: Nam|"
                   "Tên Kết quả Đơn vị Trị số|Số lượng bạch cầu|Số lượng hồng cầu|"
                   "Lượng huyết sắc tố|Số lượng tiểu cầu|Đường huyết|Creatinin máu"),
    "german": (DEJAVU, "Laborbefund Blutbild|Patient: Müller, Anna   Geschlecht: weiblich|"
               "Untersuchung Ergebnis Einheit Referenz|"
               "Leukozyten|Erythrozyten|Hämoglobin|Thrombozyten|Glukose|Kreatinin"),
    "french": (SANS, "RÉSULTATS DU LABORATOIRE|Patient : Mme Dupont   Sexe : F|"
               "Analyse Résultat Unité Référence|Leucocytes|Hématies|Hémoglobine|Plaquettes|Glycémie|Créatinine"),
    "spanish": (DEJAVU, "INFORME DE LABORATORIO|Paciente: García, Ana   Sexo: Mujer|"
                "Prueba Resultado Unidades Referencia|Leucocitos|Hematíes|Hemoglobina|Plaquetas|Glucosa|Creatinina"),
}  # fmt: skip
"""字体，与“标题|患者|四个表头|六个项目”。"""
_FILES = {
    DEJAVU: ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
    SANS: ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"),
    HEI: ("paperang_p2_fonts_cjk", "fonts/wqy-microhei.ttc"),
}


def draw_sheet(language: str) -> Image.Image:
    font_name, text = SHEETS[language]
    title, patient, heads, *names = text.split("|")
    image = Image.new("RGB", (1100, 640), "#fdfdfb")
    draw = ImageDraw.Draw(image)
    font, latin = _font(font_name, 26), _font(SANS, 26)
    draw.text((340, 25), title, "#222", _font(font_name, 38))
    draw.text((40, 100), patient, "#222", font)
    lefts = (40, 430, 620, 840)
    for left, head in zip(lefts, heads.split(), strict=False):
        draw.text((left, 170), head, "#222", font)
    for at, (name, cells) in enumerate(zip(names, ROWS, strict=True)):
        draw.text((40, 225 + 56 * at), name, "#222", font)
        for left, cell in zip(lefts[1:], cells, strict=True):
            draw.text((left, 225 + 56 * at), cell, "#222", latin)
    return image


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    package, file = _FILES[name]
    return ImageFont.truetype(str(resources.files(package) / file), size)
