# Which image is over: interleavings of the real ring and collector code, and exec chains.
define identity-test
$(call objs,tests/collector/$(1).c): CPPFLAGS += -DVT_SYS_FAULTS -DVT_RING_IMAGES=256
$(call add-tap-test,$(1),tests/collector/$(1).c,libvt_analyzer libvtcore,$(VALTRACE_LIBS))
endef
$(foreach t,test_identity test_identity_small,$(eval $(call identity-test,$(t))))
TAPS += tests/collector/chains.t tests/collector/gather.t tests/collector/unseen.t
LONG += tests/collector/identity_long.t tests/collector/identity_small_long.t
