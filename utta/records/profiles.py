"""Student profiles: who a simulated student is, read from YAML by the name of a shipped one or by a path.

    find_profile("ecology_7").inputs()   # what `utta.programs.student.StudentSimulator` is given besides the conversation

A profile describes one made-up student with one misconception and, where there is one, the exercise and what the student
made of it. It holds no right solution.
"""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from utta.core.errors import UttaError
from utta.core.paths import data_dir
from utta.records.read import plain_faults
from utta.records.record import Name


class Profile(BaseModel):
    """One student; every text is in plain sentences. `interaction` says how the student talks: length, asking, mood."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Name
    title: Name
    grade_level: Name
    subject: Name
    knowledge: Name
    misconception: Name
    temperament: Name
    interaction: Name
    problem: str = ""
    solution: str = ""

    def inputs(self) -> dict[str, str]:
        """The student's inputs by name, without the conversation."""
        return {
            "grade_level": self.grade_level,
            "subject": self.subject,
            "student_profile": " ".join(part.strip() for part in (self.knowledge, self.temperament, self.interaction)),
            "problem": self.problem,
            "student_solution": self.solution,
            "misconception": self.misconception,
        }


def profile_names() -> list[str]:
    """The names of the profiles that ship, sorted."""
    return sorted(path.stem for path in (data_dir() / "profiles").glob("*.yaml"))


def find_profile(name_or_path: str | Path) -> Profile:
    """The profile of a shipped name or of a path; a name wins over a file of the same name in the working folder.

    Raises `UttaError` when there is none, listing the names, or when the file is faulty.
    """
    names = profile_names()
    path = Path(name_or_path)
    if str(name_or_path) in names:
        path = data_dir() / "profiles" / f"{name_or_path}.yaml"
    elif not path.is_file():
        raise UttaError(
            f"There is no profile {str(name_or_path)!r}: give one of {', '.join(names)}, or the path of a YAML file."
        )
    try:
        return Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UttaError(f"The profile {path} cannot be read ({error.strerror or error}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UttaError(f"The profile {path} is not valid YAML ({' '.join(str(error).split())}).") from None
    except ValidationError as error:
        raise UttaError(f"The profile {path} cannot be used: {plain_faults(error)}; correct it there.") from None
