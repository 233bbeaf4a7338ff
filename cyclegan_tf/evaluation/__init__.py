"""How good a run is: scores, best and worst images, a report."""
