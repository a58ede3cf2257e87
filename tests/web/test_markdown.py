"""Markdown, code and formulas become what they mean; hostile text stays text."""

from page_driver import Driver
from page_server import Script, call, say, think
from playwright.sync_api import expect

TEXT = """## A heading

Some **bold**, *slanted*, ~~struck~~ and `code`; H<sub>2</sub>O &amp; &copy;.
A [link](https://example.org/a) and a picture ![a cat](https://elsewhere.example/cat.png).

1. one
2. two
   - nested

- [x] done
- [ ] open

> quoted

| left | right |
|:-----|------:|
| 1    | 2     |

```python
def greet(name: str) -> str:
    return f"Hello {name}"
```
"""


def test_markdown(chat: Driver, script: Script) -> None:
    script.answer(say(TEXT, 11))
    text = chat.ask("Show").locator(".answer-body")
    expect(text.get_by_role("heading", name="A heading")).to_be_visible()
    for tag, words in {
        "strong": "bold",
        "em": "slanted",
        "del": "struck",
        "p > code": "code",
        "sub": "2",
    }.items():
        expect(text.locator(tag)).to_have_text(words)
    expect(text).to_contain_text("H2O & ©.")
    expect(text.locator("ol > li > ul > li")).to_have_text("nested")
    assert text.locator("input[type=checkbox]").evaluate_all(
        "all => all.map((one) => one.checked)"
    ) == [True, False]
    expect(text.locator("blockquote")).to_have_text("quoted")
    expect(text.locator("td.align-right")).to_have_text("2")


def test_links_open_elsewhere_and_pictures_are_links(chat: Driver, script: Script) -> None:
    script.answer(say(TEXT))
    text = chat.ask("Show").locator(".answer-body")
    link = text.get_by_role("link", name="link", exact=True)
    assert link.evaluate("a => [a.href, a.target, a.rel]") == [
        "https://example.org/a",
        "_blank",
        "noopener noreferrer nofollow",
    ]
    expect(text.get_by_role("link", name="a cat")).to_have_attribute(
        "href", "https://elsewhere.example/cat.png"
    )
    expect(text.locator("img")).to_have_count(0)


def test_code_has_a_language_colours_and_a_copy_button(chat: Driver, script: Script) -> None:
    script.answer(say(TEXT, 9))
    figure = chat.ask("Show").locator("figure.code")
    expect(figure.locator(".language")).to_have_text("python")
    expect(figure.locator(".hljs-keyword").first).to_have_text("def")
    expect(figure.locator(".hljs-title")).to_have_text("greet")
    chat.button("Copy code", figure).click()
    expect(figure.get_by_role("status")).to_have_text("Copied")
    copied = chat.page.evaluate("navigator.clipboard.readText()")
    assert copied == 'def greet(name: str) -> str:\n    return f"Hello {name}"'


def test_an_unfinished_block_of_code_is_code(chat: Driver, script: Script) -> None:
    script.answer(say("```js\nlet a = '<b>"))
    expect(chat.ask("Go").locator("figure.code code")).to_have_text("let a = '<b>")


FORMULAS = r"""Inline $x^2$ and \(y_1\), displayed:

$$\int_0^1 x\,dx = \frac12$$

\[ \alpha + \beta \]

It costs $5 or $6, not `$z$`. Broken: $\frac{1$ ends.
"""


def test_formulas(chat: Driver, script: Script) -> None:
    script.answer(say(FORMULAS, 7))
    text = chat.ask("Show").locator(".answer-body")
    expect(text.locator(".katex")).to_have_count(4)
    expect(text.locator(".formula.display .katex-display")).to_have_count(2)
    expect(text).to_contain_text("It costs $5 or $6, not $z$.")
    expect(text.locator(".unreadable")).to_have_text(r"\frac{1")
    assert (
        text.locator(".katex")
        .first.evaluate("node => getComputedStyle(node).fontFamily")
        .startswith("KaTeX_Main")
    )


HOSTILE = {
    "script": "<script>window.hacked = 1</script>",
    "onerror": "<img src=x onerror='window.hacked = 1'>",
    "far picture": "![](https://evil.example/p.png) <img src='https://evil.example/q.png'>",
    "javascript link": "[a](javascript:window.hacked=1) [b](JaVaScRiPt:hacked=1) <javascript:hacked=1>",
    "data link": "[press](data:text/html,<script>window.hacked=1</script>)",
    "svg": "<svg onload='window.hacked = 1'><image href='https://evil.example/s.png'/></svg>",
    "svg picture": "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+)",
    "style": "<style>body { display: none }</style><p style='position:fixed;inset:0'>over</p>",
    "refresh": "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "form": "<form action='https://evil.example'><button>Log in</button></form>",
    "iframe": "<iframe src='https://evil.example' srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "base": "<base href='https://evil.example/'><link rel=stylesheet href='https://evil.example/a.css'>",
    "in code": "```html\n<img src=x onerror='window.hacked=1'>\n```",
    "language": '```"><img/src=x/onerror=window.hacked=1>\nx\n```',
    "formula": r"$\href{javascript:window.hacked=1}{x}$ $\includegraphics{https://evil.example/f.png}$ "
    r"$\htmlStyle{position:fixed}{y}$",
    "table": "| <img src=x onerror=window.hacked=1> |\n|---|\n| <svg onload=window.hacked=1> |",
    "title": '[a](https://ok.example "\'><script>window.hacked=1</script>")',
    "entity": "&lt;img src=x onerror=window.hacked=1&gt; &#60;script&#62;window.hacked=1&#60;/script&#62;",
}


FORBIDDEN = (
    "script, iframe, form, style, meta, base, link, object, embed, img, svg:not(.icon, .katex svg), "
    "[onerror], [onload], [style*=fixed]"
)


def test_hostile_text_runs_and_loads_nothing(chat: Driver, script: Script) -> None:
    """The fixture also fails for a request to another host, and for what the page's policy had to stop."""
    for kind, attack in HOSTILE.items():
        script.answer(say(f"{attack}\n\nafter", 13))
        reply = chat.ask(kind)
        expect(reply).to_contain_text("after")
        text = reply.locator(".answer-body")
        assert text.locator(FORBIDDEN).count() == 0, kind
        hrefs = text.locator("a").evaluate_all("all => all.map((link) => link.href)")
        assert all(href.startswith("https:") for href in hrefs), (kind, hrefs)
        assert chat.page.evaluate("window.hacked") is None, kind
        assert chat.page.url.startswith(chat.address), kind
    chat.page.wait_for_timeout(300)  # what was to load late would have asked by now


def test_hostile_thoughts_titles_and_calls_are_text_too(chat: Driver, script: Script) -> None:
    attack = "<img src=x onerror='window.hacked=1'>"
    script.answer(think(attack), call(attack, {attack: attack}))
    reply = chat.ask(attack)
    reply.locator("details.thought summary").click()
    expect(reply.locator("details.thought .prose")).to_have_text(attack)
    expect(reply.locator(".tool-name")).to_have_text(attack)
    expect(chat.titles.first).to_have_text(attack)
    expect(chat.page.locator("img")).to_have_count(0)
    assert chat.page.evaluate("window.hacked") is None
