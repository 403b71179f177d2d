"""Measuring what the models make: metrics over folders of audio, reports on the bundled models, and benchmarks.

* `evaluation.bradley_terry`, `leaderboard`, `pair_selection`: ratings from votes; `opinion`, `mushra`, `screening`,
  `significance`, `reliability`, `power`: scores; `calibration`: whether all that keeps its promises; `commands`: the
  command lines.
* `evaluation.metrics`: one small module a metric and a registry of them; numpy in, a number out.
* `evaluation.bundled`: the figures of the bundled models' cards, one command each.
* `evaluation.benchmarks`: speed and memory beside another implementation.

`python -m evaluation --help` lists the commands. No module here imports torch when it is imported.
"""
