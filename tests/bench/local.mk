# The overhead benchmark: `make bench` (long, wants heaptrack: tools/deps full).
TESTS += $(BUILD)/bench/churn
$(BUILD)/bench/churn: tests/bench/churn.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 -O2 -g -o $@ $< -pthread

bench: deps-full tests
	BUILD=$(BUILD) tests/bench/overhead
