"""How fast texts are written, at 1, 8 and 32 requests at once, against transformers' own `generate` and llama.cpp.

    python scripts/bench_generate.py

The prompts are those of a simulated student in the sample dialogues, the same for all; each way writes the same number of
tokens for each, the likeliest ones, and an end of the text does not end it. Ours is the engine, asked by as many threads as
there are requests. `generate` writes one text after another, and all of them in one left-padded batch; bf16 and SDPA, as ours.
llama.cpp (where `pip install 'utta[gguf]'` was done) writes one after another, for its binding has no batch, on the 4-bit file
that the embedded model is fetched as. Each way runs in a fresh process with 2 threads. Prints `name: value` lines, ratios last.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

MODEL = "smollm2-135m-q4"
SIZES = (1, 8, 32)
WAYS = ("ours", "one_by_one", "batched", "llama_cpp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=64, help="new tokens for each prompt")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        way, size = asked.part[0], int(asked.part[1])
        print(json.dumps(PARTS[way](prompts(size), asked.tokens)))
        return
    speeds: dict[tuple[str, int], float | None] = {}
    for size in SIZES:
        for way in WAYS:
            seconds = fresh(way, size, asked.tokens)
            speeds[way, size] = size * asked.tokens / seconds if seconds else None
            print(f"{way}_{size}_tokens_per_second: {speeds[way, size] or 'not here'!s:.8}", flush=True)
    for size in SIZES:
        for way in WAYS[1:]:
            ours, theirs = speeds["ours", size], speeds[way, size]
            if ours and theirs:
                print(f"ratio_{way}_{size}: {ours / theirs:.2f}")


def fresh(way: str, size: int, tokens: int) -> float | None:
    """The seconds of one way, run in a process of its own; None where it cannot run here."""
    settings = {"OMP_NUM_THREADS": "2", "UTTA_CACHE": "off", "TRANSFORMERS_VERBOSITY": "error"}
    command = [sys.executable, __file__, "--tokens", str(tokens), "--part", way, str(size)]
    done = subprocess.run(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def prompts(size: int) -> list[str]:
    """The first prompts of a simulated student, chat template applied."""
    from transformers import AutoTokenizer

    from utta.core.paths import data_dir
    from utta.evaluate.open import read_records
    from utta.models.catalogue import locate
    from utta.programs.student import StudentSimulator
    from utta.records.dialogue import Dialogue

    tokenizer = AutoTokenizer.from_pretrained(locate(MODEL).folder, local_files_only=True)
    dialogues, _ = read_records(data_dir() / "samples" / "dialogues.jsonl", Dialogue, "evaluate")
    chats = [StudentSimulator().messages(dialogue)[:-1] for dialogue in dialogues[:size]]
    return [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]


def ours(texts: list[str], tokens: int) -> float:
    from utta.models.catalogue import locate
    from utta.models.engine import Engine
    from utta.models.writing import TextSettings

    class Endless(Engine):
        _ends: Any = frozenset()  # so that all ways write the same number of tokens

    engine = Endless(locate(MODEL))

    def write() -> None:
        with ThreadPoolExecutor(len(texts)) as pool:
            list(pool.map(lambda text: engine.generate(text, TextSettings(max_tokens=tokens)), texts))

    return timed(write, lambda: engine.generate(texts[0], TextSettings(max_tokens=4)))


def one_by_one(texts: list[str], tokens: int) -> float:
    return plain([[text] for text in texts], tokens)


def batched(texts: list[str], tokens: int) -> float:
    return plain([texts], tokens)


def plain(batches: list[list[str]], tokens: int) -> float:
    """Transformers' own `generate` on batches of texts."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from utta.models.catalogue import locate

    folder = locate(MODEL).folder
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.bfloat16).eval()

    def write(texts: list[str], most: int) -> None:
        inputs = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
        with torch.inference_mode():
            model.generate(**inputs, max_new_tokens=most, min_new_tokens=most, do_sample=False)

    def write_all() -> None:
        for texts in batches:
            write(texts, tokens)

    return timed(write_all, lambda: write(batches[0][:1], 4))


def llama_cpp(texts: list[str], tokens: int) -> float | None:
    try:
        from llama_cpp import Llama
        from llama_cpp import llama_cpp as binding
    except ImportError:
        return None
    from utta.models.catalogue import CATALOGUE, pull_gguf

    defaults = binding.llama_model_default_params

    def as_they_are() -> Any:
        """Weights are not laid out anew for the processor: with Q4_1 that crashes (llama-cpp-python 0.3.36, AVX-512)."""
        found = defaults()
        found.use_extra_bufts = False
        return found

    binding.llama_model_default_params = as_they_are
    llama = Llama(
        str(pull_gguf(CATALOGUE[MODEL])), n_ctx=4096, n_threads=2, n_threads_batch=2, logits_all=False, verbose=False
    )
    bias = {llama.token_eos(): -1e9}

    def write(text: str, most: int) -> None:
        llama.reset()
        llama.create_completion(text, max_tokens=most, temperature=0.0, logit_bias=bias)

    def write_all() -> None:
        for text in texts:
            write(text, tokens)

    return timed(write_all, lambda: write(texts[0], 4))


def timed(work: Callable[[], Any], warm_up: Callable[[], Any]) -> float:
    """The seconds that the work takes once it is warm."""
    warm_up()
    started = time.monotonic()
    work()
    return time.monotonic() - started


PARTS = {"ours": ours, "one_by_one": one_by_one, "batched": batched, "llama_cpp": llama_cpp}


if __name__ == "__main__":
    main()
