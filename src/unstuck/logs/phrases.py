"""What a printed line says: names with their numbers, and the data that they speak of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unstuck.logs import languages
from unstuck.logs.names import Kind, Part, name_of, role, with_role

_NUMBER = (r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
           r"|(?:nan|NaN|NAN|inf|Inf|INF)(?![A-Za-z]))")
# "loss nan acc 0.5" has a number and no third word there; "nan iterations: 0" has.
_NO_NAN = r"(?!(?:nan|NaN|NAN|inf|Inf|INF)(?![\w@./-])(?! [a-z]{2,20}s\b))"
_SIGNS = r"\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"  # vowels
_WORD = rf"(?:[DdLl]['’])?(?!第){_NO_NAN}(?:[^\W\d]|@)[\w@./{_SIGNS}-]{{0,40}}(?:'s)?"
_OF_DATA = r"(?: ?[(\[（][^\W\d][\w .-]{0,24}[)\]）](?=\s?[:=：]|\s{1,8}[\d.+-]))?"
_TYPE = r"(?:tensor|[Aa]rray|(?:np|numpy|jnp|torch)\.\w{1,16}(?=\())?"
# A name of up to four words, then a colon, an equals sign or a space, then its number.
# The data may stand in brackets behind the name.
_PAIR = re.compile(
    rf"(?<![\w.])(?P<name>{_WORD}(?: {_WORD}){{0,3}}{_OF_DATA})['\"#]?\]?"
    rf"(?:\s{{0,4}}(?:[:=：]|[=-]>|→|>(?=[\d.+-]\S{{0,20}}</))\s{{0,8}}|\s{{1,40}}[|│]\s{{0,40}}|\s?\.{{2,80}}:?\s{{0,4}}|\s{{1,8}}){_TYPE}[\[('\"#]{{0,2}}\s{{0,3}}"
    rf"(?P<number>{_NUMBER})(?:(?:\s?/\s?|\s(?:of|de|di|von|van|sur|из)\s)(?P<of>\d{{1,12}}))?")
# "Cost after iteration 100: 0.69" names a counter between the quantity and its number.
_THEN = re.compile(rf"\s{{0,2}}[)\]]?\s{{0,4}}(?:[:=-]|is|\|)\s{{0,8}}(?P<number>{_NUMBER})")
_BARE = re.compile(
    rf"\s*(?:(?P<counter>[A-Za-z]{{2,12}})[ #]{{1,2}})?(?P<step>\d{{1,12}})"
    rf"(?:\s?/\s{{0,8}}\d{{1,12}})?\s?(?::|->)\s{{1,8}}(?P<number>{_NUMBER})\s*")
# "250 val 3.2" names a part of the data between a step and its number.
_PART_BETWEEN = re.compile(
    rf"\s*(?P<step>\d{{1,12}})\s{{1,8}}(?P<name>[A-Za-z_]\w{{0,40}})\s{{1,8}}(?P<number>{_NUMBER})\s*")
# "1m 15s (- 17m 30s) (5000 6%) 2.9" and "5000 6% (0m 9s) 2.9 word / class", as tutorials have it.
_TIMED = re.compile(
    rf"\s*(?:(?:\d+[hms] ?){{1,3}}\(- (?:\d+[hms] ?){{1,3}}\) \((?P<step>\d{{1,12}}) \d+%\)"
    rf"|(?P<first>\d{{1,12}}) \d+% \((?:\d+[hms] ?){{1,3}}\)) (?P<number>{_NUMBER})(?![\w.]).*")
# "step 50 tensor(3.3, grad_fn=<NllLossBackward0>)" has no name but that.
_TENSOR = re.compile(
    rf"(?P<before>(?:\s*[A-Za-z]{{1,12}}[ :#]{{0,2}}\d{{1,12}}[,:]?)?\s*)"
    rf"tensor\((?P<number>{_NUMBER})"
    r"(?:, [^()]{0,99}(?:\(\))?>?)*\)\s*")
# Counters without a name, or too close to it to be taken for one: tqdm's bar, "[10]", "3:",
# "[3/25][200/782]", "Epoch[3]", "3epoch", "1|20|" for epoch and step.
# darknet's "1: 9.3, 9.2 avg loss, 0.001 rate" has names behind the numbers.
_BEFORE = re.compile(
    rf"(?<![\w.])(?P<number>{_NUMBER}) (?P<name>(?:avg|average|mean)(?: loss(?![\w:=])|"
    rf"(?=, {_NUMBER} [a-z]+,)))")
# "Average objective for 'output' for minibatches 0-99 is -5.7", as Kaldi has it.
_SAYS = re.compile(
    rf"(?P<name>{_WORD}(?: {_WORD}){{0,3}}) for '[\w-]+'(?: for (?P<counter>{_WORD}) "
    rf"(?P<step>\d{{1,12}})(?:-\d{{1,12}})?)? is (?P<number>{_NUMBER})")
# "train/val loss: 0.5/0.6" and "train (loss, acc) = (0.5, 0.8)" list names, then their numbers.
_ONE = r"[^\W\d][\w.@-]{0,30}(?: [^\W\d][\w.@-]{0,30})?"
_LISTED = re.compile(
    rf"(?<![\w./])(?:(?P<part>[^\W\d_]{{2,16}}) ?\()?"
    rf"(?P<names>{_ONE}(?:\s?[,/|]\s?{_ONE}){{1,8}})\)?"
    rf"\s?[:=]\s?[(\[]?(?P<numbers>{_NUMBER}(?:\s?[,/|]\s?{_NUMBER}){{1,8}})(?![\w.])")
# "Epoch 3, global step 90: 'val_loss' reached 0.5 (best 0.5), saving model", as Lightning has it.
_REACHED = re.compile(
    rf"['\"](?P<name>{_WORD}(?: {_WORD}){{0,3}})['\"] (?:reached|is|was|=) (?P<number>{_NUMBER})")
_FIRST = re.compile(
    rf"\s*(?P<number>{_NUMBER})\s?%?\s(?P<name>{_WORD}(?: {_WORD}){{0,2}})\s*")
# "e07 trn 1.67" counts in its first word.
_GLUED = re.compile(r"^\s*[\[(]?(?i:e|ep|epoch)(?P<number>\d{1,7})[\])]?(?=[\s:|,])")
_COUNTERS = (
    ("epoch", re.compile(r"^\s*(?P<number>\d{1,7})\|\d{1,12}\|(?=[^\W\d])")),
    ("step", re.compile(r"^\s*\d{1,7}\|(?P<number>\d{1,12})\|(?=[^\W\d])")),
    ("epoch", re.compile(r"第\s?(?P<number>\d{1,7})\s?[轮代回]")),
    ("epoch", re.compile(r"(?<![\w.])(?P<number>\d{1,7})(?:\s?/\s?\d{1,7})?\s?"
                         r"(?:エポック|에포크|에폭)")),
    ("batch", re.compile(r"(?:^\s*|\|\s*)(?P<number>\d{1,12})/\d{1,12}[ \[]")),
    ("iteration", re.compile(r"^\s*\[(?P<number>\d{1,12})\]\s")),
    ("iteration", re.compile(r"(?<=\] )\[(?P<number>\d{1,12})\]\s")),
    ("iteration", re.compile(r"^\s*(?P<number>\d{1,12}):\s+[\w]")),
    ("iteration", re.compile(r"^\s*(?P<number>\d{1,12}) \[[A-Za-z]")),
    ("epoch", re.compile(r"\[\s*(?P<number>\d{1,7})(?:/\d{1,7})?\]\[\s*\d{1,12}/\d{1,12}\]")),
    ("batch", re.compile(r"\[\s*\d{1,7}(?:/\d{1,7})?\]\[\s*(?P<number>\d{1,12})/\d{1,12}\]")),
    ("epoch", re.compile(r"(?i:(?<![a-z_])epoch ?\[)\s*(?P<number>\d{1,7})(?:[\]/]| of )")),
    ("epoch", re.compile(r"(?<![\w.])(?P<number>\d{1,7})epoch(?![a-z]*s)")),
    ("epoch", _GLUED),
    ("batch", re.compile(r"(?i:(?<![a-z_])(?:batch|iter|iteration|step) ?\[)\s*"
                         r"(?P<number>\d{1,12})[\]/]")),
)
# How loud a line is says nothing of what it speaks of, nor does where it stands.
_LEVEL = re.compile(r"(?<![\w.])(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL)(?![\w.=])")
_PLACE = re.compile(
    r"(?<![\w./\\-])[\w./\\-]{1,200}\.(?:py|cc|cpp|cu|cxx|c|h|rs|go|jl|lua|java|scala):\d{1,6}(?![\w.])")
_ANGLED = re.compile(r"<(\w{1,24})>(?=\s?[=:])")  # "train rmse <loss>=0.5"
_SENTENCE = re.compile(r"(?i).*\w(?<!\bval)(?<!\bvalid)(?<!\bavg)(?<!\btr)\. (?=\S)")
_VERB = re.compile(r"(?<=\w) (?:is|was|are)$")  # "loss is 0.5"
_RUN_WORDS = re.compile(r"(?i)(?:fold|run|trial|seed|experiment)")
_ROLE = re.compile(
    r"(?<![A-Za-z_\\/.-])(?:(?P<train>train(?:ing)?)|(?P<held>"
    r"val(?:id(?:at(?:ion|e|ing))?)?|test(?:ing)?|eval(?:uat(?:ion|e|ing))?|dev|"
    r"saving(?= dict)))(?:(?=_(?:epoch|iter|step)['\"])|(?![A-Za-z_/\\]|\.\w))", re.IGNORECASE)
_SECTION = re.compile(
    r"(?:\x1b\[\d*m|[\W\d_]|(?:INFO|DEBUG|root|main)\b|[A-Za-z]\w*+(?:\.\w++)++(?= ?[-:\]]))*+"
    r"(?:epoch\W{0,3}\d{1,7}(?:\W{0,3}\d{1,7})?\W+)?(?:(?P<train>train(?:ing)?)|(?P<held>val(?:id(?:ation|ating)?)?|"
    r"test(?:ing)?|eval(?:uation|uating)?|dev))"
    r"(?: (?:phase|set|performance|results?|mode|stage|data|epoch))?"
    r"(?: (?:begins?|start(?:s|ed|ing)?|running))?"
    r"(?: ?\([^()]*\))?(?:\x1b\[\d*m|[\W_])*", re.IGNORECASE)
# "Validierung:", "验证集：" in other languages.
_ALONE = re.compile(
    rf"[\s>#=*-]{{0,20}}(?P<words>{_WORD}(?: {_WORD})?)\s?(?:[:：]|\.\.\.|…)[\s=*-]{{0,20}}")


@dataclass(frozen=True, slots=True)
class Said:
    """A quantity in a text: its name, where its number stands, and where what it is out of.

    `begin` is where the name begins that stands before the number, if one does. `parts` are the
    further numbers of a list, which add up with the first to the quantity.
    """

    name: str
    span: tuple[int, int]
    begin: int = -1
    of: tuple[int, int] | None = None
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def numbers(self) -> list[tuple[str, tuple[int, int]]]:
        """Its numbers, each with what it does to the one before: "" none, "/" or "+"."""
        return [("", self.span), *([("/", self.of)] if self.of else []),
                *(("+", part) for part in self.parts)]


def announced(text: str) -> str | None:
    """The part of the data that a line without numbers announces for the next one."""
    if not text.rstrip().endswith((":", "：")):
        return None
    return next((data for _, _, data in _roles(text)), None)


def summed_up(text: str) -> bool:
    """Whether a line sums up those before it: " * Acc@1 70.1", as torchvision has it."""
    return text.lstrip().startswith("* ")


def section(text: str) -> str | None:
    """The part of the data that a line speaks of and nothing else: "> EVALUATION", "Training...".
    """
    if len(text) >= 100:
        return None
    if found := _SECTION.fullmatch(text):
        return _part(found)
    alone = _ALONE.fullmatch(text)
    name = name_of(alone["words"]) if alone else None
    return alone["words"] if alone and name and name.of_data_alone else None


def has_sections(lines: Sequence[str]) -> bool:
    """Whether lines announce the data of those that follow: some of both parts, or some of
    held-out data up to the next epoch, each."""
    sections = list(map(section, lines))
    if len(set(sections)) > 2:
        return True
    within, ended = False, 0
    for line, part in zip(lines, sections, strict=True):
        if part is not None:
            if within or name_of(part).part is Part.TRAIN:
                return False
            within = True
        elif within and {name_of(one.name).kind for one in said(line[:200], "")} == {Kind.EPOCH}:
            within, ended = False, ended + 1
    return ended > 1


def said(text: str, heading: str) -> Iterator[Said]:
    """Names with their numbers. A name takes on the part of the data that stands before it.

    "val Loss: 0.5 Acc: 0.8" and "Test set: loss: 0.5" speak of held-out data throughout, and
    "{'val': {'loss': 0.5}}" from there on. The first of two numbers of one name counts.
    """
    taken: set[str | int] = set()
    text = _ANGLED.sub(lambda found: f" {found[1]} ", text)
    text = _PLACE.sub(lambda found: " " * len(found[0]), text)
    text = _LEVEL.sub(lambda found: " " * len(found[0]), text)
    for one in (*_said(text, heading), *_counted(text)):
        if one.name not in taken and one.span[0] not in taken:
            taken |= {one.name, one.span[0]}
            yield one


def _said(text: str, heading: str) -> Iterator[Said]:
    bare = _BARE.fullmatch(text)
    counter = bare["counter"] or "step" if bare else ""
    if bare and name_of(counter).kind in (Kind.STEP, Kind.EPOCH, Kind.EPISODE):
        yield Said(counter, bare.span("step"), bare.start("counter"))
        yield Said("value", bare.span("number"))
        return
    if timed := _TIMED.fullmatch(text):
        yield Said("step", timed.span("step" if timed["step"] else "first"))
        yield Said("loss", timed.span("number"))
        return
    if tensor := _TENSOR.fullmatch(text):
        yield from _pairs(tensor["before"], heading)
        yield Said("tensor", tensor.span("number"), tensor.start("number") - len("tensor("))
        return
    if between := _PART_BETWEEN.fullmatch(text):
        yield Said("step", between.span("step"))
        yield Said(between["name"], between.span("number"), between.start("name"))
        return
    if sentence := _SAYS.search(text):
        if sentence["counter"]:
            yield Said(sentence["counter"], sentence.span("step"), sentence.start("counter"))
        yield Said(sentence["name"], sentence.span("number"), sentence.start("name"))
        return
    if reached := _REACHED.search(text):
        yield from _pairs(text[: reached.start()], heading)
        yield Said(reached["name"], reached.span("number"), reached.start("name"))
        return
    for found in _LISTED.finditer(text):
        if listed := _listed(found):
            text = text[: found.start()] + " " * len(found[0]) + text[found.end() :]
            yield from listed
    if first := _numbers_first(text):
        counted = text[: first[0].span[0]]
        yield from _pairs(counted, heading)
        yield from first
        return
    if behind := _BEFORE.search(text):
        yield Said("avg loss", behind.span("number"))
    yield from _pairs(text, heading)


def _numbers_first(text: str) -> list[Said]:
    """All of a list such as "0.53 train loss, 0.61 val loss"; empty if a text does not end so."""
    begin = max(text.rfind(": "), text.rfind("] ")) + 1
    found = []
    for part in re.finditer(r"[^,;|]+", text[begin:]):
        one = _FIRST.fullmatch(part[0])
        if one is None:
            return []
        a, b = one.span("number")
        at = begin + part.start()
        found.append(Said(one["name"], (at + a, at + b)))
    known = sum(name_of(one.name).kind in (Kind.LOSS, Kind.SCORE) for one in found)
    return found if known and (known > 1 or begin) else []


def _listed(found: re.Match[str]) -> list[Said]:
    """The quantities of a list of names and one of numbers; empty if they do not belong together.
    """
    names = re.split(r"\s?[,/|]\s?", found["names"])
    begin = found.start("numbers")
    spans = [(begin + one.start(), begin + one.end())
             for one in re.finditer(_NUMBER, found["numbers"])]
    if len(names) != len(spans) or found["numbers"].count(".") < len(names):
        return []
    *_, last = name_of(names[-1]).measure or {""}
    before = found["part"] or ""
    part = role(before)
    if name_of(before).kind in (Kind.LOSS, Kind.SCORE):  # "loss (train / val): 0.5 / 0.6"
        last = before
    names = [f"{last} {name}".strip() if name_of(name).of_data_alone else with_role(name, part)
             for name in names]
    known = sum(name_of(name).kind in (Kind.LOSS, Kind.SCORE) for name in names)
    at = found.start("names")
    return [Said(name, span, at) for name, span in zip(names, spans, strict=True)] if known else []


def _pairs(text: str, heading: str) -> Iterator[Said]:
    """The names that stand before their numbers."""
    text = _GLUED.sub(lambda found: " " * len(found[0]), text)
    part, measured, last = heading, False, None
    roles = _roles(text)
    alone = len({data for _, _, data in roles}) == 1
    end = 0
    for pair in _PAIR.finditer(text):
        begin = pair.start("name")
        for start, stop, data in roles:
            if (end <= start and stop <= begin) or (
                    alone and not measured and start == begin):
                part = data
        end = pair.end()
        label = _VERB.sub("", _SENTENCE.sub("", pair["name"].strip()))
        span = pair.span("number")
        known = name_of(label)
        before, _, counter_name = label.rpartition(" ")
        if (known.kind in (Kind.LOSS, Kind.SCORE)
                and name_of(counter_name).kind in (Kind.STEP, Kind.EPOCH)
                and not before.endswith(" per")):
            yield Said(counter_name, span, begin)
            if not (then := _THEN.match(text, end)):
                continue
            if name_of(before).kind is Kind.OTHER or known.measure != name_of(before).measure:
                before = label  # "Score at iteration 10 is 0.5" is more than a score
            label = before.removesuffix(" after")  # "Cost after iteration 100: 0.69"
            span, known = then.span("number"), name_of(label)
        if known.kind is Kind.OTHER and known.part is not Part.UNSAID and pair["number"].isdigit():
            part = next((said for start, _, said in roles if start >= begin), part)
        elif known.of_data_alone and last is not None:  # "loss train: 0.5, val: 0.6"
            label = f"{label} {last}"
            known = name_of(label)
        elif known.kind in (Kind.LOSS, Kind.SCORE) and known.part is Part.TRAIN:
            last = " ".join(sorted(known.measure))
        if known.kind in (Kind.LOSS, Kind.SCORE, Kind.RETURN, Kind.OTHER):
            if part and known.part is Part.UNSAID and not (
                    known.kind is Kind.OTHER and _RUN_WORDS.fullmatch(label)):
                label = f"{part} {label}"
            if pair["of"] and known.kind is Kind.SCORE and float(pair["of"]):
                yield Said(label, span, begin, pair.span("of"))
                continue
        measured = measured or known.kind in (Kind.LOSS, Kind.SCORE, Kind.RETURN)
        yield Said(label, span, begin)


def _counted(text: str) -> Iterator[Said]:
    """The counters without a name."""
    for name, counter in _COUNTERS:
        if found := counter.search(text):
            yield Said(name, found.span("number"))


def _roles(text: str) -> list[tuple[int, int, str]]:
    """The words for a part of the data: where they stand, what they mean or how they are written.
    """
    english = [(found.start(), found.end(), _part(found)) for found in _ROLE.finditer(text)]
    return sorted([*english, *languages.parts_of_data(text)])


def _part(found: re.Match[str]) -> str:
    return "train" if found["train"] else "val" if found["held"].lower() != "test" else "test"
