# Man pages: build/man/*, with the parts that several share put in.
MAN_PAGES := $(patsubst docs/man/%,$(BUILD)/man/%,$(wildcard docs/man/*.[17]))
$(BUILD)/man/%: docs/man/% docs/man/expand $(wildcard docs/man/*)
	@mkdir -p $(@D)
	$(Q)docs/man/expand $< >$@
all: $(MAN_PAGES)
