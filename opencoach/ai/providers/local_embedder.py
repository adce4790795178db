"""all-MiniLM-L6-v2 on this machine's processor: no key, no network, no framework.

`all-minilm-l6-v2/README.md` says where the model comes from and how it was made.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tokenizers

MODEL_FOLDER = Path(__file__).parent / "all-minilm-l6-v2"

# A longer word is one unknown token, so the characters behind the first 25,600 that are not
# blank never reach the model, and a pasted megabyte need not be tokenised.
LONGEST_TOKEN_CHARS = 100


class LocalEmbedder:
    """Safe to share between threads. The model loads at first need, once."""

    name = "all-minilm-l6-v2"
    dimensions = 384
    max_tokens = 256  # The start and end marks included

    def __init__(self, intra_op_num_threads: int = 1) -> None:
        """One thread a text, because a web process has about two cores and many clients at once.

        onnxruntime releases the GIL while it computes, so several queries already fill the cores;
        more threads for each would only wait for one another. A worker that has a machine to
        itself may ask for more.
        """
        self._intra_op_num_threads = intra_op_num_threads
        self._loading = Lock()
        self._loaded: tuple[tokenizers.Tokenizer, Any] | None = None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, one row a text in their order: shape `(len(texts), dimensions)`.

        Reads the first `max_tokens` tokens of a text. An empty text has a vector too.

        One text a run, on purpose. The int8 kernels take their scale from all that is in the run,
        so in a batch a text's vector would hang on its neighbours and on padding (cosine 0.99 with
        itself, 0.97 at worst); and a batch is no faster on a processor, measured: 42 passages
        of 200 tokens a second alone, 35 in batches of 16.
        """
        rows = np.empty((len(texts), self.dimensions), dtype=np.float32)
        if not texts:
            return rows
        _, session = self._model()
        for row, text in zip(rows, texts, strict=True):
            row[:] = session.run(None, {"input_ids": self._input_ids(text)})[0][0]
        return rows

    def count_tokens(self, text: str) -> int:
        """With the start and end marks: a text is read whole up to `max_tokens`."""
        tokenizer, _ = self._model()
        return len(tokenizer.encode(_well_formed(text)).ids)

    def _input_ids(self, text: str) -> NDArray[np.int64]:
        tokenizer, _ = self._model()
        head = _well_formed(text[: self.max_tokens * LONGEST_TOKEN_CHARS])
        ids = tokenizer.encode(head).ids
        if len(ids) > self.max_tokens:
            end_mark = ids[-1]
            ids = [*ids[: self.max_tokens - 1], end_mark]
        return np.array([ids], dtype=np.int64)

    def _model(self) -> "tuple[tokenizers.Tokenizer, Any]":
        if self._loaded is None:
            with self._loading:
                if self._loaded is None:
                    self._loaded = (_tokenizer(), _session(self._intra_op_num_threads))
        return self._loaded


@cache
def local_embedder() -> LocalEmbedder:
    """The process's own; asking for it loads nothing yet."""
    return LocalEmbedder()


def _well_formed(text: str) -> str:
    """Without lone surrogates (half an emoji from a cut string), which the tokenizer refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _tokenizer() -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))


def _session(intra_op_num_threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_num_threads
    options.inter_op_num_threads = 1
    # A waiting thread would otherwise burn a core that the next request needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        str(MODEL_FOLDER / "model_int8.onnx"), options, providers=["CPUExecutionProvider"]
    )
