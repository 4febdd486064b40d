"""One review of a run for people: the conversation, the response, and what the judge and the experts said of it."""

from pathlib import Path

from rich.console import Console

from utta.core.errors import UttaError
from utta.core.files import read_json
from utta.evaluate.predict import read_predictions
from utta.records.read import scan_reviews
from utta.records.review import Review
from utta.reports.layout import heading, pairs, ruled_table
from utta.reports.numbers import number
from utta.reports.text import text


def render_record(record_id: str, run: Path, console: Console) -> None:
    """Draw one record of a run; `UttaError` when the run or its data does not hold it."""
    lines = [line for line in read_predictions(run) if line["record_id"] == record_id]
    data = Path(read_json(run / "run.json")["data"]["file"])
    review = next((r for r in scan_reviews(data) if isinstance(r, Review) and r.id == record_id), None)
    if review is None or not lines:
        raise UttaError(f"The run {run} holds no record {record_id!r}; ids stand in {run}/predictions.jsonl.")
    known = (
        ("problem", review.problem),
        ("grade", review.grade_level),
        ("subject", review.subject),
        ("context", review.context),
    )
    pairs(console, [(name, value) for name, value in known if value])
    heading(console, "Conversation")
    for turn in review.conversation:
        console.print(text(f"{turn.speaker}: {turn.utterance}"))
    heading(console, "Response")
    console.print(text(review.response))
    heading(console, "Judgement")
    table = ruled_table(console)
    for title in ("Criterion", "Experts", "Judge", "Confidence"):
        table.add_column(title)
    for line in lines:
        gold = review.levels.get(line["criterion"], "–")
        table.add_row(text(line["criterion"]), text(gold), text(line["label"]), number(line["confidence"]))
    console.print(table)
    if review.rationale:
        heading(console, "The experts' rationale")
        console.print(text(review.rationale))
