"""The check of the built site finds what is broken."""

from tests.docs.links import broken


def test_links_anchors_and_pictures_are_checked(tmp_path):
    (tmp_path / "other.html").write_text('<h1 id="here">Other</h1>')
    (tmp_path / "index.html").write_text(
        '<a href="other.html#here">right</a> <a href="other.html#there">no anchor</a> <a href="none.html">none</a>'
        '<a href="https://example.org/">elsewhere</a> <img src="other.html" alt="../_images/1.png">'
    )
    lines = broken(tmp_path)
    assert [line.partition(": ")[2] for line in lines] == [
        "a picture without a text: other.html",
        "other.html#there: no such anchor",
        "none.html does not exist",
    ]
