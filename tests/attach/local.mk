# Recording processes that run already.
TAPS  += tests/attach/attach.t
TESTS += $(addprefix $(BUILD)/programs/,churn churn_static)
$(BUILD)/programs/churn $(BUILD)/programs/churn_static: tests/attach/churn.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(DEFS) -O1 -g -fno-builtin $(WARN) $(if $(findstring static,$@),-static) -o $@ $< -lpthread
