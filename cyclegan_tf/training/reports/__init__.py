"""What is told of a run that is trained; where it cannot be, the run goes on."""
