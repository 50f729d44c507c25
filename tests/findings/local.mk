# Findings: planted programs and their healthy twins.
TAPS += tests/findings/findings.t tests/findings/schema.t
