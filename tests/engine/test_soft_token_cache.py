"""Media are encoded once; memory stays bounded; the content is the key."""

import torch
from tiny_loaded import loaded
from tiny_media import random_audio, random_image, random_video

from gemma4.engine.encode import encode_media
from gemma4.engine.soft_token_cache import SoftTokenCache


def test_what_was_made_is_made_once_and_the_longest_unused_goes_first() -> None:
    made: list[str] = []

    def make(name: str) -> torch.Tensor:
        made.append(name)
        return torch.zeros(10)  # 40 bytes

    cache = SoftTokenCache(max_bytes=100)
    for name in "abacab":  # c pushes out b, for a was used later
        cache.get(name.encode(), lambda name=name: make(name))
        cache.check()
    assert "".join(made) == "abcb"
    assert cache.num_bytes == 80


def test_what_is_larger_than_the_bound_is_not_kept() -> None:
    cache = SoftTokenCache(max_bytes=39)
    assert cache.get(b"a", lambda: torch.ones(10)).sum() == 10
    assert cache.num_bytes == 0
    cache.check()


def test_cached_soft_tokens_are_those_of_the_same_media() -> None:
    model, cache = loaded("e_series"), SoftTokenCache()
    media = [
        random_image("e_series", columns=3, rows=2),
        random_audio("e_series", frames=30),
        random_video("e_series", frames=2, columns=2, rows=2),
    ]
    plain = encode_media(model, media)
    first = encode_media(model, media, cache)
    size = cache.num_bytes
    again = encode_media(model, list(reversed(media)), cache)
    assert torch.equal(plain, first)  # float32, the same products
    assert cache.num_bytes == size > 0
    counts = [medium.soft_tokens for medium in media]
    parts = plain.split(counts)
    assert torch.equal(again, torch.cat(list(reversed(parts))))
    other = random_image("e_series", columns=3, rows=2, seed=9)
    assert not torch.equal(encode_media(model, [other], cache), parts[0])
