"""Find a rubric by the name of a shipped one (`mrbench`) or by the path of a YAML file, with errors for the user.

It does not check the rubric itself: `signatures.rubric` does, and lists all faults.
"""

from pathlib import Path

from signatures.rubric import Rubric, RubricError
from utta.core.errors import UttaError
from utta.core.paths import data_dir


def rubric_names() -> list[str]:
    """The names of the rubrics that ship, sorted."""
    return sorted(path.stem for path in (data_dir() / "rubrics").glob("*.yaml"))


def find_rubric(name_or_path: str | Path) -> Rubric:
    """The rubric of a shipped name or of a path; a name wins over a file of the same name in the working folder.

    Raises `UttaError` when there is none, listing the names, or when the file is faulty, listing all faults.
    """
    names = rubric_names()
    path = Path(name_or_path)
    if str(name_or_path) in names:
        path = data_dir() / "rubrics" / f"{name_or_path}.yaml"
    elif not path.is_file():
        raise UttaError(
            f"There is no rubric {str(name_or_path)!r}: give one of {', '.join(names)}, or the path of a YAML file."
        )
    try:
        return Rubric.load(path)
    except RubricError as error:
        raise UttaError(str(error)) from None
    except OSError as error:
        raise UttaError(f"The rubric {path} cannot be read ({error.strerror or error}).") from None
