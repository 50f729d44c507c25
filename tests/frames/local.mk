# Virtual frames: the interpreters' own view against what is recorded.
TAPS += tests/frames/python.t
