"""What in a text points to a person, apart from names: e-mails, phones, addresses, handles and ids.

    for found in identifiers("text me at 555-0142"):
        print(found.type, found.start, found.end)

Patterns for English classrooms, with some of Europe's addresses. What looks like a part of a problem stays: a short number
is a phone or an id only where a word near it says so. Names are found by `utta.core.names`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

TYPES = ("name", "email", "phone", "address", "handle", "id")


@dataclass(frozen=True)
class Found:
    """The text from `start` to `end` points to a person; what has the same `key` points to the same one."""

    start: int
    end: int
    type: str
    key: str


TLD = r"(?:com|org|net|edu|gov|info|io|school|(?:(?:co|ac|k12)\s?\.\s?)?[a-z]{2})"
EMAIL = re.compile(
    rf"[\w.+-]{{1,64}}@\w[\w-]*(?:\.[\w-]+)+"
    rf"|[\w.+-]{{1,64}} @ [\w-]+(?:\.[\w-]+)*\.{TLD}\b"
    rf"|\b\w{{1,64}}(?: ?[(\[]?dot[)\]]? ?\w+){{0,2}} ?[(\[]?\b(?:at|@)\b[)\]]? ?\w+(?: ?[(\[]?\bdot\b[)\]]? ?\w+){{0,2}}"
    rf" ?[(\[]?\bdot\b[)\]]? ?{TLD}\b",
    re.IGNORECASE,
)
URL = re.compile(r"(?:https?://|www\.)\S+")

# --- ids: a word that says so, and a token of at least four characters with a digit
_OWNER = (
    r"(?:student|school|pupil|learner|candidate|cent(?:re|er)|lunch|meal|library|bus|card|badge|log-?in|user|matric(?:ulation)?"
    r"|enrol?l?ment|registration|roll|exam|account|member(?:ship)?|passport|national|insurance|social security|NHS|NI)"
)
_KIND = r"(?:ids?\b|numbers?\b|nos?\b\.?|#)"
ID_CUE = re.compile(
    rf"\b(?:{_OWNER}(?: (?:card|pass|pin|insurance))?\s?{_KIND}|ids?\b|SSN|UPN|passport|(?:bus|library) (?:pass|card))"
    rf"(?:\s*(?:{_KIND}|is\b|are\b|was\b|:|,)){{0,3}}\s*",
    re.IGNORECASE,
)
_TOKEN = r"#?(?:\d+(?: \d{2,5}\b)+|(?=[\w/-]*\d)[A-Za-z0-9][\w/-]{2,}\w)"
ID = re.compile(_TOKEN)
ID_NEXT = re.compile(rf"(?:,? and |, ?| & )({_TOKEN})")
ID_SHAPE = re.compile(
    r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])|\b[A-Z]{2}(?: \d\d){3} [A-D]\b"
)  # US and UK social security

# --- phones
PHONE = re.compile(r"(?<![\w.,=*×+^-])(?:\(?\+)?\(?\d[\d ()./-]{4,24}\d(?!\w|[.,]\d)")
PHONE_SHAPE = re.compile(
    r"\(?\+\d[\d ()./-]{7,}"  # international
    r"|(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[-./])\d{3}[-. ]\d{4}"  # North America
    r"|\(?0\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,4}|0\d{9,10}"  # a leading 0 for the area, as in Britain
)
PHONE_CUE = re.compile(
    r"\b(?:call|phone|cell|cellphone|mobile|tel|telephone|whats ?app|sms|ring|fax|dial|landline|hotline|contact|reach"
    r"|emergency|text (?:me|us|him|her|my|(?=\+?\(?\d))|(?:my|his|her|our|your|their|\w+['’]s) (?:\w+ )?number"
    r"|number of my|numbers? for)\b",
    re.IGNORECASE,
)
DATE_OR_YEARS = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}([./-])\d{1,2}\1\d{2,4}|[12]\d{3} ?- ?[12]\d{3}")
OPERATOR_BEFORE, OPERATOR_AFTER = re.compile(r"[=+*×÷/^−]\s*\Z"), re.compile(r"\s*[=+*×÷^−]|\s+[x/-]\s+\d")

# --- addresses
_TYPE = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Court|Ct|Close|Boulevard|Blvd|Way|Terrace|Ter|Crescent|Cres|Place|Pl"
    r"|Square|Sq|Plaza|Parkway|Pkwy|Circle|Cir|Grove|Gardens|Highway|Hwy|Trail|Mews|Quay|Hill|Walk)\b\.?"
)
_WORD = r"(?:[A-Z][\w'’-]*\.?|\d{1,3}(?:st|nd|rd|th))"
_UNIT = r"(?i:flat|apt\.?|apartment|unit|suite|ste\.?) ?\w{1,4}\b"
_UK = r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
_CITY = r"[A-Z][\w'’.-]*(?: [A-Z][\w'’-]*){0,2}"
_TAIL = (
    rf"(?:,? {_UNIT})?"
    rf"(?:,? {_CITY},? (?:[A-Z]{{2}},? \d{{5}}(?:-\d{{4}})?|[A-Z]{{2}},? [A-Z]\d[A-Z] ?\d[A-Z]\d|{_UK}|\d{{1,5}})\b"
    rf"|,? \d{{4,5}} {_CITY})?"
)
_ROAD = r"(?:rue|avenue|boulevard|place|chemin|calle|via|rua|carrer)"
ADDRESS = re.compile(
    rf"\b(?:{_UNIT},? )?\d{{1,5}}[A-Za-z]? (?:County Road \d+|(?:{_WORD} ){{1,4}}{_TYPE}){_TAIL}"
    rf"|\b\d{{1,4}},? (?i:{_ROAD}) (?:(?:de|des|du|la|le|l['’]) ?)*{_CITY}{_TAIL}"
    rf"|\b(?i:{_ROAD}) (?:(?:de|del|della|la|das?|dos?) )*{_CITY},? \d{{1,4}}\b{_TAIL}"
    rf"|\b[A-ZÄÖÜ]\w+(?:straße|strasse|allee|weg|platz|gasse|straat|laan) \d{{1,4}}[a-z]?\b{_TAIL}"
    rf"|\bP\.? ?O\.? ?Box \d+{_TAIL}"
)
_STEPS = r"(?:of|in|the|down|up|a|an|per|on|along|from|to|and|blocks?|miles?|km|meters?|metres?|houses?|minutes?)\b"
SMALL_ADDRESS = re.compile(
    rf"\b(?i:{_UNIT},? )?\d{{1,5}} (?:(?!{_STEPS})[a-z]+ ){{1,2}}"
    r"(?:street|st|avenue|ave|road|rd|drive|lane|ln|court|blvd|terrace)\b"
)
HOME_CUE = re.compile(r"\b(?:live|lives|living|address|house|home|moved|stay)\b", re.IGNORECASE)
POSTCODE = re.compile(
    rf"\b(?:zip|post ?code|postal code|zip ?code)(?: code)?(?: is)?:? ({_UK}|\d{{5}}(?:-\d{{4}})?)\b", re.I
)

# --- handles
_PLATFORM = (
    r"(?:insta(?:gram)?|ig|snap(?:chat)?|tik ?tok|discord|roblox|minecraft|fortnite|twitch|twitter|youtube|yt|reddit|steam|psn"
    r"|xbox|scratch|kahoot|telegram|facebook|skype|gamer ?tag|user ?name|handle|nick(?:name)?)"
)
_LOOKS = (
    r"(?=[A-Za-z0-9-]{1,40}?(?:[_#]|\.[A-Za-z]|(?<=[A-Za-z])\d|(?<=[a-z])[A-Z]))[A-Za-z][\w-]*\w(?:\.\w+)*(?:#\d{4})?"
)
HANDLE = re.compile(
    r"(?<![\w@/.])@[A-Za-z_][\w.-]*\w"
    r"|(?<![\w@/.])[A-Za-z][\w.]{1,31}#\d{4}\b"
    rf"|(?<![\w/])u/(?={_LOOKS})[\w-]{{3,}}"
    rf"|\b(?i:{_PLATFORM})(?:\s*(?i:user ?name|name|channel|handle|tag|account|is|i am|as|[:=,-]))*"
    rf"\s+(?P<after>(?:u/)?{_LOOKS})"
    rf"|(?<![\w@/.])(?P<before>{_LOOKS})(?= on (?i:{_PLATFORM})\b)"
)
DECORATORS = frozenset(
    "property dataclass staticmethod classmethod override abstractmethod cache cached_property lru_cache functools pytest"
    " param return returns import media test app everyone here".split()
)


def identifiers(text: str) -> list[Found]:
    """What is found, in order and without overlaps; where two overlap, the first of email, id, address, phone, handle."""
    emails = without_overlaps(text, [], _emails(text))
    urls = (Found(*match.span(), "url", "") for match in URL.finditer(text))
    rest = (*urls, *_ids(text), *_addresses(text), *_phones(text), *_handles(text))
    return [found for found in without_overlaps(text, emails, rest) if found.type in TYPES]


def without_overlaps(text: str, first: list[Found], then: Iterable[Found]) -> list[Found]:
    """All of `first`, and of `then` what overlaps nothing before it; in the order of the text."""
    taken = bytearray(len(text))
    kept = []
    for found in (*first, *then):
        if not any(taken[found.start : found.end]):
            taken[found.start : found.end] = b"1" * (found.end - found.start)
            kept.append(found)
    return sorted(kept, key=lambda found: found.start)


def said_before(text: str, place: int, most: int = 80) -> str:
    """What stands before `place` in the same sentence."""
    return re.split(r"[.!?]\s|\n", text[max(0, place - most) : place])[-1]


def _emails(text: str) -> Iterator[Found]:
    for match in EMAIL.finditer(text):
        key = re.sub(r"\s*[(\[]?\bat\b[)\]]?\s*", "@", match[0].casefold())
        yield Found(*match.span(), "email", re.sub(r"\s", "", re.sub(r"\s*[(\[]?\bdot\b[)\]]?\s*", ".", key)))


def _ids(text: str) -> Iterator[Found]:
    for cue in ID_CUE.finditer(text):
        match, group = ID.match(text, cue.end()), 0
        while match:
            yield _of_signs(match, "id", group)
            match, group = ID_NEXT.match(text, match.end()), 1
    for match in ID_SHAPE.finditer(text):
        yield _of_signs(match, "id")


def _addresses(text: str) -> Iterator[Found]:
    for match in ADDRESS.finditer(text):
        yield _of_signs(match, "address")
    for match in SMALL_ADDRESS.finditer(text):
        if HOME_CUE.search(said_before(text, match.start())):
            yield _of_signs(match, "address")
    for match in POSTCODE.finditer(text):
        yield _of_signs(match, "address", 1)


def _phones(text: str) -> Iterator[Found]:
    for match in PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        start, end = match.span()
        if OPERATOR_BEFORE.search(text[max(0, start - 3) : start]) or OPERATOR_AFTER.match(text, end):
            continue
        if not 7 <= len(digits) <= 15 or DATE_OR_YEARS.fullmatch(match[0]):
            continue
        if PHONE_SHAPE.fullmatch(match[0]) or PHONE_CUE.search(said_before(text, end)):
            yield Found(start, end, "phone", digits)


def _handles(text: str) -> Iterator[Found]:
    for match in HANDLE.finditer(text):
        group = match.lastgroup or 0
        if match[group].removeprefix("@").split(".")[0] not in DECORATORS:
            yield _of_signs(match, "handle", group)


def _of_signs(match: re.Match[str], type_: str, group: int | str = 0) -> Found:
    """What a pattern matched; its key are its letters and digits, so that spaces and hyphens make no other one."""
    return Found(*match.span(group), type_, re.sub(r"\W", "", match[group].casefold()))
