# Tests and benchmarks of wksp and fd_alloc.
WKSP_TAPS := test_wksp_unit test_wksp_index test_wksp_model test_wksp_kill test_wksp_ckpt test_wksp_shmem test_fd_alloc
WKSP_BENCH := tests/bench/wksp/bench_wksp.c tests/bench/wksp/bench_alloc.c
$(call objs,$(WKSP_TAPS:%=tests/wksp/%.c) tests/wksp/test_wksp_tpool.c $(WKSP_BENCH)): CPPFLAGS += $(FD_DEFS)

$(foreach t,$(WKSP_TAPS),$(eval $(call add-tap-test,$(t),tests/wksp/$(t).c,libfd,$$(FD_LDLIBS))))
$(eval $(call add-test,test_wksp_tpool,tests/wksp/test_wksp_tpool.c,libfd,$$(FD_LDLIBS)))
$(eval $(call add-test,bench_wksp,tests/bench/wksp/bench_wksp.c,libfd,$$(FD_LDLIBS)))
$(eval $(call add-test,bench_alloc,tests/bench/wksp/bench_alloc.c,libfd,$$(FD_LDLIBS) -ldl))
TAPS += tests/wksp/wksp_programs.t tests/wksp/fd_headers.t
LONG += tests/wksp/wksp_long.t
