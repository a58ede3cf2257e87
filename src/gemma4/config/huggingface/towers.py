"""The vision and audio sections of config.json: towers of Gemma 4, embedders of the 12B."""

from ..section import Section, shown
from ..towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig
from .keys import ignore_common, read_dtype


def read_vision(section: Section, *, soft_tokens: int) -> VisionConfig:
    """Read the vision tower. `soft_tokens`: budget of an image where the section gives none."""
    ignore_common(section)
    read_dtype(section)
    section.demand("hidden_activation", ("gelu_pytorch_tanh",), "supported: gelu_pytorch_tanh")
    section.ignore(("max_position_embeddings",))  # positions come from position_embedding_size
    num_heads = section.integer("num_attention_heads")
    head_dim = section.integer("head_dim", 64)
    vision = VisionConfig(
        hidden_size=section.integer("hidden_size"),
        intermediate_size=section.integer("intermediate_size"),
        num_layers=section.integer("num_hidden_layers", high=1024),
        num_heads=num_heads,
        num_kv_heads=section.integer("num_key_value_heads", num_heads),
        head_dim=head_dim,
        patch_size=section.integer("patch_size", 16, high=1024),
        pooling_kernel_size=section.integer("pooling_kernel_size", 3, high=64),
        position_embedding_size=section.integer("position_embedding_size", 10_240),
        rope_theta=_read_vision_theta(section),
        norm_eps=section.number("rms_norm_eps", 1e-6, low=0.0, high=1.0),
        clips_linears=section.flag("use_clipped_linears", False),
        standardizes=section.flag("standardize", False),
        default_soft_tokens=section.integer("default_output_length", soft_tokens),
    )
    if section.integer("global_head_dim", head_dim) != head_dim:
        section.report(
            "global_head_dim", f"differs from head_dim = {head_dim}; the tower has one width"
        )
    if head_dim % 4:
        section.report("head_dim", f"= {head_dim} is no multiple of 4; two axes rotate pairs")
    if vision.num_heads % vision.num_kv_heads:
        section.report("num_key_value_heads", f"does not divide num_attention_heads = {num_heads}")
    section.close()
    return vision


def _read_vision_theta(section: Section) -> float:
    rope = section.section("rope_parameters")
    if rope is None:
        return 100.0
    rope.choice("rope_type", "axial", ("axial", "default"))  # two names of the same rotation
    theta = rope.number("rope_theta", 100.0, low=1.0, high=1e12)
    rope.close()
    return theta


def read_audio(section: Section) -> AudioConfig:
    """Read the audio tower."""
    ignore_common(section)
    read_dtype(section)
    section.demand("hidden_act", ("silu",), "supported: silu")
    channels = section.integers("subsampling_conv_channels", high=2**16) or (128, 32)
    if len(channels) != 2 or 0 in channels:
        section.report("subsampling_conv_channels", f"= {shown(channels)}; give two counts above 0")
        channels = (128, 32)
    num_mels = section.integer("input_feat_size", 128)
    if num_mels != 128:
        section.report("input_feat_size", f"= {num_mels}; the front end makes 128 mel bins")
    audio = AudioConfig(
        hidden_size=section.integer("hidden_size"),
        num_layers=section.integer("num_hidden_layers", high=1024),
        num_heads=section.integer("num_attention_heads"),
        output_size=section.integer("output_proj_dims", 1536),
        subsampling_channels=(channels[0], channels[1]),
        conv_kernel_size=section.integer("conv_kernel_size", 5, high=1024),
        residual_weight=section.number("residual_weight", 0.5, low=0.0, high=1e3),
        chunk_size=section.integer("attention_chunk_size", 12, high=2**16),
        context_left=section.integer("attention_context_left", 13, high=2**16),
        context_right=section.integer("attention_context_right", 0, low=0, high=2**16),
        logit_cap=section.number("attention_logit_cap", 50.0, low=1e-3, high=1e6),
        invalid_logit=section.number("attention_invalid_logits_value", -1e9, low=-1e30, high=0.0),
        gradient_clipping=section.number("gradient_clipping", 1e10, low=1.0, high=1e30),
        norm_eps=section.number("rms_norm_eps", 1e-6, low=0.0, high=1.0),
        clips_linears=section.flag("use_clipped_linears", True),
        num_mels=num_mels,
    )
    if audio.hidden_size % audio.num_heads:
        section.report("num_attention_heads", f"does not divide hidden_size = {audio.hidden_size}")
    section.close()
    return audio


def read_unified_vision(section: Section, *, soft_tokens: int) -> UnifiedVisionConfig:
    """Read the 12B's patch embedder. `soft_tokens`: budget where the section gives none."""
    ignore_common(section)
    read_dtype(section)
    hidden_size = section.integer("mm_embed_dim")
    vision = UnifiedVisionConfig(
        hidden_size=hidden_size,
        position_embedding_size=section.integer("mm_posemb_size", 1120),
        output_size=section.integer("output_proj_dims", hidden_size),
        patch_size=section.integer("patch_size", 16, high=1024),
        pooling_kernel_size=section.integer("pooling_kernel_size", 3, high=64),
        norm_eps=section.number("rms_norm_eps", 1e-6, low=0.0, high=1.0),
        default_soft_tokens=section.integer("num_soft_tokens", soft_tokens),
    )
    merged = vision.merged_patch_size
    if section.integer("model_patch_size", merged) != merged:
        section.report("model_patch_size", f"must be patch_size × pooling_kernel_size = {merged}")
    if vision.output_size != hidden_size:
        section.report(
            "output_proj_dims", f"= {vision.output_size} must equal mm_embed_dim = {hidden_size}"
        )
    section.close()
    return vision


def read_unified_audio(section: Section) -> UnifiedAudioConfig:
    """Read the 12B's audio embedder, whose width has four names."""
    ignore_common(section)
    read_dtype(section)
    samples = section.integer("audio_embed_dim", 640)
    for key in ("audio_samples_per_token", "hidden_size", "output_proj_dims"):
        if section.integer(key, samples) != samples:
            section.report(key, f"must equal audio_embed_dim = {samples}")
    norm_eps = section.number("rms_norm_eps", 1e-6, low=0.0, high=1.0)
    section.close()
    return UnifiedAudioConfig(samples_per_token=samples, norm_eps=norm_eps)
