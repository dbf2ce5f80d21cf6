"""A real llama.cpp server with a real small language model and a vision part of random weights: it takes pictures, and
is blind.

python tests/support/llama_cpp_server.py MODEL.gguf PROJECTOR.gguf      prints its URL and serves until it is ended
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np

EDGE, PATCH, WIDTH, LAYERS = 56, 14, 32, 2
"""Of the vision part: pixels of its input and of a patch; 16 tokens a picture."""


def write_projector(path: Path, width: int) -> None:
    """A LLaVA vision part for a language model whose embeddings are `width` long."""
    from gguf import GGUFWriter

    random = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.05).astype(np.float32)

    tensors = {
        "v.patch_embd.weight": weights(WIDTH, 3, PATCH, PATCH),
        "v.position_embd.weight": weights((EDGE // PATCH) ** 2, WIDTH),
        "v.pre_ln.weight": np.ones(WIDTH, np.float32),
        "v.pre_ln.bias": weights(WIDTH),
        "mm.0.weight": weights(width, WIDTH),
        "mm.0.bias": weights(width),
        "mm.2.weight": weights(width, width),
        "mm.2.bias": weights(width),
    }
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            tensors |= {f"v.blk.{layer}.{name}.weight": weights(WIDTH, WIDTH)}
            tensors |= {f"v.blk.{layer}.{name}.bias": weights(WIDTH)}
        for name in ("ln1", "ln2"):
            tensors |= {f"v.blk.{layer}.{name}.weight": np.ones(WIDTH, np.float32)}
            tensors |= {f"v.blk.{layer}.{name}.bias": weights(WIDTH)}
        for name, shape in (("ffn_up", (2 * WIDTH, WIDTH)), ("ffn_down", (WIDTH, 2 * WIDTH))):
            tensors |= {f"v.blk.{layer}.{name}.weight": weights(*shape)}
            tensors |= {f"v.blk.{layer}.{name}.bias": weights(shape[0])}
    file = GGUFWriter(path, "clip")
    file.add_clip_has_vision_encoder(True)
    file.add_clip_projector_type("mlp")
    file.add_vision_image_size(EDGE)
    file.add_vision_patch_size(PATCH)
    file.add_vision_embedding_length(WIDTH)
    file.add_vision_feed_forward_length(2 * WIDTH)
    file.add_vision_projection_dim(width)
    file.add_vision_block_count(LAYERS)
    file.add_vision_head_count(2)
    file.add_vision_attention_layernorm_eps(1e-5)
    file.add_vision_image_mean([0.48, 0.46, 0.41])
    file.add_vision_image_std([0.27, 0.26, 0.28])
    file.add_vision_use_gelu(True)
    for name, value in tensors.items():
        file.add_tensor(name, value)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def main() -> None:
    """Serve until the process is ended."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.mmproj.path = sys.argv[1:]
    params.n_ctx, params.n_parallel, params.port, params.warmup = 8_192, 1, 0, False
    # Its threads wait for each other busily: on a machine with other work, one is faster than several.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(f"{server.listening_address}/v1", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
