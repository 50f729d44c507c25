# The fd_* library: the allocators and what they stand on.  core/trace is not part of it.
FD_MODULES := util tile tpool shmem checkpt wksp alloc groove valloc
FD_SOURCES := $(wildcard $(FD_MODULES:%=core/%/*.c))
FD_DEFS    += $(if $(filter address,$(SAN)),-DFD_HAS_ASAN=1) $(if $(filter undefined,$(SAN)),-DFD_HAS_UBSAN=1)
FD_LDLIBS  := -llz4 -pthread -lm

$(call objs,$(FD_SOURCES)): CPPFLAGS += $(FD_DEFS)
$(eval $(call add-lib,libfd,$(FD_SOURCES)))
