# The HTML page's template, with its style and scripts, is compiled into html.o.
PAGE_TEMPLATE := $(BUILD)/page/template.html
$(PAGE_TEMPLATE): tools/html/page.html $(wildcard tools/html/*.css tools/html/*.js) $(lastword $(MAKEFILE_LIST))
	@mkdir -p $(@D)
	$(Q)awk '/^<!--.*\.(css|js)-->$$/ { \
	    file = "tools/html/" substr($$0, 5, length($$0) - 7); \
	    while ((got = (getline line <file)) > 0) print line; \
	    if (got < 0) { print file ": cannot be read" >"/dev/stderr"; exit 1 } \
	    next } 1' $< >$@
$(BUILD)/obj/analyzer/page/html.o: $(PAGE_TEMPLATE)
$(BUILD)/obj/analyzer/page/html.o: CPPFLAGS += -DVT_PAGE_TEMPLATE='"$(PAGE_TEMPLATE)"'
