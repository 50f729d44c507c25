# Sampled recordings: exact totals, estimates, the set of recorded blocks.
$(BUILD)/programs/sites: tests/sampling/sites.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -o $@ $< -pthread
TESTS += $(BUILD)/programs/sites
TAPS  += tests/sampling/totals.t tests/sampling/views.t tests/sampling/everywhere.t tests/sampling/estimates.t tests/sampling/bounds.t
LONG  += tests/sampling/estimates_long.t
$(eval $(call add-tap-test,test_sampler,tests/sampling/test_sampler.c,libvtcore,-lpthread -lm))
