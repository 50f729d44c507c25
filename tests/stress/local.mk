# The allocators' stress programs plain and recorded: `make stress` takes about a minute.
TAPS += tests/stress/stress.t

stress: deps
	@$(MAKE) --no-print-directory -j$(JOBS) tests
	BUILD=$(BUILD) STRESS_SCALE=20 tests/stress/stress.t
