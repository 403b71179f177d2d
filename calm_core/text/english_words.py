"""Tables of the English rules: months, units, currencies, abbreviations, symbols."""

from __future__ import annotations

MONTHS = {
    name: full
    for names, full in (
        ("january jan", "January"), ("february feb", "February"), ("march mar", "March"), ("april apr", "April"),
        ("may", "May"), ("june jun", "June"), ("july jul", "July"), ("august aug", "August"),
        ("september sept sep", "September"), ("october oct", "October"), ("november nov", "November"),
        ("december dec", "December"),
    )
    for name in names.split()
}  # fmt: skip

# symbol -> one, many, hundredth, hundredths
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"),
    "₩": ("won", "won", "", ""),
    "¢": ("cent", "cents", "", ""),
}
CURRENCY_CODES = {
    "USD": ("US dollar", "US dollars"), "EUR": ("euro", "euros"), "GBP": ("British pound", "British pounds"),
    "JPY": ("yen", "yen"), "CHF": ("Swiss franc", "Swiss francs"), "CAD": ("Canadian dollar", "Canadian dollars"),
    "AUD": ("Australian dollar", "Australian dollars"), "INR": ("rupee", "rupees"),
}  # fmt: skip
SCALES = {
    "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion", "k": "thousand",
    "m": "million", "mn": "million", "bn": "billion", "b": "billion", "tn": "trillion",
}  # fmt: skip

_UNITS = """
mm millimeter|cm centimeter|m meter|km kilometer|nm nanometer|µm micrometer|μm micrometer|ft foot feet|yd yard|mi mile
mg milligram|g gram|kg kilogram|t ton|lb pound|lbs pound|oz ounce|ml milliliter|mL milliliter|cl centiliter|l liter
L liter|gal gallon|ms millisecond|ns nanosecond|s second|sec second|secs second|min minute|mins minute|h hour|hr hour
hrs hour|Hz hertz hertz|kHz kilohertz kilohertz|MHz megahertz megahertz|GHz gigahertz gigahertz|W watt|kW kilowatt
MW megawatt|kWh kilowatt~hour|V volt|mV millivolt|kV kilovolt|mA milliamp|Ω ohm|J joule|kJ kilojoule|kcal kilocalorie
cal calorie|Pa pascal|kPa kilopascal|hPa hectopascal|bar bar|psi P~S~I P~S~I|N newton|dB decibel|bit bit
tsp teaspoon|tbsp tablespoon|in. inch inches
KB kilobyte|kB kilobyte|MB megabyte|GB gigabyte|TB terabyte|Mb megabit|Gb gigabit|kbps kilobit~per~second
Mbps megabit~per~second|Gbps gigabit~per~second|mph mile~per~hour|km/h kilometer~per~hour|kph kilometer~per~hour
m/s meter~per~second|m² square~meter|km² square~kilometer|cm² square~centimeter|m³ cubic~meter|cm³ cubic~centimeter
ft² square~foot square~feet|sq. ft. square~foot square~feet|°C degree~Celsius|°F degree~Fahrenheit|° degree
rpm R~P~M R~P~M|fps frame~per~second|px pixel|ha hectare|deg degree|ppm part~per~million
"""


def _unit_plural(one: str) -> str:
    first, _, rest = one.partition(" per ")
    return f"{first}s per {rest}" if rest else one.replace("degree ", "degrees ") if " " in one and one.startswith(
        "degree ") else f"{one}s"  # fmt: skip


UNITS: dict[str, tuple[str, str]] = {}
for _line in _UNITS.strip().splitlines():
    for _entry in _line.split("|"):
        _symbol, _one, *_many = _entry.replace("sq. ft.", "sq.~ft.").split()
        _singular = _one.replace("~", " ")
        UNITS[_symbol.replace("~", " ")] = (_singular, _many[0].replace("~", " ") if _many else _unit_plural(_singular))

FRACTIONS = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5),
    "⅙": (1, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8),
}  # fmt: skip

# Without their last full stop, lower case.
ABBREVIATIONS = {
    "mr": "Mister", "mrs": "Missus", "ms": "Miz", "dr": "Drive", "st": "Street", "prof": "Professor", "jr": "Junior",
    "sr": "Senior", "rev": "Reverend", "hon": "Honorable", "gen": "General", "col": "Colonel", "maj": "Major",
    "capt": "Captain", "cmdr": "Commander", "lt": "Lieutenant", "sgt": "Sergeant", "sen": "Senator",
    "gov": "Governor", "pres": "President", "supt": "Superintendent", "ave": "Avenue", "blvd": "Boulevard",
    "rd": "Road", "rt": "Route", "ln": "Lane", "hwy": "Highway", "mt": "Mount", "ft": "Fort",
    "apt": "Apartment", "dept": "Department",
    "univ": "University", "inc": "Incorporated", "ltd": "Limited", "corp": "Corporation", "co": "Company",
    "bros": "Brothers", "assn": "Association", "est": "established", "approx": "approximately", "vs": "versus",
    "etc": "et cetera", "e.g": "for example", "i.e": "that is", "cf": "compare", "fig": "figure", "figs": "figures",
    "vol": "volume", "vols": "volumes", "eds": "editors", "pp": "pages", "ch": "chapter",
    "sec": "section", "ph.d": "P H D", "m.d": "M D", "b.a": "B A", "m.a": "M A", "b.sc": "B S C", "m.sc": "M S C",
    "viz": "namely", "misc": "miscellaneous", "min": "minimum",
    "avg": "average", "tel": "telephone", "ext": "extension", "tue": "Tuesday", "tues": "Tuesday",
    "thu": "Thursday", "thur": "Thursday", "thurs": "Thursday", "fri": "Friday",
    "jan": "January", "feb": "February", "apr": "April", "aug": "August", "sept": "September", "oct": "October",
    "nov": "November", "dec": "December",
}  # fmt: skip

# After these a full stop may be the sentence's as well.
MAY_END = frozenset(
    "dr st jr sr ave blvd rd ln hwy dept univ inc ltd corp co bros assn etc ph.d m.d b.a m.a b.sc m.sc".split()
)

NUMERAL_NAMES = (
    "chapter|part|section|volume|vol\\.|book|act|scene|phase|stage|type|class|level|article|appendix|figure|table|"
    "world war|super bowl|apollo|rocky|episode|unit|grade|mark|title"
).split("|")  # fmt: skip
NUMERAL_RULERS = (
    "Henry Louis George Edward Charles James William Richard Elizabeth John Paul Pius Benedict Leo Gregory Clement "
    "Innocent Philip Peter Catherine Alexander Nicholas Frederick Napoleon Ramesses Otto Ferdinand Francis Joseph"
).split()  # fmt: skip

SYMBOLS = {
    "&": " and ", "@": " at ", "+": " plus ", "=": " equals ", "%": " percent ", "§": " section ", "©": " copyright ",
    "®": " registered ", "™": " trademark ", "°": " degrees ", "№": " number ", "•": ", ", "·": " ", "→": " to ",
    "←": " from ", "×": " times ", "÷": " divided by ", "√": " square root of ", "∞": " infinity ", "π": " pi ",
    "µ": " micro ", "$": " dollars ", "€": " euros ", "£": " pounds ", "¥": " yen ", "²": " squared ", "³": " cubed ",
    "<": " ", ">": " ", "≤": " at most ", "≥": " at least ", "≈": " about ",
    "±": " plus or minus ", "*": " ", "#": " ", "_": " ", "~": " ", "^": " ", "`": " ", "|": ", ", "\\": " ",
    "{": " ", "}": " ", "¿": " ", "¡": " ",
}  # fmt: skip
GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
        "chi psi omega gamma delta theta lambda xi pi sigma phi psi omega".split(),
        strict=True,
    )
)
