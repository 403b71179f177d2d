"""Numbers as English words, the American way: "one hundred twenty-three", years in pairs, digits one by one.

num2words does the arithmetic of names; it is imported with the first number, since it reads in all its languages.
"""

from __future__ import annotations

_LONGEST = 15  # digits; longer numbers are read digit by digit
_DIGITS = "zero one two three four five six seven eight nine".split()
_PARTS = {2: "half", 4: "quarter"}


def _words(value: int, form: str = "cardinal", language: str = "en") -> str:
    from num2words import num2words

    return num2words(value, lang=language, to=form)


def cardinal(number: str) -> str:
    """Words of a whole number given in digits (commas allowed).

    "1,234" -> "one thousand two hundred thirty-four"    "007" -> "zero zero seven"
    """
    plain = number.replace(",", "")
    if len(plain) > _LONGEST or (len(plain) > 1 and plain[0] == "0"):
        return digits(plain)
    return _words(int(plain)).replace(",", "").replace(" and ", " ")


def ordinal(value: int) -> str:
    """21 -> "twenty-first"."""
    return _words(value, "ordinal").replace(",", "").replace(" and ", " ")


def digits(number: str) -> str:
    """Digits one by one; other characters are left out."""
    return " ".join(_DIGITS[int(digit)] for digit in number if digit.isdigit())


def decimal(number: str) -> str:
    """Words of a number with or without a point.

    "3.14" -> "three point one four"    ".5" -> "point five"    "12" -> "twelve"
    """
    whole, point, fraction = number.partition(".")
    front = cardinal(whole) if whole else ""
    return f"{front} point {digits(fraction)}".strip() if point and fraction else front


def year(value: int) -> str:
    """1984 -> "nineteen eighty-four", 1905 -> "nineteen oh five", 2007 -> "two thousand seven"."""
    return _words(value, "year").replace("-", " ", 1).replace(" and ", " ") if 2000 <= value < 2010 else _pairs(value)


def _pairs(value: int) -> str:
    front, back = divmod(value, 100)
    if value < 1000 or value % 1000 == 0:
        return cardinal(str(value))
    if back == 0:
        return f"{cardinal(str(front))} hundred"
    return f"{cardinal(str(front))} {'oh ' if back < 10 else ''}{cardinal(str(back))}"


def plural(word: str) -> str:
    """The plural of the last word of a number: "twenties", "thirds", "halves"."""
    if word.endswith("half"):
        return word[:-1] + "ves"
    return word[:-1] + "ies" if word.endswith("y") else word + ("es" if word.endswith("x") else "s")


def fraction(numerator: int, denominator: int) -> str:
    """3/4 -> "three quarters", 1/2 -> "one half", 2/3 -> "two thirds"."""
    part = _PARTS.get(denominator) or ordinal(denominator).removeprefix("one ")
    return f"{cardinal(str(numerator))} {part if numerator == 1 else plural(part)}"


def clock(hours: int, minutes: int) -> str:
    """10:05 -> "ten oh five", 10:00 -> "ten o'clock", 0:30 -> "zero thirty"."""
    if minutes == 0:
        full = "o'clock" if 0 < hours <= 12 else "hundred"
        return f"{cardinal(str(hours))} {full}"
    return f"{cardinal(str(hours))} {'oh ' if minutes < 10 else ''}{cardinal(str(minutes))}"


def foreign(number: str, language: str) -> str:
    """Words of a number with a decimal point at most, in another language that num2words knows."""
    from num2words import num2words

    whole, point, rest = number.partition(".")
    if len(whole) > _LONGEST:
        return " ".join(num2words(int(digit), lang=language) for digit in whole)
    return num2words(float(number) if point and rest else int(whole or 0), lang=language)
