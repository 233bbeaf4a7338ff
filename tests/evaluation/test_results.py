from cyclegan_tf.evaluation import comparison, results
from cyclegan_tf.evaluation.comparison import Figures
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


def test_models_stand_beside_nothing_and_two_have_a_ratio():
    nothing = Figures(scores={"swd": 40.0, "truth_mae": 8.0})
    large = Figures(2.0, 30.0, 1200, {"swd": 10.0, "cycle_mae": 0.5, "truth_mae": 4.0})
    small = Figures(1.0, 15.0, None, {"swd": 20.0, "cycle_mae": 0.25})
    compared = {comparison.NOTHING: nothing, "large": large, "small": small}
    assert comparison.table(compared) == [
        ["", "nothing", "large", "small", "ratio"],
        ["megabytes", "", "2.00", "1.00", "0.500"],
        ["milliseconds", "", "30.0", "15.0", "0.500"],
        ["multiply_adds", "", "1,200", "", ""],
        ["swd", "40.00", "10.00", "20.00", "2.000"],
        ["cycle_mae", "", "0.5000", "0.2500", "0.500"],
        ["truth_mae", "8.00", "4.00", "", ""],
    ]
