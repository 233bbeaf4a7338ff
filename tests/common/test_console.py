import io
import sys

from cyclegan_tf.common.console import show


def test_what_the_output_cannot_encode_is_shown_escaped(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", output)
    show("tfrecords/馬 Zürich: 3\nno\x1bescape")
    assert output.buffer.getvalue().decode("cp1252") == (
        "tfrecords/\\u99ac Zürich: 3\nno\\x1bescape\n"
    )
