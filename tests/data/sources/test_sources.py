import pytest

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.config import DatasetConfig
from cyclegan_tf.data.sources import find_source

PAIR = "did you mean synthetic/horse2zebra or cycle_gan/horse2zebra?"


@pytest.mark.parametrize(
    "given, suggestion",
    [
        ("horse2zebra", PAIR),
        ("horse2zebr", PAIR),
        ("synthetic/horse2zebr", PAIR),
        ("Horse2Zebra", PAIR),
        ("cycle_gan/map", "did you mean cycle_gan/maps?"),
        ("my-photo", "did you mean my-photos?"),
        ("./my-photo/", "did you mean my-photos?"),
        ("cycle_gan/horse2camel", "cycle_gan/horse2zebra"),
        ("synthetic/cats", "synthetic/horse2zebra"),
        ("nothing/like/it", "try synthetic/horse2zebra or synthetic/t1_t2."),
        ("t1t2", "did you mean synthetic/t1_t2?"),
    ],
)
def test_unknown_name_suggests_the_nearest(tmp_path, monkeypatch, given, suggestion):
    (tmp_path / "my-photos").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        find_source(DatasetConfig(dataset=given))
    message = str(caught.value)
    assert message.startswith(f"--dataset {given}: no such folder")
    assert suggestion in message and "\n" not in message
    assert "--data-dir" in message  # it may be converted, and this another directory


def test_folder_beside_the_given_path_is_suggested(tmp_path):
    (tmp_path / "horses").mkdir()
    with pytest.raises(InputError, match=f"did you mean {tmp_path}/horses"):
        find_source(DatasetConfig(dataset=str(tmp_path / "horsse")))


def test_version_that_tfds_lacks_is_named():
    with pytest.raises(InputError, match="TFDS cannot load it .*9.9.9"):
        find_source(DatasetConfig(dataset="cycle_gan/maps:9.9.9"))


def test_known_name_needs_no_network():
    source = find_source(DatasetConfig(dataset="cycle_gan/maps:3.0.0"))
    assert source.identity == {"kind": "tfds", "name": "cycle_gan/maps:3.0.0"}
