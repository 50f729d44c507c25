# The account of mappings against a naive model; which pages are resident, on a program that knows.
$(eval $(call add-tap-test,test_mappings,tests/memory/test_mappings.c,libvt_analyzer,$(VALTRACE_LIBS)))
TAPS += tests/memory/pages.t tests/memory/account.t
LONG += tests/memory/account_long.t
