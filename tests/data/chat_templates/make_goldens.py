"""Render the corpus with transformers 5.23.0 and every template here: `python make_goldens.py`.

Writes goldens.json.xz: template file → conversation → the text, or null where the template raises.
"""

import json
import lzma
from pathlib import Path
from typing import Any

import jinja2
from transformers.utils.chat_template_utils import render_jinja_template

HERE = Path(__file__).parent
FLAGS = ("enable_thinking", "preserve_thinking", "add_generation_prompt")


def render(source: str, conversation: dict[str, Any]) -> str | None:
    """What transformers renders, or None where the template raises."""
    flags = {"add_generation_prompt": True}
    flags |= {name: conversation[name] for name in FLAGS if name in conversation}
    try:
        rendered, _ = render_jinja_template(
            [conversation["messages"]],
            tools=conversation.get("tools"),
            chat_template=source,
            bos_token="<bos>",
            **flags,
        )
    except (jinja2.TemplateError, TypeError):
        return None
    return str(rendered[0])


def main() -> None:
    """Write the goldens beside the corpus."""
    corpus = json.loads((HERE / "corpus.json").read_text())
    goldens = {
        path.name: {
            conversation["name"]: render(path.read_text(), conversation) for conversation in corpus
        }
        for path in sorted(HERE.glob("*.jinja"))
    }
    data = json.dumps(goldens, ensure_ascii=False, indent=0).encode()
    (HERE / "goldens.json.xz").write_bytes(lzma.compress(data, preset=9))


if __name__ == "__main__":
    main()
