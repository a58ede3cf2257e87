"""What lies beside the weights: tokenizer, chat template, recommended settings."""

from ..config import ModelConfig
from ..config.generation import GenerationDefaults, load_generation_config, read_gguf_generation
from ..errors import CheckpointError
from ..text.templates.renderer import Style
from ..text.templates.template import JinjaTemplate
from ..text.templates.template_choice import template_source_from_directory
from ..text.tokens.packaged import packaged_tokenizer
from ..text.tokens.tokenizer import Tokenizer, tokenizer_from_directory
from ..text.tokens.tokenizer_gguf import tokenizer_from_gguf
from ..weights.checkpoint import Checkpoint

GGUF_TEMPLATE = "tokenizer.chat_template"


def read_tokenizer(checkpoint: Checkpoint, vocab_size: int) -> tuple[Tokenizer, tuple[str, ...]]:
    """The checkpoint's tokenizer, else for Gemma 4 the packaged one with a note that says so.

    Raises:
        CheckpointError: it is damaged, has words that the model's vocabulary lacks, or is Gemma 3's
            and missing.
    """
    notes: tuple[str, ...] = ()
    path = checkpoint.tokenizer
    if path is None:
        if checkpoint.config.family == "gemma3":
            raise CheckpointError(
                f"{checkpoint.path} came with no tokenizer, and the packaged one is Gemma 4's; "
                "put the tokenizer.json of the model's repository beside the weights"
            )
        tokenizer = packaged_tokenizer()
        notes = ("the checkpoint came with no tokenizer; the packaged one of Gemma 4 is used",)
    elif path.suffix == ".gguf":
        tokenizer = tokenizer_from_gguf(checkpoint.metadata, origin=str(path))
    else:
        tokenizer = tokenizer_from_directory(path.parent)
    # Gemma 3's text models share a tokenizer with larger ones, whose <image_soft_token> they lack.
    # Plain text never becomes a special token, so such an id cannot come up.
    beyond = range(vocab_size, tokenizer.vocab_size)
    if not all(tokenizer.is_special(token) for token in beyond):
        raise CheckpointError(
            f"the tokenizer of {checkpoint.path} has {tokenizer.vocab_size} ids and the model "
            f"{vocab_size}; they belong to different models"
        )
    return tokenizer, notes


def read_template(checkpoint: Checkpoint) -> JinjaTemplate | None:
    """The chat template that came with the checkpoint; None if none came.

    Raises:
        TemplateError: it is no Jinja. CheckpointError: its file is damaged.
    """
    source = read_template_source(checkpoint)
    return None if source is None else JinjaTemplate(source)


def read_template_source(checkpoint: Checkpoint) -> str | None:
    """The text of the chat template that came with the checkpoint; None if none came.

    Raises:
        CheckpointError: its file is damaged.
    """
    path = checkpoint.chat_template
    if path is None:
        return None
    if path.suffix != ".gguf":
        return template_source_from_directory(path.parent)
    source = checkpoint.metadata.get(GGUF_TEMPLATE)
    if source is not None and not isinstance(source, str):
        raise CheckpointError(f"{GGUF_TEMPLATE} in {path} is no text; fetch the file again")
    return source


def template_style(config: ModelConfig) -> Style:
    """Of our own renderer: E2B and E4B are told from the larger sizes by per-layer embeddings."""
    return "small" if config.text.per_layer_dim else "large"


def read_defaults(checkpoint: Checkpoint) -> GenerationDefaults:
    """What the checkpoint recommends for generation."""
    path = checkpoint.generation_config
    if path is None:
        return GenerationDefaults()
    if path.suffix == ".gguf":
        return read_gguf_generation(checkpoint.metadata, path)
    return load_generation_config(path)
