# What documents say, tried.
TAPS += tests/docs/production.t
