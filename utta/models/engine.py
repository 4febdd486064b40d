"""The local engine: one set of weights, one worker thread, a queue that batches what many threads ask.

DSPy calls a model once per request from many threads. The engine's worker collects the requests that wait: decisions on
the same conversation share its computation (`utta.models.tree`), texts are written in one batch (`utta.models.writing`).
Adapters are held beside the base weights and switched per batch. There is one engine per base model in a process
(`engine`).
"""

import atexit
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from tokenizers.decoders import DecodeStream
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from utta.core.errors import Cancelled, UttaError
from utta.core.files import read_json
from utta.models import attention, text_rows, tree
from utta.models.catalogue import Located, fingerprint, locate
from utta.models.grammar import Grammar, Guide
from utta.models.probe import Probe
from utta.models.render import DecisionRow, Renderer
from utta.models.text_rows import TextRow
from utta.models.writing import Draft, TextSettings, write

TEXT_BATCH = 32
CANCELLED = "The request was cancelled."
LINGER = 0.02  # seconds without a new request after which a batch starts
ENOUGH = 24  # requests that are not worth lingering for: computing may begin


@dataclass
class Text:
    """Generated text, why it ended ("stop" or "length"), and the numbers of tokens read and written."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int


@dataclass(eq=False)
class _Request:
    adapter: str
    work: DecisionRow | TextRow | Draft
    answer: Future = field(default_factory=Future)


class Engine:
    """Answers decisions and text requests from any thread with one model."""

    def __init__(self, located: Located, dtype: torch.dtype | None = None):
        transformers_logging.disable_progress_bar()
        self.located = located
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer: Any = AutoTokenizer.from_pretrained(located.folder, local_files_only=True)
        self.base = load_weights(located, dtype or best_dtype()).to(self.device).eval()
        self.renderer = Renderer(self.tokenizer, located.name, most_tokens(self.base.config))
        self.peft: Any = None
        # By adapter; "" stands for the base model alone.
        self._probes: dict[str, Probe | None] = {"": Probe.load(located.folder)}
        self._roots: dict[str, tree.Root] = {}  # of the adapter that decided last: what its passes begin with
        self._waiting: list[_Request] = []
        self._changed = threading.Condition()
        self._grammar: Grammar | None = None
        self._making = threading.Lock()  # held while the grammar is made, when it is first asked for: it takes a second
        self._weights = threading.Lock()  # held while a batch is computed and while an adapter is put in
        self._closed = self._cancelled = False
        self._worker = threading.Thread(target=self._work, daemon=True, name=f"utta {located.name}")
        self._worker.start()
        # A thread that is within PyTorch when the interpreter ends would abort the process.
        atexit.register(self.close)

    def __deepcopy__(self, memo: object) -> "Engine":
        return self

    def decide(self, row: DecisionRow, adapter: str = "") -> list[list[float]]:
        """The probabilities of each criterion's levels; blocks until the answer is there."""
        return self._ask(_Request(adapter, row)).result()

    def log_probabilities(self, row: TextRow, adapter: str = "") -> list[float]:
        """The log-probability of each learned token of a row, given all before it; blocks until the answer is there."""
        return self._ask(_Request(adapter, row)).result()

    def generate(self, prompt: str, settings: TextSettings, adapter: str = "") -> Text:
        """The continuation of a whole prompt (chat template applied); blocks until the answer is there."""
        return self._ask(_Request(adapter, self._draft(prompt, settings))).result()

    def stream(self, prompt: str, settings: TextSettings, adapter: str = "") -> Iterator[str | Text]:
        """The continuation in pieces, as they are written, and last of all the whole."""
        certain: SimpleQueue[int | None] = SimpleQueue()
        answer = self._ask(_Request(adapter, self._draft(prompt, settings, certain.put)))
        answer.add_done_callback(lambda _: certain.put(None))
        pieces = DecodeStream(skip_special_tokens=True)
        for token in iter(certain.get, None):
            if piece := pieces.step(self.tokenizer.backend_tokenizer, token):
                yield piece
        yield answer.result()

    def add_adapter(self, folder: Path) -> str:
        """Load LoRA weights made for these base weights; returns their fingerprint, the name to ask with."""
        from peft import PeftModel

        made_for = read_json(folder / "base.json")
        if made_for["fingerprint"] != self.located.fingerprint:
            raise UttaError(
                f"The adapter {folder} was trained on {made_for['name']} ({made_for['fingerprint']}) and not on "
                f"{self.located.name} ({self.located.fingerprint}); use it with its own base model."
            )
        name = fingerprint(folder)
        with self._weights:
            if not self.holds(name):
                if self.peft is None:
                    self.peft = PeftModel.from_pretrained(
                        self.base, folder, adapter_name=name, autocast_adapter_dtype=False
                    )
                else:
                    self.peft.load_adapter(folder, adapter_name=name, autocast_adapter_dtype=False)
                self.peft.eval()
                self._probes[name] = Probe.load(folder)
        return name

    def holds(self, adapter: str) -> bool:
        """Whether the adapter of that fingerprint has been added."""
        return adapter in self._probes

    def probe(self, adapter: str = "") -> Probe | None:
        """What lies beside the adapter's weights, or the base model's; None where there is none."""
        return self._probes[adapter]

    @property
    def _ends(self) -> set[int]:
        """The tokens that end a text: some models have more than their tokenizer's one."""
        ends = self.base.generation_config.eos_token_id
        return {self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}

    def cancel(self) -> None:
        """Drop the requests that wait and the texts that are being written; whoever asked gets an error."""
        with self._changed:
            dropped, self._waiting, self._cancelled = self._waiting, [], True
        for request in dropped:
            request.answer.set_exception(Cancelled(CANCELLED))

    def close(self) -> None:
        """Answer nothing any more, and wait until what is being computed has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self.cancel()
        self._worker.join()

    def _draft(self, prompt: str, settings: TextSettings, tell: Callable[[int], None] | None = None) -> Draft:
        ids = tuple(self.tokenizer(prompt, add_special_tokens=False)["input_ids"])
        if len(ids) + settings.max_tokens > self.renderer.max_tokens:
            raise UttaError(
                f"The prompt has {len(ids)} tokens and asks for {settings.max_tokens} more, and {self.located.name} holds "
                f"{self.renderer.max_tokens}: shorten it or ask for fewer."
            )
        return Draft(ids, settings, self._guide(settings), tell)

    def _guide(self, settings: TextSettings) -> Guide | None:
        if settings.schema is None:
            return None
        with self._making:
            if self._grammar is None:
                self._grammar = Grammar(self.tokenizer, self.base.config.vocab_size, self._ends)
        return self._grammar.guide(settings.schema, settings.max_tokens)

    @cached_property
    def _begins(self) -> torch.Tensor:
        """Which tokens may begin a text [vocabulary]: those that show something, so that no text is empty."""
        shown = self.tokenizer.batch_decode([[i] for i in range(self.base.config.vocab_size)], skip_special_tokens=True)
        return torch.tensor([bool(text.strip()) for text in shown])

    def _ask(self, request: _Request) -> Future:
        with self._changed:
            if self._closed:
                raise UttaError("The engine has been closed: the program is ending.")
            self._waiting.append(request)
            self._changed.notify()
        return request.answer

    def _work(self) -> None:
        while not self._closed:
            batch: list[_Request] = []
            try:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._closed)
                    # Requests of a conversation arrive in quick succession: wait until none has come for a moment.
                    while len(self._waiting) < ENOUGH and self._changed.wait(LINGER):
                        pass
                    if not self._waiting:  # cancelled meanwhile, or closed
                        continue
                    batch = self._waiting  # whom an error in choosing among them is told
                    batch, self._cancelled = self._take(), False
                with self._weights, torch.inference_mode(), self._active(batch[0].adapter):
                    self._compute(batch)
            except BaseException as error:
                for request in batch:
                    if not request.answer.done():
                        request.answer.set_exception(error)
                with self._changed:
                    self._waiting = [r for r in self._waiting if not r.answer.done()]

    def _take(self) -> list[_Request]:
        """The requests of the next pass: those that fit with the one that has waited longest."""
        first = self._waiting[0]
        alike = self._alike(first)
        if isinstance(first.work, DecisionRow):
            groups = tree.next_pass([r.work for r in alike if isinstance(r.work, DecisionRow)])
            now = {id(row) for group in groups for row in group.rows}
            taken = [r for r in alike if id(r.work) in now]
        elif isinstance(first.work, TextRow):
            sizes = accumulate(len(r.work.ids) for r in alike if isinstance(r.work, TextRow))
            taken = [r for r, size in zip(alike, sizes, strict=True) if r is first or size <= tree.PASS_TOKENS]
        else:
            taken = alike[:TEXT_BATCH]
        self._waiting = [r for r in self._waiting if r not in taken]
        return taken

    def _alike(self, request: _Request) -> list[_Request]:
        """The requests that wait and fit with this one; none where one that does not has waited longest."""
        kinds = [(type(r.work), r.adapter) for r in (request, *self._waiting)]
        fitting = [r for r, kind in zip(self._waiting, kinds[1:], strict=True) if kind == kinds[0]]
        return fitting if fitting[:1] == self._waiting[:1] else []

    @contextmanager
    def _active(self, adapter: str) -> Iterator[None]:
        if adapter and not self.holds(adapter):
            raise UttaError(f"The engine of {self.located.name} holds no adapter {adapter!r}; add it with add_adapter.")
        if self.peft is None:
            yield
        elif adapter:
            self.peft.set_adapter(adapter)
            yield
        else:
            with self.peft.disable_adapter():
                yield

    def _compute(self, batch: list[_Request]) -> None:
        work = batch[0].work
        if isinstance(work, DecisionRow):
            self._decide(batch)
        elif isinstance(work, TextRow):
            self._score(batch)
        else:
            self._write(batch)

    def _decide(self, batch: list[_Request]) -> None:
        askers: dict[int, list[_Request]] = {}
        for request in batch:
            askers.setdefault(id(request.work), []).append(request)
        adapter = batch[0].adapter
        for groups in tree.passes(r.work for r in batch if isinstance(r.work, DecisionRow)):
            root = tree.root_of(self.base, groups, self._roots.get(adapter))
            self._roots = {adapter: root}
            probabilities = [log.exp().tolist() for log in tree.log_probabilities(self.base, groups, root=root)]
            for group in groups:
                for row in group.rows:
                    mine, probabilities = probabilities[: len(row.suffixes)], probabilities[len(row.suffixes) :]
                    askers[id(row)].pop().answer.set_result(mine)

    def _score(self, batch: list[_Request]) -> None:
        rows = [r.work for r in batch if isinstance(r.work, TextRow)]
        for request, found in zip(batch, text_rows.log_probabilities(self.base, rows), strict=True):
            request.answer.set_result(found)

    def _write(self, batch: list[_Request]) -> None:
        asked: dict[int, _Request] = {}

        def drafts(requests: list[_Request]) -> list[Draft]:
            asked.update({id(r.work): r for r in requests})
            return [r.work for r in requests if isinstance(r.work, Draft)]

        def more(going: int) -> list[Draft]:
            room = TEXT_BATCH - going
            with self._changed:
                if self._cancelled:
                    raise Cancelled(CANCELLED)
                if room < TEXT_BATCH / 4:  # too few to stop the others for
                    return []
                fresh = self._alike(batch[0])[:room]
                self._waiting = [r for r in self._waiting if r not in fresh]
            batch.extend(fresh)
            return drafts(fresh)

        for draft in write(self.base, drafts(batch), self._ends, self._begins, more):
            if draft.error:
                asked[id(draft)].answer.set_exception(draft.error)
                continue
            text = self.tokenizer.decode(draft.written, skip_special_tokens=True)
            asked[id(draft)].answer.set_result(Text(text, draft.finish, len(draft.prompt), len(draft.written)))


def load_weights(located: Located, dtype: torch.dtype) -> Any:
    """The base model in `dtype` with the attention that `utta.models.tree` needs; safetensors only, no remote code."""
    return AutoModelForCausalLM.from_pretrained(
        located.folder,
        dtype=dtype,
        attn_implementation=attention.NAME,
        use_safetensors=True,
        local_files_only=True,
    )


def best_dtype() -> torch.dtype:
    """bf16 where the processor or GPU computes in it, else float32."""
    if torch.cuda.is_available():
        return torch.bfloat16
    capable: Callable[[], bool] = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.bfloat16 if capable() else torch.float32


def most_tokens(config: Any) -> int:
    """The longest prompt that the model reads as trained; a sliding window would hide the prompt's start from its end."""
    return min(
        config.max_position_embeddings, getattr(config, "sliding_window", None) or config.max_position_embeddings
    )


@lru_cache(maxsize=4)
def engine(name: str) -> Engine:
    """The one engine of this process for a base model."""
    return Engine(locate(name))
