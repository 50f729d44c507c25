# What `make install`, `make tarball`, `make deb` and `make rpm` leave, man pages, completion in three shells, the examples of docs/ci.md.
TAPS += $(addprefix tests/install/,install.t man.t completion.t shells.t ci.t)
LONG += tests/install/tarball.t tests/install/packages_long.t tests/install/container_long.t
