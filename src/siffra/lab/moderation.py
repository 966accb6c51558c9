"""How much comparisons vary, learned from all of a kind: the prior of the moderated t.

With five seeds a standard deviation is known to within a factor of two or so, and t intervals
pay for that: at the level of one claim among sixty they are two to three times as wide as they
would be were it known. Comparisons of one kind vary alike, more or less, and how alike can be
estimated: their variances are taken as draws from a scaled inverse chi-squared distribution,
and each is drawn towards its centre by as much as they turn out to agree.

Source: G. K. Smyth, Linear models and empirical Bayes methods for assessing differential
expression in microarray experiments, 2004, sections 4 and 6.2.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a comparison's variance before its own seeds are looked at.

    As good as `freedom` degrees of freedom (infinity: known) for a standard deviation of
    `deviation`, on the scale on which effects add. Learned from so many `comparisons`.
    """

    freedom: float
    deviation: float
    comparisons: int
