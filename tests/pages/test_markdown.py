"""What the clone writes is rendered by `markdown.js`, and can never be more than text."""

import pytest
from playwright.sync_api import Page

from tests.pages.conftest import OpenAs

RENDER = """async ([text, name]) => {
  const module = await import("/static/js/markdown.js");
  const place = document.createElement("div");
  place.append(...module[name](text));
  return place.innerHTML;
}"""
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](data:text/html,x)",
    "**<b onclick=alert(1)>bold</b>**",
    "`<svg onload=alert(1)>`",
    "[a](https://example.com/\" onmouseover=\"alert(1))",
    "https://example.com/\"><script>alert(1)</script>",
)  # fmt: skip


@pytest.fixture
def page(open_as: OpenAs) -> Page:
    return open_as("dana")


def render(page: Page, text: str, name: str = "renderMarkdown") -> str:
    html: str = page.evaluate(RENDER, [text, name])
    return html


def test_simple_markdown_becomes_elements(page: Page) -> None:
    for text, html in {
        "one\ntwo": "<p>one<br>two</p>",
        "one\n\ntwo": "<p>one</p><p>two</p>",
        "**bold** and *soft*": "<p><strong>bold</strong> and <em>soft</em></p>",
        "_soft_": "<p><em>soft</em></p>",
        "2 * 3 * 4 and snake_case_name": "<p>2 * 3 * 4 and snake_case_name</p>",
        "Try:\n- a\n- b": "<p>Try:</p><ul><li>a</li><li>b</li></ul>",
        "1. a\n\n2. b": "<ol><li>a</li><li>b</li></ol>",
        "3. c": '<ol start="3"><li>c</li></ol>',
        "> said": "<blockquote>said</blockquote>",
        "# Title": "<p><strong>Title</strong></p>",
        "```\n**raw**\n```": "<pre><code>**raw**</code></pre>",
        "see [1]": "<p>see [1]</p>",
    }.items():
        assert render(page, text) == html


def test_links_lead_out_over_http_only(page: Page) -> None:
    anchor = '<a href="https://example.com/a" target="_blank" rel="noopener noreferrer nofollow">'
    assert render(page, "[here](https://example.com/a)") == f"<p>{anchor}here</a></p>"
    assert render(page, "https://example.com/a.") == (f"<p>{anchor}https://example.com/a</a>.</p>")
    assert "<a" not in render(page, "[here](javascript:alert(1))")


@pytest.mark.parametrize("name", ["renderMarkdown", "renderPlain"])
def test_hostile_text_stays_text(page: Page, name: str) -> None:
    parse = """(html) => {
      const { body } = new DOMParser().parseFromString(html, "text/html");
      const attributes = (node) => [...node.attributes].map((a) => `@${a.name}`);
      return [...body.querySelectorAll("*")].flatMap((n) => [n.localName, ...attributes(n)]);
    }"""
    allowed = {"p", "strong", "em", "code", "a", "br", "@href", "@target", "@rel"}
    for text in HOSTILE:
        html = render(page, text, name)
        assert set(page.evaluate(parse, html)) <= allowed, html
        assert "javascript:" not in html.split("<a ")[-1].split(">")[0]


def test_a_text_still_being_written_shows_no_lone_marks(page: Page) -> None:
    for text, html in {
        "so **bo": "<p>so <strong>bo</strong></p>",
        "so **": "<p>so </p>",
        "so *soft": "<p>so <em>soft</em></p>",
        "- *": "<ul><li></li></ul>",
        "done **bold** and": "<p>done <strong>bold</strong> and</p>",
    }.items():
        closed = page.evaluate(
            """async (text) => (await import("/static/js/markdown.js")).closeOpenMarks(text)""",
            text,
        )
        assert render(page, closed) in (html, html.replace(" </p>", "</p>"))
