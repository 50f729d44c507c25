# A malloc is a few nanoseconds: no frame pointer.
$(call objs,core/alloc/fd_alloc.c): OPT := $(OPT_HOT)
