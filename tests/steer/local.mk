# Steering a recording: pausing and resuming it, ending it early, reading it while it grows.
TAPS  += tests/steer/pause.t tests/steer/growing.t tests/steer/size.t tests/steer/asking.t
LONG  += tests/steer/keep.t
TESTS += $(P)/steered $(P)/liblate.so
$(P)/steered: tests/steer/steered.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -o $@ $< -pthread
$(P)/liblate.so: tests/steer/late.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(P_CFLAGS) -fPIC -shared -o $@ $<
