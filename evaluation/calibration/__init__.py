"""Whether the statistics keep their promises, by simulation from known ratings.

* `simulate`: true ratings and votes drawn from them.
* `coverage`: how often each method's intervals hold the truth, and its rank error.
* `ranks`: simulation-based calibration of the samplers.
* `selection`: votes that the choice of pairs saves.
"""
