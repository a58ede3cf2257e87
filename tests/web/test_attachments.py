"""Files come by button, paste and drag; what the model does not take is refused in words."""

import base64
import io
import wave
from typing import Any

from page_driver import PNG, Driver
from page_server import End, Script, model, say
from playwright.sync_api import expect


def png() -> dict[str, Any]:
    return {"name": "dot.png", "mimeType": "image/png", "buffer": PNG}


def pdf(pages: int) -> bytes:
    """A PDF with a word on each page, written by hand: objects, then where each begins."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(pages))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>",
               f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]  # fmt: skip
    for number in range(pages):
        text = f"BT /F 48 Tf 20 100 Td (Page {number + 1}) Tj ET"
        font = "/Resources << /Font << /F 3 0 R >> >>"
        contents = f"/Contents {5 + 2 * number} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] {font} {contents} >>")
        objects.append(f"<< /Length {len(text)} >> stream\n{text}\nendstream")
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj {body} endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(places) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer << /Size {size} /Root 1 0 R >>\n"
    return (out + f"startxref\n{out.index('xref')}\n%%EOF").encode()


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    return out.getvalue()


def sent(script: Script) -> list[dict[str, Any]]:
    return script.bodies[-1]["messages"][-1]["content"]


def test_a_picture_is_shown_and_sent_as_it_is(chat: Driver, script: Script) -> None:
    chat.attach(png())
    expect(chat.page.get_by_label("Attachments")).to_contain_text("dot.png")
    chat.ask("What is it?")
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert sent(script) == [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "What is it?"},
    ]
    picture = chat.questions.get_by_alt_text("dot.png")
    assert picture.evaluate("async (img) => (await img.decode(), img.naturalWidth)") == 1
    expect(chat.page.get_by_label("Attachments")).to_be_hidden()


def test_paste_and_drop(chat: Driver, script: Script) -> None:
    chat.give("paste", "#prompt", "pasted.png", "image/png", PNG)
    expect(chat.page.locator(".chip-name")).to_have_text(["pasted.png"])
    chat.give("dragenter", "#thread", "x.png", "image/png", PNG)
    expect(chat.page.get_by_text("Drop files to attach them")).to_be_visible()
    chat.give("drop", "#thread", "dropped.png", "image/png", PNG)
    expect(chat.page.locator(".chip-name")).to_have_text(["pasted.png", "dropped.png"])
    expect(chat.page.get_by_text("Drop files to attach them")).to_be_hidden()
    chat.button("Remove pasted.png").click()
    chat.button("Send").click()
    chat.settled()
    assert [part["type"] for part in sent(script)] == ["image_url"]


def test_the_pages_of_a_pdf_become_pictures(chat: Driver, script: Script) -> None:
    chat.attach({"name": "paper.pdf", "mimeType": "application/pdf", "buffer": pdf(3)})
    expect(chat.page.locator(".chip")).to_contain_text("3 pages")
    chat.ask("Sum up")
    title, *pages, question = sent(script)
    assert title == {"type": "text", "text": "paper.pdf, 3 pages:"}
    assert question == {"type": "text", "text": "Sum up"}
    assert len({page["image_url"]["url"] for page in pages}) == 3, "each page shows another word"
    size = """async (img) => {
      await img.decode();
      const canvas = new OffscreenCanvas(img.naturalWidth, img.naturalHeight);
      const pen = canvas.getContext("2d");
      pen.drawImage(img, 0, 0);
      const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
      const dark = data.filter((value, at) => at % 4 === 0 && value < 99);
      return [canvas.width, canvas.height, dark.length > 1000];
    }"""
    assert chat.questions.locator("img").first.evaluate(size) == [1600, 1067, True]


def test_a_long_pdf_says_what_is_left_out(chat: Driver, script: Script) -> None:
    chat.attach({"name": "book.pdf", "mimeType": "application/pdf", "buffer": pdf(22)})
    expect(chat.notices).to_contain_text("book.pdf: The first 20 of 22 pages are sent.")
    chat.ask("Sum up")
    assert len(sent(script)) == 22
    expect(chat.questions).to_contain_text("The first 20 of 22 pages are sent.")


def test_sound_video_and_text(chat: Driver, script: Script) -> None:
    data = sound()
    chat.attach(
        {"name": "hello.wav", "mimeType": "audio/wav", "buffer": data},
        {"name": "clip.webm", "mimeType": "video/webm", "buffer": b"\x1aE\xdf\xa3"},
        {
            "name": "notes.md",
            "mimeType": "text/markdown",
            "buffer": "Grüße\n```\ncode\n```".encode(),
        },
    )
    expect(chat.page.locator(".chip")).to_have_count(3)
    chat.ask("All of it")
    audio, video, text, _ = sent(script)
    assert audio == {
        "type": "input_audio",
        "input_audio": {"data": base64.b64encode(data).decode(), "format": "wav"},
    }
    assert video["video_url"]["url"].startswith("data:video/webm;base64,")
    assert text == {"type": "text", "text": "notes.md:\n````\nGrüße\n```\ncode\n```\n````"}
    expect(chat.questions.locator("audio")).to_have_attribute("aria-label", "hello.wav")
    expect(chat.questions.locator("video")).to_be_visible()


def test_what_the_model_does_not_take_is_refused_in_words(chat: Driver, script: Script) -> None:
    script.models = [model("seeing", ["completion", "vision"])]
    chat.reload()
    chat.attach({"name": "hello.wav", "mimeType": "audio/wav", "buffer": sound()}, png())
    expect(chat.notices).to_contain_text("seeing does not hear sound: hello.wav was not attached.")
    expect(chat.page.locator(".chip-name")).to_have_text(["dot.png"])


def test_another_model_is_checked_before_anything_is_sent(chat: Driver, script: Script) -> None:
    chat.attach(png())
    chat.box.fill("What is it?")
    chat.choose("Model", "gemma3:270m")
    expect(chat.page.locator(".model-name")).to_have_text("gemma3:270m")
    expect(chat.page.locator(".welcome-facts")).not_to_contain_text("pictures")
    chat.box.press("Enter")
    expect(chat.notices).to_contain_text("gemma3:270m does not see pictures: dot.png was not sent.")
    expect(chat.box).to_have_value("What is it?")
    assert script.bodies == []
    chat.choose("Model", "e4b")
    expect(chat.page.locator(".welcome-facts")).to_contain_text("pictures")
    chat.box.press("Enter")
    chat.settled()
    assert script.bodies[0]["model"] == "e4b"


def test_files_of_no_use_are_refused(chat: Driver) -> None:
    chat.attach(
        {"name": "data.bin", "mimeType": "application/octet-stream", "buffer": bytes(range(256))}
    )
    expect(chat.notices.last).to_contain_text(
        "data.bin (application/octet-stream) is neither a picture, sound, video, PDF nor text"
    )
    chat.attach({"name": "broken.png", "mimeType": "image/png", "buffer": b"not a picture"})
    expect(chat.notices.last).to_contain_text(
        "broken.png (image/png) is not a picture that this browser can read."
    )
    chat.attach({"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"not a PDF"})
    expect(chat.notices.last).to_contain_text("broken.pdf cannot be read as a PDF")
    expect(chat.page.locator(".chip")).to_have_count(0)


def test_more_than_the_server_takes_is_not_sent(chat: Driver, script: Script) -> None:
    script.props = {"e4b": {"limits": {"max_body_bytes": 60}}}
    chat.reload()
    chat.attach(png())
    chat.box.fill("Look")
    chat.box.press("Enter")
    expect(chat.notices).to_contain_text("the server takes 60 bytes in one request")
    assert script.bodies == []


def test_a_reduced_picture_is_said(chat: Driver, script: Script) -> None:
    media = [
        {
            "kind": "image",
            "soft_tokens": 280,
            "original": [4000, 3000],
            "used": [896, 672],
            "reduced": True,
            "remark": "",
        }
    ]
    script.answer(
        say("A wall."),
        End(report={"media": media, "warnings": ["Drafting was stopped by an error."]}),
    )
    chat.attach(png())
    reply = chat.ask("What?")
    expect(reply.locator(".note.warning")).to_have_text(
        ["Drafting was stopped by an error.", "The image was reduced from 4000, 3000 to 896, 672."]
    )
