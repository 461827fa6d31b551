"""Names of columns in other languages, as English words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

# Without accents, in small letters; words that are written as one are taken apart.
_WORDS: Mapping[str, str] = {
    # German
    "epoche": "epoch", "schritt": "step", "verlust": "loss", "fehler": "error",
    "genauigkeit": "accuracy", "lernrate": "learning rate", "kosten": "cost",
    "durchlauf": "epoch", "trefferquote": "accuracy",
    "validierung": "val", "trainingsverlust": "train loss", "validierungsverlust": "val loss",
    "testverlust": "test loss", "trainingsfehler": "train error",
    "validierungsfehler": "val error", "testfehler": "test error",
    "trainingsgenauigkeit": "train accuracy", "validierungsgenauigkeit": "val accuracy",
    "testgenauigkeit": "test accuracy", "trainverlust": "train loss", "valverlust": "val loss",
    # French
    "epoque": "epoch", "etape": "step", "pas": "step", "perte": "loss", "erreur": "error",
    "exactitude": "accuracy", "entrainement": "train", "apprentissage": "train", "cout": "cost",
    "justesse": "accuracy",
    # Spanish
    "epoca": "epoch", "paso": "step", "perdida": "loss", "exactitud": "accuracy",
    "entrenamiento": "train", "aprendizaje": "train", "validacion": "val", "prueba": "test",
    "costo": "cost", "coste": "cost",
    # Portuguese, Italian
    "perda": "loss", "acuracia": "accuracy", "treino": "train", "treinamento": "train",
    "validacao": "val", "teste": "test", "passo": "step", "perdita": "loss", "errore": "error",
    "custo": "cost", "erro": "error", "iteracao": "iteration", "iteracoes": "iteration",
    "recompensa": "reward", "iterazione": "iteration",
    "accuratezza": "accuracy", "addestramento": "train", "validazione": "val",
    "pertes": "loss", "perdidas": "loss", "perdas": "loss", "verluste": "loss",
    # Catalan, Romanian
    "perdua": "loss", "entrenament": "train", "validacio": "val", "prova": "test",
    "pierdere": "loss", "pierderea": "loss", "eroare": "error", "acuratete": "accuracy",
    "acuratetea": "accuracy", "antrenare": "train", "antrenament": "train", "validare": "val",
    "testare": "test",
    # Dutch, Polish
    "stap": "step", "stappen": "step", "leertempo": "learning rate",
    "leersnelheid": "learning rate",
    "verlies": "loss", "trainingsverlies": "train loss", "validatieverlies": "val loss",
    "nauwkeurigheid": "accuracy", "validatie": "val", "strata": "loss", "epoka": "epoch",
    "koszt": "cost", "dokladnosc": "accuracy", "walidacja": "val", "walidacji": "val",
    "trening": "train",
    "treningowa": "train", "treningu": "train", "uczenia": "train", "walidacyjna": "val",
    # Russian
    "эпоха": "epoch", "шаг": "step", "потери": "loss", "потеря": "loss", "ошибка": "error",
    "точность": "accuracy", "обучение": "train", "обучения": "train", "валидация": "val",
    "валидации": "val", "тест": "test", "вал": "val", "трен": "train", "шагов": "step",
    # Ukrainian
    "епоха": "epoch", "втрати": "loss", "втрата": "loss", "навчання": "train",
    "валідація": "val", "валідації": "val", "точність": "accuracy",
    # Czech
    "epocha": "epoch", "ztrata": "loss", "chyba": "error", "trenovaci": "train",
    "validacni": "val", "presnost": "accuracy", "testovaci": "test",
    # Swedish, Danish, Norwegian
    "epok": "epoch", "forlust": "loss", "traningsforlust": "train loss",
    "valideringsforlust": "val loss",
    "valideringstab": "val loss", "valideringstap": "val loss",
    "træningstab": "train loss", "treningstap": "train loss", "epoke": "epoch",
    "traning": "train", "validering": "val",
    "noggrannhet": "accuracy",
    # Finnish, Hungarian
    "kustannus": "cost", "koltseg": "cost",
    "havio": "loss", "koulutushavio": "train loss", "opetushavio": "train loss",
    "validointihavio": "val loss", "testihavio": "test loss", "virhe": "error",
    "tarkkuus": "accuracy", "opetustarkkuus": "train accuracy",
    "validointitarkkuus": "val accuracy", "koulutus": "train", "opetus": "train",
    "validointi": "val", "testaus": "test", "askel": "step", "epookki": "epoch",
    "oppimisnopeus": "learning rate",
    "veszteseg": "loss", "hiba": "error", "pontossag": "accuracy", "tanitas": "train",
    "tanitasi": "train", "tanulasi": "train", "validacios": "val", "teszt": "test",
    "tesztelesi": "test", "lepes": "step", "korszak": "epoch",
    # Croatian, Serbian, Slovak
    "gubitak": "loss", "gubici": "loss", "greska": "error", "tocnost": "accuracy",
    "tacnost": "accuracy", "treniranje": "train", "treniranja": "train", "ucenje": "train",
    "ucenja": "train", "validacija": "val", "validacije": "val", "testiranje": "test",
    "korak": "step", "epoha": "epoch", "validacijski": "val", "validacioni": "val",
    "валидациони": "val",
    "губитак": "loss", "тачност": "accuracy", "тренирање": "train", "валидација": "val",
    "валидације": "val", "корак": "step",
    "trenovacia": "train", "trenovacej": "train", "trenovanie": "train", "validacna": "val",
    "validacnej": "val", "validacia": "val", "testovacia": "test", "krok": "step",
    # Bulgarian
    "загуба": "loss", "грешка": "error", "точност": "accuracy", "стъпка": "step",
    # Greek
    "εποχη": "epoch", "βημα": "step", "απωλεια": "loss", "σφαλμα": "error",
    "ακριβεια": "accuracy", "εκπαιδευση": "train", "εκπαιδευσης": "train", "επικυρωση": "val",
    "επικυρωσης": "val", "δοκιμη": "test", "δοκιμης": "test",
    # Arabic, Persian, Hebrew
    "حقبة": "epoch", "خطوة": "step", "خسارة": "loss", "خطا": "error", "دقة": "accuracy",
    "تدريب": "train", "تحقق": "val", "اختبار": "test",
    "دوره": "epoch", "گام": "step", "زیان": "loss", "اتلاف": "loss", "دقت": "accuracy",
    "اموزش": "train", "اعتبارسنجی": "val", "ازمون": "test",
    "אפוק": "epoch", "מחזור": "epoch", "צעד": "step", "הפסד": "loss", "שגיאה": "error",
    "דיוק": "accuracy", "אימון": "train", "אימות": "val", "תיקוף": "val", "בדיקה": "test",
    # Vietnamese, Indonesian
    "buoc": "step", "loi": "error",
    "biaya": "cost",
    "kerugian": "loss", "galat": "error", "akurasi": "accuracy", "pelatihan": "train",
    "latihan": "train", "validasi": "val", "pengujian": "test", "langkah": "step",
    # Turkish
    "donem": "epoch", "kayip": "loss", "kayıp": "loss", "kaybi": "loss", "kaybı": "loss",
    "egitim": "train",
    "dogrulama": "val", "dogruluk": "accuracy", "adim": "step", "adım": "step",
    "maliyet": "cost",
}
# How words begin that languages inflect, with up to so many letters behind.
_ENDING = 6
_STEMS: Mapping[str, str] = {
    # Russian, Ukrainian, Bulgarian, Serbian
    "обуч": "train", "трениров": "train", "тренир": "train", "навчан": "train", "валидац": "val",
    "валідац": "val", "валидир": "val", "проверк": "val", "провероч": "val", "перевірк": "val",
    "контрольн": "val", "отложенн": "val", "тест": "test",
    "потер": "loss", "втрат": "loss", "загуб": "loss", "губит": "loss", "ошиб": "error",
    "похибк": "error", "помилк": "error", "грешк": "error", "точност": "accuracy",
    "точніст": "accuracy", "тачност": "accuracy", "эпох": "epoch", "епох": "epoch",
    "итерац": "iteration", "ітерац": "iteration",
    # Polish, Czech, Slovak, Croatian
    "walidac": "val", "testow": "test", "trening": "train", "uczeni": "train",
    "dokladnos": "accuracy", "trenovac": "train", "validacn": "val", "validacij": "val",
    "testovac": "test", "presnost": "accuracy", "tocnost": "accuracy", "tacnost": "accuracy",
    # Italian, Spanish, Portuguese, French, Romanian
    "addestra": "train", "allenament": "train", "convalid": "val", "entrenam": "train",
    "treinam": "train", "entrainem": "train", "antrena": "train",
    # Finnish, Hungarian, Greek
    "koulutu": "train", "validoin": "val", "tarkkuu": "accuracy", "tanitas": "train",
    "pontossag": "accuracy", "εκπαιδευ": "train", "επικυρωσ": "val", "απωλει": "loss",
    # Turkish
    "dogrulama": "val", "egitim": "train",
}
_STEM = re.compile(rf"({'|'.join(sorted(_STEMS, key=len, reverse=True))})\w{{0,{_ENDING}}}")
# What people shorten, where another word is of these languages.
_SHORT: Mapping[str, str] = {"app": "train", "entr": "train", "ent": "train"}
_PHRASES: Mapping[str, str] = {
    "taux d'apprentissage": "learning rate", "tasa de aprendizaje": "learning rate",
    "taxa de aprendizado": "learning rate", "taxa d'aprenentatge": "learning rate",
    "taxa de aprendizagem": "learning rate", "taxa de acerto": "accuracy",
    "tasso di apprendimento": "learning rate", "rata de invatare": "learning rate",
    "tanulasi rata": "learning rate", "stopa ucenja": "learning rate",
    "rychlost ucenia": "learning rate", "laju pembelajaran": "learning rate",
    "скорость обучения": "learning rate", "скорост на обучение": "learning rate",
    "ρυθμος μαθησης": "learning rate", "معدل التعلم": "learning rate",
    "نرخ یادگیری": "learning rate", "קצב למידה": "learning rate",
    "toc do hoc": "learning rate", "mat mat": "loss", "do chinh xac": "accuracy",
    "huan luyen": "train", "kiem dinh": "val", "kiem tra": "test", "kiem thu": "test",
    "vong lap": "iteration", "ky nguyen": "epoch",
}
_TOGETHER = re.compile(rf"(?<![^\W_])(?:{'|'.join(_PHRASES)})(?![^\W_])")
_SMALL = re.compile(r"(?<![a-z])(?:[dl]['’]|(?:de|du|des|del|della|di|do|da|la|le|el|en|sur|der|"
                    r"die|des|auf|im)(?![a-z]))")
# Languages without spaces between words; the longer comes before its part.
_WRITTEN_ON: Mapping[str, str] = {
    "学习率": "learning rate", "学習率": "learning rate", "학습률": "learning rate",
    "准确率": "accuracy", "正解率": "accuracy", "正确率": "accuracy", "精度": "accuracy",
    "정확도": "accuracy", "损失": "loss", "損失": "loss", "손실": "loss", "误差": "error",
    "誤差": "error", "训练": "train", "訓練": "train", "学習": "train", "훈련": "train",
    "학습": "train", "验证": "val", "検証": "val", "검증": "val", "测试": "test", "テスト": "test",
    "轮次": "epoch", "轮": "epoch", "エポック": "epoch", "에포크": "epoch", "迭代": "iteration",
    "步数": "step", "步": "step", "ステップ": "step",
    # Hindi, Thai: their vowel signs are no letters
    "सीखने की दर": "learning rate", "हानि": "loss", "त्रुटि": "error", "सटीकता": "accuracy",
    "प्रशिक्षण": "train", "सत्यापन": "val", "परीक्षण": "test", "युग": "epoch", "चरण": "step",
    "อัตราการเรียนรู้": "learning rate", "การสูญเสีย": "loss", "ค่าสูญเสีย": "loss",
    "สูญเสีย": "loss", "ความแม่นยำ": "accuracy", "การฝึก": "train", "ฝึก": "train",
    "ตรวจสอบ": "val", "ทดสอบ": "test", "รอบ": "epoch", "ขั้นตอน": "step",
}
_PART = frozenset({"train", "val", "test"})
_ON = re.compile("|".join(sorted(map(re.escape, _WRITTEN_ON), key=len, reverse=True)))
_ALONE = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,}(?![^\W\d_])")
_BARRED = str.maketrans("đĐłŁ", "dDlL")  # not made of a letter and an accent
_ARTICLE = re.compile("^(?:ال|ה)")


def english(name: str) -> str:
    """The name with the words of other languages that are known put into English."""
    if not name.isascii():
        name = _plain(_ON.sub(lambda found: f" {_WRITTEN_ON[found[0]]} ", name))
    low = _TOGETHER.sub(lambda found: _PHRASES[found[0]], name.lower().replace("’", "'"))
    words = re.findall(r"[^\W\d_]+", low)
    if low == name.lower() and not any(_meaning(word) != word for word in words):
        return name
    return re.sub(r"[^\W\d_]+", lambda found: _SHORT.get(found[0], _meaning(found[0])),
                  _SMALL.sub(" ", low))


def parts_of_data(text: str) -> Iterator[tuple[int, int, str]]:
    """The words of other languages for a part of the data: where they stand, as they are written.
    """
    low = text.lower()
    if not text.isascii():
        low = "".join(map(_base, low))
        for found in _ON.finditer(text):
            if _WRITTEN_ON[found[0]] in _PART:
                yield found.start(), found.end(), found[0]
        if len(low) != len(text):
            return
    for pattern in (_TOGETHER, _ALONE):
        for found in pattern.finditer(low):
            if _PHRASES.get(found[0], _meaning(found[0])) in _PART - {found[0]}:
                yield found.start(), found.end(), text[found.start() : found.end()]


def letters_known(text: str) -> int:
    """How many letters belong to words that are known, of those that ASCII cannot write."""
    words = (word for word in set(re.findall(r"[^\W\d_]+", text)) if not word.isascii())
    return sum(sum(map(len, _ON.findall(word))) or len(word) * (
        _meaning(low := _plain(word.lower())) != low) for word in words)


def _meaning(word: str) -> str:
    """A word in English; itself if it is not known. Arabic and Hebrew write the article onto it."""
    if (found := _WORDS.get(word)) is None and not word.isascii():
        found = _WORDS.get(_ARTICLE.sub("", word, count=1))
    if found is None and (inflected := _STEM.fullmatch(word)):
        found = _STEMS[inflected[1]]
    return found or word


def _plain(text: str) -> str:
    """Without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.translate(_BARRED))
                   if not unicodedata.combining(c))


@lru_cache(maxsize=4096)
def _base(letter: str) -> str:
    """A letter without its accent."""
    return unicodedata.normalize("NFKD", letter.translate(_BARRED))[0]
