"""Words that speak of the same aspect: who asks for *size* is answered in megabytes, who asks for *licences* by MIT."""

from __future__ import annotations

from functools import lru_cache

from .words import stem

_ASPECTS = (
    "size sizes: large small big grow disk bytes mb gb kb megabytes gigabytes kilobytes storage linear quadratic",
    "growth grow: linear quadratic grows mb gb large square",
    "storage: disk stored stores bytes mb gb",
    "speed fast slow performance latency: fast slow seconds ms milliseconds latency throughput quick speed",
    "recovery recover resume: recover resume restart crash kill survive continues restored load",
    "crash: killed sigkill dies restart",
    "cost costs price money: price billed bill cheap expensive dollar cost pay pays money cheaper",
    (
        "security safety secure vulnerability: secure security attacker cve exploit malicious unsafe pickle "
        "injection forged injuries accidents untrusted vulnerability authenticated"
    ),
    "quality accuracy: accuracy accurate junk duplicates outdated stale wrong quality worse better invented",
    (
        "reliability failure fail fails failures: reliable fails failed failure lost silently crash error "
        "durable broken refused"
    ),
    "installation installed install: pip conda install installed installing wheel wheels",
    "licence license licences licenses licensing: license licence licensed mit bsd apache gpl lgpl mpl copyleft",
    "async asynchronous asyncio: async asyncio asynchronous await trio",
    "parsing parse parser parsers: parser parse parsing parses parsers",
    "caching cache: cache cached caching prefix",
    "testing tests: test testing pytest",
    "limits limitations limit: limit limits maximum cannot",
    "privacy: personal private privacy consent",
    "people team authors: founded written created maintained author",
    "requirements dependencies compatibility: requires depends dependencies requirement compatible",
    "wrong bad: junk stale outdated duplicates invented worse error mistakes contradicts",
    "features feature: provides supports allows lets offers enables includes makes adds library plugin framework",
    "risk risks danger: risk danger harm loss",
)


@lru_cache(maxsize=1)
def _table() -> dict[str, frozenset[str]]:
    table: dict[str, frozenset[str]] = {}
    for line in _ASPECTS:
        asked, _, said = line.partition(": ")
        kin = frozenset(stem(word) for word in said.split())
        for word in asked.split():
            table[stem(word)] = table.get(stem(word), frozenset()) | (kin - {stem(word)})
    return table


@lru_cache(maxsize=4096)
def kin(term: str) -> frozenset[str]:
    """The stems that answer a question for this stem, itself apart; empty for most words."""
    return _table().get(term, frozenset())


def other_words(asked: str, most: int = 5) -> str:
    """Words to search for besides the one asked for, or ""."""
    for line in _ASPECTS:
        names, _, said = line.partition(": ")
        if stem(asked) in {stem(word) for word in names.split()}:
            return " ".join([word for word in said.split() if word != asked.lower()][:most])
    return ""
