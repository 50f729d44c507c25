# Steering a recording: pausing and resuming it, ending it early, reading it while it grows.
TAPS  += tests/steer/pause.t tests/steer/growing.t tests/steer/size.t
LONG  += tests/steer/keep.t
TESTS += $(P)/steered
$(P)/steered: tests/steer/steered.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -o $@ $< -pthread
