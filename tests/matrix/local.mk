# The tarball in root folders of several distributions: `make matrix`, which fetches packages and needs root.
.PHONY: matrix
matrix: tarball
	@tests/matrix/distros $(TARBALL)

# Real programs; which are tried says programs.toml, those that are not installed are skipped. `make compatibility` measures them,
# too, and writes the table of docs/compatibility.md.
LONG += tests/matrix/programs
.PHONY: compatibility
compatibility: tests
	@tools/deps matrix
	@BUILD=$(BUILD) tests/matrix/programs --measure || true
	@BUILD=$(BUILD) tests/matrix/table docs/compatibility.md
