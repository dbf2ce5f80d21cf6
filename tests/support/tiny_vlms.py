"""Tiny multimodal models of transformers, saved as real ones are. Weights are random: they see, and talk gibberish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.lazy import lazy_beside_torch

transformers = lazy_beside_torch("transformers")
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TURN = "{{% for m in messages %}}{0}{{% for c in m.content %}}{{% if c.type == 'image' %}}{1}{{% else %}}{{{{ c.text }}}}{{% endif %}}{{% endfor %}}{2}{{% endfor %}}{3}"  # noqa: E501


def tokenizer(*special: str) -> Any:
    """Bytes, and some tokens of the model's own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<eos>", pad_token="<pad>", bos_token="<bos>"
    )
    wrapped.add_special_tokens({"additional_special_tokens": list(special)})
    return wrapped


def words(using: Any) -> dict[str, Any]:
    """The part of a configuration that is about text."""
    ids = {f"{name}_token_id": getattr(using, f"{name}_token_id") for name in ("pad", "eos", "bos")}
    return {**SMALL, **ids, "vocab_size": len(using), "num_key_value_heads": 2, "max_position_embeddings": 1 << 14}


def llava(folder: Path) -> None:
    """Resizes every picture to one square."""
    using = tokenizer("<image>")
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**{**SMALL, "num_hidden_layers": 3}, image_size=56, patch_size=14),
        text_config=transformers.LlamaConfig(**words(using)),
        image_token_id=using.convert_tokens_to_ids("<image>"),
        pad_token_id=using.pad_token_id,
    )
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    transformers.LlavaProcessor(
        transformers.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}),
        using,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TURN.format("USER: ", "<image>", "\n", "ASSISTANT:"),
    ).save_pretrained(folder)


def idefics3(folder: Path) -> None:
    """Cuts pictures into tiles, as SmolVLM does."""
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    using = tokenizer("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *tiles)
    config = transformers.Idefics3Config(
        vision_config={**SMALL, "image_size": 56, "patch_size": 14},
        text_config={**words(using), "model_type": "llama"},
        image_token_id=using.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=using.pad_token_id,
    )
    transformers.Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    transformers.Idefics3Processor(
        transformers.Idefics3ImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        using,
        image_seq_len=4,
        chat_template=TURN.format("User:", "<image>", "<end_of_utterance>\n", "Assistant:"),
    ).save_pretrained(folder)


def qwen2_vl(folder: Path) -> None:
    """Takes pictures at their own size."""
    marks = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    using = tokenizer(*marks)
    image, video, start, end = (using.convert_tokens_to_ids(mark) for mark in marks)
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14}
    config = transformers.Qwen2VLConfig(
        text_config={**words(using), "rope_parameters": rope},
        vision_config=vision,
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    transformers.Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    transformers.Qwen2VLProcessor(
        transformers.Qwen2VLImageProcessor(min_pixels=4 * 28**2, max_pixels=16 * 28**2),
        using,
        transformers.Qwen2VLVideoProcessor(),
        chat_template=TURN.format("user\n", "<|vision_start|><|image_pad|><|vision_end|>", "\n", "assistant\n"),
    ).save_pretrained(folder)
