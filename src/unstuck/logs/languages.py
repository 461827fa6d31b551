"""Names of columns in other languages, as English words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

# Without accents, in small letters; words that are written as one are taken apart.
_WORDS: Mapping[str, str] = {
    # German
    "epoche": "epoch", "schritt": "step", "verlust": "loss", "fehler": "error",
    "genauigkeit": "accuracy", "lernrate": "learning rate",
    "validierung": "val", "trainingsverlust": "train loss", "validierungsverlust": "val loss",
    "testverlust": "test loss", "trainingsfehler": "train error",
    "validierungsfehler": "val error", "testfehler": "test error",
    "trainingsgenauigkeit": "train accuracy", "validierungsgenauigkeit": "val accuracy",
    "testgenauigkeit": "test accuracy", "trainverlust": "train loss", "valverlust": "val loss",
    # French
    "epoque": "epoch", "etape": "step", "pas": "step", "perte": "loss", "erreur": "error",
    "exactitude": "accuracy", "entrainement": "train", "apprentissage": "train", "cout": "cost",
    # Spanish
    "epoca": "epoch", "paso": "step", "perdida": "loss", "exactitud": "accuracy",
    "entrenamiento": "train", "aprendizaje": "train", "validacion": "val", "prueba": "test",
    # Portuguese, Italian
    "perda": "loss", "acuracia": "accuracy", "treino": "train", "treinamento": "train",
    "validacao": "val", "teste": "test", "passo": "step", "perdita": "loss", "errore": "error",
    "accuratezza": "accuracy", "addestramento": "train", "validazione": "val",
    # Dutch, Polish
    "verlies": "loss", "trainingsverlies": "train loss", "validatieverlies": "val loss",
    "nauwkeurigheid": "accuracy", "validatie": "val", "strata": "loss", "epoka": "epoch",
    "dokladnosc": "accuracy", "walidacja": "val", "walidacji": "val", "trening": "train",
    "treningowa": "train", "treningu": "train", "uczenia": "train", "walidacyjna": "val",
    # Russian
    "эпоха": "epoch", "шаг": "step", "потери": "loss", "потеря": "loss", "ошибка": "error",
    "точность": "accuracy", "обучение": "train", "обучения": "train", "валидация": "val",
    "валидации": "val", "тест": "test",
    # Ukrainian
    "епоха": "epoch", "втрати": "loss", "втрата": "loss", "навчання": "train",
    "валідація": "val", "валідації": "val", "точність": "accuracy",
    # Czech
    "epocha": "epoch", "ztrata": "loss", "chyba": "error", "trenovaci": "train",
    "validacni": "val", "presnost": "accuracy", "testovaci": "test",
    # Swedish, Danish, Norwegian
    "epok": "epoch", "forlust": "loss", "traningsforlust": "train loss",
    "valideringsforlust": "val loss", "traning": "train", "validering": "val",
    "noggrannhet": "accuracy",
    # Turkish
    "kayip": "loss", "kayıp": "loss", "kaybi": "loss", "kaybı": "loss", "egitim": "train",
    "dogrulama": "val", "dogruluk": "accuracy", "adim": "step", "adım": "step",
}
_TOGETHER = re.compile(
    "taux d'apprentissage|tasa de aprendizaje|taxa de aprendizado|tasso di apprendimento"
    "|скорость обучения")
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
}


def english(name: str) -> str:
    """The name with the words of other languages that are known put into English."""
    if not name.isascii():
        for word, meaning in _WRITTEN_ON.items():
            name = name.replace(word, f" {meaning} ")
        name = "".join(c for c in unicodedata.normalize("NFKD", name)
                       if not unicodedata.combining(c))
    low = _TOGETHER.sub("learning rate", name.lower().replace("’", "'"))
    words = re.findall(r"[^\W\d_]+", low)
    if not any(_WORDS.get(word, word) != word for word in words) and low == name.lower():
        return name
    return re.sub(r"[^\W\d_]+", lambda found: _WORDS.get(found[0], found[0]), _SMALL.sub(" ", low))
