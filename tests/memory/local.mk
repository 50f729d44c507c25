# The account of mappings against a naive model.
$(eval $(call add-tap-test,test_mappings,tests/memory/test_mappings.c,libvt_analyzer,$(VALTRACE_LIBS)))
