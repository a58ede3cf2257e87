"""Run the same probes through two sides and compare: one after the other, never both in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..llm.assets import read_tokenizer
from ..text.tokens.packaged import packaged_tokenizer
from ..text.tokens.tokenizer import Tokenizer
from .configurations import config_differences
from .divergence import diverge
from .layers import compare_layers
from .probe import Probe
from .probes import PASSAGE, ProbeInput, build_probes
from .report import ProbeResult, Report, Sensitivity, structural_problems
from .side import Observation, Side
from .subject import Subject
from .tolerance import Tolerance, default_tolerance

PACKAGED_VOCABULARY = 262_144

OnProgress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one side gave for a probe, and how much its media mattered: medium → change."""

    observation: Observation
    changes: tuple[tuple[str, float], ...]


def verify(
    model: Subject,
    against: Subject,
    *,
    wanted: ProbeInput | None = None,
    tolerance: Tolerance | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Compare two sides.

    Args:
        against: the reference.
        wanted: the user's own input; default: generated input for every modality both sides have.
        tolerance: default: from what the two sides are.
        on_progress: told what is being done.

    Raises:
        InputError: the sides have no input in common, or the input cannot be used.
        EnvironmentFault: not enough memory, or no transformers.
    """
    tell = on_progress or (lambda _: None)
    limits = tolerance or default_tolerance(model, against)
    modalities = [name for name in model.config.modalities if name in against.config.modalities]
    _check_vocabularies(model, against, modalities)
    tokenizer, problems = _tokenizer(model, against)
    probes = build_probes(
        (model.config, against.config), modalities, tokenizer, wanted or ProbeInput()
    )
    seen = list(_observe(model, probes, tell))
    results = [
        _judge(probe, ours, theirs, limits, (model.name, against.name))
        for probe, ours, theirs in zip(probes, seen, _observe(against, probes, tell), strict=True)
    ]
    return Report(
        model=model.name,
        against=against.name,
        tolerance=limits,
        probes=tuple(results),
        notes=_notes(model, against, tokenizer),
        problems=problems,
    )


def _observe(subject: Subject, probes: Sequence[Probe], tell: OnProgress) -> Iterator[Seen]:
    tell(f"loading {subject.name}")
    with subject.load() as side:
        for probe in probes:
            tell(f"{subject.program}: {probe.name}")
            yield _look(side, probe)


def _look(side: Side, probe: Probe) -> Seen:
    observation = side.observe(probe, inside=True)
    changes = []
    for medium, exchanged in probe.contrasts():
        other = side.observe(exchanged, inside=False)
        changes.append((medium, diverge(other.logits, observation.logits).relative))
    return Seen(observation=observation, changes=tuple(changes))


def _judge(
    probe: Probe, model: Seen, against: Seen, limits: Tolerance, names: tuple[str, str]
) -> ProbeResult:
    found, reference = model.observation, against.observation
    layers = compare_layers(found.states, reference.states, threshold=limits.layer, names=names)
    divergence = diverge(found.logits, reference.logits, threshold=limits.relative)
    sensitivity = tuple(
        Sensitivity(side=side, medium=medium, change=change)
        for side, seen in (("model", model), ("against", against))
        for medium, change in seen.changes
    )
    blind = tuple(
        f"{names[0] if sensed.side == 'model' else names[1]} does not take in {sensed.medium}: another "
        f"one in its place changes the logits by {sensed.change:.2g} of the largest"
        for sensed in sensitivity
        if sensed.is_blind
    )
    return ProbeResult(
        name=probe.name,
        tokens=len(probe.ids),
        divergence=divergence,
        layers=layers,
        sensitivity=sensitivity,
        problems=(*blind, *structural_problems(layers), *limits.exceeded(divergence)),
    )


def _check_vocabularies(model: Subject, against: Subject, modalities: Sequence[str]) -> None:
    sizes = model.config.text.vocab_size, against.config.text.vocab_size
    if sizes[0] != sizes[1]:
        raise InputError(
            f"{model.name} has a vocabulary of {sizes[0]} and {against.name} of {sizes[1]}; "
            "give two checkpoints of the same model"
        )
    with_media = len(modalities) > 1
    if with_media and model.config.media_tokens != against.config.media_tokens:
        raise InputError(
            f"{model.name} and {against.name} have other ids for media "
            f"({model.config.media_tokens} and {against.config.media_tokens}); "
            "give two checkpoints of the same model"
        )


def _tokenizer(model: Subject, against: Subject) -> tuple[Tokenizer | None, tuple[str, ...]]:
    """The tokenizer for the probes, and a problem if both sides have one and they differ."""
    subjects = {subject.checkpoint.tokenizer: subject for subject in (against, model)}
    found = [
        read_tokenizer(subject.checkpoint, subject.config.text.vocab_size)[0]
        for path, subject in subjects.items()
        if path is not None
    ]
    if not found:
        fits = model.config.text.vocab_size == PACKAGED_VOCABULARY
        is_gemma4 = model.config.family != "gemma3"
        return (packaged_tokenizer() if fits and is_gemma4 else None), ()
    first, last = found[0].encode(PASSAGE), found[-1].encode(PASSAGE)
    if first == last:
        return found[0], ()
    shorter = min(len(first), len(last))
    at = next((i for i in range(shorter) if first[i] != last[i]), shorter)
    return found[0], (
        f"their tokenizers read the passage differently from token {at} on: "
        f"{last[at : at + 4]} and {first[at : at + 4]}",
    )


def _notes(model: Subject, against: Subject, tokenizer: Tokenizer | None) -> tuple[str, ...]:
    notes = list(dict.fromkeys([*model.notes, *against.notes]))
    for subject, other in ((model, against), (against, model)):
        more = [name for name in subject.config.modalities if name not in other.config.modalities]
        if more:
            notes.append(f"{', '.join(more)} not compared: {other.name} takes none")
    if differences := config_differences(model.config, against.config):
        notes.append(f"their configurations differ: {'; '.join(differences)}")
    if tokenizer is None:
        notes.append("no tokenizer came along, so the ids are random")
    return tuple(notes)
