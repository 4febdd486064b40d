"""What the judge is asked: a DSPy signature made from a rubric, and the coach's signature.

The judge only decides (one `Choice` per criterion); the coach only writes. A client that answers decisions cannot
write text, so the two are never one signature.
"""

import dspy
from dspy.experimental import Choice

from signatures.rubric import INPUT_FIELDS, Rubric

LONGEST = 400  # characters of what the coach writes in each field

JUDGE_INSTRUCTIONS = (
    "You are an experienced teacher educator. Judge the teacher's last response to the student on each criterion."
)

INPUT_DESCRIPTIONS = {
    "grade_level": "the student's grade",
    "subject": "what is taught",
    "context": "the lesson, the passage or the problem",
    "conversation": "the turns so far, ending with the student",
    "teacher_response": "the response to judge",
}


def judge_signature(rubric: Rubric) -> type[dspy.Signature]:
    """A signature with the judge's five text inputs and one `Choice` output per criterion of `rubric`, in its order."""
    fields: dict[str, tuple[type, object]] = {
        name: (str, dspy.InputField(desc=INPUT_DESCRIPTIONS[name])) for name in INPUT_FIELDS
    }
    for criterion in rubric.criteria:
        options = tuple((level.label, level.means) for level in criterion.levels)
        fields[criterion.id] = (Choice[options], dspy.OutputField(desc=criterion.question))
    return dspy.make_signature(fields, JUDGE_INSTRUCTIONS, signature_name=f"Judge_{rubric.id}")


class Coach(dspy.Signature):
    """Explain to the teacher in two or three sentences what works in the response and what to change. Then write the response
    that an excellent teacher would have given to this student instead."""

    grade_level: str = dspy.InputField(desc=INPUT_DESCRIPTIONS["grade_level"])
    subject: str = dspy.InputField(desc=INPUT_DESCRIPTIONS["subject"])
    context: str = dspy.InputField(desc=INPUT_DESCRIPTIONS["context"])
    conversation: str = dspy.InputField(desc=INPUT_DESCRIPTIONS["conversation"])
    teacher_response: str = dspy.InputField(desc=INPUT_DESCRIPTIONS["teacher_response"])
    judgement: str = dspy.InputField(desc="the level given on each criterion")
    rationale: str = dspy.OutputField(desc="what earns these levels", max_length=LONGEST)
    improved_response: str = dspy.OutputField(desc="the better response, addressed to the student", max_length=LONGEST)
