"""Diagnosis: what stands in the way of the promises, and the cure. Looks at machine and primaries; changes nothing.

It promises: every check ends within seconds, says ok, warning or failure, and names the cure for what is not ok.
"""
