"""Routing by hand, and experts against a loop over tokens."""

import torch
import torch.nn.functional as F

from gemma4.ops.moe import route, run_experts


def test_softmax_runs_over_all_experts_before_the_best_are_kept() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    scale = torch.tensor([1.0, 1.0, 2.0, 0.5])
    weights, experts = route(logits, scale, top_k=2)
    e2, e3 = torch.exp(torch.tensor(2.0)), torch.exp(torch.tensor(3.0))
    assert experts.tolist() == [[3, 2]]
    expected = torch.stack((0.5 * e3 / (e2 + e3), 2.0 * e2 / (e2 + e3)))[None]
    torch.testing.assert_close(weights, expected)  # float32


def test_experts_equal_a_loop_over_tokens() -> None:
    torch.manual_seed(0)
    tokens, width, inner, num_experts, top_k = 7, 6, 5, 4, 2
    x = torch.randn(tokens, width)
    gate_up, down = (
        torch.randn(num_experts, 2 * inner, width),
        torch.randn(num_experts, width, inner),
    )
    weights, experts = route(torch.randn(tokens, num_experts), torch.rand(num_experts), top_k)
    expected = torch.zeros(tokens, width)
    for token in range(tokens):
        for slot in range(top_k):
            expert = int(experts[token, slot])
            gate, up = gate_up[expert][:inner] @ x[token], gate_up[expert][inner:] @ x[token]
            hidden = F.gelu(gate, approximate="tanh") * up
            expected[token] += weights[token, slot] * (down[expert] @ hidden)
    ours = run_experts(x, weights, experts, gate_up, down)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)  # float32
