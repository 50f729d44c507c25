# What `make install` leaves, its man pages and the completion.
TAPS += $(addprefix tests/install/,install.t man.t completion.t shells.t)
