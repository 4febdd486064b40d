"""Who in a text is named: people of a roster, and people whom the text itself shows to be somebody in the room.

    people = People(["Will Turner", "Grace Kim"])
    list(people.names("Will you check it? Grace thinks Will skipped a step.", set()))

A text shows it when somebody says who they are ("my name is …"), is spoken to ("Great catch, …!"), has a title ("Ms …"),
signs, or is somebody's friend or teacher. Scientists, people of a story and of a problem ("Marie has 12 apples") stay, for
nothing says that they are in the room. It knows English sentences, and no list of names: a name without any such sign is
found only where it is on the roster.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from utta.core.identifiers import Found, said_before
from utta.core.words import FAMOUS, MONTHS, NO_NAMES, WORD_NAMES

_W = r"[^\W\d_](?:[\w’']*[^\W_])?(?:-[^\W\d_]\w*)*"  # one word of a name, of any case
_SECOND = r" (?:(?:van|von|de|da|del|bin|al|el) )?(?!and\b)"
_NAME = rf"({_W}(?:{_SECOND}{_W})?)"
_CAPITAL = rf"({_W}(?:{_SECOND}(?=(?-i:[^\Wa-z\d_])){_W})?)"  # the first word's capital is looked at afterwards
_TITLE = r"(?:miss|mx|prof|professor|coach|señora?|frau|herr|madame|monsieur)\b\.?"
_PRAISE = (
    r"(?:nice|great|(?:very )?good|excellent|awesome|amazing|lovely|super|wonderful|fantastic|brilliant|perfect|well)"
    r"(?: (?:done|work|try|trying|job|one|thinking|question|point|catch|idea|start|effort|answer|explanation|going"
    r"|observation))?"
)
_GREETING = (
    r"(?:(?:hi|hello|hey|hiya)(?: there| again)?|dear|(?:good )?(?:morning|afternoon|evening)|thanks|thank you|sorry|bye"
    r"|goodbye|welcome)"
)
_YOU = (
    r"(?:can|could|would|will|what|why|how|do|did|does|are (?:you|we|there)|is (?:it|that|this|there|your)|have (?:you|we)|you"
    r"|you're|your|please|let|let's|look|try|tell|show|explain|remember|think|check|great|good|nice|read|go|come|i)\b"
)
_RELATION = (
    r"(?:(?:best )?friend|brother|sister|cousin|partner|classmate|teacher|tutor|neighbou?r|mom|mum|dad|mother|father|grandma"
    r"|grandpa|aunt|uncle|son|daughter)"
)
_END = r"(?=\s*(?:[,.!?;:)\n]|\Z| and\b| –| -))"

# Where a name may be written small.
SPOKEN = re.compile(
    rf"\b(?:my name(?:['’]s| is)|my names(?: is)?) {_NAME}|\b(?:mr|mrs|ms|dr)\b\.? {_NAME}"
    rf"|\b(?:hi|hello|hey|hiya|thanks|well done) ({_W})(?=[,.!?](?!\w)| {_YOU})"
    rf"|(?:\A|[.!?:]\s+|\n)({_W}),? (?:can|could|would) you\b",
    re.IGNORECASE,
)
# Where it needs a capital; the small words around it may be written in any case.
SHOWN = [
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"\b{_TITLE} {_CAPITAL}",
        rf"\b(?:i['’]?m|i am|call me|calls me) {_CAPITAL}",
        rf"\b(?:this is|it['’]s|its) {_CAPITAL}(?= from\b| here\b|[.!?]?\s*\Z)",
        rf"\b{_GREETING},? {_CAPITAL}{_END}",
        rf"\b{_GREETING},? ({_W})(?= {_YOU})",
        rf"\b{_PRAISE},? {_CAPITAL}{_END}",
        rf"\b(?:yes|no|right|exactly|correct|sure|okay|ok|alright|wow|true|absolutely), {_CAPITAL}(?=\s*[,.!?;:]|\s*\Z)",
        rf"(?-i:\b[a-z0-9][a-z0-9'’]{{0,20}}\)?), {_CAPITAL}(?=[.!?;:](?!\w)|\s*\Z|, {_YOU})",
        rf"(?:\A|[.!?:]\s+|\n){_CAPITAL}, {_YOU}",
        rf"(?:\A|[.!?:]\s+|\n)({_W}) (?:please|(?:can|could|would) you)\b",
        rf"\b(?:sincerely|regards|yours|yours truly|love|cheers|best|thanks|thank you),\s+{_CAPITAL}[.!]?\s*\Z",
        rf"\bmy {_RELATION}(?:['’]s name)?(?:,| is)? {_CAPITAL}",
        rf"\b(?:her|his|their) name(?:['’]s| is) {_CAPITAL}",
        rf"\b(?:work(?:ed|ing)?|partner(?:ed)?|pair(?:ed)?|group(?:ed)?) with {_CAPITAL}(?: and {_CAPITAL})?",
        rf"\b(?:please|can you|could you|let['’]s)(?: \w+)?"
        rf" (?:ask|tell|help|thank|welcome|explain \w+ to|show \w+ to) {_CAPITAL}",
        rf"^\s*(?:(?:full|first|last|student(?:['’]s)?|teacher(?:['’]s)?|parent(?:['’]s)?) )?name: *{_CAPITAL} *$",
    )
]
# What a person of a problem does: with a title, too.
PROBLEM = re.compile(
    r",? (?:has|have|had|buys|bought|bakes|baked|sells|sold|makes|made|plants|planted|wants|needs|drives|drove|earns|spends"
    r"|gives|gave|runs|ran|walks|reads)\b(?: \w+)? \$?\d"
)
ACTS = re.compile(
    r"(?:['’]s)? (?:said|says|thinks|thought|wrote|writes|got|gets|asked|asks|answered|added|drew|split|found|knows|wants|did"
    r"|skipped|counted|solved|explained|told|showed|tried|forgot|used|and [A-Z])\b"
)
CALLED = re.compile(rf",(?: {_YOU}|\s*\Z)", re.IGNORECASE)
MONTH_BEFORE = re.compile(
    r"\b(?:in|of|by|until|since|during|next|last|early|late|on|this|every|\d+)\s+\Z", re.IGNORECASE
)
WORD = re.compile(_W)


class People:
    """The people of a roster: full names, of which each part counts too."""

    def __init__(self, roster: Iterable[str] = ()) -> None:
        self._of: dict[str, set[str]] = defaultdict(set)
        for line in roster:
            parts = WORD.findall(line.casefold())
            for part in parts:
                if len(part) > 1:
                    self._of[part].add(" ".join(parts))

    def key(self, name: str) -> str:
        """Who a name is: the one person of the roster that it fits, else its first word."""
        words = [re.sub(r"['’]s\Z", "", word) for word in WORD.findall(name.casefold())]
        fits = set.intersection(*(self._of.get(word, set()) for word in words)) if words else set()
        return fits.pop() if len(fits) == 1 else words[0] if words else name.casefold()

    def names(self, text: str, known: set[str]) -> Iterator[Found]:
        """The names in a text: of the roster, shown by the text, or `known` from another text that goes with it."""
        shown = list(shown_names(text))
        for start, end in shown:
            yield self._found(text, start, end)
        wanted = known | heard(text, shown)
        for match in WORD.finditer(text):
            start, end = match.span()
            end -= 2 if re.search(r"['’][sS]\Z", match[0]) else 0
            word = text[start:end].casefold()
            if (word in wanted and text[start].isupper()) or (
                word in self._of and self._stands_as_name(text, start, end)
            ):
                yield self._found(text, start, end)

    def _found(self, text: str, start: int, end: int) -> Found:
        return Found(start, end, "name", self.key(text[start:end]))

    def _stands_as_name(self, text: str, start: int, end: int) -> bool:
        """Whether a part of a roster's name means the person here: a name that is a word too must look like a name."""
        word, small = text[start:end], text[start:end].casefold()
        if small not in WORD_NAMES and small not in NO_NAMES:
            return True
        if not word[0].isupper() or (word.isupper() and len(word) > 1):
            return False
        after = WORD.match(text, end + 1)
        if after and after[0].casefold() in self._of and self._of[small] & self._of[after[0].casefold()]:
            return True
        if ACTS.match(text, end) or CALLED.match(text, end):
            return True
        before = said_before(text, start)
        if small in MONTHS and MONTH_BEFORE.search(before):
            return False
        return bool(before.strip(" \"“'‘(*-•")) and not before.rstrip().endswith(":")


def shown_names(text: str) -> Iterator[tuple[int, int]]:
    """Where a text shows a name to be somebody's in the room."""
    for match in SPOKEN.finditer(text):
        yield from _kept(text, match, capital=False)
    for pattern in SHOWN:
        for match in pattern.finditer(text):
            yield from _kept(text, match, capital=True)


def heard(text: str, shown: Iterable[tuple[int, int]]) -> set[str]:
    """The words of the names that a text shows, which mean the same person elsewhere in it."""
    words = {word for start, end in shown for word in WORD.findall(text[start:end].casefold())}
    return {word for word in words if len(word) > 1 and word not in WORD_NAMES}


def name_words(name: str) -> set[str]:
    """The words of a name that mean its owner wherever they stand with a capital; none of a pseudonym such as "Student 4"."""
    return {word for word in heard(name, [(0, len(name))]) if _may_be_name(word, capital=False)}


def _kept(text: str, match: re.Match[str], capital: bool) -> Iterator[tuple[int, int]]:
    """The parts of a match that are a name: its words up to the first that is none."""
    for group in range(1, match.re.groups + 1):
        if match[group] is None:
            continue
        start = end = match.start(group)
        for word in WORD.finditer(text, start, match.end(group)):
            if not _may_be_name(word[0], capital or end > start):
                break
            end = word.end()
        if re.search(r"['’][sS]\Z", text[start:end]):
            end -= 2
        if end > start and not PROBLEM.match(text, end):
            yield start, end


def _may_be_name(word: str, capital: bool) -> bool:
    small = re.sub(r"['’]s\Z", "", word.casefold())
    if small in WORD_NAMES and word[0].isupper():
        return True
    return (word[0].isupper() or not capital) and len(small) > 1 and small not in NO_NAMES and small not in FAMOUS
