from pathlib import Path

from utta.reports.program import render_program

MANIFEST = {
    "kind": "program",
    "schema_version": 1,
    "program": "evaluator",
    "rubric": {"id": "mrbench", "hash": "9f86d081884c7d659a2f", "criteria": ["Mistake_Location", "Tutor_Tone"]},
    "model": "smollm2-135m-q4",
    "adapter": "5be1c0ffee12",
    "train": {"file": "train.jsonl", "sha256": "fcde2b2edba56bf408601fb7", "records": 1000},
    "recipe": {"epochs": 3, "learning_rate": 0.0005, "qlora": False},
    "teacher": {
        "programs": [{"program": "runs/fold-1"}, {"program": "runs/fold-2"}],
        "unlabelled": {
            "file": "pool.jsonl",
            "sha256": "15f2017d2cf0356d77",
            "records": 953,
            "problems": 85,
            "withheld": {},
            "left_out": {"held_out": 8, "labelled": 0, "in_training": 0},
        },
        "weight": 0.5,
        "blend": 0.0,
        "criteria": {
            "Mistake_Location": {
                "threshold": 0.6,
                "decisions": 953,
                "kept": 612,
                "validation": {"n": 150, "agreement": 0.62, "kept": 97, "agreement_kept": 0.711},
            },
            "Tutor_Tone": {
                "threshold": None,
                "decisions": 953,
                "kept": 0,
                "validation": {"n": 0, "agreement": None, "kept": 0, "agreement_kept": None},
            },
        },
    },
    "history": [
        {"epoch": 1, "seconds": 60.0, "loss": 0.812, "macro_f1": 0.48, "macro_f1_weighted": 0.51},
        {"epoch": 2, "seconds": 120.0, "loss": 0.633, "macro_f1": 0.561, "macro_f1_weighted": 0.57},
        {"epoch": 3, "seconds": 180.0, "loss": 0.571, "macro_f1": 0.57, "macro_f1_weighted": 0.56},
    ],
    "candidates": [
        {"demonstrations": "as it was", "macro_f1_weighted": 0.41},
        {"demonstrations": "2 demonstrations, set 1", "macro_f1_weighted": None},
    ],
    "calibration": {
        "on": "validation",
        "criteria": {
            "Mistake_Location": {"n": 150, "macro_f1_likeliest": 0.5, "macro_f1_weighted": 0.56},
            "Tutor_Tone": {"n": 150, "macro_f1_likeliest": 0.7, "macro_f1_weighted": 0.66},
        },
        "halves": {"likeliest": 0.466, "reanchor": 0.49, "weights": 0.552},
    },
}

EXPECTED = """\
utta report runs/judge

  Program  evaluator
  Rubric   id mrbench, hash 9f86d081884c, criteria Mistake_Location, Tutor_Tone
  Model    smollm2-135m-q4
  Adapter  5be1c0ffee12
  Train    train.jsonl (fcde2b2edba5, 1,000 records)
  Recipe   epochs 3, learning_rate 0.0005, qlora no

Learnt from a teacher
  Programs  runs/fold-1, runs/fold-2
  Replies   pool.jsonl (15f2017d2cf0, 953 records)
  Left out  held_out 8, labelled 0, in_training 0
  Weight    0.5
  Blend     0

Criterion         kept from  decisions  kept  agreement  of those kept
----------------------------------------------------------------------
Mistake_Location        .60        953   612        .62            .71
Tutor_Tone                –        953     0          –              –

Agreement with the experts on validation data, by epoch
Epoch   Loss  Macro-F1  with level weights
------------------------------------------------
1      0.812       .48                 .51
2      0.633       .56                 .57  best
3      0.571       .57                 .56

Demonstrations tried: macro-F1 with level weights, on validation data
Demonstrations           Macro-F1
---------------------------------
as it was                     .41
2 demonstrations, set 1         –

Calibration on validation data: macro-F1 by how a level is chosen
Criterion           n  likeliest  with weights
----------------------------------------------
Mistake_Location  150        .50           .56
Tutor_Tone        150        .70           .66
Fitted on one half of the problems and scored on the other: likeliest level .47,
ReAnchor .49, level weights .55.
These figures chose the program; how good it is, `utta evaluate` says on data
that it has not seen.
"""


def test_a_program_is_shown_in_brief(printed):
    def draw(console):
        render_program(MANIFEST, console, Path("runs/judge"))

    assert printed(draw) == EXPECTED


def test_a_manifest_with_little_in_it(printed):
    def draw(console):
        manifest = {"program": "evaluator", "adapter": None, "history": [{"epoch": 1, "loss": 0.5, "macro_f1": 0.4}]}
        render_program(manifest, console, Path("[bold]x"))

    assert printed(draw) == (
        "utta report [bold]x\n\n  Program  evaluator\n  Adapter  –\n\n"
        "Agreement with the experts on validation data, by epoch\n"
        "Epoch  Loss  Macro-F1\n---------------------------\n1       0.5       .40  best\n"
    )
