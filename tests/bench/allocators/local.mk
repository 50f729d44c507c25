# Allocators and recorders side by side; `make bench-allocators` rewrites docs/benchmarks.md and its
# plot.
ALLOCATOR_BENCH := tests/bench/allocators/bench_allocators.c
$(call objs,$(ALLOCATOR_BENCH)): CPPFLAGS += $(FD_DEFS)
$(eval $(call add-test,bench_allocators,$(ALLOCATOR_BENCH),libfd,$$(FD_LDLIBS)))

.PHONY: bench-allocators
bench: bench-allocators
bench-allocators: tests
	BUILD=$(BUILD) tests/bench/allocators/bench.py
