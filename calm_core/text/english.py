"""Rules that turn what English writes into what English says: each a pattern and its words, applied in order.

    addresses, dates, times, money, measures  ->  abbreviations, Roman numerals  ->  numbers  ->  symbols

A rule sees the text as the rules before it left it, so the order is from the most special to the most general.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from calm_core.text import number_words as say
from calm_core.text.english_words import (
    ABBREVIATIONS,
    CURRENCIES,
    CURRENCY_CODES,
    FRACTIONS,
    GREEK,
    MAY_END,
    MONTHS,
    NUMERAL_NAMES,
    NUMERAL_RULERS,
    SCALES,
    SYMBOLS,
    UNITS,
)

Match = re.Match[str]
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|(?<!\w)\.\d+"
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_FULL_MONTHS = list(dict.fromkeys(MONTHS.values()))
_YEAR_CUES = (
    "in|since|year|years|by|from|until|till|before|after|during|circa|around|early|late|mid|spring|summer|autumn|"
)
_YEAR_CUES += "fall|winter|" + "|".join(name.lower() for name in _FULL_MONTHS)


def _count(number: str, one: str, many: str) -> str:
    return f"{say.decimal(number)} {one if number == '1' else many}"


# ---------------------------------------------------------------------------------------- addresses

_TLDS = "com org net edu gov io ai co uk de fr eu us ca info dev app tv me html htm pdf txt csv py".split()


def _spell_address(address: str) -> str:
    names = {
        ".": " dot ",
        "/": " slash ",
        "@": " at ",
        "-": " dash ",
        "_": " underscore ",
        ":": " colon ",
        "=": " equals ",
        "?": " question mark ",
        "&": " and ",
        "#": " hash ",
        "~": " tilde ",
        "%": " percent ",
        "+": " plus ",
    }
    spoken = "".join(names.get(c, c) for c in address)
    spoken = re.sub(r"\b(uk|us|eu|tv|io|ai|html|htm|pdf|csv|py)\b", lambda m: " ".join(m[0].upper()), spoken)
    return re.sub(r"\bwww\b", "W W W", re.sub(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", spoken))


def _url(match: Match) -> str:
    address, tail = match[0], ""
    while address and address[-1] in ".,;:!?)'\"":
        address, tail = address[:-1], address[-1] + tail
    return _spell_address(re.sub(r"^https?://", "", address).rstrip("/")) + tail


# ------------------------------------------------------------------------------------ dates and times


def _day(number: str) -> str:
    return say.ordinal(int(number))


def _date(month: str, day: str | None, year: str | None) -> str:
    words = month
    if day:
        words += " " + _day(day)
    return words + (f", {say.year(int(year))}" if day and year else f" {say.year(int(year))}" if year else "")


def _numeric_date(match: Match) -> str:
    first, second, year = int(match[1]), int(match[2]), match[3]
    month, day = (first, second) if first <= 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    if len(year) == 2:
        year = f"{'19' if int(year) > 30 else '20'}{year}"
    return _date(_FULL_MONTHS[month - 1], str(day), year)


def _iso_date(match: Match) -> str:
    month, day = int(match[2]), int(match[3])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return _date(_FULL_MONTHS[month - 1], str(day), match[1])


def _month_day(match: Match) -> str:
    day, year = match[2], match[3]
    if not 1 <= int(day) <= 31:
        return match[0]
    return _date(MONTHS[match[1].lower()], day, year)


def _day_month(match: Match) -> str:
    if not 1 <= int(match[1]) <= 31:
        return match[0]
    return f"the {_day(match[1])} of {_date(MONTHS[match[2].lower()], None, match[3])}"


def _month_year(match: Match) -> str:
    return _date(MONTHS[match[1].lower()], None, match[2])


def _decade(match: Match) -> str:
    number = int(match[2])
    tens = say.cardinal(str(number % 100)) if number % 100 else ""
    century = "" if match[1] else (say.cardinal(str(number // 100)) + " " if number >= 100 else "")
    if number in (1900, 1800, 1700, 1600, 1500, 2000, 1000):
        return "two thousands" if number == 2000 else f"{century}hundreds"
    return century + say.plural(tens)


def _time(match: Match) -> str:
    hours, minutes, half = int(match[1]), int(match[2] or 0), match["half"]
    if hours > 24 or minutes > 59:
        return match[0]
    letters = " " + " ".join(half.replace(".", "").upper()) if half else ""
    if letters and half.endswith(".") and re.match(r"\s*$|\s+[A-Z]", match.string[match.end() :]):
        letters += "."  # the full stop of "a.m." also ends the sentence
    if letters and minutes == 0:
        return say.cardinal(str(hours)) + letters
    return say.clock(hours, minutes) + letters


def _seconds(match: Match) -> str:
    if int(match[2]) > 59 or int(match[3]) > 59:
        return match[0]
    parts = ((match[1], "hour"), (match[2], "minute"), (match[3], "second"))
    return " ".join(_count(str(int(n)), unit, unit + "s") for n, unit in parts)


def _maybe_year(match: Match) -> str:
    number = int(match[2])
    cue, following = match[1], match[3] or ""
    plural_noun = re.match(r"\s+[a-z]+s\b(?<!was)(?<!is)(?<!has)(?<!this)(?<!years)", following)
    if (1900 <= number < 2100 and not plural_noun) or (cue and not plural_noun):
        return f"{cue or ''}{say.year(number)}{following}"
    return match[0]


# ------------------------------------------------------------------------------- money and measures


def _money(match: Match) -> str:
    symbol, number, scale = match["symbol"], match["number"], match["scale"]
    one, many, cent, cents = CURRENCIES[symbol]
    if scale:
        return f"{say.decimal(number)} {SCALES[scale.lower()]} {many}"
    whole, _, rest = number.replace(",", "").partition(".")
    if len(rest) == 2 and cent:
        small = _count(str(int(rest)), cent, cents) if int(rest) else ""
        if int(whole or 0) == 0 and small:
            return small
        large = _count(str(int(whole)), one, many)
        return f"{large} and {small}" if small else large
    return _count(number, one, many)


def _money_code(match: Match) -> str:
    one, many = CURRENCY_CODES[match["code"]]
    return _count(match["number"], one, many)


def _measure(match: Match) -> str:
    one, many = UNITS[match["unit"]]
    if match["hyphen"]:  # "a 10-km run"
        return f"{say.decimal(match['number'])} {one}"
    return _count(match["number"], one, many)


def _fraction(match: Match) -> str:
    whole, top, bottom = match[1], int(match[2]), int(match[3])
    if not (0 < top < bottom and (bottom <= 20 or bottom in (100, 1000))):
        return f"{say.cardinal(match[2])} over {say.cardinal(match[3])}" if not whole else match[0]
    words = say.fraction(top, bottom)
    return f"{say.cardinal(whole.strip())} and {'a' + words[3:] if top == 1 else words}" if whole else words


def _sign_fraction(match: Match) -> str:
    top, bottom = FRACTIONS[match[2]]
    words = say.fraction(top, bottom)
    return f"{say.cardinal(match[1])} and {'a' + words[3:] if top == 1 else words}" if match[1] else words


def _phone(match: Match) -> str:
    groups = [say.digits(group) for group in re.findall(r"\d+", match[0])]
    return ("plus " if match[0].startswith("+") else "") + ", ".join(groups)


# ---------------------------------------------------------------------------------- words and numbers

_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def roman(numeral: str) -> int | None:
    """The value of a well-formed Roman numeral below 400; None for anything else."""
    if not re.fullmatch(r"C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})", numeral) or not numeral:
        return None
    values = [_ROMAN[letter] for letter in numeral]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def _roman_count(match: Match) -> str:
    value = roman(match[2])
    return f"{match[1]} {say.cardinal(str(value))}" if value else match[0]


def _roman_ruler(match: Match) -> str:
    value = roman(match[2])
    return f"{match[1]} the {say.ordinal(value)}" if value else match[0]


def _abbreviation(match: Match) -> str:
    name = match[1].lower()
    ends = name in MAY_END and re.match(r"\s*$|\s+\"?[A-Z]", match.string[match.end() :])
    return ABBREVIATIONS[name] + ("." if ends else "")


def _dotted_letters(match: Match) -> str:
    return " ".join(match[1].replace(".", "")) + ("" if match["end"] is None else ".")


def _range(match: Match) -> str:
    return f"{match[1]} to {match[2]}"


_OPERATORS = {
    "+": "plus",
    "×": "times",
    "*": "times",
    "÷": "divided by",
    "=": "equals",
    "±": "plus or minus",
    "<": "is less than",
    ">": "is greater than",
    "≤": "is at most",
    "≥": "is at least",
    "≈": "is about",
    "≠": "is not",
    "^": "to the power of",
}
_EVERYWHERE = re.escape("".join(sign for sign in _OPERATORS if sign not in "<>"))  # others need room around them
_UNIT_NAMES = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_SIGNS = "".join(CURRENCIES)
_SCALE_NAMES = "|".join(sorted(SCALES, key=len, reverse=True))
_ABBREVIATED = "|".join(re.escape(name) for name in sorted(ABBREVIATIONS, key=len, reverse=True))

_RULES: list[tuple[str, Callable[[Match], str]]] = [
    (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", lambda m: _spell_address(m[0])),
    (r"\bhttps?://\S+|\bwww\.\S+", _url),
    (rf"\b[A-Za-z][\w-]*(?:\.[\w-]+)*\.(?:{'|'.join(_TLDS)})\b(?:/\S*)?(?!\.\w)", _url),
    # dates and times
    (r"\b(\d{4})-(\d{2})-(\d{2})\b", _iso_date),
    (r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b", _numeric_date),
    (rf"(?i)\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}}))?(?![\d,.]*\d)", _month_day),
    (rf"(?i)\b(?:the )?(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\b(?:\.?,? (\d{{4}})\b)?", _day_month),
    (rf"(?i)\b({_MONTH})\.?,? (\d{{4}})\b", _month_year),
    (r"\b(\d{1,2}):(\d{2}):(\d{2})\b", _seconds),
    (r"\b(\d{1,2}):(\d{2})(?:\s?(?P<half>[ap]\.m\.|[ap]m\b))?", _time),
    (r"\b(\d{1,2})(\b)\s?(?P<half>[ap]\.m\.|[AP]M\b|[ap]m\b)", _time),
    (r"\b(\d{1,2})()(?P<half>[AP]M\b|[ap]m\b)", _time),
    (r"(')(\d0)s\b", _decade),
    (r"\b()([12]\d\d0)'?s\b", _decade),
    (r"\b()([2-9]0)s\b", _decade),
    # phone numbers: +1 555 123 4567, (555) 123-4567, 1-800-555-0199, 555-0199
    (r"\+\d{1,3}[ -]\(?\d{1,4}\)?(?:[ -]\d{2,4}){1,4}\b", _phone),
    (r"(?<!\w)(?:\d-)?\(?\d{3}\)?[ -]\d{3}-\d{4}\b", _phone),
    (r"(?<![\d-])\d{3}-\d{4}\b(?!-)", _phone),
    (r"(?i)\b(call|called|dial|dialed) (\d{3})\b", lambda m: f"{m[1]} {say.digits(m[2])}"),
    # ranges and signs
    (r"(?<![\d,.-])(1\d{3}|20\d\d)\s?[-–]\s?(1\d{3}|20\d\d)(?![\d,.-]\d)",
     lambda m: f"{say.year(int(m[1]))} to {say.year(int(m[2]))}"),
    (rf"(?<=\d)\s?-\s?(?=[{_SIGNS}]\d)", lambda _: " to "),
    (r"(?<![\d-])(\d+(?:[.,]\d+)?)\s?[-–]\s?(\d+(?:[.,]\d+)?)(?![\d/]|-\d)", _range),
    (r"(?<![\w)])[-−](?=[$£€]?\.?\d)", lambda _: "minus "),
    (r"\b(\d+):(\d+)\b", _range),
    (r"\b(\d)'\s?(\d{1,2})(?:\"|'')", lambda m: f"{say.cardinal(m[1])} foot {say.cardinal(m[2])}"),
    # money and measures
    (rf"(?i)(?P<symbol>[{_SIGNS}])\s?(?P<number>{_NUMBER})(?:\s?(?P<scale>{_SCALE_NAMES})\b)?", _money),
    (rf"(?P<number>{_NUMBER})()(?P<scale>)\s?(?P<symbol>[¢€£])", _money),
    (rf"(?P<number>{_NUMBER})\s?(?:%|‰)",
     lambda m: f"{say.decimal(m['number'])} {'per mille' if m[0].endswith('‰') else 'percent'}"),
    (r"\b(10{1,3})s(?= of\b)", lambda m: say.plural(say.cardinal(m[1]).removeprefix("one "))),
    (rf"(?P<number>{_NUMBER})\s?(?P<code>{'|'.join(CURRENCY_CODES)})\b", _money_code),
    (rf"(?<![A-Za-z\d.])(?P<number>{_NUMBER})(?:\s?|(?P<hyphen>-))(?P<unit>{_UNIT_NAMES})(?:\.(?=\s+[a-z]))?(?![A-Za-z\d])",
     _measure),
    (rf"(?P<number>{_NUMBER})(?:\s?(?P<scale>bn|tn)|(?P<letter>[Mk]))\b",
     lambda m: f"{say.decimal(m['number'])} {SCALES[(m['scale'] or m['letter']).lower()]}"),
    (r"(?<=\d\.\d)B\b", lambda _: " billion"),
    (r"(?<![\d/])(24/7|9/11)(?![\d/])", lambda m: " ".join(say.cardinal(n) for n in m[1].split("/"))),
    (r"(?<![\d/])(\d+ )?(\d+)/(\d+)(?![\d/])", _fraction),
    (rf"(?:(\d+)\s?)?([{''.join(FRACTIONS)}])", _sign_fraction),
    # words
    (r"\b(Mr|Mrs|Ms|Dr|Prof)\.(?=[A-Z])", lambda m: f"{m[1]}. "),
    (rf"(?i)\b({'|'.join(NUMERAL_NAMES)}) ([IVXLC]+)\b(?![.'’]\w)", _roman_count),
    (rf"\b({'|'.join(NUMERAL_RULERS)}) ([IVXLC]+)\b", _roman_ruler),
    (r"\bDr\.(?=\s+[A-Z])", lambda _: "Doctor"),
    (r"\bSt\.(?=\s+[A-Z][a-z])(?<![a-z] St\.)", lambda _: "Saint"),
    (r"(?i)\bnos?\.\s?(?=\d)", lambda _: "number "),
    (r"\bmax\.(?=\s*\d)", lambda _: "maximum"),
    (rf"(?i)(?<![\w.])({_ABBREVIATED})\.(?!\w)", _abbreviation),
    (r"\b((?:[A-Za-z]\.){2,})(?P<end>(?=\s*$))?", _dotted_letters),
    (r"\b(w/o)\b", lambda _: "without"),
    (r"\bw/(?=\s)", lambda _: "with"),
    # numbers
    (r"(?<=[A-Za-z]\.)(?=\d)", lambda _: " "),
    (r"\b([CF])#", lambda m: f"{m[1]} sharp"),
    (r"#(?=\d)", lambda _: "number "),
    (r"#(?=[A-Za-z])", lambda _: "hashtag "),
    (r"\b(\d{1,4})(?:st|nd|rd|th)\b", lambda m: say.ordinal(int(m[1]))),
    (r"\b\d+(?:\.\d+){2,}\b", lambda m: " point ".join(say.cardinal(part) for part in m[0].split("."))),
    (rf"(?i)(\b(?:{_YEAR_CUES}) )?(?<![\d,.])\b(1\d{{3}}|20\d\d)\b(?![\d,]*\d|\.\d)(\s+[a-z]+\b)?", _maybe_year),
    (r"~\s?(?=\d)", lambda _: "about "),
    (r"(?<=[\w)])(?: ([<>]) |([<>]))(?=\d)|(?<=[\w)]) ([<>]) (?=[a-z]\b)",
     lambda m: f" {_OPERATORS[m[1] or m[2] or m[3]]} "),
    (rf"(?<=[\w)])\s*([{_EVERYWHERE}])\s*(?=[\w(.-])", lambda m: f" {_OPERATORS[m[1]]} "),
    (r"(?<=\d)\s?[xX]\s?(?=\d)", lambda _: " by "),
    (r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", lambda _: " "),
    (rf"(?:{_NUMBER})", lambda m: say.decimal(m[0])),
    # symbols
    (r"\b([A-Z]+)/([A-Z])\b", lambda m: f"{m[1]} {m[2]}"),
    (r"\band/or\b", lambda _: "and or"),
    (r"/(?=(?:month|year|day|hour|week|person|minute|second|night|mile|kilo|page)\b)", lambda _: " per "),
    (r"/yr\b", lambda _: " per year"),
    (r"(?<=\w)/(?=\w)", lambda _: " slash "),
    (rf"[{re.escape(''.join(SYMBOLS))}]", lambda m: SYMBOLS[m[0]]),
    (rf"[{''.join(GREEK)}]", lambda m: f" {GREEK[m[0]]} "),
]  # fmt: skip
_COMPILED = [(re.compile(pattern), words) for pattern, words in _RULES]


def english(text: str) -> str:
    """Apply the rules to cleaned text; letters, apostrophes and punctuation are what is left."""
    for pattern, words in _COMPILED:
        text = pattern.sub(words, text)
    return text
