# The account of mappings against a naive model; which pages are resident, on a program that knows; mappings that
# change while they are looked at.
$(eval $(call add-tap-test,test_mappings,tests/memory/test_mappings.c,libvt_analyzer,$(VALTRACE_LIBS)))
$(eval $(call add-tap-test,test_capture,tests/memory/test_capture.c,libvt_analyzer,$(VALTRACE_LIBS)))
TAPS += tests/memory/pages.t tests/memory/account.t
