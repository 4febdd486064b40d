"""A judge's LoRA training: items from reviews, the Trainer, the best epoch kept by validation agreement.

Under `accelerate launch` every process comes through here; the first one writes the files and shows the progress.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments
from transformers.utils import logging as transformers_logging

from utta.distill.agreement import judge_items, validation_figures
from utta.distill.loop import one_gpu, run, settings
from utta.distill.lora import LoraLinear
from utta.distill.recipe import LoraRecipe, Recipe
from utta.distill.rows import Lessons, training_items
from utta.distill.trainer import DecisionTrainer
from utta.models.catalogue import Located, lora_targets
from utta.models.engine import best_dtype, load_weights, most_tokens
from utta.models.render import Renderer
from utta.programs.evaluator import TeachingEvaluator
from utta.records.review import Review

CHOSEN_BY = ("macro_f1_weighted", "agreement")


def train(
    out: Path,
    recipe: Recipe,
    program: TeachingEvaluator,
    located: Located,
    reviews: Sequence[Review],
    validation: Sequence[Review],
    lessons: Lessons | None = None,
) -> list[dict[str, Any]]:
    """Train an adapter into `out/best`; returns the history, an entry per epoch. Goes on from the last whole checkpoint."""
    torch.manual_seed(recipe.seed)
    model, tokenizer = with_adapter(located, recipe)
    renderer = Renderer(tokenizer, located.name, most_tokens(model.config))
    items = training_items(program, reviews, renderer, recipe.balance, recipe.reviewer_cap, lessons)
    held_out = training_items(program, validation, renderer)
    arguments = with_arguments(TrainingArguments, out, recipe, remove_unused_columns=False)
    trainer = DecisionTrainer(model, args=arguments, train_dataset=items)

    def measure() -> dict[str, float]:
        judged = judge_items(trainer.model_wrapped, program.rubric, held_out, arguments.bf16, trainer.frozen)
        return validation_figures(judged)

    return run(out, recipe, located, trainer, measure, CHOSEN_BY)


def with_arguments(kind: Any, out: Path, recipe: LoraRecipe, **more: Any) -> Any:
    """The arguments of a Trainer, of its `kind`, in the precision of this machine."""
    return one_gpu(kind(**settings(out, recipe, best_dtype() is torch.bfloat16), **more))


def with_adapter(located: Located, recipe: LoraRecipe) -> tuple[Any, Any]:
    """The base model with fresh LoRA weights on its linear layers, and its tokenizer."""
    from transformers import AutoTokenizer

    return adapted(located, recipe), AutoTokenizer.from_pretrained(located.folder, local_files_only=True)


def adapted(located: Located, recipe: LoraRecipe) -> Any:
    """The base model with fresh LoRA weights on its linear layers, on this process's GPU if it has one."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    transformers_logging.disable_progress_bar()  # ours is the only one
    if recipe.qlora:
        model = prepare_model_for_kbit_training(_in_four_bits(located), use_gradient_checkpointing=False)
    else:
        model = load_weights(located, best_dtype()).to("cuda" if torch.cuda.is_available() else "cpu")
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        lora_dropout=0.0,
        bias="none",
        target_modules=lora_targets(located.folder),
        layers_to_transform=upper_layers(model.config.num_hidden_layers, recipe.upper),
        task_type="CAUSAL_LM",
    )
    if not recipe.qlora:  # layers in 4 bits are PEFT's own
        config._register_custom_module({torch.nn.Linear: LoraLinear})
    return get_peft_model(model, config)


def upper_layers(layers: int, share: float) -> list[int]:
    """The indices of the upper `share` of a model's layers, one at least."""
    return list(range(layers))[-max(1, round(share * layers)) :]


def _in_four_bits(located: Located) -> Any:
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    from utta.core.errors import UttaError
    from utta.models import attention

    try:
        import bitsandbytes  # noqa: F401 — only to say in one sentence that it is missing
    except ImportError:
        raise UttaError("--qlora needs the package bitsandbytes; install it with: pip install bitsandbytes.") from None
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return AutoModelForCausalLM.from_pretrained(
        located.folder,
        dtype=torch.bfloat16,
        attn_implementation=attention.NAME,
        quantization_config=four_bits,
        use_safetensors=True,
        local_files_only=True,
    )
