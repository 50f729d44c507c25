# The tarball in root folders of several distributions: `make matrix`, which fetches packages and needs root.
.PHONY: matrix
matrix: tarball
	@tests/matrix/distros $(TARBALL)
