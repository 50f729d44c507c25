TAPS += tests/integration/report.t
