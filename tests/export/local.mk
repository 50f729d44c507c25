# Exports opened by the programs they are made for, those from npm and those in a browser included.
LONG += tests/export/consumers.t
