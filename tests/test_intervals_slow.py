"""In 200 simulated logs per model, do intervals hold what they say, and do standard errors match the spread of refits?"""

from __future__ import annotations

import intervals
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(intervals.STUDIES))
def test_intervals_tell_the_truth(name):
    found = intervals.study(name)
    assert found["failed"] == 0
    assert 0.86 <= found["total"] <= 0.94
    assert 0.86 <= found["clv"] <= 0.94
    assert 0.88 <= found["customers"] <= 0.93
    assert 0.9 <= found["error_ratio"] <= 1.1
