"""A small competency framework of our own, as a CASE 1.0 CFPackage: mathematics and reading, grades 2 to 8.

Each subject has five strands and each strand one competency a grade. A competency is a child of its strand, a strand of
its subject, and each grade's competency `precedes` the next grade's; a few cross from one strand to another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

GRADES = range(2, 9)
CHANGED = "2026-07-01T00:00:00+00:00"
BASE = "https://trellis.example/ims/case/v1p0"
TITLE = "Trellis demonstration framework: mathematics and reading, grades 2 to 8"

SUBJECTS = {"M": "Mathematics", "R": "Reading"}

_STATEMENTS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "M": {
        "NS": (
            "Numbers and place value",
            (
                "Read, write and compare whole numbers to 1,000.",
                "Round whole numbers to the nearest ten and hundred.",
                "Explain how the value of a digit changes from one place to the next, to one million.",
                "Read, write and compare decimals to thousandths.",
                "Order positive and negative rational numbers on a number line.",
                "Decide whether the decimal form of a rational number ends or repeats.",
                "Place square and cube roots between two whole numbers.",
            ),
        ),
        "OP": (
            "Operations and algebra",
            (
                "Add and subtract within 100 in one- and two-step stories.",
                "Multiply and divide within 100 and say how the two are related.",
                "Solve stories with several steps, remainders explained.",
                "Write and evaluate expressions with parentheses.",
                "Write an expression with a letter for an unknown number and evaluate it.",
                "Solve two-step linear equations and check the solution.",
                "Solve a pair of linear equations by graph and by substitution.",
            ),
        ),
        "FR": (
            "Fractions and proportion",
            (
                "Share a shape into halves, thirds and fourths of equal size.",
                "Place unit fractions on a number line.",
                "Add and subtract fractions with the same denominator.",
                "Add fractions with different denominators; multiply a fraction by a fraction.",
                "Use ratios and unit rates to solve everyday questions.",
                "Recognise proportional relationships in tables, graphs and equations.",
                "Tell a linear function from one that is not, by its rate of change.",
            ),
        ),
        "MD": (
            "Measurement and statistics",
            (
                "Measure lengths in standard units and compare them.",
                "Find areas of rectangles by counting and by multiplying.",
                "Convert larger units to smaller ones within a system.",
                "Find volumes of boxes by layers.",
                "Describe a distribution by its centre and its spread.",
                "Draw conclusions about a population from a random sample.",
                "Fit a line to a scatter plot by eye and use it to predict.",
            ),
        ),
        "SP": (
            "Shape and space",
            (
                "Sort shapes by their sides and corners.",
                "Name the families of four-sided shapes and what they share.",
                "Draw and measure angles and find lines of symmetry.",
                "Plot points in the first quadrant and read what they mean.",
                "Find areas of triangles and polygons by taking them apart.",
                "Use circumference and area of a circle.",
                "Apply the Pythagorean theorem in the plane and in space.",
            ),
        ),
    },
    "R": {
        "WD": (
            "Words",
            (
                "Work out an unknown word from the sentence around it.",
                "Use common prefixes and suffixes as clues to meaning.",
                "Explain simple similes and sayings.",
                "Use roots from Greek and Latin as clues to meaning.",
                "Tell what a word says from what it suggests.",
                "Explain how a choice of words changes the tone of a passage.",
                "Interpret figures of speech, irony among them.",
            ),
        ),
        "LT": (
            "Stories and poems",
            (
                "Retell a story with its lesson.",
                "Describe characters and how what they do moves the story.",
                "Find the theme of a story or poem and the details that carry it.",
                "Compare two characters or settings with details from the text.",
                "Describe how a plot unfolds and a character changes.",
                "Explain how setting shapes characters and plot.",
                "Explain how a line of dialogue reveals character or forces a decision.",
            ),
        ),
        "IN": (
            "Reading to learn",
            (
                "Find the topic of a text and of each paragraph.",
                "Find the main idea and the details that support it.",
                "Explain what happened and why in a historical or scientific text.",
                "Bring together two texts on one topic.",
                "Summarise a text without opinion.",
                "Trace how two central ideas develop through a text.",
                "Explain how a text connects people, ideas and events.",
            ),
        ),
        "EV": (
            "Inference and evidence",
            (
                "Answer who, what, where, when and why from a text.",
                "Point to the sentence that answers a question.",
                "Draw an inference and quote the details it rests on.",
                "Quote accurately to support what the text says and implies.",
                "Weigh whether the claims of an argument are supported.",
                "Cite several pieces of evidence for one reading.",
                "Recognise evidence that does not bear on the claim.",
            ),
        ),
        "ST": (
            "Structure and point of view",
            (
                "Say how the beginning and the end of a story differ.",
                "Tell the reader's own point of view from the narrator's.",
                "Compare accounts at first and second hand.",
                "Compare the structures of two texts: time, cause, problem.",
                "Explain how one section fits into the whole.",
                "Analyse how an author sets a position apart from others.",
                "Analyse how differences in what reader and character know make suspense or humour.",
            ),
        ),
    },
}

_CROSSINGS = (
    ("M", "NS", 3, "OP", 4),
    ("M", "OP", 3, "FR", 4),
    ("M", "OP", 3, "MD", 4),
    ("M", "FR", 5, "OP", 6),
    ("M", "FR", 6, "MD", 7),
    ("M", "NS", 7, "SP", 8),
    ("R", "WD", 3, "LT", 4),
    ("R", "IN", 4, "EV", 5),
    ("R", "EV", 6, "ST", 7),
)


def strands(subject: str) -> tuple[str, ...]:
    """The codes of a subject's strands, in order."""
    return tuple(_STATEMENTS[subject])


def identifier(code: str) -> str:
    """The CASE identifier of the framework's item with this code: the same for ever."""
    return str(uuid5(NAMESPACE_URL, f"{BASE}/{code}"))


def competency(subject: str, strand: str, grade: int) -> str:
    """The CASE identifier of one strand's competency in one grade."""
    return identifier(f"TR.{subject}.{grade}.{strand}")


@dataclass(frozen=True, slots=True)
class _Item:
    code: str
    statement: str
    kind: str
    levels: tuple[int, ...]
    parent: str | None
    short: str


def _items() -> Iterator[_Item]:
    for subject, name in SUBJECTS.items():
        yield _Item(f"TR.{subject}", name, "Subject", tuple(GRADES), None, name)
        for strand, (title, statements) in _STATEMENTS[subject].items():
            yield _Item(f"TR.{subject}.{strand}", f"{name}: {title}", "Strand", tuple(GRADES), f"TR.{subject}", title)
            for grade, statement in zip(GRADES, statements, strict=True):
                code = f"TR.{subject}.{grade}.{strand}"
                yield _Item(code, statement, "Competency", (grade,), f"TR.{subject}.{strand}", f"{title} {grade}")


def _precedes() -> Iterator[tuple[str, str]]:
    for subject in SUBJECTS:
        for strand in strands(subject):
            for grade in GRADES[:-1]:
                yield f"TR.{subject}.{grade}.{strand}", f"TR.{subject}.{grade + 1}.{strand}"
    for subject, before, earlier, after, later in _CROSSINGS:
        yield f"TR.{subject}.{earlier}.{before}", f"TR.{subject}.{later}.{after}"


def _link(kind: str, code: str, title: str) -> dict[str, str]:
    return {"title": title, "identifier": identifier(code), "uri": f"{BASE}/{kind}/{identifier(code)}"}


def package() -> dict[str, object]:
    """The whole framework as the body of a CASE 1.0 CFPackage."""
    items = list(_items())
    document = _link("CFDocuments", "TR", TITLE)
    kinds = ("Subject", "Strand", "Competency")
    titles = {item.code: item.short for item in items} | {"TR": TITLE}

    def association(kind: str, origin: str, destination: str, number: int) -> dict[str, object]:
        own = identifier(f"{kind}:{origin}:{destination}")
        target = document if destination == "TR" else _link("CFItems", destination, titles[destination])
        return {
            "identifier": own,
            "uri": f"{BASE}/CFAssociations/{own}",
            "associationType": kind,
            "sequenceNumber": number,
            "originNodeURI": _link("CFItems", origin, titles[origin]),
            "destinationNodeURI": target,
            "CFDocumentURI": document,
            "lastChangeDateTime": CHANGED,
        }

    hierarchy = [association("isChildOf", i.code, i.parent or "TR", n) for n, i in enumerate(items, 1)]
    return {
        "CFDocument": {
            "identifier": document["identifier"],
            "uri": document["uri"],
            "creator": "Trellis",
            "title": TITLE,
            "description": "Invented for demonstrations; not the standards of any state.",
            "adoptionStatus": "Draft",
            "language": "en",
            "subject": list(SUBJECTS.values()),
            "version": "1",
            "lastChangeDateTime": CHANGED,
            "CFPackageURI": _link("CFPackages", "TR", TITLE),
        },
        "CFItems": [
            {
                "identifier": identifier(item.code),
                "uri": f"{BASE}/CFItems/{identifier(item.code)}",
                "fullStatement": item.statement,
                "abbreviatedStatement": item.short,
                "humanCodingScheme": item.code,
                "CFItemType": item.kind,
                "CFItemTypeURI": _link("CFItemTypes", f"type:{item.kind}", item.kind),
                "educationLevel": [f"{grade:02d}" for grade in item.levels],
                "language": "en",
                "CFDocumentURI": document,
                "lastChangeDateTime": CHANGED,
            }
            for item in items
        ],
        "CFAssociations": hierarchy
        + [association("precedes", a, b, n) for n, (a, b) in enumerate(_precedes(), len(hierarchy) + 1)],
        "CFDefinitions": {
            "CFConcepts": [],
            "CFSubjects": [],
            "CFLicenses": [],
            "CFItemTypes": [
                {
                    "identifier": identifier(f"type:{kind}"),
                    "uri": f"{BASE}/CFItemTypes/{identifier(f'type:{kind}')}",
                    "title": kind,
                    "description": kind,
                    "hierarchyCode": str(number),
                    "lastChangeDateTime": CHANGED,
                }
                for number, kind in enumerate(kinds, 1)
            ],
            "CFAssociationGroupings": [],
        },
    }
