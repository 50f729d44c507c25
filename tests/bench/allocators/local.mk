# Allocators side by side; `make bench-allocators` prints the table.
ALLOCATOR_BENCH := tests/bench/allocators/bench_allocators.c
$(call objs,$(ALLOCATOR_BENCH)): CPPFLAGS += $(FD_DEFS)
$(eval $(call add-test,bench_allocators,$(ALLOCATOR_BENCH),libfd,$$(FD_LDLIBS)))

.PHONY: bench-allocators
bench: bench-allocators
bench-allocators: $(BUILD)/bin/bench_allocators
	@$<
