from .bridge import clv_bridge as clv_bridge
from .bridge import realised_against_predicted as realised_against_predicted
from .bridge import shapley as shapley
from .bridge import value_drift as value_drift
from .step import remeasure_step as remeasure_step
