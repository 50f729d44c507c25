# Which image is over: interleavings of the real ring and collector code, and exec chains.
$(call objs,tests/collector/test_identity.c): CPPFLAGS += -DVT_SYS_FAULTS
$(eval $(call add-tap-test,test_identity,tests/collector/test_identity.c,libvt_analyzer libvtcore,$(VALTRACE_LIBS)))
TAPS += tests/collector/chains.t tests/collector/gather.t tests/collector/unseen.t
LONG += tests/collector/chains_long.t tests/collector/identity_long.t
