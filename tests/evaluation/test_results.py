from cyclegan_tf.evaluation import results
from cyclegan_tf.evaluation.results import DirectionScores

PROTOCOL = {
    "fakes_from": "3 images of testA",
    "compared_with": "4 images of testB",
    "resize": "to 8x8",
}
THERE, BACK = (
    DirectionScores(direction, scores, nothing, PROTOCOL)
    for direction, scores, nothing in (
        ("a_to_b", {"swd": 20.0, "cycle_mae": 0.25}, {"swd": 30.0}),
        ("b_to_a", {"swd": 10.0}, {"swd": 40.0}),
    )
)


def test_scores_of_both_directions_stand_side_by_side():
    assert results.mean_score([THERE, BACK], "swd") == 15
    flat = {"swd_a_to_b": 20, "cycle_mae_a_to_b": 0.25, "swd_b_to_a": 10}
    assert results.flat_scores([THERE, BACK]) == flat


def test_table_has_a_row_per_score_and_leaves_out_what_is_not_there():
    lines = results.score_table([THERE, BACK], "title").splitlines()
    assert lines[0].startswith("title")
    assert [line.split() for line in lines[1:5]] == [
        ["a_to_b", "b_to_a"],
        ["model", "nothing", "model", "nothing"],
        ["swd", "20.00", "30.00", "10.00", "40.00"],
        ["cycle_mae", "0.2500"],
    ]
    assert lines[5] == "a_to_b: 3 images of testA beside 4 images of testB, to 8x8"
