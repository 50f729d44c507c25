VT_MODEL_SRC := $(wildcard analyzer/model/*.c) analyzer/sampling/estimate.c analyzer/util/mem.c
$(eval $(call add-lib,libvt_model,$(VT_MODEL_SRC)))
$(eval $(call add-tap-test,test_model,tests/unit/test_model.c,libvt_model,-lm))
$(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard analyzer/model/*.c)): OPT := -O3 -g -fno-omit-frame-pointer
