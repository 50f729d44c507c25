# What `make install` leaves, its man pages, completion in three shells, and the examples of docs/ci.md.
TAPS += $(addprefix tests/install/,install.t man.t completion.t shells.t ci.t)
