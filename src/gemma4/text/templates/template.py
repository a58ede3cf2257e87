"""Chat templates: what one is, and the kind that comes with a checkpoint as Jinja.

Messages and tools are in the form that transformers gives to templates: role, content as text or list of
parts, `tool_calls` with arguments as mappings, `reasoning_content`; tools as
`{"type": "function", "function": {…}}`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jinja2
from jinja2 import nodes

from ...errors import TemplateError
from .budget import BUDGET, Budget, Limits
from .sandbox import ChatEnvironment

TemplateMessage = Mapping[str, Any]
TemplateTool = Mapping[str, Any]

MAX_SOURCE = 1 << 18
"""Characters of a template; the published ones have under 20,000."""

KNOWN_TEMPLATES: Mapping[str, str] = {
    "df269903ea2e27a6426bf65f34f530a571cc04bf9b92ad8928ffa909eb46ecc5": "large.2026-07",
    "3beb16a140a78c7bf71cd86609f58e56f1594e670e95fe58bd6022f941d1cb1e": "small.2026-07",
    "85a08664d16d8f3be4416c92427b3ac10df1024ac566cc0b4bc3bab409393f98": "large.2026-04",
    "2dfbfc7d538912f4ea11d29d85b4e25d7bc26386e53f57529f1d707c28b5828c": "launch-day",
    "65f93a25708c952457106a30e185ba7beffddd726121c8d7e3f3e08b23c16c67": "llama.cpp-interleaved",
    "afdbb2abe3667ccde95cc2f86919f05370339399bab5f750950a4390523b8927": "vllm-0.33.0",
}
"""SHA-256 of a template's source to its name: large = 12B, 26B-A4B, 31B; small = E2B, E4B."""

_FAULTS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


class Template(Protocol):
    """What turns a conversation into the text of a prompt."""

    @property
    def revision(self) -> str:
        """Which template this is, reported with every answer."""

    @property
    def variables(self) -> frozenset[str]:
        """What it looks at, such as `tools` and `enable_thinking`."""

    @property
    def wants_tool_responses(self) -> bool:
        """Whether answers of tools must be put on the assistant's message (`tool_responses`)."""

    def render(
        self,
        messages: Sequence[TemplateMessage],
        *,
        tools: Sequence[TemplateTool] | None,
        special_tokens: Mapping[str, str],
        enable_thinking: bool = False,
        preserve_thinking: bool = False,
        add_generation_prompt: bool = True,
    ) -> str:
        """The prompt as text, special tokens as their literals.

        Args:
            special_tokens: variables such as `bos_token`.
            preserve_thinking: keep thoughts of earlier turns that called tools.
            add_generation_prompt: end with the opening of the model's turn.

        Raises:
            TemplateError: if the template fails, refuses the conversation or does not end.
        """


class JinjaTemplate:
    """A template in Jinja, run in a sandbox within `limits`.

    Raises:
        TemplateError: if the source is no Jinja, or too long.
    """

    def __init__(self, source: str, *, limits: Limits | None = None) -> None:
        digest = hashlib.sha256(source.encode(errors="replace")).hexdigest()
        self.revision = f"{KNOWN_TEMPLATES.get(digest, 'template')}@{digest[:12]}"
        self._limits = limits or Limits()
        if len(source) > MAX_SOURCE:
            raise TemplateError(
                f"chat template {self.revision} has {len(source)} characters, more than {MAX_SOURCE}; "
                "use another one"
            )
        try:
            self._program, tree = ChatEnvironment().compile_chat(source)
        except (*_FAULTS, SyntaxError) as error:
            raise TemplateError(
                f"chat template {self.revision} cannot be read: {_reason(error)}; "
                "repair it or use another one"
            ) from error
        self.variables = frozenset(
            name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"
        )
        words = {constant.value for constant in tree.find_all(nodes.Const)}
        words |= {attribute.attr for attribute in tree.find_all(nodes.Getattr)}
        self.wants_tool_responses = "tool_responses" in words and "tool_call_id" not in words

    def render(
        self,
        messages: Sequence[TemplateMessage],
        *,
        tools: Sequence[TemplateTool] | None,
        special_tokens: Mapping[str, str],
        enable_thinking: bool = False,
        preserve_thinking: bool = False,
        add_generation_prompt: bool = True,
    ) -> str:
        """See `Template.render`."""
        variables = {
            **special_tokens,
            "messages": messages,
            "tools": tools,
            "documents": None,
            "enable_thinking": enable_thinking,
            "preserve_thinking": preserve_thinking,
            "add_generation_prompt": add_generation_prompt,
            BUDGET: Budget(self._limits),
        }
        try:
            return self._program.render(variables)
        except _FAULTS as error:
            raise TemplateError(
                f"chat template {self.revision} fails on this conversation: {_reason(error)}; "
                "change the conversation, or use another template"
            ) from error


def _reason(error: Exception) -> str:
    """One line of what went wrong, and where."""
    text = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
    line = getattr(error, "lineno", None)
    return text if line is None else f"line {line}: {text}"
