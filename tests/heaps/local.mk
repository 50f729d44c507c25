# The heaps of wksp, fd_alloc, groove and annotated programs under the shim.
$(call objs,tests/heaps/test_heaps.c): CPPFLAGS += $(FD_DEFS)
$(eval $(call add-test,test_heaps,tests/heaps/test_heaps.c,libfd,$$(FD_LDLIBS)))
TAPS += tests/heaps/heaps.t
