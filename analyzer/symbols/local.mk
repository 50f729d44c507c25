$(eval $(call add-lib,libvt_symbols,$(wildcard analyzer/symbols/*.c) analyzer/util/mem.c analyzer/util/strings.c \
  analyzer/util/kernel.c analyzer/util/progress.c analyzer/cli/error.c))
VT_SYMBOLS_LIBS := -ldw -lelf -liberty -lzstd
$(eval $(call add-test,test_symbolize,tests/unit/symbolize.c,libvt_symbols,$(VT_SYMBOLS_LIBS)))
