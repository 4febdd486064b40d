"""`utta models`: which base models there are, fetching one, and what is known of it."""

import click


@click.group()
def models() -> None:
    """List, fetch and describe base models."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON, for a script.")
def list_(as_json: bool) -> None:
    """List the models that UTTA knows by name, and whether they are on this machine.

    \b
    Example:
      utta models list
    """
    from utta.core.errors import UttaError
    from utta.models.catalogue import CATALOGUE, locate

    rows = []
    for model in CATALOGUE.values():
        try:
            here = locate(model.name).fingerprint
        except UttaError:
            here = ""
        rows.append({"name": model.name, "about": model.about, "licence": model.licence, "fingerprint": here})
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        place = (
            f"here, weights {row['fingerprint']}"
            if row["fingerprint"]
            else f"fetch with: utta models pull {row['name']}"
        )
        click.echo(f"{row['name']}\n  {row['about']} ({row['licence']})\n  {place}")


@models.command("pull")
@click.argument("name")
def pull_(name: str) -> None:
    """Fetch the model NAME (one of the list, or a hub id), check it, and keep it on this machine.

    \b
    Example:
      utta models pull smollm2-135m-q4
    """
    from utta.models.catalogue import pull

    located = pull(name)
    click.echo(f"{name} is in {located.folder} (weights {located.fingerprint})")


@models.command("info")
@click.argument("name")
def info_(name: str) -> None:
    """Show where the model NAME lies, its size, what it reads at most, and the layers that LoRA trains.

    \b
    Example:
      utta models info smollm2-135m-q4
    """
    from transformers import AutoConfig

    from utta.models.catalogue import locate, lora_targets
    from utta.models.engine import most_tokens

    located = locate(name)
    config = AutoConfig.from_pretrained(located.folder, local_files_only=True)
    size = sum(p.stat().st_size for p in located.folder.glob("*.safetensors"))
    click.echo(f"folder        {located.folder}")
    click.echo(f"weights       {size / 1e6:,.0f} MB, fingerprint {located.fingerprint}")
    click.echo(f"architecture  {config.model_type}, {config.num_hidden_layers} layers, width {config.hidden_size}")
    click.echo(f"reads         {most_tokens(config):,} tokens")
    click.echo(f"LoRA trains   {', '.join(lora_targets(located.folder))}")
