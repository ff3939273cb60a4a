"""A vision-language model of the LLaVA class with random weights and 0.15 million parameters, made on the spot.

It exercises the wire and nothing else: its replies are noise. `python tests/servers/tiny_vlm.py FOLDER` makes one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

_SPECIAL = ["<pad>", "<s>", "</s>", "<image>", "<user>", "<assistant>", "<system>"]
_TEMPLATE = """<s>{% for message in messages %}<{{ message['role'] }}>
{%- if message['content'] is string %}{{ message['content'] }}{% else %}
{%- for part in message['content'] %}{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endif %}
{%- endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"""


def make_tiny_vlm(folder: Path, side: int = 32, patch: int = 8) -> Path:
    """Write model, tokenizer (bytes) and image processor to a folder that `transformers serve` serves."""
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = _byte_tokenizer()
    size = {"height": side, "width": side}
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=size),
        tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        image_token="<image>",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )
    small = {"num_hidden_layers": 2, "num_attention_heads": 2}
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, image_size=side, patch_size=patch, projection_dim=32, **small
    )
    language = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        max_position_embeddings=8192,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        **small,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision.to_dict(),
            text_config=language.to_dict(),
            image_token_index=3,
            image_token_id=3,
            image_seq_length=(side // patch) ** 2,
            vision_feature_layer=-2,
        )
    )
    model.generation_config.update(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _byte_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*_SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=_SPECIAL[3:],
        chat_template=_TEMPLATE,
        model_max_length=8192,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the model is written here")
    print(make_tiny_vlm(parser.parse_args().folder.absolute()))
