# Reachability: the scanner against a naive model.
$(eval $(call add-tap-test,test_scan,tests/snapshot/test_scan.c,libvt_analyzer,$(VALTRACE_LIBS)))
$(eval $(call add-tap-test,test_chunks,tests/snapshot/test_chunks.c,libvt_analyzer,$(VALTRACE_LIBS)))
$(eval $(call add-tap-test,test_roots,tests/snapshot/test_roots.c,libvt_analyzer,$(VALTRACE_LIBS)))

TAPS  += tests/snapshot/planted.t tests/snapshot/heirs.t tests/snapshot/ctl.t
LONG  += tests/snapshot/lsan.t tests/snapshot/memcheck.t tests/snapshot/limits_long.t tests/snapshot/following_long.t
TESTS += $(P)/libkeeps.so $(P)/heirs
$(P)/heirs: tests/snapshot/heirs.c
	@mkdir -p $(@D)
	$(CC) -Iinclude $(CSTD) $(P_CFLAGS) -o $@ $< -ldl -pthread
$(P)/libkeeps.so: tests/snapshot/planted_lib.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -fPIC -shared -o $@ $<
