# The fuzz target of the reader: replayed over the golden traces by `make test`; `make fuzz` searches with
# libFuzzer (clang).
$(eval $(call add-tap-test,test_fuzz_reader,tests/fuzz/replay.c tests/fuzz/reader.c,libvt_analyzer,-lzstd -lpthread -ldw -lelf -liberty))

FUZZ_SRC := tests/fuzz/reader.c $(wildcard analyzer/trace/*.c) analyzer/cli/error.c analyzer/util/mem.c
FUZZ_SRC := $(filter-out %/pack.c %/embed.c %/import.c,$(FUZZ_SRC))
$(BUILD)/bin/fuzz_reader: $(FUZZ_SRC)
	@mkdir -p $(@D)
	clang $(CPPFLAGS) -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -o $@ $(FUZZ_SRC) -lzstd -lpthread
.PHONY: fuzz
fuzz: $(BUILD)/bin/fuzz_reader
	@mkdir -p $(BUILD)/fuzz
	$(BUILD)/bin/fuzz_reader -max_total_time=$(or $(SECONDS),60) -rss_limit_mb=1024 $(BUILD)/fuzz tests/golden
