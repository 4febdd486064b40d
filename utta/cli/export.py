"""`utta export`: a distilled judge for other servers."""

from pathlib import Path
from typing import Any

import click

from utta.cli import options


@click.command()
@click.argument("program", type=options.File)
@click.option("--to", required=True, type=click.Choice(["peft", "merged", "gguf", "ollama"]), help="What to write.")
@options.out("Folder for the export; it must not exist yet.")
@click.option("--data", type=options.File, metavar="FILE",
              help="Reviews to compare on; by default the program's own validation or training file.")  # fmt: skip
@click.option("--rows", default=24, type=options.Count, show_default=True, help="Responses to compare on.")
@options.as_json
def export(program: Path, to: str, out: Path, data: Path | None, rows: int, as_json: bool) -> None:
    """Write the weights of PROGRAM, the folder of a distilled judge, as other servers load them.

    \b
    peft     plain LoRA for vLLM, SGLang and PEFT
    merged   one model with the adapter in it, for Transformers; 'utta evaluate OUT' runs it too
    gguf     the adapter and the merged model for llama.cpp
    ollama   the same with a Modelfile

    Every export is loaded again and compared with the program; manifest.json holds the figures, and the exit code is 100
    where the difference is more than rounding. decisions.json says how another server reads the levels. llama.cpp is asked
    where llama-cpp-python is installed (pip install 'utta[gguf]').

    \b
    Example:
      utta export runs/judge --to merged --out exports/judge
    """
    from utta.core.errors import GateFailed
    from utta.distill.export.run import Asked
    from utta.distill.export.run import export as run

    manifest = run(Asked(program, to, out, data, rows))
    if as_json:
        import json

        click.echo(json.dumps(manifest, indent=2))
    else:
        click.echo(f"{out} holds {', '.join(manifest['files'])}, manifest.json")
        if note := manifest["base"].get("note"):
            click.echo(note)
        parity = manifest["parity"]
        for name in ("data", "utta_runs_in", "rounding"):
            if name in parity:
                _print_figures(parity[name], name)
        for form, found in parity["forms"].items():
            _print_figures(found, form)
    if beyond := manifest["parity"]["out_of_bounds"]:
        raise GateFailed(
            f"{out} was written but does not decide as the program does ({', '.join(beyond)}); see its manifest.json before "
            "you use it."
        )


def _print_figures(found: Any, name: str) -> None:
    """A line for each comparison, named by where it stands."""
    if isinstance(found, dict) and any(isinstance(inner, dict) for inner in found.values()):
        for part, inner in found.items():
            _print_figures(inner, f"{name} {part}")
    else:
        click.echo(f"{name.replace('_', ' ')}: {_brief(found)}")


def _brief(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "same_level" in value:
        return (
            f"the same level in {value['same_level']} of {value['n']} decisions, log-probabilities differ by "
            f"{value['largest_difference']:g} at most, {value['mean_difference']:g} in the mean"
        )
    return ", ".join(f"{name} {inner}".replace("_", " ").strip() for name, inner in value.items())
