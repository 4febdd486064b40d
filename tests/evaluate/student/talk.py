"""Dialogues about sums for the tests of a simulated student: ten problems, each with a wrong and a right answer."""

from utta.records.dialogue import Dialogue, DialogueTurn


def talk(number: int) -> Dialogue:
    """A dialogue in which the student sees the mistake after the teacher's second word; wrong is number + 3, right is
    3 × number."""
    wrong, right = number + 3, 3 * number
    turns = [
        ("teacher", "How did you get it?", "generic"),
        ("student", f"I added them, so {wrong}.", None),
        ("teacher", f"How many groups of {number} are there?", "focus"),
        ("student", f"Three groups, so it is {right}", None),
        ("teacher", "Well done!", "generic"),
        ("student", "Thank you", None),
    ]
    return Dialogue(
        source="test",
        dialogue_id=f"d{number}",
        problem=f"p{number}",
        subject="mathematics",
        question=f"What is 3 times {number}?",
        solution=f"three groups\n {right}",
        student_solution=f"3 and {number} make\n {wrong}",
        dialogue_turns=[DialogueTurn(speaker=s, utterance=u, pedagogical_notes=n) for s, u, n in turns],
    )


TALKS = [talk(number) for number in range(10, 20)]
