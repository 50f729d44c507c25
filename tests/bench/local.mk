# What recording and reading cost: `make bench` (long, wants heaptrack: tools/deps full).
TESTS += $(BUILD)/bench/churn $(BUILD)/bench/libusage.so
$(BUILD)/bench/churn: tests/bench/churn.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 -O2 -g -o $@ $< -pthread
$(BUILD)/bench/libusage.so: tests/bench/usage.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) -O2 $(DEFS) $(WARN) -fPIC -shared -o $@ $<

bench: deps-full tests
	BUILD=$(BUILD) tests/bench/overhead
	BUILD=$(BUILD) tests/bench/analyze
	BUILD=$(BUILD) tests/bench/python
	BUILD=$(BUILD) tests/bench/reach/bench
	BUILD=$(BUILD) tests/bench/reach/modes
	BUILD=$(BUILD) tests/bench/reach/sampling
	BUILD=$(BUILD) tests/bench/reach/watch
	BUILD=$(BUILD) tests/bench/reach/pause
	BUILD=$(BUILD) tests/bench/snapshot/bench
