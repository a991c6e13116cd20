"""Models that run on a store's records."""

from __future__ import annotations

import codecs
import ctypes
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _processes
from ._library import (
    ENGINE_COLD, Routes as RoutesStruct, Sampling, TextReceiver, TokenReceiver, View,
    encoded, json_of, lib, text_of,
)
from ._memory import Memory
from ._processes import Handle
from .chat import conversation
from .errors import BadInput, Closed
from .given import Structures
from .progress import interruptible, watched
from .records import Evaluation
from .sizes import bytes_of, whole

if TYPE_CHECKING:
    from .store import Store


_THREADS = 1024


class Routes(NamedTuple):
    """Which experts tokens picked."""

    experts: np.ndarray
    """int32 [tokens, layers, k]; [tokens, layers, heads, k] of models with several heads a router.
    -1 where a head picked fewer."""
    weights: np.ndarray
    """float32, of the same shape."""
    tokens: np.ndarray
    """int64 [tokens]: their ids."""
    layers: np.ndarray
    """int64 [layers]: their numbers."""


class Engine:
    """A model that runs on the store's records. Any thread may use it; Ctrl-C ends within a token.
    """

    def __init__(
        self, store: Store, revision: str, *, memory_limit: int | str | None, cold: bool
    ) -> None:
        self._store = store._reopenable()
        self._limit = bytes_of(memory_limit)
        self._cold = bool(cold)
        self._handle: Handle | None = None
        self._handle = self._opened(revision)
        self.id: str = self.summary["id"]
        """The commit's id."""

    def _opened(self, revision: str) -> Handle:
        number = ctypes.c_void_p()
        lib.engine_open(
            self._store._number, encoded(revision, "the revision"), self._limit,
            ENGINE_COLD if self._cold else 0, ctypes.byref(number),
        )
        return Handle(number.value or 0)

    @property
    def _number(self) -> int:
        handle = self._handle
        if handle is None:
            raise Closed("the engine is closed")
        if handle.generation != _processes.generation:
            self._handle = handle = self._opened(self.id)
        return handle.number

    def close(self) -> None:
        """Lets go of the model."""
        self._handle = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self):
        return _engine, (self._store, self.id, self._limit or None, self._cold)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """"vocabularySize", "contextLength", "expertLayers", "endTokens", "adapters", …"""
        return json_of(lib.engine_summary, self._number)

    @property
    def statistics(self) -> dict[str, Any]:
        """What its runs did so far: "selections", "hitRate", "bytesRead", …"""
        return json_of(lib.engine_statistics, self._number)

    # Text

    def generate(
        self, prompt: str | Sequence[str], *, max_new_tokens: int = 64, temperature: float = 0.0,
        top_p: float = 1.0, seed: int = 0, stop: str | Iterable[str] = (),
        past_end: bool = False, threads: int = 0, details: bool = False,
    ) -> Any:
        """Continues a text, or several together, each as it would go on alone.

        Returns the new text, or a list of them; with `details` records with "text", "tokens", "end"
        and "usage". `temperature` 0 takes the likeliest token; the same `seed` gives the same text.
        `stop`: texts that end it. `past_end`: go on behind the model's end tokens. `threads`: 0 for
        as many as there are processors. Raises BadInput, ModelFailure; KeyboardInterrupt on Ctrl-C.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        sampling = _Sampling(max_new_tokens, temperature, top_p, seed, stop, past_end, threads)
        results = self._generate(prompts, sampling, lambda _prompt, _bytes: True)
        found = results if details else [one["text"] for one in results]
        return found[0] if isinstance(prompt, str) else found

    def stream(
        self, prompt: str, *, max_new_tokens: int = 64, temperature: float = 0.0,
        top_p: float = 1.0, seed: int = 0, stop: str | Iterable[str] = (),
        past_end: bool = False, threads: int = 0,
    ) -> Iterator[str]:
        """The new text piece by piece, as it is made: whole characters.

        Leaving the loop ends the work. Otherwise as `generate`.
        """
        sampling = _Sampling(max_new_tokens, temperature, top_p, seed, stop, past_end, threads)
        if not isinstance(prompt, str):
            raise BadInput(f"the prompt is a {type(prompt).__name__}, not a text", "usage")
        self._number  # a closed engine says so now, not at the first piece
        return self._streamed(prompt, sampling)

    def _streamed(self, prompt: str, sampling: _Sampling) -> Iterator[str]:
        pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
        ended = threading.Event()

        def receive(_prompt: int, data: bytes) -> bool:
            pieces.put(data)
            return not ended.is_set()

        def work() -> None:
            try:
                self._generate([prompt], sampling, receive)
                pieces.put(None)
            except BaseException as error:
                pieces.put(error)

        worker = threading.Thread(target=work, name="cambium-stream", daemon=True)
        worker.start()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while True:
                found = pieces.get()
                if isinstance(found, BaseException):
                    raise found
                text = decoder.decode(found or b"", final=found is None)
                if text:
                    yield text
                if found is None:
                    return
        finally:
            ended.set()
            worker.join()

    def chat(
        self, messages: str | Sequence[dict[str, Any]], *,
        tools: Sequence[dict[str, Any]] | None = None,
        template_options: dict[str, Any] | None = None, max_new_tokens: int = 256,
        temperature: float = 0.0, top_p: float = 1.0, seed: int = 0,
        stop: str | Iterable[str] = (), past_end: bool = False, threads: int = 0,
        details: bool = False,
    ) -> Any:
        """The answer to a conversation: [{"role": "user", "content": "…"}], or a single question.

        One text is made of it by the chat template that was committed with the model, which is also
        given `tools` (JSON schemas) and `template_options` (such as enable_thinking). The answer
        comes as the model writes it, reasoning and calls of tools with the marks around them.
        Otherwise as `generate`. Raises ModelFailure for a model without a template, or one that
        runs away; BadCheckpoint for one that fails; BadInput for a conversation that it refuses.
        """
        chat = conversation(messages, tools, template_options)
        sampling = _Sampling(max_new_tokens, temperature, top_p, seed, stop, past_end, threads)
        kept = Structures()
        structure = sampling.structure(kept)
        with interruptible() as state:
            def told(_context: Any, _prompt: int, _data: int, _count: int) -> int:
                return 1 if state.pressed else 0

            found = json_of(
                lib.chat, self._number, chat, structure, TextReceiver(told), None
            )
        return found if details else found["text"]

    def chat_prompt(
        self, messages: str | Sequence[dict[str, Any]], *,
        tools: Sequence[dict[str, Any]] | None = None,
        template_options: dict[str, Any] | None = None,
    ) -> str:
        """What the model reads for a conversation, up to where its answer begins. As `chat`."""
        chat = conversation(messages, tools, template_options)
        return text_of(lib.chat_prompt, self._number, chat) or ""

    def _generate(self, prompts: list[str], sampling: _Sampling, receive: Any) -> Any:
        kept = Structures()
        contents = {str(number): _text(prompt) for number, prompt in enumerate(prompts)}
        files = kept.files(contents)
        structure = sampling.structure(kept)
        with interruptible() as state:
            def told(_context: Any, prompt: int, data: int, count: int) -> int:
                return state.ends(lambda: receive(prompt, ctypes.string_at(data, count)))

            return json_of(
                lib.generate, self._number, files, len(contents), structure, TextReceiver(told),
                None,
            )

    def generate_tokens(
        self, prompt: Sequence[int], *, max_new_tokens: int = 64, temperature: float = 0.0,
        top_p: float = 1.0, seed: int = 0, stop: Iterable[int] = (), past_end: bool = False,
        threads: int = 0,
    ) -> list[int]:
        """Continues tokens by tokens. Otherwise as `generate`."""
        tokens = _tokens(prompt)
        sampling = _Sampling(max_new_tokens, temperature, top_p, seed, (), past_end, threads)
        kept = Structures()
        structure = sampling.structure(kept, _tokens(list(stop)))
        with interruptible() as state:
            def told(_context: Any, _token: int) -> int:
                return 1 if state.pressed else 0

            result = json_of(
                lib.generate_tokens, self._number, tokens.ctypes.data, len(tokens), structure,
                TokenReceiver(told), None,
            )
        return result["tokens"]

    def evaluate(
        self, text: str | bytes, *, limit: int | None = None, threads: int = 0,
        progress: Any = None,
    ) -> Evaluation:
        """Bits per byte of a text's first `limit` bytes (None for all), in full windows.

        Raises BadInput for a text shorter than a window.
        """
        data = _text(text)
        with watched(progress) as callback:
            return Evaluation(
                json_of(
                    lib.evaluate, self._number, data, len(data), whole(limit or 0, "the limit"),
                    whole(threads, "threads", _THREADS), callback, None,
                )
            )

    def route(
        self, text: str | bytes, *, layers: Sequence[int] | None = None, progress: Any = None
    ) -> Routes:
        """Which experts each token of a text picks, and with what weights; with layers, of these.

        Raises ModelFailure.
        """
        data, wanted = _text(text), _tokens(list(layers or ()))
        found = RoutesStruct()
        with watched(progress) as callback:
            lib.route(
                self._number, data, len(data), wanted.ctypes.data, len(wanted), callback, None,
                ctypes.byref(found),
            )
        owner = Handle(found.owner)
        heads = () if found.heads == 1 else (found.heads,)
        shape = (found.tokens, found.layers, *heads, found.picks)

        def array(address: int | None, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
            count = int(np.prod(shape)) * (8 if dtype == "I64" else 4)
            return Memory(address or 0, count, owner, False, dtype, shape).array()

        return Routes(
            array(found.experts, "I32", shape), array(found.weights, "F32", shape),
            array(found.token_ids, "I64", (found.tokens,)),
            array(found.layer_numbers, "I64", (found.layers,)),
        )

    # Tokens

    def tokenize(self, text: str | bytes) -> np.ndarray:
        """The tokens of a text: int64 [n], without those that a tokenizer puts around one."""
        data, view = _text(text), View()
        lib.tokenize(self._number, data, len(data), ctypes.byref(view))
        return Memory.of(view, Handle(0)).array().copy()

    def detokenize(self, tokens: Sequence[int] | np.ndarray) -> str:
        """The text of tokens."""
        ids = _tokens(tokens)
        return text_of(lib.detokenize, self._number, ids.ctypes.data, len(ids)) or ""

    def logits(self, tokens: Sequence[int] | np.ndarray, *, threads: int = 0) -> np.ndarray:
        """The logits behind every token: float32 [tokens, vocabulary]."""
        ids, view = _tokens(tokens), View()
        lib.logits(self._number, ids.ctypes.data, len(ids), whole(threads, "threads", _THREADS),
                   ctypes.byref(view))
        return Memory.of(view, Handle(0)).array()

    def __repr__(self) -> str:
        return f"<Engine {self.id[:12]} of {self._store.path}>"


class _Sampling(NamedTuple):
    tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: str | Iterable[str]
    past_end: bool
    threads: int

    def structure(self, kept: Structures, stop_tokens: np.ndarray | None = None) -> Any:
        texts = [self.stop] if isinstance(self.stop, str) else list(self.stop)
        stops = kept.files({str(number): _text(text) for number, text in enumerate(texts)})
        tokens = _tokens([]) if stop_tokens is None else stop_tokens
        kept.kept.append(tokens)
        return ctypes.byref(
            Sampling(
                count=whole(self.tokens, "max_new_tokens"), temperature=self.temperature,
                top_p=self.top_p, seed=whole(self.seed, "the seed", 2**64 - 1),
                stops=stops, stop_count=len(texts), stop_tokens=tokens.ctypes.data,
                stop_token_count=len(tokens), past_end=bool(self.past_end),
                threads=whole(self.threads, "threads", _THREADS),
            )
        )


def _text(text: Any) -> bytes:
    if isinstance(text, str):
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise BadInput(f"the text is none of Unicode: {error}", "bad-input") from None
    if isinstance(text, (bytes, bytearray)):
        return bytes(text)
    raise BadInput(f"a {type(text).__name__} is no text", "usage")


def _tokens(tokens: Any) -> np.ndarray:
    if hasattr(tokens, "detach"):
        tokens = tokens.detach().cpu().numpy()
    array = np.asarray(tokens)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise BadInput("tokens are a list of whole numbers", "usage")
    return np.ascontiguousarray(array, np.int64)


def _engine(store: Store, id: str, limit: int | None, cold: bool) -> Engine:
    return Engine(store, id, memory_limit=limit, cold=cold)
